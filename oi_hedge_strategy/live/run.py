"""Run a paper or live node until it is told to stop."""

from contextlib import ExitStack
from pathlib import Path

import click

from oi_hedge_catalog.errors import OIHedgeError, StateError
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.live.checks import account_key, check_keys, check_model_named, traded_venues
from oi_hedge_strategy.live.config import Mode
from oi_hedge_strategy.live.lock import InstanceLock, lock_account
from oi_hedge_strategy.live.node import build_node, directory_of
from oi_hedge_strategy.strategy import OIHedgeStrategy

STOPPED, FAILED = 0, 1
LOCK_FILE = "run.lock"


def run_node(settings: BacktestSettings, mode: Mode, *, real_orders: bool = False) -> int:
    """
    Run a node until SIGINT or SIGTERM stops it; position and resting stop are left as they are.

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
    directory = directory_of(settings, mode)
    with ExitStack() as held:
        held.enter_context(InstanceLock(directory / LOCK_FILE, f"the run in {directory}"))
        if mode == "live":
            check_keys(settings)
            for venue in traded_venues(settings):
                held.enter_context(lock_account(venue, account_key(settings, venue)))
        node, session = build_node(settings, mode, real_orders=real_orders)
        click.echo(_greeting(settings, mode, directory))
        try:
            node.run(raise_exception=True)
            strategy = next(s for s in node.trader.strategies() if isinstance(s, OIHedgeStrategy))
            stopped = strategy.is_stopped
        except OIHedgeError as error:
            raise StateError(f"the {mode} run in {directory} did not start: {error}") from error
        finally:
            node.dispose()
        session.finish()
    return STOPPED if stopped else FAILED


def _greeting(settings: BacktestSettings, mode: Mode, directory: Path) -> str:
    where = settings.hedge_instrument.venue.value
    if mode == "paper":
        orders = f"simulated at {where}, nothing is sent"
    elif settings.live.testnet:
        orders = f"to the test environment of {where}"
    else:
        orders = f"REAL, to {where}"
    return f"{mode}: orders are {orders}; kept in {directory}; stop with Ctrl-C or SIGTERM"
