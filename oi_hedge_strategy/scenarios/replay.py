"""A catalog in which a shock happens: a calm recorded stretch, bent by the shock."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from nautilus_trader.model.data import InstrumentStatus
from nautilus_trader.model.enums import MarketStatusAction
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from numpy.typing import NDArray

from oi_hedge_catalog import store
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries, Series
from oi_hedge_catalog.types import options_id, wallet_id
from oi_hedge_catalog.writer import exclusive, plan_append, write, write_instrument
from oi_hedge_strategy.backtest.plan import BacktestPlan
from oi_hedge_strategy.scenarios.shock import Floats, Shock, at, extremes, within

HOUR_NS = 3_600_000_000_000
_FUNDING_MINUTES = 480.0
_SPARE_NS = 24 * HOUR_NS
_Reader = Callable[..., Series]


@dataclass(frozen=True, slots=True)
class BaseMarket:
    """
    Hold the stretch of a catalog that shocks are laid over.

    Parameters
    ----------
    instruments : tuple of Instrument
        All of the asset.
    series : tuple of Series
        Their hourly bars and everything else that the strategy may read, with the look-back before the start.
    hedge : InstrumentId
        The hedge instrument.
    quote : str
        Its quote currency.
    long : bool
        Whether the exposure loses when the price falls.
    start_ns : int
        When the strategy begins to decide.
    onset_ns : int
        Hour zero of the shock.
    simulated : bool
        Whether the catalog is a simulated market.

    """

    instruments: tuple[Instrument, ...]
    series: tuple[Series, ...]
    hedge: InstrumentId
    quote: str
    long: bool
    start_ns: int
    onset_ns: int
    simulated: bool


def read_base(plan: BacktestPlan, onset_ns: int) -> BaseMarket:
    """Read everything that a run of `plan` reads."""
    return BaseMarket(
        plan.instruments,
        tuple(_series(plan)),
        plan.settings.hedge_instrument,
        plan.hedge.quote_currency.code,
        plan.long,
        plan.start_ns,
        onset_ns,
        bool(store.read_info(plan.catalog)["simulated"]),
    )


def _series(plan: BacktestPlan) -> Iterator[Series]:
    catalog, ids = plan.catalog, {each.id for each in plan.instruments}
    begin = plan.warm_up_ns - _SPARE_NS
    for bar_type in plan.bar_types.values():
        yield store.read_bars(catalog, bar_type, begin, plan.end_ns)
    unlisted = {options_id(plan.asset), wallet_id(plan.asset)}
    sources: tuple[tuple[Sequence[InstrumentId], _Reader], ...] = (
        (store.open_interest_ids(catalog), store.read_open_interest),
        (store.funding_ids(catalog), store.read_funding),
        (store.long_short_ids(catalog), store.read_long_short),
        (store.liquidation_ids(catalog), store.read_liquidations),
        (store.options_ids(catalog), store.read_options_open_interest),
        (store.wallet_ids(catalog), store.read_wallet_concentration),
    )
    for known, read in sources:
        for each in known:
            if each in ids | unlisted:
                yield read(catalog, each, begin, plan.end_ns)


def write_replay(base: BaseMarket, shock: Shock, directory: Path, description: str) -> ParquetDataCatalog:
    """
    Write a new catalog in which `shock` happens to the base market.

    Traded volume stays as it was recorded: in a real crash it is larger, so that simulated impact is on the
    high side.

    Parameters
    ----------
    base : BaseMarket
        The market without the shock.
    shock : Shock
        The shock.
    directory : Path
        Of the new catalog.
    description : str
        What it is, kept with the catalog.

    """
    catalog = store.open_catalog(directory, create=True)
    with exclusive(catalog):
        store.write_info(catalog, {"simulated": base.simulated, "description": description})
        for instrument in base.instruments:
            write_instrument(catalog, instrument)
        for each in base.series:
            changed = _changed(each, base, shock)
            if len(changed):
                write(catalog, plan_append(catalog, changed))
        if shock.halt is not None:
            catalog.write_data(_statuses(base, shock.halt))
    return catalog


def _changed(series: Series, base: BaseMarket, shock: Shock) -> Series:
    down = within(shock.halt, _hours(series.ts_event, base)) & (
        series.instrument_id.venue == base.hedge.venue
    )
    if isinstance(series, BarSeries):
        return shocked_bars(series.take(~down), base, shock)
    if isinstance(series, OpenInterestSeries):
        return _shocked_interest(series.take(~down), base, shock)
    if isinstance(series, FundingSeries) and series.instrument_id == base.hedge:
        return _shocked_funding(series, base, shock)
    return series


def shocked_bars(bars: BarSeries, base: BaseMarket, shock: Shock) -> BarSeries:
    """Return bars whose prices follow the shock; extremes between open and close are kept."""
    end = _hours(bars.ts_event, base)
    start = end - bars.bar_type.spec.timedelta.total_seconds() / 3600.0
    first, last, low, high = (np.ones(len(bars)) for _ in range(4))
    for knots, power in _price_factors(bars.instrument_id, base, shock):
        least, most = extremes(knots, start, end)
        first, last = first * at(knots, start) ** power, last * at(knots, end) ** power
        low, high = low * np.minimum(least**power, most**power), high * np.maximum(least**power, most**power)
    return replace(
        bars, open=bars.open * first, close=bars.close * last, low=bars.low * low, high=bars.high * high
    )


def _price_factors(
    instrument_id: InstrumentId, base: BaseMarket, shock: Shock
) -> list[tuple[tuple[tuple[float, float], ...], int]]:
    """Return what multiplies (1) and divides (-1) an instrument's last prices."""
    instrument = next(each for each in base.instruments if each.id == instrument_id)
    factors = [(shock.price, 1)]
    if instrument_id == base.hedge:
        factors.append((shock.venue_price, 1))
    if instrument.quote_currency.code == base.quote:
        factors.append((shock.quote, -1))
    return factors


def _shocked_interest(interest: OpenInterestSeries, base: BaseMarket, shock: Shock) -> OpenInterestSeries:
    hours = _hours(interest.ts_event, base)
    quantity = at(shock.open_interest, hours)
    changed = replace(
        interest,
        quantity=interest.quantity * quantity,
        notional_usd=interest.notional_usd * quantity * at(shock.price, hours),
    )
    return changed.take(~within(shock.silent_interest, hours))


def _shocked_funding(funding: FundingSeries, base: BaseMarket, shock: Shock) -> FundingSeries:
    """Return settlements at which a hedge pays what the shock says; a short pays a negative rate."""
    hours, rate = _hours(funding.ts_event, base), funding.rate.copy()
    for start, end, paid in shock.hedge_pays:
        rows = within((start, end), hours)
        rate[rows] = (-paid if base.long else paid) * funding.interval[rows] / _FUNDING_MINUTES
    return replace(funding, rate=rate)


def _statuses(base: BaseMarket, halt: tuple[float, float]) -> list[InstrumentStatus]:
    times = [base.onset_ns + int(hours * HOUR_NS) for hours in halt]
    actions: list[Any] = [MarketStatusAction.HALT, MarketStatusAction.TRADING]
    return [InstrumentStatus(base.hedge, action, ts, ts) for action, ts in zip(actions, times, strict=True)]


def _hours(ts: NDArray[np.int64], base: BaseMarket) -> Floats:
    return np.asarray((ts - base.onset_ns) / HOUR_NS, np.float64)
