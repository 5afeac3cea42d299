"""The Nautilus strategy: it wires events to the market state, the model, the rails and the hedge book."""

from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import pandas as pd
from nautilus_trader.common.component import TimeEvent
from nautilus_trader.core.data import Data
from nautilus_trader.core.datetime import unix_nanos_to_dt
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.data import Bar, BarType, DataType, FundingRateUpdate, InstrumentStatus
from nautilus_trader.model.events import (
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    PositionClosed,
)
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import CryptoPerpetual, Instrument
from nautilus_trader.trading.strategy import Strategy

from oi_hedge_catalog.types import LongShortRatio, OpenInterestUpdate
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.halts import HALTS
from oi_hedge_strategy.hedging.book import HedgeBook
from oi_hedge_strategy.hedging.decision import Decision
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.hedging.exposure import ExposureReader
from oi_hedge_strategy.history import venue_slot
from oi_hedge_strategy.inputs import INPUTS, inputs_seen
from oi_hedge_strategy.live.announcer import Announcer
from oi_hedge_strategy.live.node_thread import in_node_thread
from oi_hedge_strategy.live.safety import WATCH_SECS, Safety
from oi_hedge_strategy.live.timing import StageTimer
from oi_hedge_strategy.live.warmup import TIMEOUT_SECS, LookBack
from oi_hedge_strategy.records import BEGAN_TOPIC, StageTiming
from oi_hedge_strategy.sources import Sources, find_sources, hedge_instrument, read_instruments, slots_of
from oi_hedge_strategy.times import parse_time_ns

_TIMER, _WATCH, _LOOK_BACK = "FORECAST", "WATCH", "LOOK_BACK"
_RAILS, _DRIFT = "rails", "drift"


class OIHedgeStrategy(Strategy):
    """
    Hedge an exposure by forecasting liquidation cascades.

    Every event updates the market state; every bar of the hedge instrument, and a timer where data are finer
    than its interval, makes a forecast and a decision. Only this strategy's own position is ever traded.

    Parameters
    ----------
    config : OIHedgeConfig
        The configuration.

    Attributes
    ----------
    bars_seen : int
        Bars of the hedge instrument so far.
    decision_ns : deque of int
        Wall time that the last bars of the hedge instrument took, nanoseconds.
    make_desk : callable
        Makes the desk from the arguments of `HedgeDesk`; a backtest that repeats a run sets another.

    """

    def __init__(self, config: OIHedgeConfig) -> None:
        super().__init__(config)
        config.check()
        self.bars_seen = 0
        self.make_desk: Callable[..., HedgeDesk] = HedgeDesk
        self.decision_ns: deque[int] = deque(maxlen=100_000)
        self._active_from = parse_time_ns(config.active_from, "active_from") if config.active_from else 0
        self._saved: dict[str, bytes] = {}
        self._desk: HedgeDesk
        self._announcer: Announcer
        self._intake: HedgeDesk | LookBack
        self._look_back: LookBack | None = None
        self._book: HedgeBook
        self._exposure: ExposureReader
        self._timer: StageTimer
        self._safety: Safety | None = None
        self._sources: Sources = {}

    def on_start(self) -> None:
        """Check instruments and model, then subscribe."""
        hedge = hedge_instrument(self.cache, self.config.bar_type.instrument_id)
        instruments = read_instruments(self.cache, self.config.instrument_ids, hedge)
        self._book = HedgeBook(self, hedge, self.config.rails)
        self._timer = StageTimer(hedge.id, lambda timing: self.publish_data(DataType(StageTiming), timing))
        self._exposure = ExposureReader(self.config.exposure, self.cache, hedge.base_currency, self.id)
        self._desk = self.make_desk(
            self.config, hedge, slots_of(instruments), max(self._active_from, self.clock.timestamp_ns())
        )
        self._announcer = Announcer(self._desk, self.log, self.msgbus)
        if not self._desk.taker_fee:
            self.log.warning(
                f"{hedge.id} names no taker fee: the hedge is sized as if it had none; set costs.taker_fee"
            )
        if _RAILS in self._saved:
            self._desk.rails.restore(self._saved[_RAILS])
        if _DRIFT in self._saved:
            self._desk.restore_drift(self._saved[_DRIFT])
        self._safety = Safety.of(self.config, self._desk, self._book, self.cache, f"oi-hedge.{self.id}")
        if self._safety is not None:
            self._safety.start(self._exposure.read)
            every = pd.Timedelta(seconds=WATCH_SECS)
            watch = in_node_thread(self, self._on_watch)
            self.clock.set_timer(_WATCH, every, callback=watch, fire_immediately=True)
        self._sources, left_out = find_sources(instruments, self._desk.schema.venues, hedge)
        for each in left_out:
            self.log.warning(f"{each} is left out: the model does not know venue {venue_slot(each)}")
        self._intake = self._desk
        if self.config.look_back_catalog or self.config.request_look_back:
            self._begin_look_back(hedge)
        for instrument_id in self._sources:
            self._subscribe(instrument_id)
        self._subscribe_inputs(hedge)
        interval = self.config.bar_type.spec.timedelta.total_seconds()
        wanted = self.config.use_timer
        if wanted or (wanted is None and interval <= self.config.forecast_interval_secs):
            every = pd.Timedelta(seconds=self.config.forecast_interval_secs)
            self.clock.set_timer(_TIMER, every, callback=in_node_thread(self, self._on_timer))
        if self._look_back is None:
            self.msgbus.publish(BEGAN_TOPIC, self._desk.save)

    def on_bar(self, bar: Bar) -> None:
        """Take in a bar; decide on the hedge instrument's."""
        started = perf_counter_ns()
        venue, spot = self._sources[bar.bar_type.instrument_id]
        self._intake.on_bar(venue, spot, bar.ts_init, bar.high, bar.low, bar.close, bar.volume)
        if bar.bar_type == self.config.bar_type:
            self._decide(bar.ts_init, "bar")
            self.bars_seen += 1
            self.decision_ns.append(perf_counter_ns() - started)

    def on_data(self, data: Data) -> None:
        """Take in open interest and the further inputs."""
        if isinstance(data, OpenInterestUpdate):
            self._intake.on_open_interest(self._sources[data.instrument_id][0], data.ts_init, data.quantity)
        elif (found := INPUTS.get(type(data))) is not None:
            venue = venue_slot(data.instrument_id)
            self._intake.on_input(found.stream, venue, data.ts_init, found.fields(data))

    def on_funding_rate(self, funding_rate: FundingRateUpdate) -> None:
        """Take in a funding rate."""
        venue, _ = self._sources[funding_rate.instrument_id]
        minutes = funding_rate.interval
        self._intake.on_funding(venue, funding_rate.ts_init, float(funding_rate.rate), minutes)

    def on_instrument_status(self, data: InstrumentStatus) -> None:
        """Note whether the hedge venue trades."""
        if data.instrument_id == self._book.instrument_id:
            self._desk.halted = data.action in HALTS

    def on_order_submitted(self, event: OrderSubmitted) -> None:
        """Note how long a hedge order took to leave, and do what waited for it."""
        if not self._book.is_stop(event.client_order_id):
            self._timer.sent(event.ts_event, self.clock.timestamp_ns())
            if self._safety is not None:
                self._safety.sync()

    def on_order_accepted(self, event: OrderAccepted) -> None:
        """Take off a hard stop that has come to rest when another had taken its place."""
        if self._book.is_stop(event.client_order_id) and len(self._book.stops()) > 1:
            self._book.protect()

    def on_order_filled(self, event: OrderFilled) -> None:
        """Move the hard stop with the position; cool down after the stop itself was hit."""
        if self._book.is_stop(event.client_order_id):
            self._desk.rails.close_until_cooled(event.ts_init)
            self.log.warning(f"hard stop hit at {event.last_px}; the hedge stays closed for the cooldown")
        self._book.protect()
        self._note()

    def on_order_canceled(self, event: OrderCanceled) -> None:
        """Rest the hard stop again where the venue, or somebody by hand, took it off."""
        if self._safety is not None and self._book.is_stop(event.client_order_id):
            self._book.protect()
            self._note()

    def on_order_expired(self, event: OrderExpired) -> None:
        """Rest the hard stop again where the venue let it expire."""
        if self._safety is not None and self._book.is_stop(event.client_order_id):
            self._book.protect()
            self._note()

    def on_position_closed(self, event: PositionClosed) -> None:
        """Take the hard stop off a position that is gone, whoever closed it."""
        self._book.protect()

    def on_order_rejected(self, event: OrderRejected) -> None:
        """Close the hedge for the cooldown where it has no stop that can rest; retry others next time."""
        self.log.error(f"{event.client_order_id} was rejected: {event.reason}")
        if self._book.is_stop(event.client_order_id):
            self._close_without_stop(event.ts_init)
        elif self._safety is not None:
            self._book.settle()
        self._note()

    def on_order_denied(self, event: OrderDenied) -> None:
        """Close the hedge for the cooldown where its stop was not even sent; retry others next time."""
        self.log.error(f"{event.client_order_id} was not sent: {event.reason}")
        if self._book.is_stop(event.client_order_id):
            self._close_without_stop(event.ts_init)
        self._note()

    def _close_without_stop(self, ts: int) -> None:
        if self._book.save()["position"]:
            self._desk.rails.close_until_cooled(ts)

    def hold_orders(self) -> None:
        """Change the hedge no more for half a minute: venue and node differ on what is held."""
        self._book.hold()

    def on_save(self) -> dict[str, bytes]:
        """Return what the rails and the drift monitor remember."""
        drift = self._desk.save_drift()
        return {_RAILS: self._desk.rails.save()} | ({_DRIFT: drift} if drift is not None else {})

    def on_load(self, state: dict[str, bytes]) -> None:
        """Keep what was remembered until the start."""
        self._saved = dict(state)

    def on_stop(self) -> None:
        """Leave the position and its resting stop as they are."""
        for name in (_TIMER, _WATCH, _LOOK_BACK):
            if name in self.clock.timer_names:
                self.clock.cancel_timer(name)
        if self._safety is not None:
            self._safety.close()

    def _on_timer(self, event: TimeEvent) -> None:
        self._decide(event.ts_event, "timer")

    def _on_watch(self, event: TimeEvent) -> None:
        assert self._safety is not None
        for notice in self._safety.watch(event.ts_event):
            self.log.warning(notice)
        self._announcer.kept(self._safety.trouble)
        self._announcer.certain(not self._book.is_uncertain())
        if self._look_back is None and self._safety.take_undecided():
            self._decide(self._restart_at(), "restart")

    def _restart_at(self) -> int:
        """Return when the decision that the run before owed is made: now, so that stale data show."""
        return max(self._desk.newest, self.clock.timestamp_ns())

    def _note(self) -> None:
        if self._safety is not None:
            self._safety.note()

    def _begin_look_back(self, hedge: CryptoPerpetual) -> None:
        """Fill the look-back from the catalog, and ask the venues for what it lacks."""
        back = self._look_back = LookBack(self._desk, self.clock.timestamp_ns())
        if self.config.look_back_catalog:
            read = back.read_catalog(self.config.look_back_catalog, hedge.base_currency.code, hedge.id)
            self.log.info(f"look-back: {read} events of {self.config.look_back_catalog}")
        if not self.config.request_look_back:
            self._end_look_back()
            return
        self._intake = back
        start, end = (unix_nanos_to_dt(each) for each in (back.start, self.clock.timestamp_ns()))
        done, spec = self._on_look_back, self.config.bar_type.spec
        seen = {each.kind for each in inputs_seen(self._desk.channels_seen)}
        kinds = [OpenInterestUpdate, *({LongShortRatio} & seen)]
        for instrument_id, (_, spot) in self._sources.items():
            back.await_response(self.request_bars(BarType(instrument_id, spec), start, end, callback=done))
            if not spot:
                for kind in map(DataType, kinds):
                    client = self.config.open_interest_client
                    asked = self.request_data(kind, client, instrument_id, start, end, callback=done)
                    back.await_response(asked)
                client = self.config.funding_client
                asked = self.request_funding_rates(instrument_id, start, end, client_id=client, callback=done)
                back.await_response(asked)
        timeout = pd.Timedelta(seconds=TIMEOUT_SECS)
        end_it = in_node_thread(self, lambda event: self._end_look_back())
        self.clock.set_time_alert(_LOOK_BACK, self.clock.utc_now() + timeout, end_it)

    def on_historical_data(self, data: Any) -> None:
        """Take in what the venues' history brings before the first forecast."""
        for each in data if isinstance(data, list) else [data]:
            instrument_id = each.bar_type.instrument_id if isinstance(each, Bar) else each.instrument_id
            if self._look_back is not None and instrument_id in self._sources:
                self._look_back.take(each, *self._sources[instrument_id])

    def _on_look_back(self, request_id: UUID4) -> None:
        if self._look_back is not None and self._look_back.has_all(request_id):
            self._end_look_back()

    def _end_look_back(self) -> None:
        """Begin to decide, and say what the look-back lacks."""
        if self._look_back is None:
            return
        back, self._look_back, self._intake = self._look_back, None, self._desk
        for lack in back.finish():
            self.log.warning(lack)
        self.msgbus.publish(BEGAN_TOPIC, self._desk.save)

    def _decide(self, asked: int, trigger: str) -> None:
        if self._look_back is not None:
            return
        now = self._desk.known_at(asked)
        if now < self._active_from or not self._desk.price > 0.0:
            return
        received = self.clock.timestamp_ns() - asked
        price = self._desk.price
        exposure = self._exposure.read(price)
        decision = self._desk.decide(asked, exposure, self._book.quantity(price), self._book.equity(price))
        ordered, decided_at = 0.0, self.clock.timestamp_ns()
        waiting = decision.trades and not self._desk.halted and self._book.is_busy()
        if decision.trades and not self._desk.halted and not waiting:
            ordered = self._book.move_to(decision.target_quantity, price)
            if ordered:
                self._desk.record_order(now, ordered, exposure)
        self._publish(decision, ordered, asked, now, waiting, trigger)
        self._announcer.decided(decision)
        if self._safety is not None:
            self._safety.decided(now, ordered)
        self._timer.decided(trigger, (received, *decision.stage_ns), bool(ordered), decided_at, now)

    def _publish(
        self, decision: Decision, ordered: float, asked: int, now: int, waiting: bool, trigger: str
    ) -> None:
        forecast = decision.forecast_record(self._book.instrument_id, now)
        if forecast is not None:
            self.publish_data(DataType(type(forecast)), forecast)
        record = decision.record(self._book.instrument_id, ordered, asked, now, waiting, trigger)
        self.publish_data(DataType(type(record)), record)

    def _subscribe(self, instrument_id: InstrumentId) -> None:
        bars = self.config.bar_type
        self.subscribe_bars(BarType(instrument_id, bars.spec, bars.aggregation_source))
        if self._sources[instrument_id][1]:
            return
        self.subscribe_funding_rates(instrument_id, client_id=self.config.funding_client)
        self.subscribe_instrument_status(instrument_id, client_id=self.config.funding_client)
        kind = DataType(OpenInterestUpdate)
        self.subscribe_data(kind, client_id=self.config.open_interest_client, instrument_id=instrument_id)

    def _subscribe_inputs(self, hedge: Instrument) -> None:
        """Subscribe to the further inputs that the model saw in training."""
        perpetuals = [instrument_id for instrument_id, (_, spot) in self._sources.items() if not spot]
        for each in inputs_seen(self._desk.channels_seen):
            unlisted = each.unlisted_id and each.unlisted_id(hedge.base_currency.code)
            for instrument_id in [unlisted] if unlisted else perpetuals:
                if venue_slot(instrument_id) in self._desk.schema.venues:
                    kind, client = DataType(each.kind), self.config.open_interest_client
                    self.subscribe_data(kind, client_id=client, instrument_id=instrument_id)
