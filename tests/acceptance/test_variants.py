"""Replays of one plan: equal to the run that observed, bit by bit, and different where they should be."""

from dataclasses import fields

import msgspec
import numpy as np
import pytest
from nautilus_trader.backtest.node import BacktestNode

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import DataError
from oi_hedge_strategy.backtest.collect import collect_run, find_strategy
from oi_hedge_strategy.backtest.node_config import run_config
from oi_hedge_strategy.backtest.plan import make_plan
from oi_hedge_strategy.backtest.replay import ObservingDesk
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.backtest.variants import (
    WITHOUT_RAILS,
    Variant,
    execute,
    held_bars,
    run_variants,
    scheduled,
)
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.hedging.config import PolicyConfig

DAY = 86_400_000_000_000
START = 1_711_929_600_000_000_000  # 2024-04-01


@pytest.fixture(scope="module")
def plan(market, short_model):
    card = Forecaster.load(short_model).card
    settings = BacktestSettings()
    return make_plan(store.open_catalog(market), settings, short_model, card, START, START + 8 * DAY)


@pytest.fixture(scope="module")
def hedged(plan):
    """Return the record of the hedged run over all data, and what it observed."""
    settings = plan.settings
    config = run_config(plan, settings.policy, settings.rails, settings.execution)
    node = BacktestNode([config])
    node.build()
    engine = node.get_engine(config.id)
    strategy = find_strategy(engine)
    desks = []
    strategy.make_desk = lambda *arguments: desks.append(ObservingDesk(*arguments)) or desks[0]
    node.run()
    record = collect_run("hedged", engine, plan, *held_bars(plan))
    engine.dispose()
    return record, desks[0].observed


def same(plan, name="hedged", **changes):
    settings = plan.settings
    parts = {"policies": ((0, settings.policy),), "rails": settings.rails, "execution": settings.execution}
    return Variant(name, **(parts | changes))


def assert_equal(one, other):
    for field in fields(one):
        if field.name != "name":
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), field.name)


def test_replays_in_other_processes_equal_the_observed_run_bit_by_bit(plan, hedged):
    record, observed = hedged
    assert record.fills > 20
    variants = [
        same(plan),
        same(plan, "dear", impact=4.0),
        same(plan, "averse", policies=((0, PolicyConfig(loss_aversion=50.0)),), rails=WITHOUT_RAILS),
        scheduled("half", np.full(len(observed), 0.5), plan.settings.policy),
    ]
    found = run_variants(plan, observed, variants, workers=2)
    assert list(found) == ["hedged", "dear", "averse", "half"]
    assert_equal(record, found["hedged"])
    assert found["dear"].slippage[-1] > 2.0 * record.slippage[-1]
    assert -found["averse"].hedge_quantity.mean() > -record.hedge_quantity.mean()
    assert set(found["half"].hedge_quantity[1:]) == {-50.0}
    assert found["half"].fills == 1


def test_a_policy_that_changes_is_followed_from_its_moment_on(plan, hedged):
    record, observed = hedged
    swap = START + 4 * DAY
    never = msgspec.structs.replace(plan.settings.policy, max_hedge_ratio=0.0)
    found = run_variants(plan, observed, [same(plan, policies=((0, plan.settings.policy), (swap, never)))])
    before = record.ts < swap
    np.testing.assert_array_equal(found["hedged"].hedge_quantity[before], record.hedge_quantity[before])
    assert np.abs(found["hedged"].hedge_quantity[record.ts > swap + DAY // 12]).max() < 1e-9


def test_two_variants_of_one_name_are_refused(plan, hedged):
    with pytest.raises(ValueError, match="names of variants must differ"):
        run_variants(plan, hedged[1], [same(plan), same(plan)])


def test_observations_of_another_period_are_refused(plan, hedged):
    observed = {ts + 1: seen for ts, seen in hedged[1].items()}
    with pytest.raises(DataError, match="the same bars"):
        execute(plan, observed, same(plan))
