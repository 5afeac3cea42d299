"""What a live run must fulfil before anything connects."""

import os

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.live.venues import find_venue


def traded_venues(settings: BacktestSettings) -> tuple[str, ...]:
    """Return the venues whose accounts a live run uses: the hedge's, and the exposure's where it is read."""
    hedge, exposure = settings.hedge_instrument.venue.value, settings.exposure_instrument.venue.value
    return (hedge, exposure) if settings.live.exposure == "account" and exposure != hedge else (hedge,)


def check_keys(settings: BacktestSettings) -> None:
    """
    Check that the keys of every account are in the environment; they are looked at by name alone.

    Raises
    ------
    ConfigError
        Naming every variable that is missing or empty.

    """
    testnet = settings.live.testnet
    wanted = {name for venue in traded_venues(settings) for name in find_venue(venue).keys_for(testnet)}
    missing = sorted(name for name in wanted if not os.environ.get(name))
    if missing:
        where = "the test environment" if testnet else "the account"
        raise ConfigError(
            f"the keys of {where} at {' and '.join(traded_venues(settings))} are read from the environment, "
            f"which lacks {', '.join(missing)}; set them there, never in the settings file"
        )


def account_key(settings: BacktestSettings, venue: str) -> str:
    """Return what tells the account at a venue apart from others: its key, for a hash alone."""
    return os.environ[find_venue(venue).keys_for(settings.live.testnet)[0]]


def check_model_named(settings: BacktestSettings) -> None:
    """
    Check that a model is named where the policy needs one: the shipped models are examples and expired.

    Raises
    ------
    ConfigError
        If there is none.

    """
    if settings.policy.needs_model and not (settings.model or settings.models):
        raise ConfigError(
            f"model must name an ONNX file, or models a registry: policy.kind is {settings.policy.kind}, and "
            "the shipped models are of the past; train one with: oi-hedge train"
        )
