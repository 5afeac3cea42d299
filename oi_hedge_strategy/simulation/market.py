"""A market whose cascades arise from leveraged agents being liquidated.

News moves a fundamental value; speculators follow trend and sentiment with leverage and so build up open
interest and funding; a fall that reaches their liquidation prices makes the venues sell, which moves the
price into the next levels. Whether a shock becomes a cascade depends on positioning, hence open interest and
funding forecast it, in part.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from oi_hedge_strategy.simulation.market_agents import AgentMarket
from oi_hedge_strategy.simulation.market_config import (
    ASSET_SCALES,
    FUNDING_HOURS,
    STEP_MINUTES,
    STEPS_PER_HOUR,
    AssetScale,
    SimulatedMarketConfig,
)
from oi_hedge_strategy.simulation.market_positions import LONG, SHORT
from oi_hedge_strategy.simulation.market_record import StepRecord
from oi_hedge_strategy.simulation.market_result import (
    AssetSeries,
    CascadeOutlook,
    Floats,
    LiquidationCascade,
    MarketTruth,
    PriceBars,
    SimulatedMarket,
    Times,
    VenueSeries,
)
from oi_hedge_strategy.simulation.market_truth import TruthConfig, TruthSampler

MINUTE_NS = 60_000_000_000
CASCADE_GAP_HOURS = 18
SPOT_VOLUME_SHARE = 0.35
_RETURN_TURNOVER = 300.0
_LIQUIDATION_TURNOVER = 3.0
_VOLUME_NOISE = 0.4


def simulate_market(
    config: SimulatedMarketConfig,
    progress: Callable[[str], None] | None = None,
    truth: TruthConfig | None = None,
) -> SimulatedMarket:
    """
    Simulate `config`.

    Parameters
    ----------
    config : SimulatedMarketConfig
        The market.
    progress : callable, optional
        Called with the asset after each simulated day, warm-up included.
    truth : TruthConfig, optional
        Find the true probabilities of cascades too, which changes nothing else and takes far longer.

    Returns
    -------
    SimulatedMarket
        The same for the same seed; the first days do not depend on how many follow.

    Raises
    ------
    ConfigError
        If no moment of the truth lies within the market.

    """
    if truth is not None:
        truth.check_fits(config.days)
    bars = config.days * 24 * 60 // config.bar_minutes
    settlements = config.days * 24 // FUNDING_HOURS
    return SimulatedMarket(
        config=config,
        times=_times(config.start_ns, bars, config.bar_minutes),
        funding_times=_times(config.start_ns, settlements, FUNDING_HOURS * 60),
        assets={asset: _simulate_asset(config, asset, progress, truth) for asset in config.assets},
    )


def _times(start_ns: int, count: int, minutes: int) -> Times:
    return start_ns + np.arange(1, count + 1, dtype=np.int64) * (minutes * MINUTE_NS)


def _simulate_asset(
    config: SimulatedMarketConfig,
    asset: str,
    progress: Callable[[str], None] | None,
    truth: TruthConfig | None,
) -> AssetSeries:
    def report() -> None:
        if progress is not None:
            progress(asset)

    market = AgentMarket(config, asset)
    sampler = TruthSampler(config, asset, truth) if truth is not None else None
    record = market.run(report, partial(sampler.watch, market) if sampler is not None else None)
    outlook = sampler.outlook(record) if sampler is not None else None
    reported = record if config.informative else AgentMarket(config, asset, universe=1).run(report)
    scale = ASSET_SCALES[asset]
    bar_steps = config.bar_minutes // STEP_MINUTES
    open_interest = scale.open_interest * _open_interest(reported)[bar_steps - 1 :: bar_steps]
    trading = config.trading(0, len(record.index)) > 0.0
    venues = {}
    for column, (name, profile) in enumerate(config.venues.items()):
        first = record.first_index + record.first_premium[column]
        trades = trading[:, column]
        path = _last_traded(record.index + record.premium[:, column], first, trades)
        volume = _turnover(record, scale, profile.share, path) * trades
        bars = _bars(path, first, volume, bar_steps, scale)
        quantity = np.round(open_interest[:, column], 3)
        venues[name] = VenueSeries(
            bars=bars,
            open_interest=quantity,
            notional=quantity * bars.close,
            funding=np.round(reported.funding[:, column], 8),
            traded=trades.reshape(-1, bar_steps).any(axis=1),
            reports=trades[bar_steps - 1 :: bar_steps],
        )
    spot_volume = _turnover(record, scale, SPOT_VOLUME_SHARE, record.index)
    spot = _bars(record.index, record.first_index, spot_volume, bar_steps, scale)
    return AssetSeries(spot, venues, _truth(record, config, scale, outlook))


def _last_traded(path: Floats, first: float, trades: NDArray[np.bool_]) -> Floats:
    """Return the path with every halted step at the price that was traded before."""
    if trades.all():
        return path
    last = np.maximum.accumulate(np.where(trades, np.arange(1, path.size + 1), 0))
    return np.concatenate([[first], path])[last]


def _open_interest(record: StepRecord) -> Floats:
    """Return one-sided open interest, shape (steps, venues): dealers take the speculators' net position."""
    total: Floats = record.speculative.max(axis=1) + record.hedged
    return total


def _turnover(record: StepRecord, scale: AssetScale, share: float, path: Floats) -> Floats:
    """Return traded volume in the base coin, shape (steps,): it rises with moves and with liquidations."""
    moves = np.abs(np.diff(path, prepend=path[0]))
    usual = scale.hourly_volume / STEPS_PER_HOUR * np.exp(_VOLUME_NOISE * record.volume_noise)
    forced = scale.open_interest * record.liquidated.sum(axis=(1, 2))
    volume: Floats = share * (usual * (0.5 + _RETURN_TURNOVER * moves) + _LIQUIDATION_TURNOVER * forced)
    return volume


def _bars(path: Floats, first: float, volume: Floats, bar_steps: int, scale: AssetScale) -> PriceBars:
    """Return bars of a log price path, shape (steps,), that starts from `first`."""
    prices = np.round(np.exp(path), scale.price_decimals).reshape(-1, bar_steps)
    close = prices[:, -1]
    opening = np.concatenate([[np.round(np.exp(first), scale.price_decimals)], close[:-1]])
    return PriceBars(
        open=opening,
        high=np.maximum(prices.max(axis=1), opening),
        low=np.minimum(prices.min(axis=1), opening),
        close=close,
        volume=np.round(volume.reshape(-1, bar_steps).sum(axis=1), 3),
    )


def _truth(
    record: StepRecord, config: SimulatedMarketConfig, scale: AssetScale, outlook: CascadeOutlook | None
) -> MarketTruth:
    """Return the ledger: dealers hold what speculators leave over, hedgers stand on both sides."""
    bar_steps = config.bar_minutes // STEP_MINUTES
    flows = record.opened - record.closed - record.liquidated
    before = np.concatenate([(record.speculative[0] - flows[0])[None], record.speculative[:-1]])
    hedged_before = np.concatenate([record.hedged[:1], record.hedged[:-1]])
    dealers_change = _dealers(record.speculative, record.hedged) - _dealers(before, hedged_before)
    total = scale.open_interest * (record.speculative + _dealers(record.speculative, record.hedged))
    initial = scale.open_interest * (before[0] + _dealers(before[:1], hedged_before[:1])[0])

    def per_bar(flow: Floats) -> Floats:
        summed: Floats = scale.open_interest * flow.reshape(-1, bar_steps, *flow.shape[1:]).sum(axis=1)
        return summed

    liquidated = per_bar(record.liquidated)
    open_interest = total[bar_steps - 1 :: bar_steps]
    return MarketTruth(
        initial_open_interest=initial[0],
        open_interest=open_interest,
        opened=per_bar(record.opened + np.maximum(dealers_change, 0.0)),
        closed=per_bar(record.closed + np.maximum(-dealers_change, 0.0)),
        liquidated=liquidated,
        levels=scale.open_interest * record.levels,
        entered=per_bar(record.opened).sum(axis=(1, 2))[:, None] * np.array(config.agents.leverage_shares),
        forced=scale.open_interest * np.diff(record.liquidated_by_leverage, axis=0, prepend=0.0),
        insurance=scale.open_interest * record.insurance,
        cascades=_cascades(config, initial[0], open_interest[:, 0], liquidated),
        outlook=outlook,
    )


def _dealers(speculative: Floats, hedged: Floats) -> Floats:
    """Return dealers' and hedgers' longs and shorts, shape (steps, 2, venues)."""
    excess = speculative[:, 0] - speculative[:, 1]
    return np.stack([np.maximum(-excess, 0.0) + hedged, np.maximum(excess, 0.0) + hedged], axis=1)


def _cascades(
    config: SimulatedMarketConfig, initial: Floats, open_interest: Floats, liquidated: Floats
) -> tuple[LiquidationCascade, ...]:
    """Return the separate times when one side's liquidations within an hour exceeded `cascade_share`."""
    before = np.concatenate([[initial.sum()], open_interest.sum(axis=1)[:-1]])
    window = max(1, 60 // config.bar_minutes)
    times = _times(config.start_ns, len(before), config.bar_minutes)
    sides: tuple[tuple[int, Literal["long", "short"]], ...] = ((LONG, "long"), (SHORT, "short"))
    found = []
    for column, side in sides:
        share = liquidated[:, column].sum(axis=1) / before
        rolling = np.convolve(share, np.ones(window))[: len(share)]
        last = None
        for row in np.flatnonzero(rolling >= config.cascade_share):
            apart = last is None or times[row] - times[last] > CASCADE_GAP_HOURS * 60 * MINUTE_NS
            if apart:
                found.append(LiquidationCascade(int(times[row]), side, float(rolling[row])))
            last = row
    return tuple(sorted(found, key=lambda cascade: cascade.ts))
