"""What the strategy publishes and stores each time it decides."""

import pyarrow as pa
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.types import CatalogData

BEGAN_TOPIC = "oi_hedge.began"
"""Where the strategy publishes, when it begins to decide, the callable that saves its desk."""


class CascadeForecast(CatalogData):
    """
    Record one forecast.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument.
    horizons_hours : list of float
        The model's horizons.
    down, up : list of float
        Calibrated probability of a cascade to the side, by horizon.
    adverse_down, adverse_up : list of float
        Expected change to the side over the horizon if the cascade comes, as a fraction of the price.
    favourable_down, favourable_up : list of float
        Expected change to the other side if it does not.
    alert_down, alert_up : bool
        Whether a probability stands above the card's alert threshold.
    model_sha256 : str
        The model's hash.
    ts_event, ts_init : int
        The decision time.

    """

    FIELDS = (
        ("horizons_hours", pa.list_(pa.float64()), False),
        ("down", pa.list_(pa.float64()), False),
        ("up", pa.list_(pa.float64()), False),
        ("adverse_down", pa.list_(pa.float64()), False),
        ("adverse_up", pa.list_(pa.float64()), False),
        ("favourable_down", pa.list_(pa.float64()), False),
        ("favourable_up", pa.list_(pa.float64()), False),
        ("alert_down", pa.bool_(), False),
        ("alert_up", pa.bool_(), False),
        ("model_sha256", pa.string(), False),
    )

    instrument_id: InstrumentId
    horizons_hours: list[float]
    down: list[float]
    up: list[float]
    alert_down: bool
    alert_up: bool
    model_sha256: str


class HedgeDecision(CatalogData):
    """
    Record one decision: what was wanted, what was allowed, by which rail, and why.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument.
    exposure : float
        Signed base coin.
    price : float
        Of the hedge instrument.
    held : float
        Hedge ratio before the decision.
    wanted : float
        Hedge ratio of the policy.
    allowed : float
        Hedge ratio after hysteresis and rails.
    target : float
        Hedge ratio that is gone for; `held` where the change is not worth an order.
    rail : str
        The last rail that changed the ratio, else the last that stands, empty when none does.
    reason : str
        The policy's reason and those of the rails that acted.
    order_quantity : float
        Signed base coin of the order that was sent, zero when none was.
    model_sha256 : str
        The hash of the model in use, empty for a rule.
    hedge_quantity : float
        Signed base coin of the hedge position, as the account said.
    equity : float
        Of the hedge account, quote currency, as the account said.
    waiting : bool
        Whether an order was due while the one before was still on its way.
    trigger : str
        What asked for the decision: ``bar``, ``timer`` or ``restart``.
    ts_event : int
        What the clock said when it was asked for.
    ts_init : int
        The decision time: the same, or the newest time seen where the clock lies behind it.

    """

    FIELDS = (
        ("exposure", pa.float64(), False),
        ("price", pa.float64(), False),
        ("held", pa.float64(), False),
        ("wanted", pa.float64(), False),
        ("allowed", pa.float64(), False),
        ("target", pa.float64(), False),
        ("rail", pa.string(), False),
        ("reason", pa.string(), False),
        ("order_quantity", pa.float64(), False),
        ("model_sha256", pa.string(), False),
        ("hedge_quantity", pa.float64(), False),
        ("equity", pa.float64(), False),
        ("waiting", pa.bool_(), False),
        ("trigger", pa.string(), False),
    )

    instrument_id: InstrumentId
    exposure: float
    price: float
    held: float
    wanted: float
    allowed: float
    target: float
    rail: str
    reason: str
    order_quantity: float
    model_sha256: str
    hedge_quantity: float
    equity: float
    waiting: bool
    trigger: str


class StageTiming(CatalogData):
    """
    Record how long each stage took from the signal to the order, nanoseconds of wall time.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument.
    trigger : str
        What asked for the decision: ``bar`` or ``timer``.
    receive : int
        From the receipt of the bar, or the timer's time, until the market state had taken it in.
    features : int
        Sampling the market state.
    inference : int
        Running the model and watching its drift.
    policy : int
        Policy, rails and target.
    order : int, optional
        From the decision until the execution client sent the order; ``None`` where none was sent.
    ts_event, ts_init : int
        The decision time.

    """

    FIELDS = (
        ("trigger", pa.string(), False),
        ("receive", pa.int64(), False),
        ("features", pa.int64(), False),
        ("inference", pa.int64(), False),
        ("policy", pa.int64(), False),
        ("order", pa.int64(), True),
    )

    trigger: str
    receive: int
    features: int
    inference: int
    policy: int
    order: int | None


class Alert(CatalogData):
    """
    Record that something a trader should know of began or ended.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument.
    condition : str
        What it is about; one alert is given each time the condition begins.
    active : bool
        Whether it began; otherwise it ended.
    message : str
        One sentence.
    ts_event, ts_init : int
        When.

    """

    FIELDS = (
        ("condition", pa.string(), False),
        ("active", pa.bool_(), False),
        ("message", pa.string(), False),
    )

    condition: str
    active: bool
    message: str


class SessionEntry(CatalogData):
    """
    Record one thing that the strategy was given or said, in the order in which it was.

    Parameters
    ----------
    instrument_id : InstrumentId
        The hedge instrument, under which a session keeps all of its entries.
    sequence : int
        Place in the order, from 0.
    kind : str
        Class name of what it was.
    payload : str
        Its values as JSON.
    ts_event : int
        Its `ts_init`.
    ts_init : int
        The newest `ts_event` so far: when everything up to it was known.

    """

    FIELDS = (("sequence", pa.int64(), False), ("kind", pa.string(), False), ("payload", pa.string(), False))

    sequence: int
    kind: str
    payload: str
