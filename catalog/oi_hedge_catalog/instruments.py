"""Nautilus instruments from the few facts that hedging and replay need."""

from decimal import Decimal
from typing import Literal

import msgspec
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.enums import CurrencyType
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import CryptoPerpetual, CurrencyPair, Instrument
from nautilus_trader.model.objects import FIXED_PRECISION, Currency, Price, Quantity

from oi_hedge_catalog.errors import ManifestError

_FRACTIONS = ("maker_fee", "taker_fee", "margin_init", "margin_maint")


class InstrumentSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    An instrument as a manifest describes it.

    Parameters
    ----------
    id : str
        Nautilus instrument id, ``SYMBOL.VENUE``.
    market : {"perp", "spot"}
        Perpetual future or spot pair.
    base, quote : str
        Currency codes, for example ``ETH`` and ``USDT``.
    price_precision, size_precision : int
        Decimals of prices and of quantities in the base coin.
    maker_fee, taker_fee : str
        Fraction of the traded value, as decimal text so that it is exact; negative is a rebate.
    margin_init, margin_maint : str
        Fraction of the notional, as decimal text; not for spot.
    inverse : bool, default False
        Whether the perpetual is settled in the base coin.
    """

    id: str
    market: Literal["perp", "spot"]
    base: str
    quote: str
    price_precision: int
    size_precision: int
    maker_fee: str
    taker_fee: str
    margin_init: str = "0"
    margin_maint: str = "0"
    inverse: bool = False


def build_instrument(spec: InstrumentSpec) -> Instrument:
    """
    Build the Nautilus instrument of `spec`.

    Returns
    -------
    CryptoPerpetual or CurrencyPair
        With `ts_event` and `ts_init` 0, so that equal specs give equal instruments.

    Raises
    ------
    ManifestError
        If a value of `spec` is not one that an instrument can have.
    """
    identifier = _instrument_id(spec.id)
    fractions = {name: _fraction(spec, name) for name in _FRACTIONS}
    common = {
        "instrument_id": identifier,
        "raw_symbol": identifier.symbol,
        "base_currency": _currency(spec.base),
        "quote_currency": _currency(spec.quote),
        "price_precision": spec.price_precision,
        "size_precision": spec.size_precision,
        "price_increment": Price(*_increment(spec, "price_precision")),
        "size_increment": Quantity(*_increment(spec, "size_precision")),
        "ts_event": 0,
        "ts_init": 0,
        **fractions,
    }
    if spec.market == "spot":
        if spec.inverse:
            raise ManifestError(f"{spec.id}: a spot pair cannot be inverse, remove `inverse`")
        return CurrencyPair(**common)
    settlement = common["base_currency"] if spec.inverse else common["quote_currency"]
    return CryptoPerpetual(settlement_currency=settlement, is_inverse=spec.inverse, **common)


def _instrument_id(text: str) -> InstrumentId:
    try:
        return InstrumentId.from_str(text)
    except ValueError as error:
        raise ManifestError(f"instrument id {text!r} is not of the form SYMBOL.VENUE") from error


def _fraction(spec: InstrumentSpec, name: str) -> Decimal:
    text = getattr(spec, name)
    try:
        value = Decimal(text)
    except ArithmeticError as error:
        raise ManifestError(f"{spec.id}: {name} {text!r} is not a decimal number such as '0.0005'") from error
    lowest = Decimal("-0.01") if name == "maker_fee" else Decimal(0)
    if not lowest <= value <= 1:
        raise ManifestError(f"{spec.id}: {name} {text} is not a fraction between {lowest} and 1")
    return value


def _increment(spec: InstrumentSpec, name: str) -> tuple[float, int]:
    precision = getattr(spec, name)
    if not 0 <= precision <= FIXED_PRECISION:
        raise ManifestError(f"{spec.id}: {name} {precision} is not between 0 and {FIXED_PRECISION}")
    return 10.0**-precision, precision


def _currency(code: str) -> Currency:
    """Return Nautilus's currency, or a new crypto currency of the usual eight decimals."""
    return Currency.from_internal_map(code) or Currency(code, USDT.precision, 0, code, CurrencyType.CRYPTO)
