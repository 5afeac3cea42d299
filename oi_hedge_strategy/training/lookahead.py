"""Hunt for look-ahead: the future is cut off, labels are shuffled, inputs are taken from the future."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from numpy.typing import NDArray
from tqdm import tqdm

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError, ModelError
from oi_hedge_strategy.config import OIHedgeConfig
from oi_hedge_strategy.evaluation.bootstrap import Estimate
from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.forecast.card import ModelCard, day
from oi_hedge_strategy.forecast.model import Forecast, Forecaster
from oi_hedge_strategy.hedging.config import ExposureConfig
from oi_hedge_strategy.hedging.desk import Decision, HedgeDesk
from oi_hedge_strategy.history import AssetHistory, hourly_bar_types, load_history, venue_slot
from oi_hedge_strategy.state import Stream
from oi_hedge_strategy.training.lookahead_scores import model_on_shuffled, refit_on_shuffled, shifted_gain
from oi_hedge_strategy.training.recent import RecentForecasts, recent_forecasts
from oi_hedge_strategy.training.recording import record, warm_up_ns

CHANCE = 0.5
_EXPOSURE, _EQUITY = 1.0, 1e9
_JUDGED = "ETH"


@dataclass(frozen=True, slots=True)
class Check:
    """
    Hold what one check found.

    Parameters
    ----------
    name : str
        What was done.
    found, expected : str
        Figures in words.
    passed : bool
        Whether they agree.

    """

    name: str
    found: str
    expected: str
    passed: bool


@dataclass(frozen=True, slots=True)
class LookAhead:
    """
    Hold what a leak hunt found.

    Parameters
    ----------
    source, asset : str
        The model and the base coin.
    since, until : str
        First and last day that was looked at.
    checks : tuple of Check
        In the order in which they were made.
    notes : tuple of str
        Where the first differences are.

    """

    source: str
    asset: str
    since: str
    until: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Return whether every check passed."""
        return all(check.passed for check in self.checks)


def check_lookahead(
    forecaster: Forecaster,
    catalog: ParquetDataCatalog,
    asset: str | None = None,
    samples: int = 20,
    seed: int = 0,
) -> LookAhead:
    """
    Hunt for look-ahead between a catalog and the decisions made from it.

    Parameters
    ----------
    forecaster : Forecaster
        A model opened from a file, which the strategy's desk opens again.
    catalog : ParquetDataCatalog
        The data; what came between the model's date and its expiry is looked at.
    asset : str, optional
        Base coin; ETH by default, or the model's first.
    samples : int
        At how many random times the future is cut off.
    seed : int
        Of times and shuffles.

    Raises
    ------
    CatalogError
        If too little data lie between the model's date and its expiry.
    ModelError
        If the desk has no forecast at one of the times.

    """
    card = forecaster.card
    asset = asset or (_JUDGED if _JUDGED in card.assets else card.assets[0])
    history = load_history(catalog, asset)
    since, until = _span(card, history, forecaster.source)
    rng = np.random.default_rng(seed)
    times = random_times(history, since, until, samples, rng)
    differences = truncation_differences(forecaster, catalog, history, times)
    recent = recent_forecasts(forecaster, history, since, until, card.cascade)
    return LookAhead(
        forecaster.source,
        asset,
        day(since),
        day(until),
        (_truncation(differences, times.size), *score_checks(recent, card, seed)),
        tuple(differences[:3]),
    )


def random_times(
    history: AssetHistory, since_ns: int, until_ns: int, samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return ascending times, half of them the very moments at which something became known."""
    events = history.ts[(history.ts >= since_ns) & (history.ts <= until_ns)]
    exact = rng.choice(events, samples // 2)
    between = rng.integers(since_ns, until_ns, samples - samples // 2)
    return np.sort(np.concatenate([exact, between]))


def truncation_differences(
    forecaster: Forecaster, catalog: ParquetDataCatalog, history: AssetHistory, times: NDArray[np.int64]
) -> list[str]:
    """
    Return where a decision changes when the catalog is read only up to its moment, in words.

    At each time a new desk of the strategy decides twice: fed from the history of the whole catalog up to the
    time, and fed from all that is read with the time as the end. The snapshot of the training data at the
    time must give the same forecast. Equal means every bit.
    """
    config, hedge = desk_settings(forecaster, catalog, history)
    found = []
    for now in tqdm(times.tolist(), desc="cut off", unit="time", leave=False, disable=None):
        cut = load_history(catalog, history.asset, end_ns=now)
        known = int(np.searchsorted(history.ts, now, side="right"))
        whole = _decide(config, hedge, history, now, known)
        again = _decide(config, hedge, cut, now, cut.ts.size)
        if whole.forecast is None:
            raise ModelError(f"{forecaster.source}: no forecast at {iso(now)}: {whole.wish.reason}")
        (snapshot,) = record(history, forecaster.card.schema, np.array([now]))
        trained = forecaster.predict(snapshot.snapshot(0))
        if _bits(trained) != _bits(whole.forecast):
            found.append(f"{iso(now)}: the training data show the model something else than the desk does")
        elif again.forecast is None or _bits(again.forecast) != _bits(whole.forecast):
            found.append(f"{iso(now)}: the forecast changes")
        elif _decided(again) != _decided(whole):
            found.append(f"{iso(now)}: the decision changes")
    return found


def desk_settings(
    forecaster: Forecaster, catalog: ParquetDataCatalog, history: AssetHistory
) -> tuple[OIHedgeConfig, CryptoPerpetual]:
    """Return the configuration of a desk that hedges one coin, and its hedge instrument."""
    types, venues = hourly_bar_types(catalog), forecaster.card.schema.venues
    for each in sorted(store.instruments(catalog), key=lambda found: str(found.id) != history.reference):
        linear = isinstance(each, CryptoPerpetual) and not each.is_inverse
        own = linear and each.base_currency.code == history.asset
        if own and each.id in types and venue_slot(each.id) in venues:
            exposure = ExposureConfig(quantity=_EXPOSURE)
            return OIHedgeConfig(bar_type=types[each.id], model=forecaster.source, exposure=exposure), each
    raise CatalogError(
        f"{catalog.path}: no linear {history.asset} perpetual with hourly bars at a venue that the model "
        f"knows ({', '.join(venues)}); ingest one"
    )


def score_checks(recent: RecentForecasts, card: ModelCard, seed: int) -> Sequence[Check]:
    """Return the checks by shuffled labels and by inputs of the future."""
    horizon = card.cascade.horizons_hours[-1]
    model = model_on_shuffled(recent, seed)
    refit = refit_on_shuffled(recent, horizon, seed)
    as_it_is, shifted, gain = shifted_gain(recent, card.cascade.horizons_hours)
    if None in (model.low, refit.low, gain.low):
        raise CatalogError(
            f"{iso(int(recent.ts[0]))[:10]} to {iso(int(recent.ts[-1]))[:10]} holds too few cascades of "
            f"{recent.asset} to hunt by scores: ingest more of what came after the model's training, or name "
            "an older model"
        )
    return (
        _chance("shuffled labels, the model: ROC-AUC", model),
        _chance("shuffled labels, refitted logistic regression: ROC-AUC", refit),
        Check(
            "inputs of the future, refitted logistic regression: ROC-AUC",
            f"{as_it_is:.3f} -> {shifted:.3f}, {_interval(gain, '+.3f')}",
            "clearly higher",
            gain.low is not None and gain.low > 0.0,
        ),
    )


def _span(card: ModelCard, history: AssetHistory, source: str) -> tuple[int, int]:
    """Return from when to when the model may be used and its look-back lies within the data."""
    first = int(history.ts[0]) + warm_up_ns(card.schema)
    since, until = max(first, card.trained_until), min(int(history.ts[-1]), card.expires - 1)
    if since >= until:
        raise CatalogError(
            f"{source}: may be used from {day(card.trained_until)} to {day(card.expires)}, and looks back "
            f"{warm_up_ns(card.schema) / 86_400e9:.0f} days; the catalog has {history.asset} from "
            f"{day(int(history.ts[0]))} to {day(int(history.ts[-1]))}: nothing is left to look at"
        )
    return since, until


def _decide(
    config: OIHedgeConfig, hedge: CryptoPerpetual, history: AssetHistory, now: int, known: int
) -> Decision:
    """Feed a new desk the first `known` events of a history and let it decide."""
    desk = HedgeDesk(config, hedge, (), now)
    first = int(np.searchsorted(history.ts, now - warm_up_ns(desk.schema)))
    columns = (history.ts, history.stream, history.venue, history.fields)
    for ts, stream, venue, fields in zip(*(each[first:known].tolist() for each in columns), strict=True):
        name = history.venues[venue]
        if name in desk.schema.venues:
            _feed(desk, Stream(stream), name, ts, fields)
    return desk.decide(now, _EXPOSURE, 0.0, _EQUITY)


def _feed(desk: HedgeDesk, stream: Stream, venue: str, ts: int, fields: Sequence[float]) -> None:
    if stream in (Stream.PERPETUAL, Stream.SPOT):
        high, low, close, volume = fields
        desk.on_bar(venue, stream is Stream.SPOT, ts, high, low, close, volume)
    elif stream is Stream.OPEN_INTEREST:
        desk.on_open_interest(venue, ts, fields[0])
    elif stream is Stream.FUNDING:
        desk.on_funding(venue, ts, fields[0], fields[1])
    else:
        desk.on_input(stream, venue, ts, fields)


def _bits(forecast: Forecast) -> bytes:
    return b"".join(getattr(forecast, name).tobytes() for name in Forecast.__slots__)


def _decided(decision: Decision) -> str:
    """Return everything that was decided; floats are written so that they can be told apart to the bit."""
    names = (each for each in Decision.__slots__ if each not in ("forecast", "stage_ns"))
    return repr([(name, getattr(decision, name)) for name in names])


def _truncation(differences: Sequence[str], samples: int) -> Check:
    name = "future cut off: forecasts or decisions that change"
    return Check(name, f"{len(differences)} of {samples}", "0", not differences)


def _chance(name: str, found: Estimate) -> Check:
    within = found.low is not None and found.high is not None and found.low <= CHANCE <= found.high
    return Check(name, _interval(found, ".3f"), "0.5 within the interval", within)


def _interval(found: Estimate, form: str) -> str:
    if found.value is None or found.low is None:
        return found.reason
    return f"{found.value:{form}} ({found.low:{form}} to {found.high:{form}})"
