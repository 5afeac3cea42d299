"""Explain one forecast: what each venue and each group of inputs contributes to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from nautilus_trader.model.identifiers import InstrumentId
from numpy.typing import NDArray

from oi_hedge_catalog.errors import CatalogError, ModelError
from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.forecast.card import ModelCard, outputs
from oi_hedge_strategy.forecast.model import Forecast, Forecaster
from oi_hedge_strategy.history import AssetHistory, venue_slot
from oi_hedge_strategy.state import CHANNELS, LiquidationMap, StateSchema, Stream
from oi_hedge_strategy.state.schema import NANOSECONDS_PER_HOUR
from oi_hedge_strategy.training.recent import forecast_snapshots
from oi_hedge_strategy.training.recording import Snapshots, record

Floats = NDArray[np.float64]
GROUPS: Mapping[str, tuple[str, ...]] = {
    "price": ("log_price", "log_range"),
    "volume": ("log_volume",),
    "basis and spot": ("basis", "log_spot_price"),
    "open interest": ("log_open_interest",),
    "funding": ("funding_8h",),
    "long/short ratio": ("log_long_short_ratio",),
    "liquidations": ("log_long_liquidations", "log_short_liquidations"),
    "options": ("log_put_call_ratio",),
    "wallets": ("wallet_concentration",),
}
"""Channels that are replaced together."""
LIQUIDATION_MAP, CLOCK = "liquidation map", "clock"
USUAL_MOMENTS, LEAST_MOMENTS = 48, 8
_USUAL_STEP_HOURS = 45
"""From one usual moment to the next: every hour of the day and every day of the week has its turn."""
_NAMES = tuple(channel.name for channel in CHANNELS)
_GRIDS = ("values", "mask", "age")
_COLUMNS = ("ts", "stream", "venue", "fields")
_LEAST = 1e-7
_BAND = 0.01


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    Hold one forecast and what it came from.

    Parameters
    ----------
    source, sha256 : str
        The model.
    card : ModelCard
        Its card.
    asset : str
        Base coin.
    at_ns : int
        The moment: nothing known later was read.
    price : float
        Of the reference instrument's last bar, USD.
    forecast : Forecast
        What the model says.
    base_rate : mapping of str to float
        Share of cascades in the calibration window by output, where the card has it.
    venues : mapping of str to float64 array, shape (sides, horizons)
        Log-odds of the forecast less those without the venue.
    groups : mapping of str to float64 array, shape (sides, horizons)
        Log-odds of the forecast less their mean with the group as it was at the usual moments.
    usual_moments : int
        How many moments before stand for what is usual.
    band : float
        Width of the bands of `levels`, as a fraction of the price.
    levels : mapping of str to float64 array, shape (2, bands)
        By venue, positions that would be liquidated, base coin: longs below the price, shorts above it.
    notes : tuple of str
        What the reader must know.

    """

    source: str
    sha256: str
    card: ModelCard
    asset: str
    at_ns: int
    price: float
    forecast: Forecast
    base_rate: Mapping[str, float]
    venues: Mapping[str, Floats]
    groups: Mapping[str, Floats]
    usual_moments: int
    band: float
    levels: Mapping[str, Floats]
    notes: tuple[str, ...]


def explain(forecaster: Forecaster, history: AssetHistory, at_ns: int) -> Explanation:
    """
    Explain a model's forecast at a moment.

    A venue's contribution is what the forecast loses without it: the market state is replayed without the
    venue's events, so that it is masked and its positions are not in the liquidation map. A group of inputs
    cannot be masked so, for a market without prices is none: its channels (values, masks and ages) are
    replaced by what they were at moments before, 45 hours apart, and the log-odds averaged over them. The
    contributions need not add up to the forecast, for inputs act together.

    Parameters
    ----------
    forecaster : Forecaster
        The model.
    history : AssetHistory
        Events of the asset; those after `at_ns` are left out.
    at_ns : int
        The moment.

    Raises
    ------
    CatalogError
        If nothing is known at the moment, or too little before it to say what is usual.
    ModelError
        If the model gives an impossible number.

    """
    card = forecaster.card
    history = _until(history, at_ns)
    snapshot = _snapshot(history, card.schema, at_ns)
    if not snapshot.mask[..., 0].any():
        raise CatalogError(
            f"{history.asset}: nothing is known at {iso(at_ns)} that the model reads: none of its venues "
            f"({', '.join(card.schema.venues)}) has data of the last {card.schema.max_age_hours:g} h"
        )
    forecast = forecaster.predict(snapshot.snapshot(0))
    if not forecast.is_sane:
        raise ModelError(f"{forecaster.source}: impossible forecast at {iso(at_ns)}; train it anew")
    said = log_odds(forecast.probability)
    usual = _usual(history, card.schema, at_ns)
    return Explanation(
        source=forecaster.source,
        sha256=forecaster.sha256,
        card=card,
        asset=history.asset,
        at_ns=at_ns,
        price=_price(history, at_ns),
        forecast=forecast,
        base_rate=_base_rate(card, history.asset),
        venues={
            venue: said - _without(forecaster, history, venue, at_ns)
            for venue in card.schema.venues
            if venue in history.venues
        },
        groups={
            name: (said - log_odds(forecast_snapshots(forecaster, swapped))).mean(axis=0)
            for name, swapped in _swaps(snapshot, usual)
        },
        usual_moments=len(usual),
        band=_BAND,
        levels=liquidation_levels(history, card.schema),
        notes=_notes(card, history.asset, at_ns),
    )


def log_odds(probability: NDArray[np.float32] | Floats) -> Floats:
    """Return the log-odds of probabilities, which are kept off 0 and 1."""
    p = np.clip(np.asarray(probability, np.float64), _LEAST, 1.0 - _LEAST)
    return np.log(p / (1.0 - p))


def liquidation_levels(history: AssetHistory, schema: StateSchema, band: float = _BAND) -> dict[str, Floats]:
    """
    Return the liquidation map of each of the model's venues in even bands, base coin.

    Parameters
    ----------
    history : AssetHistory
        The events, all of which are replayed.
    schema : StateSchema
        Whose map it is; only the bands are finer.
    band : float
        Their width, as a fraction of the price.

    Returns
    -------
    dict of str to float64 array, shape (2, bands)
        Nearest band first; venues without levels are left out.

    """
    config = schema.liquidation_map
    edges = tuple(float(each) for each in np.arange(round(config.bands[-1] / band) + 1) * band)
    maps = {venue: LiquidationMap(replace(config, bands=edges)) for venue in schema.venues}
    streams = (Stream.PERPETUAL, Stream.OPEN_INTEREST)
    known = [at for at, name in enumerate(history.venues) if name in maps]
    rows = np.isin(history.stream, streams) & np.isin(history.venue, known)
    columns = (history.ts, history.stream, history.venue, history.fields)
    for ts, stream, venue, fields in zip(*(each[rows].tolist() for each in columns), strict=True):
        levels = maps[history.venues[venue]]
        if stream == Stream.PERPETUAL:
            levels.update_bar(*fields[:3])
        else:
            levels.update_open_interest(ts, fields[0])
    found = {venue: levels.density() for venue, levels in maps.items()}
    return {venue: density for venue, density in found.items() if density.any()}


def _until(history: AssetHistory, at_ns: int) -> AssetHistory:
    """Return the history as it was known at a time."""
    kept = int(np.searchsorted(history.ts, at_ns, side="right"))
    columns = {name: getattr(history, name)[:kept] for name in _COLUMNS}
    return replace(history, **columns)


def _price(history: AssetHistory, at_ns: int) -> float:
    """Return the last close of the reference's venue."""
    venue = history.venues.index(venue_slot(InstrumentId.from_str(history.reference)))
    rows = np.flatnonzero((history.stream == Stream.PERPETUAL) & (history.venue == venue))
    if not rows.size:
        raise CatalogError(f"{history.asset}: no price of {history.reference} is known at {iso(at_ns)}")
    return float(history.fields[rows[-1], 2])


def _snapshot(history: AssetHistory, schema: StateSchema, at_ns: int) -> Snapshots:
    (found,) = record(history, schema, np.array([at_ns]))
    return found.copy()


def _without(forecaster: Forecaster, history: AssetHistory, venue: str, at_ns: int) -> Floats:
    """Return the log-odds that the model would say had a venue brought nothing."""
    kept = history.venue != history.venues.index(venue)
    columns = {name: getattr(history, name)[kept] for name in _COLUMNS}
    snapshot = _snapshot(replace(history, **columns), forecaster.card.schema, at_ns)
    return log_odds(forecast_snapshots(forecaster, snapshot)[0])


def _usual(history: AssetHistory, schema: StateSchema, at_ns: int) -> Snapshots:
    """Return what was known at moments before, those left out whose look-back begins before the data."""
    steps = np.arange(USUAL_MOMENTS, 0, -1) * _USUAL_STEP_HOURS * NANOSECONDS_PER_HOUR
    first = int(history.ts[0])
    times = at_ns - steps
    times = times[times >= first + schema.look_back_ns]
    if times.size < LEAST_MOMENTS:
        needed = LEAST_MOMENTS * _USUAL_STEP_HOURS / 24 + schema.offsets_hours[-1] / 24
        found = (at_ns - first) / (24 * NANOSECONDS_PER_HOUR)
        raise CatalogError(
            f"{history.asset}: {found:.0f} days of data before {iso(at_ns)} do not tell what is usual, at "
            f"least {needed:.0f} are needed; ingest more or name a later time"
        )
    return Snapshots.joined([each.copy() for each in record(history, schema, times)])


def _swaps(snapshot: Snapshots, usual: Snapshots) -> list[tuple[str, Snapshots]]:
    """Return, for each group that has data, the snapshot with the group of every usual moment."""
    found = []
    for name, channels in GROUPS.items():
        at = [_NAMES.index(each) for each in channels]
        if snapshot.mask[:, :, at].any() or usual.mask[:, :, at].any():
            swapped = _repeated(snapshot, len(usual))
            for grid in _GRIDS:
                getattr(swapped, grid)[:, :, at] = getattr(usual, grid)[:, :, at]
            found.append((name, swapped))
    levels = replace(_repeated(snapshot, len(usual)), liquidation_map=usual.liquidation_map)
    clock = replace(_repeated(snapshot, len(usual)), clock=usual.clock)
    return [*found, (LIQUIDATION_MAP, levels), (CLOCK, clock)]


def _repeated(snapshot: Snapshots, times: int) -> Snapshots:
    return snapshot.rows(np.zeros(times, np.int64))


def _base_rate(card: ModelCard, asset: str) -> dict[str, float]:
    figures = card.metrics.get(asset) or card.metrics.get("pooled", {})
    keys = [key for key, _ in outputs(card.cascade.horizons_hours)]
    return {key: float(figures[key]["prevalence"]) for key in keys if "prevalence" in figures.get(key, {})}


def _notes(card: ModelCard, asset: str, at_ns: int) -> tuple[str, ...]:
    notes = []
    if asset not in card.assets:
        notes.append(f"the model was not trained on {asset}, but on {', '.join(card.assets)}")
    if at_ns < card.trained_until:
        notes.append(f"in sample: the model was trained on data until {iso(card.trained_until)}")
    if at_ns >= card.expires:
        notes.append(f"the model expired on {iso(card.expires)}")
    return tuple(notes)
