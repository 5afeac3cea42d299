"""Writing a simulated market into a Parquet catalog, stamped as recorded data is."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nautilus_trader.model.data import BarType
from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_catalog.series import BarSeries, FundingSeries, OpenInterestSeries, Series
from oi_hedge_catalog.store import instruments, open_catalog, write_info
from oi_hedge_catalog.writer import exclusive, plan_append, write, write_instrument
from oi_hedge_strategy.simulation.market_config import ASSET_SCALES, FUNDING_HOURS, SimulatedMarketConfig
from oi_hedge_strategy.simulation.market_result import AssetSeries, PriceBars, SimulatedMarket
from oi_hedge_strategy.simulation.market_truth_store import write_truth

SECOND_NS = 1_000_000_000
HEDGE_VENUE = "BINANCE"
HEDGE_BAR_LAG_NS = 10 * SECOND_NS
BAR_LAG_NS = 1 * SECOND_NS
FUNDING_LAG_NS = 2 * SECOND_NS
SIZE_PRECISION = 3
PERPETUAL_SYMBOLS = {
    "BINANCE": "{base}USDT-PERP",
    "BYBIT": "{base}USDT-LINEAR",
    "OKX": "{base}-USDT-SWAP",
    "GATE": "{base}_USDT-PERP",
}


def perpetual_id(base: str, venue: str) -> str:
    """Return the instrument id of the USDT perpetual of coin `base` at `venue`."""
    if venue not in PERPETUAL_SYMBOLS:
        raise CatalogError(
            f"simulated venue {venue!r} has no symbol form, expected one of {sorted(PERPETUAL_SYMBOLS)}"
        )
    return f"{PERPETUAL_SYMBOLS[venue].format(base=base)}.{venue}"


def spot_id(base: str) -> str:
    """Return the instrument id of the spot pair of coin `base`."""
    return f"{base}USDT.{HEDGE_VENUE}_SPOT"


def instrument_specs(config: SimulatedMarketConfig) -> list[InstrumentSpec]:
    """Return the perpetuals and spot pairs of the market, with fees near Binance's."""
    specs = []
    for base in config.assets:
        specs += [_perpetual_spec(config, base, venue) for venue in config.venues]
        specs.append(
            InstrumentSpec(
                id=spot_id(base),
                market="spot",
                base=base,
                quote="USDT",
                price_precision=ASSET_SCALES[base].price_decimals,
                size_precision=SIZE_PRECISION,
                maker_fee="0.001",
                taker_fee="0.001",
            )
        )
    return specs


def _perpetual_spec(config: SimulatedMarketConfig, base: str, venue: str) -> InstrumentSpec:
    return InstrumentSpec(
        id=perpetual_id(base, venue),
        market="perp",
        base=base,
        quote="USDT",
        price_precision=ASSET_SCALES[base].price_decimals,
        size_precision=SIZE_PRECISION,
        maker_fee="0.0002",
        taker_fee="0.0005",
        margin_init=str(1.0 / max(config.agents.leverage)),
        margin_maint=str(config.agents.mmr),
    )


def check_new(catalog_path: str | os.PathLike[str]) -> None:
    """Raise `CatalogError` if a catalog with data is there already."""
    if Path(catalog_path).exists() and instruments(open_catalog(catalog_path, create=True)):
        raise CatalogError(
            f"{catalog_path} already holds data, name a new directory for the simulated market"
        )


def write_market(market: SimulatedMarket, catalog_path: str | os.PathLike[str]) -> None:
    """
    Write instruments, bars, open interest and funding of `market` into a new catalog, and the truth beside.

    Parameters
    ----------
    market : SimulatedMarket
        What `simulate_market` returned.
    catalog_path : str or PathLike
        Directory of the catalog; made when it is not there.

    Raises
    ------
    CatalogError
        If a catalog with data is already there: simulated and recorded data do not mix.

    """
    catalog = open_catalog(catalog_path, create=True)
    with exclusive(catalog):
        check_new(catalog_path)
        write_info(catalog, _info(market.config))
        for spec in instrument_specs(market.config):
            write_instrument(catalog, build_instrument(spec))
        for series in market_series(market):
            write(catalog, plan_append(catalog, series))
        write_truth(market, catalog_path)


def market_series(market: SimulatedMarket) -> Iterator[Series]:
    """Yield every series of `market` as the catalog stores it."""
    for base, asset in market.assets.items():
        yield _bars(market, base, spot_id(base), asset.spot, BAR_LAG_NS)
        yield from _perpetuals(market, base, asset)


def _perpetuals(market: SimulatedMarket, base: str, asset: AssetSeries) -> Iterator[Series]:
    for venue, published in asset.venues.items():
        name = perpetual_id(base, venue)
        instrument_id = InstrumentId.from_str(name)
        lag = HEDGE_BAR_LAG_NS if venue == HEDGE_VENUE else BAR_LAG_NS
        bars = _bars(market, base, name, published.bars, lag)
        yield bars if published.traded.all() else bars.take(published.traded)
        reports = published.reports
        report_lag = round(market.config.venues[venue].report.lag_seconds * SECOND_NS)
        yield OpenInterestSeries(
            ts_event=market.times[reports],
            ts_init=market.times[reports] + report_lag,
            id=instrument_id,
            quantity=published.open_interest[reports],
            notional_usd=published.notional[reports],
        )
        interval = FUNDING_HOURS * 60
        yield FundingSeries(
            ts_event=market.funding_times,
            ts_init=market.funding_times + FUNDING_LAG_NS,
            id=instrument_id,
            rate=published.funding,
            interval=np.full(len(market.funding_times), interval, np.int64),
            next_funding_ns=market.funding_times + interval * 60 * SECOND_NS,
        )


def _bars(market: SimulatedMarket, base: str, instrument_id: str, bars: PriceBars, lag_ns: int) -> BarSeries:
    return BarSeries(
        ts_event=market.times,
        ts_init=market.times + lag_ns,
        bar_type=BarType.from_str(f"{instrument_id}-{bar_step(market.config.bar_minutes)}-LAST-EXTERNAL"),
        price_precision=ASSET_SCALES[base].price_decimals,
        size_precision=SIZE_PRECISION,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
    )


def bar_step(minutes: int) -> str:
    """Return the step as a bar type names it, such as ``5-MINUTE`` or ``1-HOUR``."""
    return f"{minutes // 60}-HOUR" if minutes % 60 == 0 else f"{minutes}-MINUTE"


def _info(config: SimulatedMarketConfig) -> dict[str, object]:
    known = "carry information" if config.informative else "are independent of it and carry none"
    return {
        "simulated": True,
        "seed": config.seed,
        "informative": config.informative,
        "description": (
            f"Simulated market of {', '.join(config.assets)} on {', '.join(config.venues)}, "
            f"{config.days} days from {config.start.date()}, seed {config.seed}: cascades arise from "
            f"leveraged agents being liquidated; open interest and funding {known}. Not market data."
        ),
    }
