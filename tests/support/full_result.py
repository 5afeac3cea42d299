"""The sections of a result that come from many runs, with figures made up for drawing."""

from typing import Any


def estimate(value: float, width: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value - width, "high": value + width}


def headline(avoided: float, kept: float, width: float = 0.05) -> dict[str, Any]:
    skill = avoided + kept - 1.0
    return {"loss_avoided": estimate(avoided, width), "gain_kept": estimate(kept, width),
            "skill": estimate(skill, width)}  # fmt: skip


def with_sweeps(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with frontier, cost sensitivity, operating point and all other judgements."""
    names = list(result["baselines"])
    frontier = [
        {
            "label": f"constant {share:.1f}",
            "kind": "constant",
            "parameter": share,
            **headline(share, 0.99 - share),
        }
        for share in (0.1, 0.4, 0.7)
    ]  # fmt: skip
    for kind, lift in (("strategy", 0.1), ("log_growth", 0.05), ("something_new", 0.02)):
        frontier += [
            {"label": f"{kind} {times:g}", "kind": kind, "parameter": times,
             **headline(0.2 * times, 1.0 - 0.2 * times + lift)}
            for times in (2.0, 1.0, 3.0)
        ]  # fmt: skip
    frontier += [
        {"label": "tuned on the past", "kind": "tuned", "parameter": 0.67, **headline(0.6, 0.5)},
        {"label": "oracle", "kind": "oracle", "parameter": None, **headline(0.9, 0.95)},
    ]
    period = {"start": "2023-01-01T00:00:00Z", "end": "2023-04-01T00:00:00Z"}
    differences = [
        {"baseline": name, **headline(0.1, 0.95), "words": f"better than {name}"}
        for name in ("no_hedge", *names)
    ]
    sweeps = {
        "frontier": frontier,
        "cost_sensitivity": [
            {"impact": impact, "latency": latency, **headline(0.55, 0.55 - 0.05 * impact * latency)}
            for impact, latency in ((0.5, 1), (1, 0.5), (1, 1), (1, 2), (1, 4), (2, 1), (4, 1))
        ],
        "operating_point": {
            "target_loss_avoided": 0.67, "reached": headline(0.6, 0.5), "words": "below the target",
            "reached_since_tuned": {**headline(0.65, 0.45), "since": "2023-04-01T00:00:00Z", "days": 275,
                                    "words": "not distinguishable from the target"},
            "constant": headline(0.62, 0.37),
            "as_configured": {"words": "As configured the policy held a hedge 3% of the time."},
            "periods": [{**period, "parameters": "loss aversion 2", "tuned_on": "90 days",
                         "loss_avoided_there": 0.7, "gain_kept_there": None}],
            "differences": differences,
        },
        "differences": differences,
        "years": [{"year": "2023", "days": 365, **headline(0.3, 0.8), "skill_of_trend_28d": estimate(0.08)}],
        "regimes": [{"regime": "falling, volatile", "days": 90, **headline(0.4, 0.7)}],
        "netting": [{"netting": unit, "units": 52, **headline(0.3, 0.8)} for unit in ("day", "week")],
        "multiplicity": {"configurations": 9, "best": "strategy 2", "skill": {"value": 0.1},
                         "p_value_alone": 0.02, "p_value_deflated": 0.2, "skill_by_luck": 0.14,
                         "words": "not distinguishable from zero skill"},
        "independent_events": {"words": "20 cascades lie more than 48 hours apart"},
        "rule_parameters": {names[0]: [{**period, "parameter": 28.0, "past_days": 90}]},
    }  # fmt: skip
    return result | sweeps
