"""What every model file must do, whoever made it: a battery of checks that needs the file alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.forecast.card import ModelCard, outputs
from oi_hedge_strategy.forecast.drift import DriftReference
from oi_hedge_strategy.forecast.model import Forecast, Forecaster
from oi_hedge_strategy.state import CHANNELS, Snapshot, StateSchema

_MARKETS = 8
_NAMES = tuple(channel.name for channel in CHANNELS)
_TYPICAL = {
    "log_price": (7.6, 0.01),
    "log_spot_price": (7.6, 0.01),
    "log_range": (0.01, 0.002),
    "log_volume": (10.0, 0.3),
    "log_open_interest": (13.0, 0.01),
    "funding_8h": (1e-4, 2e-5),
    "basis": (1e-4, 1e-4),
    "log_long_liquidations": (-9.0, 0.5),
    "log_short_liquidations": (-9.0, 0.5),
    "wallet_concentration": (0.1, 0.001),
}
"""Level and step of a random walk by channel; zero and a hundredth for the others."""
_ABSURD = 14.0
"""A price a million times another: a feed in the wrong unit."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold what one check found: its name, whether the model passed, and what was wrong."""

    name: str
    passed: bool
    detail: str = ""


def check_conformance(forecaster: Forecaster, seed: int = 0) -> tuple[Finding, ...]:
    """
    Check a model file on made-up markets.

    A snapshot holds zeros under its masks, which the market state guarantees, so a masked venue is always
    shown as zeros. A file's embeddings cannot be exchanged along with its venues: here the data of venues
    change places and the forecast must stay sane; that it stays the same where embeddings change places too
    is a matter of the network. Shapes and types are checked when a file is opened.

    Parameters
    ----------
    forecaster : Forecaster
        The model.
    seed : int
        Of the markets.

    """
    return tuple(Finding(name, not found, found) for name, found in _findings(forecaster, seed))


def made_up_market(
    schema: StateSchema, channels: tuple[str, ...], rng: np.random.Generator
) -> Snapshot:  # fmt: skip
    """Return a snapshot in which every venue has fresh random walks in some channels."""
    venues, count, offsets = schema.shape
    values, mask, age = np.zeros((3, 1, venues, count, offsets), np.float32)
    walks = np.cumsum(rng.standard_normal((venues, count, offsets)), axis=2)
    for name in channels:
        at = _NAMES.index(name)
        level, step = _TYPICAL.get(name, (0.0, 0.01))
        values[0, :, at] = level + step * walks[:, at]
        mask[0, :, at], age[0, :, at] = 1.0, rng.uniform(0.0, 1.0, (venues, offsets))
    bands = len(schema.liquidation_map.bands) - 1
    levels = rng.uniform(0.0, 0.02, (1, 2, bands)).astype(np.float32)
    hour = rng.uniform(0.0, 168.0)
    return Snapshot(values, mask, age, levels, np.array([[hour % 24.0, hour]], np.float32))


def masked(snapshot: Snapshot, venues: NDArray[np.bool_]) -> Snapshot:
    """Return a snapshot without some venues, `venues` of shape (venues,) being true."""
    kept = np.where(venues, 0.0, 1.0).astype(np.float32)[None, :, None, None]
    return replace(
        snapshot, values=snapshot.values * kept, mask=snapshot.mask * kept, age=snapshot.age * kept
    )


def absurdity(forecast: Forecast) -> str:
    """Return what is impossible about a forecast, empty where it is sane and its quantiles ascend."""
    if not forecast.is_sane:
        return "a probability is not within [0, 1], or a move is negative or not finite"
    if not np.isfinite(forecast.quantiles).all():
        return "a quantile is not finite"
    if (np.diff(forecast.quantiles, axis=1) < 0.0).any():
        return "the quantiles of a move do not ascend over levels"
    return ""


def _findings(forecaster: Forecaster, seed: int) -> Iterator[tuple[str, str]]:
    yield "its card is complete", _card(forecaster.card, forecaster.source)
    for name, check in _CHECKS.items():
        yield name, check(forecaster, _markets(forecaster.card, seed))


def _markets(card: ModelCard, seed: int) -> list[Snapshot]:
    rng = np.random.default_rng(seed)
    return [made_up_market(card.schema, card.channels_seen, rng) for _ in range(_MARKETS)]


def _card(card: ModelCard, source: str) -> str:
    try:
        card.check_calibrated(source)
        DriftReference.from_card(card, source)
    except ModelError as error:
        return str(error)
    heads = [key for key, _ in outputs(card.cascade.horizons_hours)]
    if missing := [each for each in heads if each not in card.alert_threshold]:
        return f"no alert threshold of {', '.join(missing)}"
    levels = np.asarray(card.quantile_levels)
    if not levels.size or levels.min() <= 0.0 or levels.max() >= 1.0 or (np.diff(levels) <= 0.0).any():
        return f"quantile levels must ascend within 0 and 1, was {card.quantile_levels}"
    if unknown := set(card.channels_seen) - set(_NAMES):
        return f"unknown channels {', '.join(sorted(unknown))}"
    return "" if card.trained_until < card.expires else "it expires before it is trained"


def _sane(forecaster: Forecaster, markets: list[Snapshot]) -> str:
    return _first(absurdity(forecaster.predict(each)) for each in markets)


def _deterministic(forecaster: Forecaster, markets: list[Snapshot]) -> str:
    first = [_bits(forecaster.predict(each)) for each in markets]
    again = [_bits(forecaster.predict(each)) for each in reversed(markets)][::-1]
    return "" if first == again else "the same inputs gave two forecasts"


def _missing(forecaster: Forecaster, markets: list[Snapshot]) -> str:
    venues = forecaster.card.schema.venues
    for at, venue in enumerate(venues):
        one = np.arange(len(venues)) == at
        for gone, words in ((one, "without"), (~one, "with nothing but")):
            if found := absurdity(forecaster.predict(masked(markets[at % _MARKETS], gone))):
                return f"{words} {venue}: {found}"
    return ""


def _nothing(forecaster: Forecaster, markets: list[Snapshot]) -> str:
    empty = masked(markets[0], np.ones(len(forecaster.card.schema.venues), np.bool_))
    bare = replace(empty, liquidation_map=np.zeros_like(empty.liquidation_map))
    return _first(absurdity(forecaster.predict(each)) for each in (empty, bare))


def _permuted(forecaster: Forecaster, markets: list[Snapshot]) -> str:
    turned = [
        replace(each, **{name: np.roll(getattr(each, name), 1, axis=1) for name in ("values", "mask", "age")})
        for each in markets
    ]
    return _first(absurdity(forecaster.predict(each)) for each in turned)


def _extreme(forecaster: Forecaster, markets: list[Snapshot]) -> str:
    for at, market in enumerate(markets):
        known = market.mask > 0.0
        swing = np.where(np.arange(known.shape[3]) % (at + 1) == 0, _ABSURD, -_ABSURD).astype(np.float32)
        for words, values in (
            ("values that jump", np.where(known, market.values + swing, 0.0)),
            ("values that never change", np.where(known, 0.0, 0.0)),
            ("values in another unit", np.where(known, market.values * 1e3 * (1.0 - 2.0 * (at % 2)), 0.0)),
        ):
            wild = replace(
                market,
                values=np.clip(values, -80.0, 80.0).astype(np.float32),
                age=market.mask * np.float32(forecaster.card.schema.max_age_hours),
                liquidation_map=market.liquidation_map * np.float32(1e4),
            )
            if found := absurdity(forecaster.predict(wild)):
                return f"{words}: {found}"
    return ""


def _unseen(forecaster: Forecaster, markets: list[Snapshot]) -> str:
    card = forecaster.card
    rng = np.random.default_rng(1)
    for channel in sorted(set(_NAMES) - set(card.channels_seen)):
        at = _NAMES.index(channel)
        other = made_up_market(card.schema, (channel,), rng)
        filled = markets[0].copy()
        for name in ("values", "mask", "age"):
            getattr(filled, name)[:, :, at] = getattr(other, name)[:, :, at]
        if _bits(forecaster.predict(filled)) != _bits(forecaster.predict(markets[0])):
            return f"{channel} changes the forecast, but its card does not name it among channels_seen"
    return ""


def _not_a_number(forecaster: Forecaster, markets: list[Snapshot]) -> str:
    """Return which channel may hold NaN unnoticed: neither does it show, nor has the value no influence."""
    for channel in forecaster.card.channels_seen:
        at = _NAMES.index(channel)
        said = []
        for value in (np.nan, 0.0, 1.0, 3.0):
            market = markets[0].copy()
            market.values[:, 0, at, 0] = value
            said.append(forecaster.predict(market))
        without_influence = all(_bits(each) == _bits(said[0]) for each in said)
        if not absurdity(said[0]) and not without_influence:
            return f"NaN in {channel} gives a forecast that looks sane"
    return ""


_CHECKS: dict[str, Callable[[Forecaster, list[Snapshot]], str]] = {
    "probabilities, moves and quantiles are possible": _sane,
    "the same inputs give the same forecast": _deterministic,
    "any venue may be missing, or be the only one": _missing,
    "nothing may be known at all": _nothing,
    "venues' data may change places": _permuted,
    "extreme inputs give possible numbers": _extreme,
    "channels that it has not seen have no influence": _unseen,
    "NaN is not swallowed": _not_a_number,
}


def _bits(forecast: Forecast) -> bytes:
    return b"".join(getattr(forecast, name).tobytes() for name in Forecast.__slots__)


def _first(found: Iterator[str]) -> str:
    return next((each for each in found if each), "")
