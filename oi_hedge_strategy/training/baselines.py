"""Forecasters that the network must beat, on the same features in a table, behind one interface."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from oi_hedge_catalog.errors import CatalogError, ConfigError
from oi_hedge_strategy.cascades import SIDES

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]
Predict = Callable[[Singles], Floats]
VOLATILITY_COLUMNS = ("log_volatility_336h", "log_volatility_24h")
STRENGTHS = (1e-4, 1e-3, 5e-3, 2e-2)
_CLIP = 10.0


class Baseline[P: Predict](Protocol):
    """A forecaster that is fit on a table of features."""

    def fit(self, x_train: Singles, y_train: Singles, x_stop: Singles, y_stop: Singles, seed: int) -> P:
        """
        Fit every output and return the function that forecasts.

        Parameters
        ----------
        x_train, x_stop : float32 array, shape (n, features)
            Features of the training and the early-stopping window, finite.
        y_train, y_stop : float32 array, shape (n, sides, horizons)
            Outcomes 0 or 1; NaN, where not known, is left out of that output.
        seed : int
            Of whatever is random.

        Returns
        -------
        callable
            Takes features of shape (n, features) and returns logits of shape (n, sides, horizons), float64.

        """
        ...

    def refit(self, x: Singles, y: Singles, chosen: P, seed: int) -> P:
        """Fit again, on other rows, with what was chosen on the early-stopping window."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """Answer the same logits, shape (sides, horizons), whatever the features."""

    logits: Floats

    def __call__(self, x: Singles) -> Floats:
        """Return logits of shape (n, sides, horizons)."""
        return np.broadcast_to(self.logits, (x.shape[0], *self.logits.shape)).copy()


@dataclass(frozen=True, slots=True)
class Prevalence:
    """Forecast the rate of the training window, whatever the features."""

    def fit(
        self, x_train: Singles, y_train: Singles, x_stop: Singles, y_stop: Singles, seed: int
    ) -> Constant:
        """Take the rates; see `Baseline.fit`."""
        logits = np.empty(y_train.shape[1:])
        for at, _, y in _heads(x_train, y_train):
            logits[at] = _base_logit(y)
        return Constant(logits)

    def refit(self, x: Singles, y: Singles, chosen: Constant, seed: int) -> Constant:
        """Take the rates of other rows; see `Baseline.refit`."""
        return self.fit(x, y, x, y, seed)


@dataclass(frozen=True, slots=True)
class Linear:
    """
    Answer a linear function of standardised columns.

    Parameters
    ----------
    columns : tuple of int
        The columns looked at.
    shift, scale : float32 array, shape (columns,)
        Standardisation.
    slope : float64 array, shape (columns, sides, horizons)
    intercept : float64 array, shape (sides, horizons)
    strength : float64 array, shape (sides, horizons)
        The regularisation that was chosen.

    """

    columns: tuple[int, ...]
    shift: Singles
    scale: Singles
    slope: Floats
    intercept: Floats
    strength: Floats

    def __call__(self, x: Singles) -> Floats:
        """Return logits of shape (n, sides, horizons)."""
        table = standardised(x[:, list(self.columns)], self.shift, self.scale)
        return np.tensordot(table, self.slope, axes=1) + self.intercept


@dataclass(frozen=True, slots=True)
class Logistic:
    """
    Forecast by logistic regression on standardised columns.

    Parameters
    ----------
    columns : tuple of int, optional
        The columns to look at; all by default.
    strengths : tuple of float
        Weights of half the squared coefficients beside the mean log loss; the one with the least log loss on
        the early-stopping window is kept.

    """

    columns: tuple[int, ...] | None = None
    strengths: tuple[float, ...] = STRENGTHS

    def fit(self, x_train: Singles, y_train: Singles, x_stop: Singles, y_stop: Singles, seed: int) -> Linear:
        """Fit coefficients and choose the strength; see `Baseline.fit`."""
        columns = self.columns or tuple(range(x_train.shape[1]))
        x_train, x_stop = x_train[:, list(columns)], x_stop[:, list(columns)]
        _check_finite(x_train, x_stop)
        shift, scale = moments(x_train)
        tables = standardised(x_train, shift, scale), standardised(x_stop, shift, scale)
        strength = self.choose(tables[0], y_train, tables[1], y_stop)
        return Linear(columns, shift, scale, *coefficients(tables[0], y_train, strength), strength)

    def refit(self, x: Singles, y: Singles, chosen: Linear, seed: int) -> Linear:
        """Fit coefficients on other rows; see `Baseline.refit`."""
        x = x[:, list(chosen.columns)]
        _check_finite(x)
        shift, scale = moments(x)
        fitted = coefficients(standardised(x, shift, scale), y, chosen.strength)
        return Linear(chosen.columns, shift, scale, *fitted, chosen.strength)

    def choose(self, x_train: Singles, y_train: Singles, x_stop: Singles, y_stop: Singles) -> Floats:
        """Return the strength of every output, shape (sides, horizons), for columns already standardised."""
        best = np.zeros(y_train.shape[1:])
        for at, x, y in _heads(x_train, y_train):
            known = np.isfinite(y_stop[:, *at])
            stop, outcome = x_stop[known], y_stop[known, *at]
            losses = [
                mean_log_loss(_regress(x, y, s).decision_function(stop), outcome) for s in self.strengths
            ]
            best[at] = self.strengths[int(np.argmin(losses))]
        return best


@dataclass(frozen=True, slots=True)
class Trees:
    """
    Answer the sums of trees.

    Parameters
    ----------
    models : tuple of HistGradientBoostingClassifier
        One for each output.
    rounds : tuple of int
        How many trees of each count.
    outputs : tuple of int
        Sides and horizons.

    """

    models: tuple[HistGradientBoostingClassifier, ...]
    rounds: tuple[int, ...]
    outputs: tuple[int, int]

    def __call__(self, x: Singles) -> Floats:
        """Return logits of shape (n, sides, horizons)."""
        with threadpool_limits(limits=1):
            logits = [_staged(each, x, rounds) for each, rounds in zip(self.models, self.rounds, strict=True)]
        return np.stack(logits, axis=1).reshape(-1, *self.outputs)


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """
    Forecast by gradient-boosted trees, one ensemble for each output.

    Each split looks at a random part of the columns, which is what the seed decides. Rounds stop where the
    log loss on the early-stopping window has not fallen for a while, and those after its least are left out.

    Parameters
    ----------
    rounds, patience : int
        At most so many trees; stop after so many without a lower loss.
    learning_rate : float
        Weight of each tree.
    depth, leaves, leaf_samples : int
        Limits of a tree; neighbouring samples share most of what followed, so leaves must be large.
    column_share : float
        Share of the columns offered to each split.

    """

    rounds: int = 120
    patience: int = 10
    learning_rate: float = 0.1
    depth: int = 4
    leaves: int = 12
    leaf_samples: int = 200
    column_share: float = 0.5

    def fit(self, x_train: Singles, y_train: Singles, x_stop: Singles, y_stop: Singles, seed: int) -> Trees:
        """Grow the trees; see `Baseline.fit`."""
        _check_finite(x_train, x_stop)
        models, kept = [], []
        for at, x, y in _heads(x_train, y_train):
            known = np.isfinite(y_stop[:, *at])
            stop, outcome = x_stop[known], y_stop[known, *at]
            model = self._model(y.size, self.rounds, seed, early_stopping=True)
            with threadpool_limits(limits=1):
                model.fit(x, y, X_val=stop, y_val=outcome)
                staged = model.staged_decision_function(stop)
                losses = [mean_log_loss(logit.ravel(), outcome) for logit in staged]
            models.append(model)
            kept.append(int(np.argmin(losses)) + 1)
        return Trees(tuple(models), tuple(kept), y_train.shape[1:])

    def refit(self, x: Singles, y: Singles, chosen: Trees, seed: int) -> Trees:
        """Grow as many trees on other rows; see `Baseline.refit`."""
        _check_finite(x)
        models = []
        for (_, rows, outcome), rounds in zip(_heads(x, y), chosen.rounds, strict=True):
            model = self._model(outcome.size, rounds, seed, early_stopping=False)
            with threadpool_limits(limits=1):
                models.append(model.fit(rows, outcome))
        return Trees(tuple(models), chosen.rounds, chosen.outputs)

    def _model(
        self, samples: int, rounds: int, seed: int, early_stopping: bool
    ) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=rounds,
            max_depth=self.depth,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=min(self.leaf_samples, max(1, samples // 20)),
            l2_regularization=1.0,
            max_features=self.column_share,
            max_bins=63,
            early_stopping=early_stopping,
            n_iter_no_change=self.patience,
            tol=0.0,
            random_state=seed,
        )


def baselines(names: Sequence[str], oi_rule: Sequence[str]) -> dict[str, Baseline[Any]]:
    """
    Return the baselines by name, the simplest first.

    Parameters
    ----------
    names : sequence of str
        Names of the feature columns.
    oi_rule : sequence of str
        The columns that a rule on open interest looks at: its change and the funding rate.

    Raises
    ------
    ConfigError
        If a column is missing.

    """
    return {
        "prevalence": Prevalence(),
        "volatility": Logistic(_columns(names, VOLATILITY_COLUMNS)),
        "oi_rule": Logistic(_columns(names, oi_rule)),
        "logistic": Logistic(),
        "boosted_trees": BoostedTrees(),
    }


def moments(x: Singles) -> tuple[Singles, Singles]:
    """Return mean and reciprocal deviation of each column."""
    return x.mean(0), (1.0 / np.maximum(x.std(0), 1e-6)).astype(np.float32)


def standardised(x: Singles, shift: Singles, scale: Singles) -> Singles:
    """Return columns shifted and scaled, clipped to ten deviations."""
    return np.clip((x - shift) * scale, -_CLIP, _CLIP)


def coefficients(x: Singles, y: Singles, strength: Floats) -> tuple[Floats, Floats]:
    """
    Return slope and intercept of a logistic regression of every output on standardised columns.

    Parameters
    ----------
    x : float32 array, shape (n, columns)
    y : float32 array, shape (n, sides, horizons)
    strength : float64 array, shape (sides, horizons)
        Weight of half the squared coefficients beside the mean log loss.

    Returns
    -------
    slope : float64 array, shape (columns, sides, horizons)
    intercept : float64 array, shape (sides, horizons)

    """
    slope, intercept = np.zeros((x.shape[1], *y.shape[1:])), np.zeros(y.shape[1:])
    for at, rows, outcome in _heads(x, y):
        fitted = _regress(rows, outcome, strength[at])
        slope[:, *at], intercept[at] = fitted.coef_[0], fitted.intercept_[0]
    return slope, intercept


def mean_log_loss(logit: Floats, outcome: Singles) -> float:
    """Return the mean log loss of logits, shape (n,), without overflow."""
    return float(np.mean(np.logaddexp(0.0, logit) - logit * outcome))


def _columns(names: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...]:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ConfigError(f"baselines: no feature column {', '.join(missing)}; there are {', '.join(names)}")
    return tuple(names.index(name) for name in wanted)


def _heads(x: Singles, y: Singles) -> Iterator[tuple[tuple[int, int], Singles, Singles]]:
    """Yield the index of every output with the samples whose outcome is known."""
    for side in range(y.shape[1]):
        for horizon in range(y.shape[2]):
            known = np.isfinite(y[:, side, horizon])
            outcome = y[known, side, horizon]
            if not outcome.size or outcome.min() == outcome.max():
                raise CatalogError(
                    f"training window: output {SIDES[side]}, horizon {horizon + 1}, saw "
                    f"{int(outcome.sum())} cascades in {outcome.size} samples; ingest a longer history, "
                    "train on more assets or lower the cascade threshold"
                )
            yield (side, horizon), x[known], outcome


def _regress(x: Singles, y: Singles, strength: float) -> LogisticRegression:
    with threadpool_limits(limits=1):
        model = LogisticRegression(C=1.0 / (strength * y.size), solver="newton-cholesky")
        return model.fit(x.astype(np.float64), y)


def _base_logit(outcome: Singles) -> float:
    rate = float(outcome.mean())
    return float(np.log(rate / (1.0 - rate)))


def _staged(model: HistGradientBoostingClassifier, x: Singles, rounds: int) -> Floats:
    return np.asarray(next(islice(model.staged_decision_function(x), rounds - 1, None))).ravel()


def _check_finite(*tables: Singles) -> None:
    for table in tables:
        bad = np.argwhere(~np.isfinite(table))
        if bad.size:
            raise CatalogError(
                f"baselines: feature column {bad[0][1]}, row {bad[0][0]}, expected a finite value, found "
                f"{table[tuple(bad[0])]}; mask what is not known before computing features"
            )
