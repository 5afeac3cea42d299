"""Forecasters that the network must beat, on the same features in a table, behind one interface."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from oi_hedge_catalog.errors import CatalogError, ConfigError
from oi_hedge_strategy.cascades import SIDES

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]
Predict = Callable[[Singles], Floats]
VOLATILITY_COLUMNS = ("log_volatility_336h", "log_volatility_24h")
_STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2)
_CLIP = 10.0


class Baseline(Protocol):
    """A forecaster that is fit on a table of features."""

    def fit(self, x_train: Singles, y_train: Singles, x_stop: Singles, y_stop: Singles, seed: int) -> Predict:
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


@dataclass(frozen=True, slots=True)
class Prevalence:
    """Forecast the rate of the training window, whatever the features."""

    def fit(self, x_train: Singles, y_train: Singles, x_stop: Singles, y_stop: Singles, seed: int) -> Predict:
        """Take the rates; see `Baseline.fit`."""
        logits = np.empty(y_train.shape[1:])
        for at, _, y in _heads(x_train, y_train):
            logits[at] = _base_logit(y)
        return lambda x: np.broadcast_to(logits, (x.shape[0], *logits.shape)).copy()


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
    strengths: tuple[float, ...] = _STRENGTHS

    def fit(self, x_train: Singles, y_train: Singles, x_stop: Singles, y_stop: Singles, seed: int) -> Predict:
        """Fit coefficients and choose the strength; see `Baseline.fit`."""
        columns = slice(None) if self.columns is None else list(self.columns)
        x_train, x_stop = x_train[:, columns], x_stop[:, columns]
        _check_finite(x_train, x_stop)
        shift, scale = x_train.mean(0), 1.0 / np.maximum(x_train.std(0), 1e-6)

        def standardised(x: Singles) -> Floats:
            return np.clip((x - shift) * scale, -_CLIP, _CLIP).astype(np.float64)

        coefficients = np.zeros((x_train.shape[1], *y_train.shape[1:]))
        intercept = np.zeros(y_train.shape[1:])
        stop = standardised(x_stop)
        with threadpool_limits(limits=1):
            for at, x, y in _heads(standardised(x_train), y_train):
                known = np.isfinite(y_stop[:, *at])
                fitted = self._fit_head(x, y, stop[known], y_stop[known, *at])
                coefficients[:, *at], intercept[at] = fitted.coef_[0], fitted.intercept_[0]
        return lambda x: np.tensordot(standardised(x[:, columns]), coefficients, axes=1) + intercept

    def _fit_head(self, x: Floats, y: Singles, x_stop: Floats, y_stop: Singles) -> LogisticRegression:
        candidates = [
            LogisticRegression(C=1.0 / (strength * y.size), solver="newton-cholesky").fit(x, y)
            for strength in self.strengths
        ]
        losses = [mean_log_loss(each.decision_function(x_stop), y_stop) for each in candidates]
        return candidates[int(np.argmin(losses))]


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

    def fit(self, x_train: Singles, y_train: Singles, x_stop: Singles, y_stop: Singles, seed: int) -> Predict:
        """Grow the trees; see `Baseline.fit`."""
        _check_finite(x_train, x_stop)
        shape = y_train.shape[1:]
        with threadpool_limits(limits=1):
            fitted = [
                self._fit_head(x, y, x_stop, y_stop[:, *at], seed) for at, x, y in _heads(x_train, y_train)
            ]

        def predict(x: Singles) -> Floats:
            with threadpool_limits(limits=1):
                logits = [_staged(model, x, rounds) for model, rounds in fitted]
            return np.stack(logits, axis=1).reshape(-1, *shape)

        return predict

    def _fit_head(
        self, x: Singles, y: Singles, x_stop: Singles, y_stop: Singles, seed: int
    ) -> tuple[HistGradientBoostingClassifier, int]:
        """Return the model and how many of its rounds to use."""
        known = np.isfinite(y_stop)
        x_stop, y_stop = x_stop[known], y_stop[known]
        model = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.rounds,
            max_depth=self.depth,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=min(self.leaf_samples, max(1, y.size // 20)),
            l2_regularization=1.0,
            max_features=self.column_share,
            max_bins=63,
            early_stopping=True,
            n_iter_no_change=self.patience,
            tol=0.0,
            random_state=seed,
        )
        model.fit(x, y, X_val=x_stop, y_val=y_stop)
        losses = [mean_log_loss(logit.ravel(), y_stop) for logit in model.staged_decision_function(x_stop)]
        return model, int(np.argmin(losses)) + 1


def baselines(names: Sequence[str], oi_rule: Sequence[str]) -> dict[str, Baseline]:
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


def mean_log_loss(logit: Floats, outcome: Singles) -> float:
    """Return the mean log loss of logits, shape (n,), without overflow."""
    return float(np.mean(np.logaddexp(0.0, logit) - logit * outcome))


def _columns(names: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...]:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ConfigError(f"baselines: no feature column {', '.join(missing)}; there are {', '.join(names)}")
    return tuple(names.index(name) for name in wanted)


def _heads[X: (Singles, Floats)](x: X, y: Singles) -> Iterator[tuple[tuple[int, int], X, Singles]]:
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
