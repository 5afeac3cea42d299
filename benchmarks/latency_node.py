"""The node that `benchmarks.latency` measures: shipped model, full market state, and a strategy beside it."""

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from nautilus_trader.config import LiveExecEngineConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import StrategyId
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.trading.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy
from onnx import helper
from support.engine import HEDGE, bar_type
from support.live_hedge import LiveHedge
from support.models import FOREVER

from oi_hedge_strategy.backtest.variants import AT_ONCE
from oi_hedge_strategy.forecast.card import CARD_KEY
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.shipped import shipped_model
from oi_hedge_strategy.hedging.config import PolicyConfig, RailsConfig
from oi_hedge_strategy.history import feed
from oi_hedge_strategy.live.alerts import AlertMonitor, AlertMonitorConfig
from oi_hedge_strategy.live.ledger_keeper import LedgerKeeper, LedgerKeeperConfig
from oi_hedge_strategy.live.recorder import SessionRecorder, SessionRecorderConfig
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.live.state_store import StateStore
from oi_hedge_strategy.live.status import StatusWriter, StatusWriterConfig
from oi_hedge_strategy.state import MarketState, StateSchema, Stream

AT_ONCE_BARS = BarType.from_str(f"{HEDGE}-30-MINUTE-LAST-EXTERNAL")
_DAYS, _STEP_NS, _HOUR_NS = 90, 600_000_000_000, 3_600_000_000_000


class OrderAtOnce(Strategy):
    """Send an order on each bar, buying and selling in turn: the least that any strategy takes."""

    def __init__(self) -> None:
        super().__init__(StrategyConfig(order_id_tag="ATONCE"))
        self._sides = [OrderSide.BUY, OrderSide.SELL]

    def on_start(self) -> None:
        """Subscribe to bars that the hedge does not read."""
        self.subscribe_bars(AT_ONCE_BARS)

    def on_bar(self, bar: Bar) -> None:
        """Send the order."""
        self._sides.reverse()
        self.submit_order(self.order_factory.market(HEDGE, self._sides[0], Quantity(0.01, 3)))


def build_hedge(base: str, root: Path, recorded: bool) -> tuple[LiveHedge, Session | None]:
    """
    Return a hedge that orders on each bar, with the checks of a live run's node.

    Parameters
    ----------
    base : str
        Address of the venue.
    root : Path
        Where model, state, session and ledger go.
    recorded : bool
        Whether session and ledger are kept, alerts watched and the status written.

    """
    model = _valid_model(root / "model.onnx")
    _fill_state(root / "state", Forecaster.load(model).card.schema)
    hedge = LiveHedge(
        base,
        str(model),
        root / "state",
        check_secs=5.0,
        rails=RailsConfig(
            hard_stop=0.5, drawdown_tiers=(), max_daily_orders=1_000_000, max_daily_turnover=1e9
        ),
        execution=AT_ONCE,
        policy=PolicyConfig(kind="log_growth", max_hedge_ratio=1.0, exposure_over_equity=100.0),
    )
    engine = LiveExecEngineConfig(
        reconciliation=True,
        reconciliation_startup_delay_secs=0.05,
        open_check_interval_secs=10.0,
    )
    hedge._config = msgspec.structs.replace(hedge._config, exec_engine=engine)
    hedge.beside.append(OrderAtOnce())
    return hedge, _record(hedge, root) if recorded else None


def at_once_bar() -> Bar:
    """Return a bar that only `OrderAtOnce` is given."""
    ts = time.time_ns()
    return Bar(AT_ONCE_BARS, *[Price(2000.0, 2)] * 4, Quantity(10.0, 3), ts, ts)


def _record(hedge: LiveHedge, root: Path) -> Session:
    """Let the node record, watch and write its status and ledger as a paper or live run does."""
    session = Session.create(root / "sessions", "live", hedge.strategy.config, {})
    hedge._config = msgspec.structs.replace(hedge._config, streaming=session.streaming())
    ids: dict[str, Any] = {"instrument_id": HEDGE, "strategy_id": StrategyId("OIHedgeStrategy-HEDGE")}
    ledger = LedgerKeeperConfig(
        directory=str(root / "ledger"),
        bar_type=bar_type(HEDGE),
        exposure_instrument=HEDGE,
        strategy_id=ids["strategy_id"],
    )
    hedge.watchers = [
        LedgerKeeper(ledger),
        SessionRecorder(SessionRecorderConfig(directory=str(session.directory), **ids)),
        AlertMonitor(AlertMonitorConfig(**ids)),
        StatusWriter(StatusWriterConfig(directory=str(session.directory), **ids)),
    ]
    return session


def _valid_model(path: Path) -> Path:
    """Write the model for recorded markets, as if it had not expired."""
    model = onnx.load(shipped_model(simulated=False))
    card = msgspec.json.decode(next(each.value for each in model.metadata_props if each.key == CARD_KEY))
    helper.set_model_props(model, {CARD_KEY: msgspec.json.encode(card | {"expires": FOREVER}).decode()})
    onnx.save(model, path)
    return path


def _fill_state(directory: Path, schema: StateSchema) -> None:
    """Leave what a run of ninety days would: its market state, of every venue."""
    rng, state = np.random.default_rng(1), MarketState(schema)
    end = time.time_ns() - 60_000_000_000
    ts = end - _DAYS * 24 * _HOUR_NS
    while ts < end:
        for venue in schema.venues:
            feed(state, Stream.OPEN_INTEREST, venue, ts, [float(rng.uniform(900.0, 1100.0))])
            if (ts - end) % _HOUR_NS == 0:
                feed(state, Stream.PERPETUAL, venue, ts, [2004.0, 1996.0, 2000.0, 5.0])
                feed(state, Stream.SPOT, venue, ts, [2004.0, 1996.0, 2000.0, 5.0])
                feed(state, Stream.FUNDING, venue, ts, [1e-4, 480.0])
        ts += _STEP_NS
    facts = {
        "schema": schema.to_json(),
        "market": [2000.0, ts, ts, 1e-4],
        "rails": '{"peak_equity": 0.0, "closed_until": 0, "drawn_down": false, "trades": []}',
        "drift": None,
        "book": {"position": 0.0, "stops": []},
    }
    with StateStore(directory) as store:
        store.begin(state.save(), facts)
