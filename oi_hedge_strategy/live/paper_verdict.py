"""Whether a paper run agrees with the backtest, and whether to go live."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from oi_hedge_strategy.live.config import PaperConfig
from oi_hedge_strategy.live.ledger_evidence import Coverage

MONTH_DAYS = 30.0
MEASURES = {"loss_avoided": "loss avoided", "gain_kept": "gain kept", "skill": "skill"}
CALIBRATION = {"bias": "bias of the forecast", "brier_skill": "Brier skill of the forecast"}
Answer = Literal["go live", "go on with paper", "do not go live"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    Compare one figure of paper with the backtest's.

    Parameters
    ----------
    name : str
        What it is.
    paper : float, optional
        Of the paper run.
    backtest, low, high : float, optional
        Of the backtest, with the ends of its interval.
    agrees : bool, optional
        Whether paper lies within the backtest's interval; None where that cannot be said.
    words : str
        The same as a sentence.

    """

    name: str
    paper: float | None
    backtest: float | None
    low: float | None
    high: float | None
    agrees: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Say whether to go live.

    Parameters
    ----------
    answer : str
        "go live", "go on with paper" (too short, or not to be told), or "do not go live".
    reasons : tuple of str
        Why, one sentence each.
    comparisons : tuple of Comparison
        What was compared.

    """

    answer: Answer
    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def judge_paper(
    paper: Mapping[str, Any],
    backtest: Mapping[str, Any] | None,
    coverage: Coverage,
    config: PaperConfig,
    adverse_side: str,
) -> Verdict:
    """
    Judge a paper run.

    It agrees with the backtest where every figure of effectiveness and of calibration lies within the
    backtest's own interval. A figure that one of them lacks is not held against it, but where nothing can be
    compared paper goes on.

    Parameters
    ----------
    paper, backtest : mapping
        Results of `build_result`; no backtest where there is none to compare with.
    coverage : Coverage
        Of the ledger.
    config : PaperConfig
        How long paper shall last, and how many gaps it may have.
    adverse_side : str
        ``down`` or ``up``.

    """
    compared = tuple(_compare_all(paper, backtest, adverse_side)) if backtest is not None else ()
    against = [each.words for each in compared if each.agrees is False]
    waiting = [*_not_yet(coverage, config), *_not_comparable(compared, backtest)]
    if against:
        return Verdict("do not go live", (*against, *waiting), compared)
    if waiting:
        return Verdict("go on with paper", tuple(waiting), compared)
    agreed = sum(each.agrees is True for each in compared)
    reason = f"{coverage.days:.0f} days of paper agree with the backtest in {agreed} of {agreed} figures"
    return Verdict("go live", (reason,), compared)


def _not_yet(coverage: Coverage, config: PaperConfig) -> list[str]:
    reasons = []
    needed = config.months * MONTH_DAYS
    if coverage.days < needed:
        reasons.append(
            f"paper has run for {coverage.days:.1f} days, {needed:g} are asked for (paper.months "
            f"{config.months:g})"
        )
    if coverage.gap_share > config.max_gap_share:
        reasons.append(
            f"{coverage.gap_share:.1%} of the bars are missing, at most {config.max_gap_share:.1%} may be "
            "(paper.max_gap_share)"
        )
    return reasons


def _not_comparable(compared: tuple[Comparison, ...], backtest: Mapping[str, Any] | None) -> list[str]:
    if backtest is None:
        return ["there is no backtest to compare with: name one by --backtest, or its data by --catalog"]
    groups = (("effectiveness", MEASURES), ("calibration", CALIBRATION))
    return [
        f"nothing of the {title} can be compared with the backtest: {_why(compared, group)}"
        for title, group in groups
        if all(each.agrees is None for each in compared if each.name in group.values())
    ]


def _why(compared: tuple[Comparison, ...], group: Mapping[str, str]) -> str:
    return "; ".join(each.words for each in compared if each.name in group.values()) or "neither has any"


def _compare_all(paper: Mapping[str, Any], backtest: Mapping[str, Any], side: str) -> list[Comparison]:
    found = [
        _compare(title, paper["effectiveness"].get(name), backtest["effectiveness"].get(name))
        for name, title in MEASURES.items()
    ]
    mine, theirs = _curves(paper, side), _curves(backtest, side)
    for hours in sorted(mine.keys() & theirs.keys()):
        found += [
            _compare(title, mine[hours].get(name), theirs[hours].get(name), f" within {hours} h")
            for name, title in CALIBRATION.items()
        ]
    return found


def _curves(result: Mapping[str, Any], side: str) -> dict[int, Mapping[str, Any]]:
    return {each["hours"]: each for each in result.get("calibration") or () if each["side"] == side}


def _compare(
    name: str, paper: Mapping[str, Any] | None, backtest: Mapping[str, Any] | None, where: str = ""
) -> Comparison:
    mine, theirs = paper or {}, backtest or {}
    value, low, high = mine.get("value"), theirs.get("low"), theirs.get("high")
    figures = (value, theirs.get("value"), low, high)
    title = f"{name}{where}"
    if value is None:
        reason = mine.get("reason") or "paper has none"
        return Comparison(name, *figures, None, f"{title} cannot be compared: {reason}")
    if low is None or high is None:
        reason = theirs.get("reason") or "the backtest has no interval"
        return Comparison(name, *figures, None, f"{title} cannot be compared: {reason}")
    agrees = low <= value <= high
    how = "within" if agrees else "outside"
    words = f"{title} was {value:.3f} in paper, {how} the backtest's interval {low:.3f} to {high:.3f}"
    return Comparison(name, *figures, agrees, words)
