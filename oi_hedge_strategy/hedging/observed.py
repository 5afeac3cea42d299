"""What the market and the model said at one moment."""

from dataclasses import dataclass

from oi_hedge_strategy.forecast.model import Forecast
from oi_hedge_strategy.hedging.policy import Wish


@dataclass(frozen=True, slots=True)
class Observed:
    """
    Hold what a decision rests on that no position, policy or rail changes.

    Parameters
    ----------
    price : float
        Of the hedge instrument.
    price_age_minutes, open_interest_age_minutes : float
        Of the hedge venue's price and of the freshest open interest; infinite when never seen.
    near : tuple of float
        The liquidation map within 10 % below and above the price, over open interest.
    funding_8h : float
        What a long position pays per eight hours, as a fraction.
    rule : Wish, optional
        What the rule wants for the exposure's side, where it is asked: no model is configured, or it is
        demoted.
    forecast : Forecast, optional
        Of the model, where it is usable.
    problem : str
        Why there is no usable forecast, empty when there is one.
    demoted : str
        Why the model must not size the hedge, empty when it may.
    alerts : tuple of bool
        Whether the forecast of each side stands above its alert threshold.
    horizons_hours : tuple of int
        Of the model; none without one.
    model_sha256 : str
        Of the model in use, empty without one.
    took_ns : tuple of int
        Wall time that sampling the state and running the model took.

    """

    price: float
    price_age_minutes: float
    open_interest_age_minutes: float
    near: tuple[float, float]
    funding_8h: float
    rule: Wish | None = None
    forecast: Forecast | None = None
    problem: str = ""
    demoted: str = ""
    alerts: tuple[bool, bool] = (False, False)
    horizons_hours: tuple[int, ...] = ()
    model_sha256: str = ""
    took_ns: tuple[int, int] = (0, 0)
