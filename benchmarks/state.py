"""What remembering costs a running node: ``python -m benchmarks.state``."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from oi_hedge_catalog.instruments import build_instrument
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.hedging.config import ExposureConfig
from oi_hedge_strategy.hedging.desk import HedgeDesk
from oi_hedge_strategy.history import feed
from oi_hedge_strategy.live.journal import Journal
from oi_hedge_strategy.live.state_keeper import StateKeeper
from oi_hedge_strategy.live.state_store import StateStore
from oi_hedge_strategy.state import MarketState, StateSchema, Stream

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.engine import HEDGE, bar_type, specs
from support.models import write_model

_VENUES = ("BINANCE", "BYBIT", "DERIBIT", "HYPERLIQUID", "OKX")
_MINUTE, _HOUR = 60_000_000_000, 3_600_000_000_000
_PAYLOAD = b"\0" * 42
_FACTS = b"\0" * 2_000
_BOOK = {"position": -5.0, "stops": ["O-20260101-000000-001-HEDGE-1"], "ordered": -5.0}
_ORDERS_A_DAY = 24


@click.command()
@click.option("--days", default=90, show_default=True, help="Of open interest each minute at five venues.")
def main(days: int) -> None:
    """Print the time of an event's and a decision's record, and of a checkpoint and its reading."""
    with tempfile.TemporaryDirectory() as scratch:
        journal = Journal(Path(scratch) / "journal")
        _print("an event's record", _each(lambda: journal.append(0, _PAYLOAD), 50_000))
        _print("a decision's record", _each(lambda: journal.append(1, _FACTS), 5_000))
        journal.close()
        with StateStore(Path(scratch) / "decided") as store:
            keeper = _keeper(Path(scratch), store)
            _print("keeping a decision", _each(lambda: keeper.decided(0, _BOOK), 5_000))
        state = _filled(days)
        with StateStore(Path(scratch) / "state") as store:
            started = time.perf_counter()
            arrays = state.save()
            copied = time.perf_counter()
            store.begin(arrays, {})
            handed = time.perf_counter()
            store.wait()
            written = time.perf_counter()
            size = sum(path.stat().st_size for path in (Path(scratch) / "state").glob("*.state")) / 1e6
        held, copy = 1e3 * (handed - started), 1e3 * (copied - started)
        click.echo(f"checkpoint of {days} days, {size:.1f} MB: node held for {held:.1f} ms (copied in "
                   f"{copy:.1f} ms), written beside it in {1e3 * (written - handed):.0f} ms")  # fmt: skip
        with StateStore(Path(scratch) / "state") as store:
            started = time.perf_counter()
            saved = store.load()
            assert saved is not None
            MarketState(state.schema).restore(saved.arrays)
            click.echo(f"brought back in {1e3 * (time.perf_counter() - started):.0f} ms")


def _filled(days: int) -> MarketState:
    rng, state = np.random.default_rng(1), MarketState(StateSchema(_VENUES))
    for minute in range(days * 24 * 60):
        ts = minute * _MINUTE
        for venue in _VENUES:
            feed(state, Stream.OPEN_INTEREST, venue, ts, [float(rng.uniform(900.0, 1100.0))])
            if ts % _HOUR == 0:
                feed(state, Stream.PERPETUAL, venue, ts, [2004.0, 1996.0, 2000.0, 5.0])
                feed(state, Stream.FUNDING, venue, ts, [1e-4, 480.0])
    return state


def _keeper(directory: Path, store: StateStore) -> StateKeeper:
    """Return the keeper of a desk whose rails remember a day full of orders."""
    config = OIHedgeConfig(
        bar_type=bar_type(HEDGE),
        model=str(write_model(directory / "model.onnx")),
        exposure=ExposureConfig(quantity=10.0),
    )
    desk = HedgeDesk(config, build_instrument(specs()[0]), _VENUES, 0)
    for at in range(_ORDERS_A_DAY):
        desk.record_order(at, 1.0 / (at + 1), 10.0)
    keeper = StateKeeper(desk, store)
    keeper.begin(_BOOK)
    return keeper


def _each(act: Callable[[], None], times: int) -> list[float]:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        found.append(1e6 * (time.perf_counter() - started))
    return found


def _print(what: str, micros: list[float]) -> None:
    p50, p99 = np.percentile(micros, [50, 99])
    click.echo(f"{what:22} {p50:8.1f} us p50 {p99:8.1f} us p99 {max(micros):10.1f} us max")


if __name__ == "__main__":
    main()
