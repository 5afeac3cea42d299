"""Which instruments the strategy trades and reads, and which venue slot each of them fills."""

from collections.abc import Sequence

from nautilus_trader.cache.base import CacheFacade
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import CryptoPerpetual, Instrument

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.history import doubled_slots, is_spot, venue_slot

Sources = dict[InstrumentId, tuple[str, bool]]
"""By instrument: its venue slot, and whether it is spot."""


def hedge_instrument(cache: CacheFacade, instrument_id: InstrumentId) -> CryptoPerpetual:
    """
    Return the instrument that is traded.

    Raises
    ------
    ConfigError
        If it is no linear perpetual of the cache.

    """
    instrument = cache.instrument(instrument_id)
    if not isinstance(instrument, CryptoPerpetual) or instrument.is_inverse:
        found = type(instrument).__name__ if instrument is not None else "nothing"
        raise ConfigError(f"hedge instrument {instrument_id}: expected a linear perpetual, found {found}")
    return instrument


def read_instruments(
    cache: CacheFacade, named: Sequence[InstrumentId], hedge: Instrument
) -> list[Instrument]:
    """
    Return the instruments of the hedge's base coin that are named, or all of them.

    Raises
    ------
    ConfigError
        If one is not in the cache, or two are of one kind at one venue.

    """
    instruments = [cache.instrument(i) for i in named] if named else cache.instruments()
    missing = [str(i) for i, found in zip(named, instruments, strict=False) if found is None]
    if missing:
        raise ConfigError(f"instrument_ids: {', '.join(missing)} are not in the cache")
    chosen = [each for each in instruments if each.get_base_currency() == hedge.base_currency]
    for one, other in doubled_slots(chosen):
        raise ConfigError(
            f"{one} and {other} are two instruments of one kind at one venue; name in instrument_ids "
            "the one that is to be read"
        )
    return chosen


def slots_of(instruments: Sequence[Instrument]) -> tuple[str, ...]:
    """Return the venue slots of instruments, each once, in order."""
    return tuple(sorted({venue_slot(each.id) for each in instruments}))


def find_sources(
    instruments: Sequence[Instrument], venues: Sequence[str], hedge: Instrument
) -> tuple[Sources, list[InstrumentId]]:
    """
    Return the sources whose venue the model knows, and the instruments that are left out.

    Raises
    ------
    ConfigError
        If the hedge instrument would be left out.

    """
    sources = {
        each.id: (slot, is_spot(each)) for each in instruments if (slot := venue_slot(each.id)) in venues
    }
    if hedge.id not in sources:
        raise ConfigError(f"the model does not know the hedge venue {hedge.id.venue}, only {tuple(venues)}")
    return sources, [each.id for each in instruments if each.id not in sources]
