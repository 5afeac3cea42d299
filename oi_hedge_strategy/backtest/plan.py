"""From settings and a catalog to the run configurations that BacktestNode executes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nautilus_trader.model.data import BarType
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import CryptoPerpetual, Instrument
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError, ConfigError, ModelError
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.forecast.source import promotion_at
from oi_hedge_strategy.history import hourly_bar_types, is_spot, venue_slot
from oi_hedge_strategy.state import CHANNELS, StateSchema

_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """
    Hold everything that all runs of one backtest share.

    Parameters
    ----------
    catalog : ParquetDataCatalog
        The data.
    settings : BacktestSettings
        What was asked for.
    model : Path
        The model file, or the directory of the registry.
    card : ModelCard
        Of the model, or of the registry's at the start.
    start_ns, end_ns : int
        First and last moment at which the strategy decides.
    instruments : tuple of Instrument
        All of the asset whose venue the model knows.
    bar_types : dict of InstrumentId to BarType
        Their hourly bars, where there are some.
    start_price : float
        Of the exposure, known at the start.
    registry : Registry, optional
        Where the models of the run come from; none for a single file.

    """

    catalog: ParquetDataCatalog
    settings: BacktestSettings
    model: Path
    card: ModelCard
    start_ns: int
    end_ns: int
    instruments: tuple[Instrument, ...]
    bar_types: dict[InstrumentId, BarType]
    start_price: float
    registry: Registry | None = None

    @property
    def channels_seen(self) -> tuple[str, ...]:
        """Return the channels that some model of the run may read."""
        return self.card.channels_seen if self.registry is None else tuple(each.name for each in CHANNELS)

    @property
    def hedge(self) -> Instrument:
        """Return the hedge instrument."""
        return next(i for i in self.instruments if i.id == self.settings.hedge_instrument)

    @property
    def asset(self) -> str:
        """Return the base coin."""
        code: str = self.hedge.base_currency.code
        return code

    @property
    def warm_up_ns(self) -> int:
        """Return when data begin, so that every look-back is filled at the start."""
        schema = self.card.schema
        memory = int(schema.liquidation_map.memory_days * 86_400e9)
        return self.start_ns - max(schema.look_back_ns, memory)

    @property
    def recorded_from_ns(self) -> int:
        """Return when the first bar that opened in the period was over: records begin there."""
        return self.start_ns + self.card.schema.bar_seconds * 1_000_000_000

    @property
    def collateral(self) -> float:
        """Return the hedge account's starting balance in quote currency."""
        return self.settings.collateral * self.start_price * abs(self.settings.exposure_quantity)

    @property
    def taker_fee(self) -> float:
        """Return what the hedge venue charges, a fraction of the notional."""
        _, fee = self.settings.costs.fees(self.settings.hedge_instrument.venue.value)
        return float(self.hedge.taker_fee) if fee is None else fee

    @property
    def long(self) -> bool:
        """Return whether the exposure loses when the price falls."""
        return self.settings.exposure_quantity > 0.0


def make_plan(
    catalog: ParquetDataCatalog,
    settings: BacktestSettings,
    model: Path,
    card: ModelCard,
    start_ns: int | None,
    end_ns: int | None,
    registry: Registry | None = None,
) -> BacktestPlan:
    """
    Check settings, model and catalog against one another and fix the period.

    With a registry, `model` is its directory and `card` that of a model of it.

    Raises
    ------
    CatalogError
        If instruments or data are missing, or the period and the data do not overlap.
    ConfigError
        If the instruments do not fit one another.
    ModelError
        If the model is not valid in the period.

    """
    settings.check()
    known = {each.id: each for each in store.instruments(catalog)}
    hedge = _find(known, settings.hedge_instrument, "hedge_instrument", catalog)
    exposure = _find(known, settings.exposure_instrument, "exposure_instrument", catalog)
    _check_pair(hedge, exposure, settings)
    instruments = tuple(
        each
        for each in known.values()
        if each.base_currency == hedge.base_currency
        and venue_slot(each.id) in card.schema.venues
        and (not settings.venues or venue_slot(each.id) in settings.venues or each in (hedge, exposure))
    )
    if hedge not in instruments:
        raise ConfigError(
            f"hedge_instrument {hedge.id}: model {model} knows the venues {', '.join(card.schema.venues)}, "
            f"not {hedge.id.venue}; train a model on this catalog or hedge elsewhere"
        )
    interest = set(store.open_interest_ids(catalog))
    if not any(each.id in interest for each in instruments):
        raise CatalogError(
            f"{catalog.path} has no open interest of {hedge.base_currency.code}: the forecast needs it; "
            "ingest some first"
        )
    bar_types = {i: t for i, t in hourly_bar_types(catalog).items() if i in {each.id for each in instruments}}
    for each in (hedge, exposure):
        if each.id not in bar_types:
            raise CatalogError(f"{catalog.path} has no hourly bars of {each.id}; ingest them first")
    start, end = _period(catalog, bar_types[hedge.id], _span(card, registry), card.schema, start_ns, end_ns)
    if registry is not None:
        card = _card_at(registry, card, start, end)
    elif settings.policy.needs_model:
        card.check_calibrated(str(model))
    card.check_valid_at(start, end, str(model))
    price = _start_price(catalog, bar_types[exposure.id], start, end)
    return BacktestPlan(catalog, settings, model, card, start, end, instruments, bar_types, price, registry)


def iso(ts: int) -> str:
    """Return a time in nanoseconds as ISO 8601."""
    return datetime.fromtimestamp(ts / 1e9, UTC).isoformat()


def _find(
    known: dict[InstrumentId, Instrument], wanted: InstrumentId, name: str, catalog: ParquetDataCatalog
) -> Instrument:
    if wanted not in known:
        there = ", ".join(sorted(map(str, known))) or "none"
        raise CatalogError(f"{name} {wanted} does not exist in {catalog.path}; its instruments: {there}")
    return known[wanted]


def _check_pair(hedge: Instrument, exposure: Instrument, settings: BacktestSettings) -> None:
    if not isinstance(hedge, CryptoPerpetual) or hedge.is_inverse:
        raise ConfigError(f"hedge_instrument {hedge.id} must be a linear perpetual")
    if exposure.base_currency != hedge.base_currency or exposure.quote_currency != hedge.quote_currency:
        raise ConfigError(
            f"exposure_instrument {exposure.id} and hedge_instrument {hedge.id} must share base and quote"
        )
    if exposure.id == hedge.id:
        raise ConfigError(
            f"hedge_instrument and exposure_instrument are both {hedge.id}: hedging in what is "
            "held would only trade the position itself; hedge in another"
        )
    if exposure.is_inverse:
        raise ConfigError(f"exposure_instrument {exposure.id} must be linear")
    if is_spot(exposure) and settings.exposure_quantity < 0.0:
        raise ConfigError(
            f"exposure_quantity {settings.exposure_quantity:g}: spot {exposure.id} cannot be short"
        )


def _span(card: ModelCard, registry: Registry | None) -> tuple[int, int]:
    """Return from when to when there is a model."""
    if registry is None:
        return card.trained_until, card.expires
    last = registry.load(registry.entries[-1]).card
    return registry.entries[0].valid_from, last.expires


def _card_at(registry: Registry, card: ModelCard, start: int, end: int) -> ModelCard:
    """Return the card in force at the start; refuse models of which one run cannot use all."""
    first = promotion_at(registry, start)
    used = [first, *(each for each in registry.entries if start < each.valid_from <= end)]
    cards = [registry.load(each).card for each in used]
    for entry, other in zip(used, cards, strict=True):
        if (other.schema, other.cascade) != (card.schema, card.cascade):
            raise ModelError(
                f"{registry.path}: {entry.model}, in use from {iso(entry.valid_from)[:10]}, has other inputs "
                "or forecasts another cascade than the models before, and one run cannot use both; end "
                "before that day or start there"
            )
    return cards[0]


def _period(
    catalog: ParquetDataCatalog,
    bars: BarType,
    span: tuple[int, int],
    schema: StateSchema,
    start_ns: int | None,
    end_ns: int | None,
) -> tuple[int, int]:
    """Return the period: by default all that the model may be used on and whose look-back is covered."""
    ts = store.read_bars(catalog, bars).ts_init
    first, last = int(ts[0]), int(ts[-1])
    look_back = schema.look_back_ns
    start = start_ns if start_ns is not None else max(span[0], first + look_back)
    end = end_ns if end_ns is not None else min(last, span[1])
    have = f"{catalog.path} has bars of {bars.instrument_id} from {iso(first)[:10]} to {iso(last)[:10]}"
    if end <= start or start > last or end < first:
        raise CatalogError(f"{have}: no overlap with the run from {iso(start)[:10]} to {iso(end)[:10]}")
    if end > last + _DAY_NS and end_ns is not None:
        raise CatalogError(f"{have}: the run to {iso(end)[:10]} would end early; end there or ingest more")
    if start - look_back < first:
        earliest = iso(first + look_back)[:10]
        raise CatalogError(f"{have}: the look-back of the model is filled from {earliest} on, start there")
    return start, min(end, last)


def _start_price(catalog: ParquetDataCatalog, bar_type: BarType, start: int, end: int) -> float:
    """Return the exposure's price known at the start; refuse an exposure that cannot be valued to the end."""
    bars = store.read_bars(catalog, bar_type, end_ns=end)
    if not len(bars) or bars.ts_init[0] > start:
        raise CatalogError(
            f"{catalog.path} has no bars of {bar_type.instrument_id} before the start of the run on "
            f"{iso(start)[:10]}; start later or ingest more"
        )
    last = int(bars.ts_init[-1])
    if last < end - _DAY_NS:
        raise CatalogError(
            f"{catalog.path} has bars of {bar_type.instrument_id} to {iso(last)[:10]}, the run ends on "
            f"{iso(end)[:10]}: the exposure could not be valued; end there or ingest more"
        )
    return float(bars.close[bars.ts_init <= start][-1])
