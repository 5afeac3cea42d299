"""Score one output: its samples, its cascades and every forecaster's alerts."""

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
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
    POOLED,
    Cell,
    RawMetrics,
    compare,
    estimate_of,
    raw_metrics,
    stack_seeds,
)

Bools = NDArray[np.bool_]
UNKNOWN_OUTCOME = "no sample has a known outcome"


class OutputScorer:
    """
    Hold one output's samples, cascades and alerts of every forecaster, and score any part of them.

    Parameters
    ----------
    predictions : Predictions
        The out-of-sample probabilities.
    output : str
        The output's key, for messages.
    index : (int, int)
        Its side and horizon.

    Raises
    ------
    ConfigError
        If no sample has an outcome and a probability of every forecaster.

    """

    def __init__(self, predictions: Predictions, output: str, index: tuple[int, int]) -> None:
        self.predictions = predictions
        self.horizon = predictions.horizons_hours[index[1]]
        self.outcome = predictions.cascade[:, *index].astype(np.float64)
        self.onset = None if predictions.onset_hours is None else predictions.onset_hours[:, *index]
        self.probability = {name: each[:, :, *index] for name, each in predictions.probability.items()}
        self.forecast = np.ones(len(predictions), np.bool_)
        for each in self.probability.values():
            self.forecast &= np.isfinite(each).all(axis=0)
        self.known = self.forecast & np.isfinite(self.outcome)
        if not self.known.any():
            raise ConfigError(
                f"scores: output {output}: no sample has an outcome and a probability of every forecaster, "
                f"which are {', '.join(self.probability)}"
            )
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
            prevalence=estimate_of(share, weights.days, bootstrap, UNKNOWN_OUTCOME),
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


def _step(ts: Ints) -> int:
    """Return the usual time between two samples, an hour where there are no two."""
    return bar_step(ts) if ts.size > 1 else HOUR_NS
