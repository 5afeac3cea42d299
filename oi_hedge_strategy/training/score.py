"""Score all forecasters of a walk-forward, by output, asset and year."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.evaluation.bootstrap import BlockBootstrap
from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.training.metrics import DayWeights, Ints
from oi_hedge_strategy.training.predictions import Predictions
from oi_hedge_strategy.training.score_output import UNKNOWN_OUTCOME, Bools, OutputScorer
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
)

REFERENCE = "hybrid"
JUDGED = "ETH"


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
        Assets, or ``pooled``, beside the judged one; all by default.

    Raises
    ------
    ConfigError
        If the reference, the asset or a group is not among the predictions, or no sample can be scored.

    """
    assets = predictions.assets
    judged = judged or (JUDGED if JUDGED in assets else assets[0])
    groups = tuple(dict.fromkeys((judged, *groups))) if groups else (*assets, POOLED)
    if unknown := [name for name in (judged, *groups) if name not in (*assets, POOLED)]:
        raise ConfigError(f"scores: no asset {unknown[0]!r}; there are {', '.join(assets)}")
    if reference not in predictions.probability:
        names = ", ".join(predictions.probability)
        raise ConfigError(f"scores: no forecaster {reference!r} to compare with; there are {names}")
    scorers = {output: OutputScorer(predictions, output, index) for output, index in predictions.outputs()}
    cells: dict[tuple[str, str, str], Cell] = {}
    periods, blocks = _periods(predictions.ts), {}
    for period, inside in periods.items():
        weights = DayWeights.of(predictions.ts[inside], bootstrap)
        blocks[period] = bootstrap.block_days(weights.days)
        for group in groups:
            raws = []
            for output, scorer in scorers.items():
                raw, cells[group, period, output] = scorer.cell(group, inside, weights, reference, bootstrap)
                raws.append(raw)
            found = [cells[group, period, output] for output in scorers]
            cells[group, period, MEAN] = _mean_cell(raws, found, weights, reference, bootstrap)
    return Scores(
        reference=reference,
        judged=judged,
        forecasters=tuple(predictions.probability),
        outputs=tuple(scorers),
        periods={name: _ends(predictions.ts[inside]) for name, inside in periods.items()},
        cells=cells,
        bootstrap=bootstrap,
        block_days=blocks[OVERALL],
        has_onsets=predictions.onset_hours is not None,
    )


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
        prevalence=estimate_of(share, weights.days, bootstrap, UNKNOWN_OUTCOME),
        forecasters=compare(mean_over_outputs(raws), reference, weights.days, bootstrap),
    )


def _periods(ts: Ints) -> dict[str, Bools]:
    """Return the rows of each calendar year, and of the whole."""
    year = ts.astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64) + 1970
    return {
        **{str(each): year == each for each in np.unique(year)},
        OVERALL: np.ones(ts.size, np.bool_),
    }


def _ends(ts: Ints) -> tuple[str, str]:
    return iso(int(ts[0])), iso(int(ts[-1]))
