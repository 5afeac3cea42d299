"""`oi-hedge retrain`: champion against challenger on the same held-back days."""

import sys
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from support.command import oi_hedge
from support.models import SHORT_SCHEMA, model_bytes, tiny_card

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.forecast.registry import LOG_NAME, Registry
from oi_hedge_strategy.simulation.market import simulate_market
from oi_hedge_strategy.simulation.market_catalog import write_market
from oi_hedge_strategy.simulation.market_config import SimulatedMarketConfig
from oi_hedge_strategy.training.retrain import retrain

VENUES = ("BINANCE", "BYBIT", "GATE", "OKX")
SCHEMA = replace(SHORT_SCHEMA, venues=VENUES)
DEFINITION = CascadeDefinition(
    horizons_hours=(4, 18), sigma_multiple=0.7, floor=0.01, open_interest_fall=0.002
)
UNTIL, DAY = pd.Timestamp("2024-04-20", tz="UTC").value, 86_400_000_000_000
NOW = UNTIL + 3 * DAY
HELD_FROM = UNTIL - 40 * DAY
GOOD, BAD = 0.2, 0.9  # a cascade of this definition follows about one hour in five


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("retrain") / "catalog"
    write_market(simulate_market(SimulatedMarketConfig(seed=5, days=115), lambda _: None), path)
    return store.open_catalog(path)


@dataclass(frozen=True)
class TrainConfig:
    """Stand in for the configuration of a training that would take minutes."""

    valid_days: int
    allow_short_history: bool
    cascade: CascadeDefinition = DEFINITION


class Trainer:
    """Train models that say the same whatever the data, and note what was asked for."""

    def __init__(self, probability, schema=SCHEMA, fails_at=None):
        self.probability, self.schema, self.fails_at = probability, schema, fails_at
        self.asked = []

    def __call__(self, assets, until_ns, out, cascade):
        self.asked.append((assets, until_ns, cascade))
        if self.fails_at == len(self.asked):
            raise KeyboardInterrupt
        card = tiny_card(self.schema, trained_until=until_ns, cascade=cascade or DEFINITION)
        out.write_bytes(model_bytes(card, probability=self.probability))


@pytest.fixture
def registry(tmp_path):
    """Return a function that makes a registry with a champion."""

    def make(probability, trained_until=HELD_FROM - 90 * DAY):
        found = Registry.create(tmp_path / "models")
        card = tiny_card(SCHEMA, trained_until=trained_until, cascade=DEFINITION)
        found.add(model_bytes(card, probability=probability), trained_until, "walk-forward")
        return found

    return make


def run(registry, catalog, fit, **values):
    values = {"valid_days": 366, "held_days": 40} | values
    return retrain(registry, catalog, UNTIL, NOW, fit, **values)


def test_a_better_challenger_is_refitted_on_everything_and_promoted_now(registry, catalog):
    champion, fit = registry(BAD), Trainer(GOOD)
    found = run(champion, catalog, fit)
    assert fit.asked == [(("ETH",), HELD_FROM, DEFINITION), (("ETH",), UNTIL, DEFINITION)]
    assert found.difference.high < 0.0 and found.worse == 0.0
    assert (found.held_from, found.held_until, found.restart) == (HELD_FROM, UNTIL, False)
    entry = Registry.open(champion.path).current
    assert found.promoted == entry
    assert (entry.valid_from, entry.trained_until) == (NOW, UNTIL)
    assert entry.reason.startswith(f"not worse than {found.champion} on 2024-03-11 to 2024-04-20: log loss -")
    assert np.isclose(champion.load(entry).card.trained_until, UNTIL)


def test_the_better_champion_is_kept_and_nothing_is_refitted(registry, catalog):
    champion, fit = registry(GOOD), Trainer(BAD)
    before = (champion.path / LOG_NAME).read_text()
    found = run(champion, catalog, fit)
    assert len(fit.asked) == 1
    assert found.promoted is None and found.worse == 1.0
    assert found.difference.low > 0.0
    assert found.reason.startswith(f"worse than {champion.current.model}")
    assert (champion.path / LOG_NAME).read_text() == before


def test_a_challenger_that_says_the_same_is_not_worse(registry, catalog):
    found = run(registry(GOOD), catalog, Trainer(GOOD))
    assert found.promoted is not None
    assert (found.difference.value, found.worse) == (0.0, 0.0)


def test_an_event_promotes_without_a_comparison_and_is_kept_by_name(registry, catalog):
    champion, fit = registry(GOOD, trained_until=UNTIL - DAY), Trainer(BAD)
    found = run(champion, catalog, fit, event="exchange collapse")
    assert len(fit.asked) == 1
    assert champion.current.reason == "event: exchange collapse"
    assert (found.difference, found.worse) == (None, None)


def test_an_empty_registry_takes_the_first_model(catalog, tmp_path):
    registry, fit = Registry.create(tmp_path / "models"), Trainer(GOOD)
    found = run(registry, catalog, fit)
    assert fit.asked == [(None, UNTIL, None)]
    assert (found.champion, registry.current.reason) == ("", "first model")


def test_a_champion_that_has_seen_part_of_the_window_is_judged_on_the_rest(registry, catalog):
    fit = Trainer(GOOD)
    found = run(registry(BAD, trained_until=UNTIL - 30 * DAY), catalog, fit)
    assert found.held_from == fit.asked[0][1] == UNTIL - 30 * DAY


def test_a_champion_that_has_seen_nearly_everything_cannot_be_compared(registry, catalog):
    with pytest.raises(ModelError, match="has seen all but 20 days of the data, and a comparison needs 28"):
        run(registry(GOOD, trained_until=UNTIL - 20 * DAY), catalog, Trainer(GOOD))


def test_a_model_that_would_be_expired_at_once_is_not_trained(registry, catalog):
    fit = Trainer(GOOD)
    champion = registry(GOOD)
    with pytest.raises(ModelError, match="would have expired by 2024-04-23"):
        run(champion, catalog, fit, valid_days=3)
    with pytest.raises(ModelError, match="nothing is known yet of 2024-04-20"):
        retrain(champion, catalog, UNTIL, UNTIL - DAY, fit, valid_days=366)
    assert fit.asked == []


@pytest.mark.parametrize(
    ("probability", "code", "words"),
    [(GOOD, 0, "promoted 2024-04-20-"), (BAD, 3, "the new model is worse than")],
)
def test_the_command_exits_with_what_came_of_it(registry, catalog, monkeypatch, probability, code, words):
    champion, fit = registry(0.4), Trainer(probability)

    def train(opened, assets, until_ns, out, config):
        assert (str(opened.path), config.valid_days) == (str(catalog.path), 4000)
        fit(assets, until_ns, out, config.cascade)

    module = SimpleNamespace(TrainConfig=TrainConfig, train=train)
    monkeypatch.setitem(sys.modules, "oi_hedge_strategy.training.train", module)
    arguments = ("--registry", champion.path, "--catalog", catalog.path, "--until", "2024-04-20")
    result = oi_hedge("retrain", *arguments, "--held-days", 40, "--valid-days", 4000)
    assert result.exit_code == code, result.output
    assert words in result.stdout
    assert len(Registry.open(champion.path).entries) == (2 if code == 0 else 1)


def test_a_run_killed_before_promotion_leaves_the_champion(registry, catalog):
    champion = registry(BAD)
    before = champion.entries
    with pytest.raises(KeyboardInterrupt):
        run(champion, catalog, Trainer(GOOD, fails_at=2))
    assert Registry.open(champion.path).entries == before


def test_other_inputs_call_for_a_restart(registry, catalog):
    fit = Trainer(GOOD, schema=replace(SCHEMA, venues=VENUES[:3]))
    assert run(registry(BAD), catalog, fit).restart


def test_a_damaged_champion_is_an_error_that_only_an_event_overrides(registry, catalog):
    champion = registry(GOOD)
    (champion.path / champion.current.model).write_bytes(b"damaged")
    with pytest.raises(ModelError, match="changed after its promotion"):
        run(champion, catalog, Trainer(GOOD))
    found = run(champion, catalog, Trainer(GOOD), event="disk failure")
    assert found.promoted is not None and found.restart
