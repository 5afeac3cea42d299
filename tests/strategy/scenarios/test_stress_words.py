"""What is said of the stress rail beside the worst scenario."""

import pytest

from oi_hedge_strategy.hedging.config import RailsConfig
from oi_hedge_strategy.scenarios.result import stress_section, stress_sentence


def sentence(long=True, **values):
    return stress_sentence({"stress": stress_section(RailsConfig(**values), long)})


def test_the_defaults_cover_the_worst_scenario_on_either_side():
    assert sentence().startswith("The stress rail covers the worst scenario: worst rise against the hedge")
    assert "March 2020: Black Thursday" in sentence()
    assert "worst fall against the hedge" in sentence(long=False)


@pytest.mark.parametrize(
    ("long", "values"),
    [(True, {"stress_rise": 0.43}), (False, {"stress_fall": 0.50}), (True, {"stress_carry": 0.01})],
)
def test_a_stress_that_the_worst_scenario_exceeds_is_said(long, values):
    found = sentence(long, **values)
    assert found.startswith("WARNING: the stress rail does NOT cover the worst scenario")
    assert found.endswith("raise rails.stress_*.")
