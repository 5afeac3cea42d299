"""What a live run must fulfil before anything connects."""

import os
from pathlib import Path

from oi_hedge_catalog.errors import ConfigError, DataError
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.live.config import REPORT
from oi_hedge_strategy.live.paper_report import read_answer
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


def check_stop(settings: BacktestSettings) -> None:
    """
    Check that the hedge venue's adapter can have a stop set off by the price that the rails name.

    Raises
    ------
    ConfigError
        If it would take another price without a word.

    """
    venue, rails = find_venue(settings.hedge_instrument.venue.value), settings.rails
    if rails.hard_stop > 0.0 and rails.stop_trigger not in venue.stop_triggers:
        (known,) = venue.stop_triggers
        raise ConfigError(
            f'rails.stop_trigger is "{rails.stop_trigger}", but through NautilusTrader\'s adapter a stop at '
            f'{venue.venue} is set off by the {known} price alone: set it to "{known}"'
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


def check_paper(settings: BacktestSettings) -> None:
    """
    Check that paper has run for as long as it should and that its report says to go live.

    Raises
    ------
    ConfigError
        If it has not.

    """
    where = Path(settings.paper.directory) / REPORT
    try:
        answer = read_answer(where)
    except DataError as error:
        answer = str(error)
    else:
        if answer == "go live":
            return
        answer = f"the report in {where} says: {answer}"
    raise ConfigError(
        f"real orders want {settings.paper.months:g} months of paper first, whose report says go live, but "
        f"{answer}; going live earlier takes --before-paper-is-over"
    )
