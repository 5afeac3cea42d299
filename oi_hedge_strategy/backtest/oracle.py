"""The oracle of a simulated market: the same hedge, steered by the true probabilities."""

from collections.abc import Mapping
from dataclasses import replace

from oi_hedge_strategy.backtest.plan import BacktestPlan
from oi_hedge_strategy.backtest.replay import Policies
from oi_hedge_strategy.backtest.variants import Variant, run_variants
from oi_hedge_strategy.evaluation.records import RunRecord
from oi_hedge_strategy.hedging.observed import Observed
from oi_hedge_strategy.simulation.market_truth_store import truth_file
from oi_hedge_strategy.simulation.oracle import Oracle

NAME = "oracle"


def with_truth(plan: BacktestPlan, observed: Mapping[int, Observed]) -> dict[int, Observed] | None:
    """
    Return what was observed with the truth in place of the model's forecasts.

    Parameters
    ----------
    plan : BacktestPlan
        The plan, whose catalog may hold a truth.
    observed : mapping of int to Observed
        Of the hedged run.

    Returns
    -------
    dict of int to Observed, or None
        None where the catalog holds no true probabilities of the asset.

    Raises
    ------
    CatalogError
        If the truth cannot be read.
    ConfigError
        If it is that of another kind of cascade.

    """
    path = truth_file(plan.catalog.path, plan.asset, "probabilities")
    if not path.exists():
        return None
    oracle = Oracle.load(path, plan.card.cascade, len(plan.card.quantile_levels))
    found = {}
    for now, seen in observed.items():
        forecast, problem = oracle.forecast(now)
        found[now] = replace(
            seen, forecast=forecast, problem=problem, demoted="", rule=None, alerts=(False, False)
        )
    return found


def run_oracle(
    plan: BacktestPlan, observed: Mapping[int, Observed], policies: Policies | None = None
) -> dict[str, RunRecord]:
    """
    Run the hedge by the truth, with the plan's rails and costs, as far as the catalog holds one.

    Parameters
    ----------
    plan, observed
        As for `with_truth`.
    policies : sequence of (int, PolicyConfig), optional
        Those of the hedged run; the plan's policy by default.

    Returns
    -------
    dict of str to RunRecord
        The run "oracle"; nothing where the catalog holds no truth.

    """
    truth = with_truth(plan, observed)
    if truth is None:
        return {}
    settings = plan.settings
    sized = policies if policies is not None else ((0, settings.policy),)
    variant = Variant(NAME, sized, settings.rails, settings.execution)
    return run_variants(plan, truth, [variant], description=NAME)
