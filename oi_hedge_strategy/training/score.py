"""Score all forecasters of a walk-forward, by output, asset and year."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.evaluation.daily import WEEK_NS, bar_step
from oi_hedge_strategy.evaluation.detection import HOUR_NS
from oi_hedge_strategy.training.alerts import (
    NAMES,
    AlertRecord,
    LabelledEvents,
    alert_metrics,
    labelled_events,
    match_alerts,
)
from oi_hedge_strategy.training.metrics import DayWeights, Floats, Ints
from oi_hedge_strategy.training.predictions import Predictions
from oi_hedge_strategy.training.scores import (
    COLUMNS,
    MEAN,
    OVERALL,
    POOLED,
    SCORING,
    Cell,
    RawMetrics,
    compare,
    estimate_of,
    mean_over_outputs,
    raw_metrics,
    stack_seeds,
)

Bools = NDArray[np.bool_]
REFERENCE = "hybrid"
JUDGED = "ETH"
_NEVER = "no sample has a known outcome"


@dataclass(frozen=True, slots=True)
class Scores:
    """
    Hold the table.

    Parameters
    ----------
    reference : str
        The forecaster that the others are compared with.
    judged : str
        The asset that the verdict is about.
    forecasters : tuple of str
        In the order of the predictions.
    outputs : tuple of str
        Keys such as ``down_18h``.
    periods : mapping of str to (str, str)
        First and last decision time of each calendar year and overall, ISO 8601.
    cells : mapping of (str, str, str) to Cell
        By group (an asset, or ``pooled``), period and output; the output ``mean`` holds means over outputs.
    bootstrap : BlockBootstrap
        How intervals were made.
    block_days : int
        Length of the blocks of the whole period.
    has_onsets : bool
        Whether onsets were known, without which there are no lead times.

    """

    reference: str
    judged: str
    forecasters: tuple[str, ...]
    outputs: tuple[str, ...]
    periods: Mapping[str, tuple[str, str]]
    cells: Mapping[tuple[str, str, str], Cell]
    bootstrap: BlockBootstrap
    block_days: int
    has_onsets: bool

    @property
    def years(self) -> tuple[str, ...]:
        """Return the calendar years."""
        return tuple(name for name in self.periods if name != OVERALL)

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the groups, the pooled one last."""
        return tuple(dict.fromkeys(group for group, _, _ in self.cells))

    def to_dict(self, groups: tuple[str, ...] | None = None) -> dict[str, Any]:
        """
        Return the table for the model card: the judged asset and the pool by default.

        Every score is a list in the order of ``columns``; differences are given for the whole period only.
        """
        kept = groups or (self.judged, POOLED)
        cells: dict[str, Any] = {}
        for (group, period, output), cell in self.cells.items():
            if group in kept:
                columns = len(COLUMNS) if period == OVERALL else len(COLUMNS) - 3
                cells.setdefault(group, {}).setdefault(period, {})[output] = cell.to_dict(columns)
        return {
            "reference": self.reference,
            "judged": self.judged,
            "columns": list(COLUMNS),
            "periods": {name: list(ends) for name, ends in self.periods.items()},
            "intervals": {
                "method": "paired circular block bootstrap over UTC days, percentile",
                "level": self.bootstrap.level,
                "resamples": self.bootstrap.resamples,
                "block_days": self.block_days,
                "seed": self.bootstrap.seed,
            },
            "groups": cells,
        }


def score(
    predictions: Predictions,
    reference: str = REFERENCE,
    judged: str | None = None,
    bootstrap: BlockBootstrap = SCORING,
    groups: tuple[str, ...] | None = None,
) -> Scores:
    """
    Return the table of all forecasters.

    Every forecaster is scored on the same samples, those for which all have a probability, and in every
    resample on the same days, all assets of a day together.

    Parameters
    ----------
    predictions : Predictions
        The out-of-sample probabilities.
    reference : str
        The forecaster that the others are compared with.
    judged : str, optional
        The asset that the verdict is about; ETH by default, or the first where there is no ETH.
    bootstrap : BlockBootstrap
        How intervals are made.
    groups : tuple of str, optional
        Assets, or ``pooled``; all by default.

    Raises
    ------
    ConfigError
        If the reference, the asset or a group is not among the predictions.

    """
    assets = predictions.assets
    judged = judged or (JUDGED if JUDGED in assets else assets[0])
    groups = groups or (*assets, POOLED)
    if unknown := [name for name in (judged, *groups) if name not in (*assets, POOLED)]:
        raise ConfigError(f"scores: no asset {unknown[0]!r}; there are {', '.join(assets)}")
    if reference not in predictions.probability:
        names = ", ".join(predictions.probability)
        raise ConfigError(f"scores: no forecaster {reference!r} to compare with; there are {names}")
    heads = [_Head(predictions, index) for _, index in predictions.outputs()]
    outputs = tuple(key for key, _ in predictions.outputs())
    cells: dict[tuple[str, str, str], Cell] = {}
    periods, blocks = _periods(predictions.ts), {}
    for period, inside in periods.items():
        weights = DayWeights.of(predictions.ts[inside], bootstrap)
        blocks[period] = bootstrap.block_days(weights.days)
        for group in groups:
            raws = []
            for output, head in zip(outputs, heads, strict=True):
                raw, cells[group, period, output] = head.cell(group, inside, weights, reference, bootstrap)
                raws.append(raw)
            cells[group, period, MEAN] = _mean_cell(
                raws, [cells[group, period, output] for output in outputs], weights, reference, bootstrap
            )
    return Scores(
        reference=reference,
        judged=judged,
        forecasters=tuple(predictions.probability),
        outputs=outputs,
        periods={name: _ends(predictions.ts[inside]) for name, inside in periods.items()},
        cells=cells,
        bootstrap=bootstrap,
        block_days=blocks[OVERALL],
        has_onsets=predictions.onset_hours is not None,
    )


class _Head:
    """One output: its samples, its cascades and every forecaster's alerts, asset by asset."""

    def __init__(self, predictions: Predictions, index: tuple[int, int]) -> None:
        self.predictions = predictions
        self.horizon = predictions.horizons_hours[index[1]]
        self.outcome = predictions.cascade[:, *index].astype(np.float64)
        self.onset = None if predictions.onset_hours is None else predictions.onset_hours[:, *index]
        self.probability = {name: each[:, :, *index] for name, each in predictions.probability.items()}
        self.forecast = np.ones(len(predictions), np.bool_)
        for each in self.probability.values():
            self.forecast &= np.isfinite(each).all(axis=0)
        self.known = self.forecast & np.isfinite(self.outcome)
        self.steps = np.array([_step(predictions.ts[self._of(name)]) for name in predictions.assets])
        self.records = {name: self._records(name, index) for name in self.probability}

    def cell(
        self, group: str, inside: Bools, weights: DayWeights, reference: str, bootstrap: BlockBootstrap
    ) -> tuple[dict[str, RawMetrics], Cell]:
        """Return the raw metrics and the scores of a group in a period."""
        member = inside & self._of(group)
        rows = member & self.known
        ts, outcome = self.predictions.ts[rows], self.outcome[rows]
        raw = raw_metrics(ts, outcome, {n: each[:, rows] for n, each in self.probability.items()}, weights)
        weeks = self._weeks(member & self.forecast, weights)
        for name, seeds in self.records.items():
            raw[name] |= stack_seeds([self._alerts(records, group, weights, weeks) for records in seeds])
        share = raw[reference]["prevalence"][0]
        cell = Cell(
            samples=int(rows.sum()),
            left_out=int((member & np.isfinite(self.outcome) & ~self.forecast).sum()),
            events=len(self._events(rows)),
            prevalence=estimate_of(share, weights.days, bootstrap, _NEVER),
            forecasters=compare(raw, reference, weights.days, bootstrap),
        )
        return raw, cell

    def _of(self, group: str) -> Bools:
        if group == POOLED:
            return np.ones(len(self.predictions), np.bool_)
        return self.predictions.asset == self.predictions.assets.index(group)

    def _weeks(self, rows: Bools, weights: DayWeights) -> Floats:
        share = self.steps[self.predictions.asset[rows]] / WEEK_NS
        return weights.total(share, weights.day_of(self.predictions.ts[rows]))

    def _events(self, rows: Bools) -> LabelledEvents:
        onset = None if self.onset is None else self.onset[rows]
        return labelled_events(self.predictions.ts[rows], self.outcome[rows], self.horizon, onset)

    def _records(self, name: str, index: tuple[int, int]) -> list[dict[str, AlertRecord]]:
        """Return, for each seed, the alerts of a forecaster by asset; none where it has no threshold."""
        threshold = self.predictions.threshold.get(name)
        if threshold is None:
            return [{} for _ in self.probability[name]]
        limit = threshold[self.predictions.fold, *index]
        found = []
        for p in self.probability[name]:
            records = {}
            for a, asset in enumerate(self.predictions.assets):
                rows = self.forecast & self._of(asset)
                if rows.any() and np.isfinite(limit[rows]).all():
                    records[asset] = match_alerts(
                        self.predictions.ts[rows], p[rows] >= limit[rows], self.outcome[rows],
                        self._events(rows), int(self.steps[a]),
                    )  # fmt: skip
            found.append(records)
        return found

    def _alerts(
        self, records: dict[str, AlertRecord], group: str, weights: DayWeights, weeks: Floats
    ) -> RawMetrics:
        names = self.predictions.assets if group == POOLED else (group,)
        chosen = [records[name] for name in names if name in records]
        if not chosen:
            return dict.fromkeys(NAMES, np.full(weights.counts.shape[1], np.nan))
        return alert_metrics(chosen, weights, weeks)


def _mean_cell(
    raws: list[dict[str, RawMetrics]],
    cells: list[Cell],
    weights: DayWeights,
    reference: str,
    bootstrap: BlockBootstrap,
) -> Cell:
    """Return the means over outputs; samples and cascades are those of the output that has most."""
    share = np.mean([raw[reference]["prevalence"][0] for raw in raws], axis=0)
    return Cell(
        samples=max(cell.samples for cell in cells),
        left_out=max(cell.left_out for cell in cells),
        events=max(cell.events for cell in cells),
        prevalence=estimate_of(share, weights.days, bootstrap, _NEVER),
        forecasters=compare(mean_over_outputs(raws), reference, weights.days, bootstrap),
    )


def _periods(ts: Ints) -> dict[str, Bools]:
    """Return the rows of each calendar year, and of the whole."""
    year = ts.astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64) + 1970
    return {
        **{str(each): year == each for each in np.unique(year)},
        OVERALL: np.ones(ts.size, np.bool_),
    }


def _step(ts: Ints) -> int:
    """Return the usual time between two samples, an hour where there are no two."""
    return bar_step(ts) if ts.size > 1 else HOUR_NS


def _ends(ts: Ints) -> tuple[str, str]:
    return iso(int(ts[0])), iso(int(ts[-1]))
