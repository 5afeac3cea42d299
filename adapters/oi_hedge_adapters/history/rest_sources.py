"""Pages of a venue's history as catalog sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument

from oi_hedge_adapters.history.bars import external_bar_type, require_precision
from oi_hedge_adapters.history.known import find_known
from oi_hedge_adapters.history.rest import CONTRACT_VOLUME, Kind, Pages, RestRequest, fetch_pages
from oi_hedge_adapters.settlements import settled_minutes
from oi_hedge_adapters.venues import VenueRow
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.findings import Finding, Severity, when
from oi_hedge_catalog.ingest import Loaded, Source
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_catalog.positioning import LongShortSeries
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries, Series

_MINUTE_NS = 60 * 10**9


def rest_sources(
    request: RestRequest, kinds: Sequence[Kind], catalog: Path, manifest: Path | None = None
) -> list[Source]:
    """
    Take `kinds` from the venue and return a source for each.

    The instrument is the catalog's, that of `manifest` or of the package, else what the venue lists.

    Raises
    ------
    VenueError, DataError
        As `fetch_pages`; and if there is not one row of a kind.
    """
    found = fetch_pages(request, tuple(kinds))
    instrument = find_known(request.instrument_id, catalog, manifest) or listed_instrument(
        request.row, request.instrument_id, found[0].market
    )
    for pages in found:
        if not pages.rows:
            raise DataError(
                f"{request.row.title} has no {pages.kind} of {request.instrument_id} in the time asked for"
                + "".join(f"; {remark}" for remark in pages.remarks)
            )
    return [RestSource(request, instrument, pages) for pages in found]


def listed_instrument(row: VenueRow, instrument_id: InstrumentId, market: dict[str, Any]) -> Instrument:
    """Return the instrument that ccxt's `market` describes; the venue's margins are not in it."""
    parts = row.parts(str(instrument_id.symbol)) or {}
    size = Decimal(str(market.get("contractSize") or 1))
    lot = Decimal(str(market["precision"]["amount"])) * (1 if row.inverse else size)
    return build_instrument(
        InstrumentSpec(
            id=str(instrument_id),
            market="perp",
            base=parts["base"],
            quote=parts["quote"],
            price_precision=_decimals(Decimal(str(market["precision"]["price"]))),
            size_precision=8 if row.inverse else _decimals(lot),
            maker_fee=str(market.get("maker") or 0),
            taker_fee=str(market.get("taker") or 0),
            inverse=row.inverse,
        )
    )


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


@dataclass(frozen=True)
class RestSource:
    """
    One kind of history of one instrument.

    Parameters
    ----------
    request : RestRequest
        What was asked for.
    of : Instrument
        The instrument.
    pages : Pages
        What the venue gave.
    """

    request: RestRequest
    of: Instrument
    pages: Pages

    @property
    def name(self) -> str:
        """Venue, kind and instrument."""
        return f"{self.request.row.title} {self.pages.kind} of {self.of.id}"

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
        return self.of

    def load(self) -> Loaded:
        """Turn the rows into columns."""
        kind = self.pages.kind
        read = {
            Kind.OPEN_INTEREST: self._open_interest,
            Kind.FUNDING: self._funding,
            Kind.LONG_SHORT: self._long_short,
            Kind.BARS: self._bars,
        }
        series = read[kind]()
        step = None if kind is Kind.FUNDING else self.request.step_ns
        start = int(series.ts_event[0])
        remarks = (
            Finding(Severity.WARNING, "history", series.identifier, "ts_event", text, None, start)
            for text in self.pages.remarks
        )
        return Loaded(series, step, tuple(remarks))

    def _open_interest(self) -> Series:
        event, init, quantity, notional = zip(*self.pages.rows, strict=True)
        return OpenInterestSeries(
            ts_event=np.array(event, np.int64),
            ts_init=np.array(init, np.int64),
            id=self.of.id,
            quantity=np.array(quantity, np.float64),
            notional_usd=np.array([np.nan if value is None else value for value in notional], np.float64),
        )

    def _long_short(self) -> Series:
        event, init, share = zip(*self.pages.rows, strict=True)
        times = np.array(event, np.int64), np.array(init, np.int64)
        return LongShortSeries(*times, self.of.id, np.array(share, np.float64))

    def _funding(self) -> Series:
        stamped = np.array([row[0] for row in self.pages.rows], np.int64)
        event = stamped // _MINUTE_NS * _MINUTE_NS
        minutes = settled_minutes(event, self.request.row.funding)
        return FundingSeries(
            ts_event=event,
            ts_init=np.maximum(event + self.request.lag_ns, stamped),
            id=self.of.id,
            rate=np.array([float(row[1]) for row in self.pages.rows]),
            interval=minutes,
            next_funding_ns=event + minutes * _MINUTE_NS,
        )

    def _bars(self) -> Series:
        opened = np.array([row[0] for row in self.pages.rows], np.int64)
        values = np.array([row[1:] for row in self.pages.rows], np.float64).T
        if self.request.row.key in CONTRACT_VOLUME:
            values[4] *= float(self.pages.market["contractSize"])
        columns = dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))
        prices = {name: column for name, column in columns.items() if name != "volume"}
        require_precision(prices, self.of, lambda row: f"{self.name} at {when(int(opened[row]))}")
        event = opened + self.request.step_ns
        return BarSeries(
            ts_event=event,
            ts_init=event + self.request.lag_ns,
            bar_type=external_bar_type(self.of.id, self.request.step_ns),
            price_precision=self.of.price_precision,
            size_precision=self.of.size_precision,
            **columns,
        )
