"""An explained forecast in words and tables, for the terminal."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.forecast.card import outputs
from oi_hedge_strategy.training.explain import Explanation, Floats
from oi_hedge_strategy.training.score_words import output_title

UNKNOWN = "-"
VENUES_MEANING = "Log-odds that are lost when the state is replayed without the venue."
_BAR = 40


def groups_meaning(found: Explanation) -> str:
    """Return what a group's contribution is, in a sentence."""
    return (
        f"Log-odds less their mean when the inputs are as they were at {found.usual_moments} moments before, "
        "45 h apart."
    )


def explanation_text(found: Explanation) -> str:
    """Return the forecast, the contributions and the liquidation map as text."""
    parts = [_head(found), _aligned(forecast_rows(found))]
    for title, meaning, contributions in (
        ("Contribution of each venue", VENUES_MEANING, found.venues),
        ("Contribution of each group of inputs", groups_meaning(found), found.groups),
    ):
        parts.append(f"{title}\n{meaning}\n{_aligned(contribution_rows(found, contributions))}")
    parts.append(_map_text(found))
    return "\n\n".join(parts)


def forecast_rows(found: Explanation) -> list[list[str]]:
    """Return the forecast as a table, the head first."""
    card, said = found.card, found.forecast
    levels = card.quantile_levels
    shown = [0, len(levels) // 2, -1] if len(levels) > 2 else list(range(len(levels)))
    moves = "/".join(f"{100 * levels[at]:.0f}" for at in shown)
    rows = [
        ["output", "probability", "base rate", "log-odds", "alert above",
         f"adverse move if it comes, % ({moves})", f"favourable move if not, % ({moves})"]
    ]  # fmt: skip
    for key, index in outputs(card.cascade.horizons_hours):
        base, p = found.base_rate.get(key), float(said.probability[index])
        odds = UNKNOWN if base is None else f"{_logit(p) - _logit(base):+.2f}"
        threshold = card.alert_threshold.get(key)
        quantiles = [
            "/".join(f"{100 * float(said.quantiles[(kind, at, *index)]):.1f}" for at in shown)
            for kind in (0, 1)
        ]
        rows.append(
            [output_title(key), f"{100 * p:.1f} %", _percent(base), odds, _percent(threshold), *quantiles]
        )
    return rows


def contribution_rows(found: Explanation, contributions: Mapping[str, Floats]) -> list[list[str]]:
    """Return contributions as a table, the largest first, the head before them."""
    heads = outputs(found.card.cascade.horizons_hours)
    rows = [["", *(output_title(key) for key, _ in heads)]]
    for name in sorted(contributions, key=lambda each: -float(np.abs(contributions[each]).mean())):
        rows.append([name, *(f"{contributions[name][index]:+.2f}" for _, index in heads)])
    return rows


def band_rows(found: Explanation) -> list[tuple[float, float, float]]:
    """
    Return the liquidation map in the model's bands, from the highest price to the lowest.

    Returns
    -------
    list of (float, float, float)
        Lower and upper edge as fractions of the price from it, and the positions in base coin: shorts above
        the price, longs below it.

    """
    edges = found.card.schema.liquidation_map.bands
    total = sum(found.levels.values(), np.zeros((2, round(edges[-1] / found.band))))
    rows = []
    for side, sign in ((1, 1.0), (0, -1.0)):
        bands = []
        for near, far in pairwise(edges):
            first, last = round(near / found.band), round(far / found.band)
            bands.append((sign * near, sign * far, float(total[side, first:last].sum())))
        rows += bands[::-1] if side == 1 else bands
    return rows


def _head(found: Explanation) -> str:
    lines = [
        f"{found.asset} at {iso(found.at_ns)}, price {found.price:,.2f} USD, by {found.source}",
        *(f"  note: {note}" for note in found.notes),
    ]
    return "\n".join(lines)


def _map_text(found: Explanation) -> str:
    rows = band_rows(found)
    most = max((amount for *_, amount in rows), default=0.0)
    lines = ["Liquidation map: positions that would be liquidated, million USD"]
    for near, far, amount in rows:
        if near == 0.0 and far < 0.0:
            lines.append(f"{'--- price':>18} {found.price:,.2f}")
        bar = "#" * round(_BAR * amount / most) if most > 0.0 else ""
        side = "shorts" if far > 0.0 else "longs"
        value = amount * found.price / 1e6
        lines.append(f"{side:7}{100 * near:+4.0f} to {100 * far:+4.0f} % {value:10,.1f}  {bar}".rstrip())
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    )


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.1f} %"


def _logit(p: float) -> float:
    clipped = min(max(p, 1e-7), 1.0 - 1e-7)
    return float(np.log(clipped / (1.0 - clipped)))
