"""The strategy's configuration."""

from pathlib import Path

from nautilus_trader.model.data import BarType
from nautilus_trader.model.identifiers import ClientId, InstrumentId
from nautilus_trader.trading.config import StrategyConfig

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.forecast.registry import LOG_NAME
from oi_hedge_strategy.hedging.config import (
    DriftConfig,
    ExecutionConfig,
    ExposureConfig,
    PolicyConfig,
    RailsConfig,
)


class OIHedgeConfig(StrategyConfig, frozen=True, kw_only=True):
    """
    Configure an `OIHedgeStrategy`.

    Parameters
    ----------
    bar_type : BarType
        Bars of the hedge instrument, of the length that the model was trained on.
    oms_type : str
        One position for the hedge, also where the venue's adapter names several.
    model : str
        The ONNX file; may be empty for a policy that needs none.
    models : str
        In place of `model`: the directory of a registry, whose newest promoted model is used at each moment.
    instrument_ids : tuple of InstrumentId
        Where bars, open interest and funding come from; all cached instruments of the hedge's base coin by
        default.
    open_interest_client : ClientId
        The data client that open interest is subscribed from.
    funding_client : ClientId, optional
        The data client that funding rates and the instruments' status are subscribed from; the venue's own by
        default.
    exposure : ExposureConfig
        What is hedged.
    policy : PolicyConfig
        How a forecast becomes a hedge ratio.
    rails : RailsConfig
        What bounds it.
    execution : ExecutionConfig
        When an order is worth sending.
    drift : DriftConfig
        When the model is demoted, and what hedges then.
    forecast_interval_secs : float
        Forecast on a timer too, where data are finer than that.
    use_timer : bool, optional
        Set the timer whatever the bars' length.
    active_from : str
        ISO 8601 time before which data only fill the look-back; at once when empty.
    state_dir : str
        The directory where the run's state and kill switch are kept over restarts, one for each run; none
        when empty, as in a backtest.
    look_back_catalog : str
        A catalog that the look-back is filled from before the first forecast; none when empty.
    request_look_back : bool
        Whether the venues are asked for what is lacking of bars, open interest, funding and, where the model
        saw them, long/short ratios before the first forecast.
    taker_fee : float, optional
        Of the account at the hedge venue, a fraction of the notional; the instrument's own by default.
    adopt_position : bool
        Whether a first start may take over a position that the hedge instrument holds already.

    """

    bar_type: BarType
    oms_type: str | None = "NETTING"
    model: str = ""
    models: str = ""
    instrument_ids: tuple[InstrumentId, ...] = ()
    open_interest_client: ClientId = ClientId("OI")
    funding_client: ClientId | None = None
    exposure: ExposureConfig = ExposureConfig()
    policy: PolicyConfig = PolicyConfig()
    rails: RailsConfig = RailsConfig()
    execution: ExecutionConfig = ExecutionConfig()
    drift: DriftConfig = DriftConfig()
    forecast_interval_secs: float = 30.0
    use_timer: bool | None = None
    active_from: str = ""
    state_dir: str = ""
    look_back_catalog: str = ""
    request_look_back: bool = False
    taker_fee: float | None = None
    adopt_position: bool = False

    def check(self) -> None:
        """
        Check everything that can be checked before the node runs.

        Raises
        ------
        ConfigError
            For the first value that is out of range or missing.

        """
        for part in (self.policy, self.rails, self.execution, self.drift):
            part.check()
        if self.policy.needs_model and not (self.model or self.models):
            raise ConfigError(
                "model must name an ONNX file, or models a registry: policy.kind is "
                f"{self.policy.kind}, which sizes by the forecast"
            )
        if self.model and self.models:
            raise ConfigError(
                f"model {self.model} and models {self.models} are both set: name one file or one registry"
            )
        if self.models and not (Path(self.models) / LOG_NAME).exists():
            raise ConfigError(
                f"models {self.models} is not a registry: it holds no {LOG_NAME}; make one with: "
                "oi-hedge train --walk-forward"
            )
        if self.model and not Path(self.model).exists():
            raise ConfigError(f"model {self.model} does not exist; train one with: oi-hedge train")
        exposure = self.exposure
        if not (exposure.instrument_ids or exposure.balance_venues or exposure.quantity):
            raise ConfigError(
                "exposure names nothing to hedge: set instrument_ids, balance_venues or quantity"
            )
        if self.bar_type.instrument_id in exposure.instrument_ids:
            raise ConfigError(
                f"exposure names the hedge instrument {self.bar_type.instrument_id}: a venue nets both, "
                "orders would move the position that is to be hedged; hedge in another instrument"
            )
        if self.taker_fee is not None and not 0.0 <= self.taker_fee < 0.1:
            raise ConfigError(f"taker_fee must be a fraction in [0, 0.1), was {self.taker_fee:g}")
        if not self.forecast_interval_secs > 0.0:
            raise ConfigError(f"forecast_interval_secs must be above 0, was {self.forecast_interval_secs}")
