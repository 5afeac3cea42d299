"""What a run may be told, be it a backtest, paper or live: one file for all three."""

import json
import math
import tomllib
from datetime import date, time
from pathlib import Path

import msgspec
from nautilus_trader.common.config import NautilusConfig
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.hedging.config import DriftConfig, ExecutionConfig, PolicyConfig, RailsConfig
from oi_hedge_strategy.live.config import LiveConfig, NodeConfig, PaperConfig
from oi_hedge_strategy.live.observe import ObserveConfig
from oi_hedge_strategy.simulation.costs import CostsConfig
from oi_hedge_strategy.simulation.fills import ImpactFillModel, ImpactFillModelConfig


class BacktestSettings(NautilusConfig, frozen=True):
    """
    Configure a backtest, a paper run or a live one.

    Parameters
    ----------
    model, models : str
        An ONNX file, or the directory of a registry; the shipped model in a backtest when both are empty.
    catalog : str
        Recorded data of a backtest; a simulated market when empty.
    reports : str
        Directory of the reports.
    venues : tuple of str
        Whose perpetuals are read; all that the model knows and the run can reach when empty.
    hedge_instrument : InstrumentId
        The linear perpetual that is traded.
    exposure_instrument : InstrumentId
        What the trader holds: spot or a perpetual of the same base coin.
    exposure_quantity : float
        Signed base coin; spot can only be long.
    collateral : float
        Balance of the hedge account at the start, over the exposure's notional.
    leverage : float
        Leverage setting of the hedge account.
    latency_ms : float
        From sending an order to its arrival.
    impact : dict
        Values that differ from the defaults of `ImpactFillModelConfig`.
    costs : CostsConfig
        Fees, and multipliers of impact and latency.
    target_loss_avoided : float, optional
        The share of losses that the tuned hedge of a backtest shall avoid; none is tuned without it.
    policy, rails, execution, drift
        As for the strategy.
    node, observe, paper, live
        Of the trading node, what watches over it, the simulated and the real account; a backtest has none.

    """

    model: str = ""
    models: str = ""
    catalog: str = ""
    reports: str = "out"
    venues: tuple[str, ...] = ()
    hedge_instrument: InstrumentId = InstrumentId.from_str("ETHUSDT-PERP.BINANCE")
    exposure_instrument: InstrumentId = InstrumentId.from_str("ETHUSDT.BINANCE_SPOT")
    exposure_quantity: float = 100.0
    collateral: float = 1.0
    leverage: float = 3.0
    latency_ms: float = 200.0
    impact: dict[str, float] = {}  # noqa: RUF012 - msgspec copies defaults
    costs: CostsConfig = CostsConfig()
    target_loss_avoided: float | None = 0.67
    policy: PolicyConfig = PolicyConfig()
    rails: RailsConfig = RailsConfig()
    execution: ExecutionConfig = ExecutionConfig()
    drift: DriftConfig = DriftConfig()
    node: NodeConfig = NodeConfig()
    observe: ObserveConfig = ObserveConfig()
    paper: PaperConfig = PaperConfig()
    live: LiveConfig = LiveConfig()

    def check(self) -> None:
        """
        Check what can be checked before the catalog is read.

        Raises
        ------
        ConfigError
            For the first value out of range.

        """
        parts = (self.policy, self.rails, self.execution, self.drift)
        for part in (*parts, self.node, self.observe, self.paper, self.live):
            part.check()
        if self.model and self.models:
            raise ConfigError(f"models {self.models} and model {self.model} are both set: name one of them")
        if self.exposure_quantity == 0.0:
            raise ConfigError("exposure_quantity must not be zero: there would be nothing to hedge")
        if not self.collateral > 0.0:
            raise ConfigError(f"collateral must be above 0, was {self.collateral}")
        if not 0.0 < self.leverage <= self.rails.max_leverage:
            raise ConfigError(
                f"leverage must be above 0 and at most rails.max_leverage {self.rails.max_leverage:g}, "
                f"was {self.leverage:g}"
            )
        self.costs.check()
        self.costs.fees(self.hedge_instrument.venue.value)
        target = self.target_loss_avoided
        if target is not None and not 0.0 < target < 1.0:
            raise ConfigError(f"target_loss_avoided must lie between 0 and 1, was {target:g}")
        if self.latency_ms < 0.0:
            raise ConfigError(f"latency_ms must not be negative, was {self.latency_ms}")
        try:
            ImpactFillModel(ImpactFillModelConfig.parse(json.dumps(self.impact)))
        except msgspec.ValidationError as error:
            raise ConfigError(f"impact: {error}") from error


def load_settings(path: Path | None) -> BacktestSettings:
    """
    Read settings from a TOML file, or return the defaults.

    Raises
    ------
    ConfigError
        If the file cannot be read, has an unknown field, or a value of the wrong type or range.

    """
    if path is None:
        return BacktestSettings()
    try:
        fields = tomllib.loads(path.read_text(), parse_float=finite)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    try:
        settings: BacktestSettings = BacktestSettings.parse(json.dumps(fields, default=_iso))
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        settings.check()
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return settings


def _iso(value: object) -> str:
    """Return a TOML date or time as text."""
    return value.isoformat() if isinstance(value, date | time) else str(value)


def finite(text: str) -> float:
    """Return a number of TOML; refuse one that is not finite."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"numbers must be finite, found {text}")
    return value
