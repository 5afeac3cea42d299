"""Which stretch of a catalog a scenario runs on, and which model knew nothing of it."""

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError
from oi_hedge_catalog.series import Floats, Times
from oi_hedge_strategy.backtest.plan import BacktestPlan, iso, make_plan
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.forecast.source import promotion_at
from oi_hedge_strategy.history import hourly_bar_types
from oi_hedge_strategy.scenarios.definitions import HOURS_BEFORE, Scenario
from oi_hedge_strategy.scenarios.replay import HOUR_NS
from oi_hedge_strategy.times import parse_time_ns

DAY_NS = 24 * HOUR_NS
LEAST_COVERAGE = 0.9


@dataclass(frozen=True, slots=True)
class Models:
    """
    Hold the model file, or the registry, that the strategy is configured with.

    Parameters
    ----------
    path : Path
        The file or the registry's directory.
    card : ModelCard
        Of the file, or of the registry's first model.
    registry : Registry, optional
        None for a file.

    """

    path: Path
    card: ModelCard
    registry: Registry | None = None

    @property
    def span(self) -> tuple[int, int]:
        """Return from when to when there is a model that has not seen the time."""
        if self.registry is None:
            return self.card.trained_until, self.card.expires
        last = self.registry.load(self.registry.entries[-1]).card
        return self.registry.entries[0].valid_from, last.expires

    def known_at(self, start_ns: int) -> bool:
        """Return whether a model may be used in a run from `start_ns` on."""
        start, end = self.span
        return start <= start_ns < end

    def at(self, start_ns: int) -> ModelCard:
        """Return the card in force at a time."""
        if self.registry is None:
            return self.card
        return self.registry.load(promotion_at(self.registry, start_ns)).card


def plan_window(
    catalog: ParquetDataCatalog, settings: BacktestSettings, models: Models, start_ns: int, end_ns: int
) -> BacktestPlan:
    """
    Return the plan of a window, with the open-interest rule where no model may be used.

    Raises
    ------
    OIHedgeError
        As `make_plan` does.

    """
    if settings.policy.needs_model and models.known_at(start_ns):
        card = models.at(start_ns)
        return make_plan(catalog, settings, models.path, card, start_ns, end_ns, models.registry)
    if settings.policy.needs_model:
        rule = msgspec.structs.replace(settings.policy, kind="open_interest_rule")
        settings = msgspec.structs.replace(settings, policy=rule)
    path = models.path if models.registry is None else models.path / models.registry.entries[0].model
    return make_plan(catalog, settings, path, _unused(models.card, start_ns, end_ns), start_ns, end_ns)


def _unused(card: ModelCard, start_ns: int, end_ns: int) -> ModelCard:
    """Return the card as a description of the market state only: no model will forecast in the window."""
    return replace(card, trained_until=min(card.trained_until, start_ns), expires=end_ns + 1)


def recorded_window(
    catalog: ParquetDataCatalog, settings: BacktestSettings, card: ModelCard, scenario: Scenario
) -> tuple[int, int] | None:
    """
    Return start and end of a dated scenario where the catalog recorded it, with the look-back before.

    A simulated catalog recorded nothing, whatever its dates are.
    """
    if not scenario.onset or store.read_info(catalog)["simulated"]:
        return None
    onset = parse_time_ns(scenario.onset, scenario.key)
    start, end = onset - HOURS_BEFORE * HOUR_NS, onset + scenario.hours * HOUR_NS
    types = hourly_bar_types(catalog)
    for instrument_id in (settings.hedge_instrument, settings.exposure_instrument):
        if instrument_id not in types:
            return None
        needed = start - card.schema.look_back_ns
        ts = store.read_bars(catalog, types[instrument_id], needed - DAY_NS, end).ts_init
        inside = int((ts > start).sum())
        if not ts.size or ts[0] > needed or inside < LEAST_COVERAGE * (end - start) / HOUR_NS:
            return None
    return start, end


def calmest_window(
    catalog: ParquetDataCatalog, settings: BacktestSettings, models: Models, hours: int
) -> tuple[int, int]:
    """
    Return start and end of the calmest stretch of `hours` in which the strategy can run as configured.

    Calm is the smallest ratio of the highest to the lowest price of the hedge instrument; stretches begin at
    midnight UTC, and of equal ones the first is taken.

    Raises
    ------
    CatalogError
        If the catalog is too short.

    """
    types = hourly_bar_types(catalog)
    if settings.hedge_instrument not in types:
        there = ", ".join(sorted(map(str, types))) or "none"
        raise CatalogError(
            f"{catalog.path} has no hourly bars of hedge_instrument {settings.hedge_instrument}; "
            f"it has: {there}"
        )
    bars = store.read_bars(catalog, types[settings.hedge_instrument])
    first, last = int(bars.ts_event[0]), int(bars.ts_event[-1])
    begin, until = first + models.card.schema.look_back_ns, last
    if settings.policy.needs_model:
        begin, until = max(begin, models.span[0]), min(until, models.span[1])
    length = hours * HOUR_NS
    starts = np.arange(-(-begin // DAY_NS) * DAY_NS, until - length + 1, DAY_NS)
    ranges = [_range(bars.ts_event, bars.high, bars.low, start, start + length) for start in starts.tolist()]
    if not ranges or not np.isfinite(ranges).any():
        raise CatalogError(
            f"{catalog.path}: no stretch of {hours} hours from {iso(begin)[:10]} to {iso(until)[:10]}, where "
            f"a model is valid and its look-back filled, has all bars of {settings.hedge_instrument}; ingest "
            "more, or name a model that is valid there"
        )
    start = int(starts[int(np.argmin(ranges))])
    return start, start + length


def _range(ts: Times, high: Floats, low: Floats, start: int, end: int) -> float:
    """Return the highest over the lowest price; infinite where bars are missing."""
    rows = slice(np.searchsorted(ts, start, side="right"), np.searchsorted(ts, end, side="right"))
    if rows.stop - rows.start < (end - start) // HOUR_NS:
        return np.inf
    return float(high[rows].max() / low[rows].min())
