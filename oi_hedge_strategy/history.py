"""One asset's events over all venues, read from a catalog in the order in which they became known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import BarAggregation
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import CurrencyPair, Instrument
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from numpy.typing import NDArray

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError
from oi_hedge_catalog.series import BarSeries
from oi_hedge_catalog.types import options_id, wallet_id
from oi_hedge_catalog.writer import iso
from oi_hedge_strategy.cascades import HourlyMarket
from oi_hedge_strategy.state import MarketState, Snapshot, Stream
from oi_hedge_strategy.state.schema import NANOSECONDS_PER_HOUR

SPOT_SUFFIX = "_SPOT"
DECISION_LAG_NS = 10_000_000_000
MAX_INTEREST_AGE_NS = 6 * NANOSECONDS_PER_HOUR
"""Open interest older than this is unknown: a feed that stands still would hide the fall of the others."""
_Events = tuple[NDArray[np.int64], NDArray[np.int8], NDArray[np.int16], NDArray[np.float64]]
_SLOT_STREAMS = (
    Stream.PERPETUAL,
    Stream.OPEN_INTEREST,
    Stream.OPTIONS_OPEN_INTEREST,
    Stream.WALLET_CONCENTRATION,
)
"""Streams that make a venue one of the model's; the others only add to what a venue has."""


def venue_slot(instrument_id: InstrumentId) -> str:
    """Return the venue whose market state an instrument belongs to: its spot venue's perpetual twin."""
    name: str = instrument_id.venue.value
    return name.removesuffix(SPOT_SUFFIX)


def is_spot(instrument: Instrument) -> bool:
    """Return whether an instrument feeds the spot stream."""
    return isinstance(instrument, CurrencyPair)


@dataclass(frozen=True, slots=True)
class AssetHistory:
    """
    Hold one asset's events, sorted by the time at which they became known.

    Parameters
    ----------
    asset : str
        Base coin.
    reference : str
        The instrument whose bars are the asset's price.
    venues : tuple of str
        Names that `venue` indexes.
    ts : int64 array, shape (events,)
        When each event became known.
    stream : int8 array, shape (events,)
        Its `Stream`.
    venue : int16 array, shape (events,)
        Its venue slot.
    fields : float64 array, shape (events, 4)
        Bars: high, low, close, volume. Open interest: quantity. Funding: rate, interval in minutes.
        Long/short: ratio. Liquidations: long, short quantity. Options: put/call ratio. Wallets: Herfindahl
        index.
    bars : float64 array, shape (bars, 4)
        The reference's hourly bars: high, low, close, volume.
    bar_ts : int64 array, shape (bars,)
        Their closing times.

    """

    asset: str
    reference: str
    venues: tuple[str, ...]
    ts: NDArray[np.int64]
    stream: NDArray[np.int8]
    venue: NDArray[np.int16]
    fields: NDArray[np.float64]
    bars: NDArray[np.float64]
    bar_ts: NDArray[np.int64]

    def replay(self, state: MarketState, times: NDArray[np.int64]) -> Iterator[Snapshot]:
        """Feed `state` what its venues bring and yield its snapshot at each of the ascending `times`."""
        names = self.venues
        kept = np.isin(self.venue, [at for at, name in enumerate(names) if name in state.schema.venues])
        columns = (self.ts, self.stream, self.venue, self.fields)
        rows = zip(*(column[kept].tolist() for column in columns), strict=True)
        event = next(rows, None)
        for now in times.tolist():
            while event is not None and event[0] <= now:
                feed(state, Stream(event[1]), names[event[2]], event[0], event[3])
                event = next(rows, None)
            yield state.sample(now)

    def since(self, ts: int) -> "AssetHistory":
        """Return the history without the events before `ts`; the reference's bars stay."""
        first = int(np.searchsorted(self.ts, ts))
        columns = {name: getattr(self, name)[first:] for name in ("ts", "stream", "venue", "fields")}
        return replace(self, **columns)

    def hourly(self) -> HourlyMarket:
        """Return the asset on a regular hourly grid, for labels."""
        hours = int(self.bar_ts[-1] - self.bar_ts[0]) // NANOSECONDS_PER_HOUR + 1
        ts = self.bar_ts[0] + np.arange(hours) * NANOSECONDS_PER_HOUR
        grid = np.full((ts.size, 4), np.nan)
        grid[(self.bar_ts - ts[0]) // NANOSECONDS_PER_HOUR] = self.bars
        interest = np.stack([self._known_interest(v, ts) for v in range(len(self.venues))], axis=1)
        return HourlyMarket(ts, grid[:, 0], grid[:, 1], grid[:, 2], interest)

    def live_venues(self, at_ns: int, within_days: float = 90.0) -> set[str]:
        """Return venues with perpetual bars, open interest, options or wallets in the days before `at_ns`."""
        since = at_ns - int(within_days * 24 * NANOSECONDS_PER_HOUR)
        recent = (self.ts >= since) & (self.ts <= at_ns)
        traded = np.isin(self.stream, _SLOT_STREAMS)
        return {self.venues[at] for at in np.unique(self.venue[recent & traded])}

    def open_interest_days(self, until_ns: int) -> float:
        """Return the span in days of the open interest that was known by `until_ns`."""
        ts = self.ts[(self.stream == Stream.OPEN_INTEREST) & (self.ts <= until_ns)]
        return float(ts[-1] - ts[0]) / (24 * NANOSECONDS_PER_HOUR) if ts.size else 0.0

    def _known_interest(self, venue: int, ts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a venue's open interest as known at each hour's decision, NaN when over six hours old."""
        rows = (self.stream == Stream.OPEN_INTEREST) & (self.venue == venue)
        times, values = self.ts[rows], self.fields[rows, 0]
        if not times.size:
            return np.full(ts.size, np.nan)
        last = np.searchsorted(times, ts + DECISION_LAG_NS, side="right") - 1
        fresh = (last >= 0) & (ts - times[last] <= MAX_INTEREST_AGE_NS)
        return np.where(fresh, values[last], np.nan)


def feed(state: MarketState, stream: Stream, venue: str, ts: int, fields: Sequence[float]) -> None:
    """Give one event to the market state."""
    if stream is Stream.OPEN_INTEREST:
        state.update_open_interest(venue, ts, fields[0])
    elif stream is Stream.FUNDING:
        state.update_funding(venue, ts, fields[0], fields[1])
    elif stream is Stream.LONG_SHORT_RATIO:
        state.update_long_short_ratio(venue, ts, fields[0])
    elif stream is Stream.LIQUIDATIONS:
        state.update_liquidations(venue, ts, fields[0], fields[1])
    elif stream is Stream.OPTIONS_OPEN_INTEREST:
        state.update_options_open_interest(venue, ts, fields[0])
    elif stream is Stream.WALLET_CONCENTRATION:
        state.update_wallet_concentration(venue, ts, fields[0])
    else:
        high, low, close, volume = fields
        state.update_bar(venue, stream is Stream.SPOT, ts, high, low, close, volume)


def hourly_bar_types(catalog: ParquetDataCatalog) -> dict[InstrumentId, BarType]:
    """Return the catalog's hourly bar type of each instrument that has one."""
    hourly = (BarAggregation.HOUR, 1)
    types = store.bar_types(catalog)
    return {each.instrument_id: each for each in types if (each.spec.aggregation, each.spec.step) == hourly}


def load_history(
    catalog: ParquetDataCatalog, asset: str, reference: InstrumentId | None = None, end_ns: int | None = None
) -> AssetHistory:
    """
    Read one asset's hourly bars, open interest, funding and further inputs of all venues.

    Parameters
    ----------
    catalog : ParquetDataCatalog
        The catalog.
    asset : str
        Base coin.
    reference : InstrumentId, optional
        The perpetual whose bars are the asset's price; the one with the most bars by default.
    end_ns : int, optional
        Read only what was known by then.

    Raises
    ------
    CatalogError
        If the catalog has no hourly bars of a perpetual of the asset, or no open interest of it.

    """
    instruments = {each.id: each for each in store.instruments(catalog) if each.base_currency.code == asset}
    for one, other in doubled_slots(list(instruments.values())):
        raise CatalogError(
            f"{one} and {other} are two instruments of one asset and kind at one venue; "
            "keep one of them in the catalog"
        )
    bar_types = {i: t for i, t in hourly_bar_types(catalog).items() if i in instruments}
    bars = {i: store.read_bars(catalog, t, end_ns=end_ns) for i, t in bar_types.items()}
    sizes = {i: len(bars[i]) for i in bars if not is_spot(instruments[i])}
    interest_ids = [i for i in store.open_interest_ids(catalog) if i in instruments]
    if not sizes or not any(sizes.values()):
        before = f" before {iso(end_ns)}" if end_ns is not None else ""
        raise CatalogError(
            f"{catalog.path}: no hourly bars of a perpetual of {asset}{before}; ingest some first"
        )
    if not interest_ids:
        raise CatalogError(f"{catalog.path}: no open interest of {asset}: the forecast needs it; ingest some")
    chosen = reference if reference is not None else max(sizes, key=lambda i: (sizes[i], str(i)))
    if chosen not in sizes:
        raise CatalogError(f"{catalog.path}: no hourly bars of {chosen}; there are {sorted(map(str, sizes))}")
    unlisted = _unlisted_ids(catalog, asset)
    venues = tuple(sorted({venue_slot(i) for i in (*instruments, *unlisted)}))
    parts = [_bar_events(each, is_spot(instruments[i]), venues) for i, each in bars.items()]
    for i in interest_ids:
        interest = store.read_open_interest(catalog, i, end_ns=end_ns)
        columns = (interest.quantity,)
        parts.append(_events(interest.ts_init, Stream.OPEN_INTEREST, venues.index(venue_slot(i)), columns))
    for i in store.funding_ids(catalog):
        if i in instruments:
            funding = store.read_funding(catalog, i, end_ns=end_ns)
            funding = funding.take(funding.interval > 0)
            terms = (funding.rate, funding.interval.astype(np.float64))
            parts.append(_events(funding.ts_init, Stream.FUNDING, venues.index(venue_slot(i)), terms))
    for i in (*instruments, *unlisted):
        parts += _input_events(catalog, i, venues.index(venue_slot(i)), end_ns)
    ts, stream, venue, fields = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.lexsort((venue, stream, ts))
    price = bars[chosen]
    values = np.stack([price.high, price.low, price.close, price.volume], axis=1)
    return AssetHistory(
        asset,
        str(chosen),
        venues,
        ts[order],
        stream[order],
        venue[order],
        fields[order],
        values,
        price.ts_event,
    )


def _unlisted_ids(catalog: ParquetDataCatalog, asset: str) -> list[InstrumentId]:
    """Return the ids of the asset's options and wallets, which are no instruments, where there are some."""
    options, wallets = options_id(asset), wallet_id(asset)
    found = [options] if options in store.options_ids(catalog) else []
    return [*found, wallets] if wallets in store.wallet_ids(catalog) else found


def _input_events(
    catalog: ParquetDataCatalog, instrument_id: InstrumentId, venue: int, end_ns: int | None
) -> list[_Events]:
    """Return the further inputs that the catalog has under an id."""
    parts = []
    if instrument_id in store.long_short_ids(catalog):
        accounts = store.read_long_short(catalog, instrument_id, end_ns=end_ns)
        long, short = accounts.long_share, 1.0 - accounts.long_share
        ratio = np.divide(long, short, out=np.full(long.size, np.inf), where=short > 0.0)
        parts.append(_events(accounts.ts_init, Stream.LONG_SHORT_RATIO, venue, (ratio,)))
    if instrument_id in store.liquidation_ids(catalog):
        closed = store.read_liquidations(catalog, instrument_id, end_ns=end_ns)
        sides = (closed.long_quantity, closed.short_quantity)
        parts.append(_events(closed.ts_init, Stream.LIQUIDATIONS, venue, sides))
    if instrument_id in store.options_ids(catalog):
        options = store.read_options_open_interest(catalog, instrument_id, end_ns=end_ns)
        ratio = options.put_call_ratio
        parts.append(_events(options.ts_init, Stream.OPTIONS_OPEN_INTEREST, venue, (ratio,)))
    if instrument_id in store.wallet_ids(catalog):
        wallets = store.read_wallet_concentration(catalog, instrument_id, end_ns=end_ns)
        parts.append(_events(wallets.ts_init, Stream.WALLET_CONCENTRATION, venue, (wallets.herfindahl,)))
    return parts


def doubled_slots(instruments: Sequence[Instrument]) -> list[tuple[InstrumentId, InstrumentId]]:
    """Return pairs of perpetuals, or of spot pairs, at one venue: one asset's series would be mixed."""
    taken: dict[tuple[str, bool], InstrumentId] = {}
    firsts = [taken.setdefault((venue_slot(each.id), is_spot(each)), each.id) for each in instruments]
    pairs = zip(firsts, (each.id for each in instruments), strict=True)
    return [(first, found) for first, found in pairs if first != found]


def _bar_events(bars: BarSeries, spot: bool, venues: tuple[str, ...]) -> _Events:
    stream = Stream.SPOT if spot else Stream.PERPETUAL
    venue = venues.index(venue_slot(bars.instrument_id))
    return _events(bars.ts_init, stream, venue, (bars.high, bars.low, bars.close, bars.volume))


def _events(
    ts: NDArray[np.int64], stream: Stream, venue: int, columns: tuple[NDArray[np.float64], ...]
) -> _Events:
    fields = np.zeros((ts.size, 4))
    for at, column in enumerate(columns):
        fields[:, at] = column
    return ts, np.full(ts.size, stream, np.int8), np.full(ts.size, venue, np.int16), fields
