"""Run a paper or live node until it is told to stop."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import click
from nautilus_trader.live.node import TradingNode

from oi_hedge_catalog.errors import StateError
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.live.checks import (
    account_key,
    check_keys,
    check_model_named,
    check_paper,
    check_stop,
    traded_venues,
)
from oi_hedge_strategy.live.collector import collect_in_turn
from oi_hedge_strategy.live.config import STATE, Mode
from oi_hedge_strategy.live.kill_switch import KillSwitch, listen_to_signals
from oi_hedge_strategy.live.lock import InstanceLock, lock_account
from oi_hedge_strategy.live.node import build_node, directory_of
from oi_hedge_strategy.live.position_check import PositionCheck
from oi_hedge_strategy.live.recording import convert, convert_left
from oi_hedge_strategy.live.sessions import SESSIONS
from oi_hedge_strategy.live.steady_stderr import steady_stderr
from oi_hedge_strategy.strategy import OIHedgeStrategy

STOPPED, FAILED = 0, 1
LOCK_FILE = "run.lock"
_STEPS, _MARGIN_SECS, _LOOK_SECS = 3, 15.0, 0.1
"""Connecting, reconciling and the portfolio have a timeout each; Nautilus pauses in between."""


def run_node(
    settings: BacktestSettings, mode: Mode, *, real_orders: bool = False, before_paper: bool = False
) -> int:
    """
    Run a node until SIGINT or SIGTERM stops it; position and resting stop are left as they are.

    Parameters
    ----------
    settings : BacktestSettings
        What was asked for.
    mode : "paper" or "live"
        The kind of run.
    real_orders : bool
        Whether a live run may leave the venue's testnet.
    before_paper : bool
        Whether it may do so before paper says to go live.

    Returns
    -------
    int
        The exit code: 0 where it was told to stop, 1 where the strategy did not run to the end.

    Raises
    ------
    OIHedgeError
        If it cannot start.

    """
    check_model_named(settings)
    if mode == "live" and not settings.live.testnet:
        settings.live.check_orders(real_orders)
        if not before_paper:
            check_paper(settings)
    directory = directory_of(settings, mode)
    with ExitStack() as held:
        held.enter_context(steady_stderr())
        held.enter_context(InstanceLock(directory / LOCK_FILE, f"the run in {directory}"))
        if mode == "live":
            check_stop(settings)
            check_keys(settings)
            for venue in traded_venues(settings):
                held.enter_context(lock_account(venue, account_key(settings, venue)))
        for text in convert_left(directory / SESSIONS):
            click.echo(text)
        node, session = build_node(settings, mode, real_orders=real_orders)
        click.echo(_greeting(settings, mode, directory))
        strategy = next(s for s in node.trader.strategies() if isinstance(s, OIHedgeStrategy))
        loop = node.get_event_loop()
        assert loop is not None
        try:
            listen_to_signals(loop, KillSwitch(directory / STATE), node.kernel.logger.warning)
            loop.run_until_complete(_supervise(node, strategy, settings.node.timeout_secs))
            ran = strategy.is_stopped
        finally:
            if node.is_running():
                node.stop()
            node.dispose()
        session.finish()
        convert(session)
    return STOPPED if ran else FAILED


async def _supervise(node: TradingNode, strategy: OIHedgeStrategy, timeout_secs: float) -> None:
    """Run the node until it stops; stop it where connecting or reconciling takes too long."""
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(node.run_async())
    held = {strategy.config.bar_type.instrument_id, *strategy.config.exposure.instrument_ids}
    checking = asyncio.gather(*(PositionCheck(node, each, strategy.hold_orders).run() for each in held))
    running.add_done_callback(lambda _: checking.cancel())
    deadline = loop.time() + _STEPS * timeout_secs + _MARGIN_SECS
    while not (running.done() or strategy.is_running):
        if loop.time() > deadline:
            await node.stop_async()
            await running
            raise StateError(
                "the hedge did not start: a venue could not be connected or reconciled within "
                f"node.timeout_secs {timeout_secs:g}; the log above names it"
            )
        await asyncio.sleep(_LOOK_SECS)
    collecting = loop.create_task(collect_in_turn())
    running.add_done_callback(lambda _: collecting.cancel())
    await running


def _greeting(settings: BacktestSettings, mode: Mode, directory: Path) -> str:
    where = settings.hedge_instrument.venue.value
    if mode == "paper":
        orders = f"simulated at {where}, nothing is sent"
        if settings.rails.stop_trigger == "mark":
            orders += ", and the stop is set off by the market's price: paper reads no mark prices"
    elif settings.live.testnet:
        orders = f"to the test environment of {where}"
    else:
        orders = f"REAL, to {where}"
    return f"{mode}: orders are {orders}; kept in {directory}; stop with Ctrl-C or SIGTERM"
