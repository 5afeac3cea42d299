"""Run a session's recorded inputs through the backtest engine and compare what comes out, bit by bit."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from nautilus_trader.backtest.config import BacktestEngineConfig, BacktestVenueConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.node import get_fill_model, get_margin_model
from nautilus_trader.common.config import ActorFactory, LoggingConfig
from nautilus_trader.model.data import Bar, CustomData, DataType, FundingRateUpdate
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import ClientId, Venue
from nautilus_trader.model.objects import Money

from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.types import CatalogData
from oi_hedge_strategy.backtest.recorder import DecisionRecorder
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.book import HEDGE_TAG, STOP_TAG
from oi_hedge_strategy.inputs import INPUTS
from oi_hedge_strategy.live.entries import BEGAN, INSTRUMENT_KINDS, MARKET_KINDS, unpack
from oi_hedge_strategy.live.recording import Recorded, read_recorded
from oi_hedge_strategy.live.replayed import ReplayedStrategy
from oi_hedge_strategy.live.session import DESK_FILE, Session
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision, SessionEntry
from oi_hedge_strategy.simulation.venue import data_venue_config, hedge_venue_config

_MARKET = {each.__name__ for each in MARKET_KINDS}
_NATIVE = _MARKET - {"InstrumentStatus", "FeedStatus"}
"""What the engine is given as itself; an engine that hears of a status forgets the market it had."""

_DECISION = HedgeDecision.__name__
_TIMED = _NATIVE | {_DECISION}
"""What moves the strategy's own time; everything else is replayed at the time that it had reached."""

_INSTRUMENTS = {each.__name__ for each in INSTRUMENT_KINDS}
_UNLISTED = {each.kind for each in INPUTS.values() if each.unlisted_id is not None}
_CLIENT = ClientId("REPLAY")


@dataclass(frozen=True, slots=True)
class Difference:
    """Say in which value a replayed record first differs, and what the strategy had been given before it."""

    kind: str
    number: int
    ts: int
    field: str
    recorded: Any
    replayed: Any
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FillPair:
    """
    Hold one hedge order's fill as it was and as the fill model has it.

    Parameters
    ----------
    ts : int
        The decision.
    quantity, price : float
        Signed base coin, and the price that the decision saw.
    realised_bps, modelled_bps : float
        Average fill price against that price, positive when lost; NaN where the order was not filled.

    """

    ts: int
    quantity: float
    price: float
    realised_bps: float
    modelled_bps: float


@dataclass(frozen=True, slots=True)
class Replay:
    """Hold what a replay found."""

    forecasts: int
    decisions: int
    difference: Difference | None
    fills: tuple[FillPair, ...]
    torn: tuple[str, ...]


def replay(session: Session) -> Replay:
    """
    Replay a session.

    Every market input is given to the same strategy in the order in which it was received; a decision of
    the timer is asked for where it was. What the account said at each decision, and what became of its stops,
    is taken from the recording, since it came from a venue; orders go to the fill model. What a killed
    session recorded after its last decision is left out.

    Raises
    ------
    DataError
        If nothing was decided in the session, or its recording lacks the instruments.

    """
    recorded: Recorded = read_recorded(session, SessionEntry)
    last = max((at for at, row in enumerate(recorded.rows) if row.kind == _DECISION), default=-1)
    entries = recorded.rows[: last + 1]
    began = max((at for at, row in enumerate(entries) if row.kind == BEGAN), default=-1)
    entries = [row for at, row in enumerate(entries) if at > began or row.kind in _INSTRUMENTS]
    values = {entry.sequence: unpack(entry) for entry in entries}
    decisions = [value for value in values.values() if isinstance(value, HedgeDecision)]
    forecasts = [value for value in values.values() if isinstance(value, CascadeForecast)]
    if not decisions:
        raise DataError(f"{session.directory} holds no decision: there is nothing to compare yet")
    engine = _engine(session, entries, values, decisions)
    engine.run()
    again = next(actor for actor in engine.trader.actors() if isinstance(actor, DecisionRecorder))
    difference = _first_difference(forecasts, again.forecasts, entries) or _first_difference(
        decisions, again.decisions, entries
    )
    fills = _fills(decisions, list(values.values()), engine)
    engine.dispose()
    return Replay(len(forecasts), len(decisions), difference, fills, recorded.torn)


def _engine(
    session: Session,
    entries: Sequence[SessionEntry],
    values: dict[int, Any],
    decisions: list[HedgeDecision],
) -> BacktestEngine:
    strategy = session.strategy
    hedge = strategy.bar_type.instrument_id
    engine = BacktestEngine(
        BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    )
    instruments = {values[e.sequence].id: values[e.sequence] for e in entries if e.kind in _INSTRUMENTS}
    if hedge not in instruments:
        raise DataError(f"{session.directory} holds no definition of {hedge}: its beginning was lost")
    quote = instruments[hedge].settlement_currency.code
    for venue in sorted({each.venue.value for each in instruments}):
        balance = f"{max(decisions[0].equity, 1.0):.2f} {quote}"
        traded = hedge_venue_config(
            venue,
            [balance],
            latency_ms=0.0,
            impact=session.info["settings"].get("impact"),
            funding={"rates": _funding_rates(values.values())},
        )
        _add_venue(engine, traded if venue == hedge.venue.value else data_venue_config(venue, quote))
    for each in instruments.values():
        engine.add_instrument(each)
    known = 0
    for entry in entries:
        value = values[entry.sequence]
        if entry.kind in _INSTRUMENTS or not _is_taken(strategy, value):
            continue
        if entry.kind in _TIMED:
            known = max(known, value.ts_init)
        _add(engine, received_at(value if entry.kind in _NATIVE else entry, known))
    engine.sort_data()
    engine.add_actor(DecisionRecorder())
    config = msgspec.structs.replace(
        strategy,
        open_interest_client=_CLIENT,
        funding_client=None,
        use_timer=False,
        state_dir="",
        look_back_catalog="",
        request_look_back=False,
        order_id_tag=strategy.order_id_tag or "REPLAY",
    )
    engine.add_strategy(
        ReplayedStrategy(config, decisions, _stops(values.values()), session.directory / DESK_FILE)
    )
    return engine


def _add(engine: BacktestEngine, value: Any) -> None:
    if isinstance(value, CatalogData):
        engine.add_data([CustomData(DataType(type(value)), value)], client_id=_CLIENT, sort=False)
    else:
        engine.add_data([value], sort=False)


def _funding_rates(values: Iterable[Any]) -> str:
    """Return how the funding module shall read the rates: live ones name the time that they are due at."""
    rates = [value for value in values if isinstance(value, FundingRateUpdate)]
    return "predicted" if all(rate.next_funding_ns for rate in rates) else "settled"


def _is_taken(strategy: OIHedgeConfig, value: Any) -> bool:
    """Return whether the strategy subscribes to what a value is about."""
    about = value.bar_type if isinstance(value, Bar) else None
    if about is not None:
        mine = strategy.bar_type
        if (about.spec, about.aggregation_source) != (mine.spec, mine.aggregation_source):
            return False
    listed = type(value) in MARKET_KINDS and type(value) not in _UNLISTED
    named = strategy.instrument_ids
    instrument_id = about.instrument_id if about is not None else value.instrument_id
    return not (listed and named) or instrument_id in named


def received_at(value: Any, ts: int) -> Any:
    """Return `value` as known at `ts`: one that was handled after a later one is known from then on."""
    if value.ts_init == ts:
        return value
    kind = type(value)
    values = value.to_dict() if isinstance(value, CatalogData) else kind.to_dict(value)
    return kind.from_dict({**values, "ts_init": ts})


def _stops(values: Iterable[Any]) -> frozenset[str]:
    found = (each for each in values if type(each).__name__ == "OrderInitialized")
    return frozenset(each.client_order_id.value for each in found if STOP_TAG in (each.tags or ()))


def _first_difference(
    recorded: Sequence[CatalogData],
    replayed: Sequence[CatalogData],
    entries: Sequence[SessionEntry],
) -> Difference | None:
    for number in range(max(len(recorded), len(replayed))):
        if number >= len(recorded) or number >= len(replayed):
            have = (recorded if number < len(recorded) else replayed)[number]
            sides = ("recorded", "missing") if number < len(recorded) else ("missing", "replayed")
            return _difference(have, number, "record", *sides, entries)
        one, other = recorded[number], replayed[number]
        for name in ("instrument_id", *(name for name, _, _ in type(one).FIELDS), "ts_event", "ts_init"):
            was, came = getattr(one, name), getattr(other, name)
            if bits(was) != bits(came):
                return _difference(one, number, name, was, came, entries)
    return None


def _difference(
    record: CatalogData, number: int, name: str, was: Any, came: Any, entries: Sequence[SessionEntry]
) -> Difference:
    newest = {}
    for entry in entries:
        if entry.kind in _MARKET and entry.ts_init <= record.ts_init:
            values = json.loads(entry.payload)
            newest[entry.kind, values.get("bar_type") or values["instrument_id"]] = entry
    shown = tuple(f"{each.kind} {each.payload}" for each in newest.values())
    return Difference(type(record).__name__, number, record.ts_init, name, was, came, shown)


def bits(value: Any) -> Any:
    """Return `value` such that two compare equal only where every bit of their numbers is equal."""
    if isinstance(value, list | tuple):
        return tuple(map(bits, value))
    if isinstance(value, bool | str):
        return value
    return float(value).hex() if isinstance(value, int | float) else str(value)


def _fills(decisions: list[HedgeDecision], values: list[Any], engine: BacktestEngine) -> tuple[FillPair, ...]:
    """Pair each order's fills with those of the fill model, by the order in which they were sent."""
    tags = {v.client_order_id: v.tags or () for v in values if type(v).__name__ == "OrderInitialized"}
    realised: dict[Any, list[OrderFilled]] = {key: [] for key, tag in tags.items() if HEDGE_TAG in tag}
    for value in values:
        if isinstance(value, OrderFilled) and value.client_order_id in realised:
            realised[value.client_order_id].append(value)
    orders = sorted(engine.cache.orders(), key=lambda order: order.ts_init)
    modelled = [
        [e for e in order.events if isinstance(e, OrderFilled)]
        for order in orders
        if HEDGE_TAG in (order.tags or ())
    ]
    sent = [decision for decision in decisions if decision.order_quantity]
    return tuple(
        FillPair(d.ts_init, d.order_quantity, d.price, _lost_bps(d, real), _lost_bps(d, model))
        for d, real, model in zip(sent, realised.values(), modelled, strict=False)
    )


def _lost_bps(decision: HedgeDecision, fills: list[OrderFilled]) -> float:
    quantity = sum(each.last_qty.as_double() for each in fills)
    if not quantity:
        return float("nan")
    average = sum(each.last_qty.as_double() * each.last_px.as_double() for each in fills) / quantity
    side = 1.0 if decision.order_quantity > 0.0 else -1.0
    return side * (average / decision.price - 1.0) * 1e4


def _add_venue(engine: BacktestEngine, config: BacktestVenueConfig) -> None:
    engine.add_venue(
        venue=Venue(config.name),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money.from_str(each) for each in config.starting_balances],
        default_leverage=Decimal(str(config.default_leverage)),
        margin_model=get_margin_model(config),
        modules=[ActorFactory.create(module) for module in config.modules or ()],
        fill_model=get_fill_model(config),
        bar_execution=config.bar_execution,
    )
