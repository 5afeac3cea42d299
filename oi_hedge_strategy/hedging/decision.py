"""One decision and all that led to it, as it is recorded."""

from dataclasses import dataclass

from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_strategy.forecast.model import Forecast
from oi_hedge_strategy.hedging.policy import Wish
from oi_hedge_strategy.hedging.rail_records import RailVerdict
from oi_hedge_strategy.records import CascadeForecast, HedgeDecision


@dataclass(frozen=True, slots=True)
class Decision:
    """Hold one decision and all that led to it."""

    exposure: float
    price: float
    held: float
    wish: Wish
    verdict: RailVerdict
    target: float
    target_quantity: float
    trades: bool
    forecast: Forecast | None
    alerts: tuple[bool, bool]
    horizons_hours: tuple[int, ...]
    model_sha256: str
    hedge_quantity: float
    equity: float
    stage_ns: tuple[int, int, int]
    """What sampling the state, running the model, and policy and rails took."""

    def record(
        self,
        instrument_id: InstrumentId,
        ordered: float,
        asked: int,
        now: int,
        waiting: bool = False,
        trigger: str = "",
    ) -> HedgeDecision:
        """Return the decision as it is published: `asked` for by the clock, and as of `now`."""
        reasons = [text for text in (self.wish.reason, self.verdict.reason) if text]
        return HedgeDecision(
            instrument_id, self.exposure, self.price, self.held, self.wish.ratio, self.verdict.ratio,
            self.target, self.verdict.decided_by, "; ".join(reasons), ordered, self.model_sha256,
            self.hedge_quantity, self.equity, waiting, trigger, asked, now,
        )  # fmt: skip

    def forecast_record(self, instrument_id: InstrumentId, now: int) -> CascadeForecast | None:
        """Return the forecast as it is published, None where there is none."""
        if self.forecast is None:
            return None
        moves = (self.forecast.probability, self.forecast.adverse, self.forecast.favourable)
        sides = [side.tolist() for each in moves for side in each]
        horizons = [float(hours) for hours in self.horizons_hours]
        return CascadeForecast(instrument_id, horizons, *sides, *self.alerts, self.model_sha256, now, now)
