"""The row of the venue table: one product of one venue, and the names of its instruments."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters.payload_fields import (
    FundingFields,
    LiquidationFields,
    LongShortField,
    OpenInterestField,
    TimeField,
    Unit,
)
from oi_hedge_catalog.errors import OIHedgeError


class VenueError(OIHedgeError):
    """A venue, symbol or request that the venue table or the venue itself does not accept."""


class Feed(StrEnum):
    """A kind of data that a venue may offer, live or as history."""

    OPEN_INTEREST = "open interest"
    FUNDING = "funding"
    LIQUIDATIONS = "liquidations"
    LONG_SHORT = "long/short"


class Transport(StrEnum):
    """How live open interest is read."""

    STREAM = "websocket"
    POLL = "REST"
    NONE = "history only"


@dataclass(frozen=True, slots=True)
class History:
    """
    Open-interest history over REST.

    Parameters
    ----------
    timeframes : tuple of str
        ccxt's names, finest first.
    page_size : int
        Most rows that one request returns.
    depth : str
        How far back the venue goes, in words; ``launch`` where it keeps everything.
    depth_days : int, optional
        The same in days where the venue cuts it off.
    pages_backward : bool, default False
        Whether a request ignores its start and always returns the latest rows.
    labels_start : bool, default False
        Whether the time of a row is the start of the step at whose end its value was true.
    """

    timeframes: tuple[str, ...]
    page_size: int
    depth: str
    depth_days: int | None = None
    pages_backward: bool = False
    labels_start: bool = False


@dataclass(frozen=True, slots=True)
class FundingRule:
    """
    How often funding is paid.

    Parameters
    ----------
    interval_minutes : int
        The usual interval of a live rate; what a payload says of an instrument has precedence.
    text : str
        The rule in words.
    settled_minutes : int, optional
        The usual interval of a rate in history where it is not `interval_minutes`.
    settled_rate : str
        The field of a row of history that has the rate of `settled_minutes` where ccxt takes another.
    until : str
        What the venue calls the end of a page of history.
    numbers_pages : bool, default False
        Whether history is paged by number from the newest rows on, instead of by time.
    intervals_method : str
        The ccxt method that lists the contracts of another interval, where no other payload says it.
    """

    interval_minutes: int
    text: str
    settled_minutes: int | None = None
    settled_rate: str = ""
    until: str = "until"
    numbers_pages: bool = False
    intervals_method: str = ""


@dataclass(frozen=True, slots=True)
class Quirk:
    """Something a reader of the venue's data must know: since when, what, and how we know."""

    since: str
    text: str
    evidence: str


@dataclass(frozen=True, kw_only=True)
class VenueRow:
    """
    One product of one venue.

    Attributes
    ----------
    key : str
        Short name, ``binance-linear``.
    title : str
        Name as people say it.
    venue : str
        Nautilus venue.
    symbol : str
        Form of the Nautilus symbol, with ``{base}`` and, where there are several, ``{quote}``.
    ccxt_id : str, optional
        Name of the ccxt exchange; none where ccxt has the venue no more.
    ccxt_symbol_form : str
        Form of the ccxt symbol.
    inverse : bool
        Whether contracts are worth USD and settled in the base coin.
    quotes : tuple of str
        What ``{quote}`` may be, the usual one first.
    bases : tuple of str
        The only base coins that the row holds for; all of them when empty.
    base_names : dict of str to str
        The venue's own names of base coins where they differ, ``{"BTC": "XBT"}``.
    open_interest : tuple of OpenInterestField
        Every field that may carry it, best first.
    price_fields : tuple of str
        Paths of a mark or oracle price in the same payload.
    time_fields : tuple of TimeField
        Paths of the venue's time stamp; the time of receipt is used where none is present.
    transport : Transport
        How live open interest is read.
    cadence_secs : float
        Seconds between two live readings, as published or polled.
    publication_lag_secs : float
        Seconds between the time on a history row and the time at which it can be read.
    requests_per_second : float
        What ccxt's throttle allows for one request of unit cost.
    funding : FundingRule
        When funding is paid.
    live, history_of : frozenset of Feed
        What can be read live, and as history.
    history : History, optional
        Open-interest history over REST.
    quirks : tuple of Quirk
        Known traps.
    option : bool
        Whether the rows are options.
    method : str
        The ccxt method that live open interest is read with.
    price_method : str
        The ccxt method that gives the mark price where the payload of open interest has none.
    market_types : str
        Which of the exchange's markets ccxt loads, as its option ``fetchMarkets.types`` names them.
    liquidation : LiquidationFields, optional
        Where liquidations are.
    long_short : LongShortField, optional
        Where the long/short ratio is.
    funding_fields : FundingFields, optional
        Where funding is in the payload of open interest; asked with ``fetch_funding_rate`` when none.
    contract_size : float, optional
        Base coins (linear) or USD (inverse) a contract where it is the same for every instrument; otherwise
        the instrument's own is used.
    """

    key: str
    title: str
    venue: str
    symbol: str
    ccxt_id: str | None
    ccxt_symbol_form: str
    open_interest: tuple[OpenInterestField, ...]
    transport: Transport
    cadence_secs: float
    publication_lag_secs: float
    requests_per_second: float
    funding: FundingRule
    live: frozenset[Feed]
    history_of: frozenset[Feed]
    history: History | None = None
    inverse: bool = False
    option: bool = False
    quotes: tuple[str, ...] = ("USDT",)
    bases: tuple[str, ...] = ()
    base_names: dict[str, str] = field(default_factory=dict)
    price_fields: tuple[str, ...] = ()
    time_fields: tuple[TimeField, ...] = ()
    contract_size: float | None = None
    method: str = "fetch_open_interest"
    price_method: str = ""
    market_types: tuple[str, ...] = ("swap",)
    liquidation: LiquidationFields | None = None
    long_short: LongShortField | None = None
    funding_fields: FundingFields | None = None
    quirks: tuple[Quirk, ...] = ()

    @property
    def unit(self) -> Unit:
        """What the best field counts."""
        return self.open_interest[0].unit

    @property
    def both_sides(self) -> bool:
        """Whether any field counts each contract twice."""
        return any(each.sides == 2 for each in self.open_interest)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = re.escape(self.symbol).replace(r"\{base\}", r"(?P<base>[A-Z0-9]+?)")
        pattern = pattern.replace(r"\{quote\}", f"(?P<quote>{'|'.join(self.quotes)})")
        for name, form in _OPTION_PARTS.items():
            pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>{form})")
        return re.compile(pattern)

    def parts(self, symbol: str) -> dict[str, str] | None:
        """Return base, quote and, for options, expiry, strike and kind of a Nautilus symbol of this form."""
        match = self._pattern.fullmatch(symbol)
        if match is None:
            return None
        ours = {theirs: name for name, theirs in self.base_names.items()}
        parts = {"quote": self.quotes[0], **match.groupdict()}
        parts["base"] = ours.get(parts["base"], parts["base"])
        return parts if not self.bases or parts["base"] in self.bases else None

    def instrument_id(self, base: str, quote: str | None = None, **option: str) -> InstrumentId:
        """
        Return the Nautilus instrument of a base coin.

        Parameters
        ----------
        base : str
            Base coin by its usual name, ``BTC`` also where the venue says ``XBT``.
        quote : str, optional
            Quote coin; the usual one of the venue by default.
        **option : str
            ``expiry`` as ``27DEC24``, ``strike`` and ``kind`` (``C`` or ``P``) of an option.

        Raises
        ------
        VenueError
            If the venue has no contracts in `base` or `quote`, or the option is not described completely.
        """
        quote = quote or self.quotes[0]
        if quote not in self.quotes:
            raise VenueError(
                f"{self.title} has no contracts quoted in {quote!r}, expected {' or '.join(self.quotes)}"
            )
        if self.bases and base not in self.bases:
            raise VenueError(f"{self.title} has no row for {base!r}, only for {', '.join(self.bases)}")
        if self.option and sorted(option) != sorted(_OPTION_PARTS):
            raise VenueError(f"{self.title}: an option needs expiry, strike and kind, given {sorted(option)}")
        name = self.base_names.get(base, base)
        return InstrumentId.from_str(f"{self.symbol.format(base=name, quote=quote, **option)}.{self.venue}")

    def ccxt_symbol(self, instrument_id: InstrumentId | str) -> str:
        """
        Return ccxt's unified symbol of a Nautilus instrument.

        Raises
        ------
        VenueError
            If the instrument is not of this row's form.
        """
        parts = self._require(str(instrument_id))
        if self.option:
            parts["expiry"] = _ccxt_expiry(parts["expiry"])
        return self.ccxt_symbol_form.format(**parts)

    def from_ccxt(self, symbol: str) -> InstrumentId:
        """
        Return the Nautilus instrument of ccxt's unified symbol.

        Raises
        ------
        VenueError
            If the symbol is not of this row's form.
        """
        form = re.escape(self.ccxt_symbol_form)
        for name in ("base", "quote", *_OPTION_PARTS):
            form = form.replace(rf"\{{{name}\}}", f"(?P<{name}>[A-Z0-9.]+)", 1)
            form = form.replace(rf"\{{{name}\}}", f"(?P={name})")
        match = re.fullmatch(form, symbol)
        if match is None:
            raise VenueError(f"{symbol!r} is not a ccxt symbol of {self.title}, such as {self.example_ccxt}")
        parts = match.groupdict()
        if "expiry" in parts:
            parts["expiry"] = _nautilus_expiry(parts["expiry"])
        return self.instrument_id(**parts)

    @property
    def example(self) -> InstrumentId:
        """An instrument of the row."""
        option = {"expiry": "27DEC24", "strike": "3000", "kind": "C"} if self.option else {}
        return self.instrument_id(self.bases[0] if self.bases else "ETH", **option)

    @property
    def example_ccxt(self) -> str:
        """ccxt's symbol of `example`."""
        return self.ccxt_symbol(self.example)

    def _require(self, text: str) -> dict[str, str]:
        symbol, _, venue = text.rpartition(".")
        parts = self.parts(symbol) if venue == self.venue else None
        if parts is None:
            raise VenueError(f"{text!r} is not an instrument of {self.title}, such as {self.example}")
        return parts


_OPTION_PARTS = {"expiry": r"\d{1,2}[A-Z]{3}\d{2}", "strike": r"\d+(?:d\d+)?", "kind": "[CP]"}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def _ccxt_expiry(text: str) -> str:
    """Turn ``3MAY24`` into ``240503``."""
    day, month, year = text[:-5], text[-5:-2], text[-2:]
    return f"{year}{_MONTHS.index(month) + 1:02d}{int(day):02d}"


def _nautilus_expiry(text: str) -> str:
    """Turn ``240503`` into ``3MAY24``."""
    return f"{int(text[4:6])}{_MONTHS[int(text[2:4]) - 1]}{text[:2]}"
