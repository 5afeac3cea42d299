"""Every value out of range is refused in one sentence that names it."""

import json

import msgspec
import pytest

from oi_hedge_catalog.errors import ConfigError
from oi_hedge_strategy.hedging.config import (
    Blackout,
    DrawdownTier,
    ExecutionConfig,
    PolicyConfig,
    RailsConfig,
)
from oi_hedge_strategy.hedging.rails import Rails
from oi_hedge_strategy.margin import MarginSchedule

YELLOW, RED = DrawdownTier("yellow", 0.1, 0.5), DrawdownTier("red", 0.3, 0.0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (RailsConfig(max_leverage=20.0), "rails.max_leverage must be above 0 and at most 5, was 20.0"),
        (RailsConfig(max_leverage=0.0), "rails.max_leverage must be above 0 and at most 5, was 0.0"),
        (RailsConfig(max_leverage=float("nan")), "rails.max_leverage must be above 0 and at most 5, was nan"),
        (RailsConfig(min_liquidation_distance=-0.1), "rails.min_liquidation_distance must lie within 0 and"),
        (RailsConfig(hard_stop=1.5), "rails.hard_stop must lie within 0 and 1, was 1.5"),
        (RailsConfig(imbalance=0.4), "rails.imbalance must lie within 0.5 and 1, was 0.4"),
        (RailsConfig(funding_spike=0.0), "rails.funding_spike must be above 0, was 0.0"),
        (RailsConfig(max_daily_orders=0), "rails.max_daily_orders must be above 0, was 0"),
        (RailsConfig(drawdown_tiers=(RED, YELLOW)), "rails.drawdown_tiers must ascend in drawdown"),
        (RailsConfig(drawdown_tiers=(YELLOW, YELLOW)), "rails.drawdown_tiers must ascend in drawdown"),
        (
            RailsConfig(drawdown_tiers=(DrawdownTier("a", 0.1, 0.2), DrawdownTier("b", 0.2, 0.4))),
            "rails.drawdown_tiers must ascend in drawdown and not in scale",
        ),
        (
            RailsConfig(drawdown_tiers=(DrawdownTier("a", 0.1, 2.0),)),
            "rails.drawdown_tiers a scale must lie within 0 and 1, was 2.0",
        ),
        (PolicyConfig(max_hedge_ratio=-1.0), "policy.max_hedge_ratio must lie within 0 and 1, was -1.0"),
        (PolicyConfig(max_hedge_ratio=1.5), "policy.max_hedge_ratio must lie within 0 and 1, was 1.5"),
        (PolicyConfig(constant_ratio=-1.0), "policy.constant_ratio must lie within 0 and 1, was -1.0"),
        (
            PolicyConfig(max_hedge_ratio=0.3, constant_ratio=0.5),
            "policy.constant_ratio must lie within 0 and",
        ),
        (PolicyConfig(max_kelly=0.0), "policy.max_kelly must be above 0, was 0.0"),
        (PolicyConfig(knots=((0.1, 0.0), (0.5, 0.2))), "policy.knots must ascend from probability 0"),
        (PolicyConfig(knots=((0.0, 0.0),)), "policy.knots must ascend from probability 0"),
        (PolicyConfig(knots=((0.0, 0.0), (0.8, 0.1), (0.5, 0.2))), "policy.knots must ascend"),
        (PolicyConfig(knots=((0.0, 0.0), (0.5, 1.2))), "policy.knots multiplier must lie within 0 and 1"),
        (ExecutionConfig(min_adjustment=-0.1), "execution.min_adjustment must lie within 0 and 1, was -0.1"),
        (ExecutionConfig(release_ratio=2.0), "execution.release_ratio must lie within 0 and 1, was 2.0"),
    ],
)
def test_a_value_out_of_range_is_named(config, message):
    with pytest.raises(ConfigError) as caught:
        config.check()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_defaults_pass():
    for config in (RailsConfig(), PolicyConfig(), ExecutionConfig(), RailsConfig(drawdown_tiers=())):
        config.check()


@pytest.mark.parametrize(
    ("start", "message"),
    [("2024-13-01", "expected an ISO 8601 time"), ("2024-01-01T00:00", "has no UTC offset; write it as")],
)
def test_a_blackout_must_name_moments(start, message):
    config = RailsConfig(blackouts=(Blackout(start, "2024-02-01T00:00+00:00"),))
    with pytest.raises(ConfigError, match=f"rails.blackouts: .*{message}"):
        Rails(config, 1.0, MarginSchedule())


def test_rails_survive_json_and_a_misspelt_field_is_refused():
    config = RailsConfig(blackouts=(Blackout("2024-01-01T00:00+00:00", "2024-01-02T00:00+00:00", "full"),))
    assert RailsConfig.parse(config.json()) == config
    with pytest.raises(msgspec.ValidationError, match="max_leverag"):
        RailsConfig.parse(json.dumps({"max_leverag": 2.0}))
