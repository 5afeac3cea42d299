"""Every venue of a catalog against the others and against its own bars."""

from collections import defaultdict
from collections.abc import Iterator

from nautilus_trader.core.data import Data
from nautilus_trader.model.data import Bar, FundingRateUpdate
from nautilus_trader.model.instruments import Instrument
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog import store
from oi_hedge_catalog.cross_checks import check_venues
from oi_hedge_catalog.findings import Finding, Severity, when
from oi_hedge_catalog.label_checks import check_against_bars
from oi_hedge_catalog.quality import Report, regular_step
from oi_hedge_catalog.series import BarSeries, OpenInterestSeries
from oi_hedge_catalog.turnover_checks import check_turnover
from oi_hedge_catalog.types import OpenInterestUpdate

_DAY_NS = 86_400 * 10**9
ENDED_NS = 30 * _DAY_NS


def compare_venues(catalog: ParquetDataCatalog) -> Report:
    """
    Compare the series of `catalog` with one another, coin by coin.

    Open interest of perpetuals of one coin is compared by level, changes and share; each with the
    instrument's own bars by time; prices of all instruments of a coin with their median. Instruments that
    the catalog does not define are left out.
    """
    findings = list(_check_ended(catalog))
    coins: dict[str, list[Instrument]] = defaultdict(list)
    for instrument in store.instruments(catalog):
        if instrument.get_base_currency() is not None:
            coins[instrument.get_base_currency().code].append(instrument)
    for coin, instruments in coins.items():
        findings += _check_coin(catalog, coin, {str(each.id) for each in instruments})
    return Report((), tuple(findings))


def _check_coin(catalog: ParquetDataCatalog, coin: str, names: set[str]) -> Iterator[Finding]:
    ids = [each for each in store.open_interest_ids(catalog) if str(each) in names]
    interest = [store.read_open_interest(catalog, each) for each in ids]
    types = [each for each in store.bar_types(catalog) if str(each.instrument_id) in names]
    bars = [store.read_bars(catalog, each) for each in types]
    yield from check_venues(coin, interest, bars)
    for series in interest:
        own = _own_bars(series, bars)
        if own is not None:
            yield from check_against_bars(series, own)
            yield from check_turnover(series, own)


def _own_bars(interest: OpenInterestSeries, bars: list[BarSeries]) -> BarSeries | None:
    """Return the bars of the instrument whose length is the step of its open interest, if there are any."""
    step = regular_step(interest)
    same = (series for series in bars if series.instrument_id == interest.instrument_id)
    return next((series for series in same if regular_step(series) == step), None)


def _check_ended(catalog: ParquetDataCatalog) -> Iterator[Finding]:
    """Find series that end long before the last row of the catalog: a dead venue, or data not brought in."""
    listed: tuple[tuple[type[Data], list[str]], ...] = (
        (Bar, [str(each) for each in store.bar_types(catalog)]),
        (OpenInterestUpdate, [str(each) for each in store.open_interest_ids(catalog)]),
        (FundingRateUpdate, [str(each) for each in store.funding_ids(catalog)]),
    )
    ends = [
        (name, kind.__name__, store.data_files(catalog, kind, name)[-1][1])
        for kind, names in listed
        for name in names
    ]
    last = max((end for _, _, end in ends), default=0)
    for name, kind, end in ends:
        if last - end > ENDED_NS:
            days = (last - end) // _DAY_NS
            text = f"{kind} ends at {when(end)}, {days} days before the last row of the catalog"
            yield Finding(Severity.WARNING, "ended", name, "ts_init", text, None, end)
