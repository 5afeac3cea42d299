"""What watches over a paper or live run, added to a node: recording, status, alerts and metrics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from nautilus_trader.common.config import ImportableActorConfig, NautilusConfig
from nautilus_trader.config import TradingNodeConfig

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.live.session import Session
from oi_hedge_strategy.live.timing import STAGES


class ObserveConfig(NautilusConfig, frozen=True):
    """
    Configure what watches over a run.

    Parameters
    ----------
    receive_ms, features_ms, inference_ms, policy_ms, order_ms : float
        Budget of each stage from signal to order; one that takes longer is an alert.
    webhook_per_hour : int
        At most so many alerts go to the webhook of the environment variable `OI_HEDGE_WEBHOOK_URL` within an
        hour.
    metrics_port : int
        Where Prometheus may ask; nowhere when 0.
    metrics_host : str
        The interface that it listens on.

    """

    receive_ms: float = 50.0
    features_ms: float = 2.0
    inference_ms: float = 5.0
    policy_ms: float = 2.0
    order_ms: float = 5.0
    webhook_per_hour: int = 30
    metrics_port: int = 0
    metrics_host: str = "127.0.0.1"

    def check(self) -> None:
        """Raise ConfigError for the first value out of range."""
        for stage in STAGES:
            if not getattr(self, f"{stage}_ms") > 0.0:
                raise ConfigError(f"observe.{stage}_ms must be above 0, was {getattr(self, f'{stage}_ms')}")
        if self.webhook_per_hour < 1:
            raise ConfigError(f"observe.webhook_per_hour must be at least 1, was {self.webhook_per_hour}")
        if not 0 <= self.metrics_port < 65536:
            raise ConfigError(f"observe.metrics_port must lie within 0 and 65535, was {self.metrics_port}")

    @property
    def budgets_ms(self) -> dict[str, float]:
        """Return the budget of each stage."""
        return {stage: getattr(self, f"{stage}_ms") for stage in STAGES}


def observed(
    node: TradingNodeConfig,
    root: Path,
    mode: str,
    config: ObserveConfig,
    settings: Mapping[str, Any],
) -> tuple[TradingNodeConfig, Session]:
    """
    Return the configuration of a node that records into a new session, and that session.

    Parameters
    ----------
    node : TradingNodeConfig
        With the hedging strategy among its `strategies`.
    root : Path
        Where sessions are kept.
    mode : str
        ``paper`` or ``live``.
    config : ObserveConfig
        What is asked for.
    settings : mapping
        Kept with the session; without secrets.

    Raises
    ------
    ConfigError
        If a value is out of range, or the session cannot be made.

    """
    config.check()
    strategy = next(
        OIHedgeConfig.parse(msgspec.json.encode(each.config))
        for each in node.strategies
        if each.strategy_path.endswith(":OIHedgeStrategy")
    )
    session = Session.create(root, mode, strategy, settings)
    shared = {
        "instrument_id": str(strategy.bar_type.instrument_id),
        "strategy_id": f"OIHedgeStrategy-{strategy.order_id_tag}",
    }
    directory = {"directory": str(session.directory)}
    budgets = {"budgets_ms": config.budgets_ms, "webhook_per_hour": config.webhook_per_hour}
    actors = [
        _actor("recorder:SessionRecorder", shared | directory),
        _actor("alerts:AlertMonitor", shared | budgets),
        _actor("status:StatusWriter", shared | directory),
    ]
    if config.metrics_port:
        ports = {"port": config.metrics_port, "host": config.metrics_host}
        actors.append(_actor("metrics:MetricsServer", {"strategy_id": shared["strategy_id"]} | ports))
    recording = msgspec.structs.replace(node, streaming=session.streaming(), actors=[*node.actors, *actors])
    return recording, session


def _actor(path: str, values: dict[str, Any]) -> ImportableActorConfig:
    full = f"oi_hedge_strategy.live.{path}"
    return ImportableActorConfig(actor_path=full, config_path=f"{full}Config", config=values)
