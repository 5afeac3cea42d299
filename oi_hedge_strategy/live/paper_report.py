"""The report of a paper run: its figures by day and month, its comparison with the backtest, its verdict."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError, DataError
from oi_hedge_strategy.backtest.plan import make_plan
from oi_hedge_strategy.backtest.run import run_backtest
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.evaluation.daily import calendar, net_daily
from oi_hedge_strategy.evaluation.files import write_text
from oi_hedge_strategy.evaluation.records import BacktestRecord
from oi_hedge_strategy.evaluation.result import build_result, to_plain, write_result
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.forecast.registry import Registry
from oi_hedge_strategy.live.config import LEDGER
from oi_hedge_strategy.live.ledger_evidence import Coverage, ledger_coverage, ledger_record
from oi_hedge_strategy.live.paper_verdict import Verdict, judge_paper

VERDICT_FILE, RESULT_FILE, DAILY_FILE, MONTHLY_FILE = (
    "verdict.json",
    "result.json",
    "daily.csv",
    "monthly.csv",
)


@dataclass(frozen=True, slots=True)
class PaperReport:
    """
    Hold the report of a paper run.

    Parameters
    ----------
    coverage : Coverage
        Of the ledger.
    result : mapping
        Of `build_result`.
    verdict : Verdict
        Whether to go live.
    daily : DataFrame
        One row a UTC day: date, unhedged, hedged and hedge profit and loss, costs, turnover, hedge ratio.

    """

    coverage: Coverage
    result: Mapping[str, Any]
    verdict: Verdict
    daily: pd.DataFrame


def make_report(
    settings: BacktestSettings, backtest: Path | None, catalog: Path | None, out: Path
) -> PaperReport:
    """
    Judge a paper run and write the figures.

    Parameters
    ----------
    settings : BacktestSettings
        Of the run.
    backtest : Path, optional
        The `result.json` of a backtest to compare with.
    catalog : Path, optional
        In place of it: recorded data of the same time, over which the backtest is run now.
    out : Path
        Where the files go.

    Raises
    ------
    DataError
        If there is no ledger, or it cannot be judged.
    ConfigError
        If the backtest cannot be read, or both it and a catalog are named.

    """
    if backtest is not None and catalog is not None:
        raise ConfigError("--backtest and --catalog exclude one another: name a result, or data to make one")
    ledger, card = Path(settings.paper.directory) / LEDGER, _card(settings)
    reference = _read_result(backtest) if backtest is not None else None
    coverage = ledger_coverage(ledger, card.schema.bar_seconds)
    record = ledger_record(ledger, settings, card)
    result = build_result(record)
    if catalog is not None:
        equity = float(record.runs["hedged"].hedge_equity[0])
        reference = _backtest_now(settings, card, catalog, coverage, equity, out / "backtest")
    side = "down" if settings.exposure_quantity > 0.0 else "up"
    verdict = judge_paper(result, reference, coverage, settings.paper, side)
    report = PaperReport(coverage, result, verdict, daily_summary(record))
    _write(report, out)
    return report


def daily_summary(record: BacktestRecord) -> pd.DataFrame:
    """Return one row for each UTC day of a record, quote currency."""
    days = calendar(record.market.ts)
    hedged, unhedged = (
        net_daily(record.runs[name], record.market.close, days) for name in ("hedged", "unhedged")
    )
    return pd.DataFrame(
        {
            "date": days.days.astype(str),
            "unhedged": unhedged.pnl,
            "hedged": hedged.pnl,
            "hedge": hedged.pnl - unhedged.pnl,
            "costs": hedged.costs,
            "turnover": hedged.turnover,
            "hedge_ratio": hedged.hedge_ratio_sum / hedged.exposed_bars.clip(min=1.0),
        }
    )


def format_report(report: PaperReport) -> str:
    """Return the report as text for a terminal."""
    coverage, verdict = report.coverage, report.verdict
    lines = [
        f"paper: {coverage.days:.1f} days, {coverage.bars} bars, {coverage.gap_share:.1%} of them missing",
        "",
        f"{'month':<9}{'days':>5}{'unhedged':>14}{'hedged':>14}{'costs':>12}{'hedge ratio':>13}",
    ]
    for row in report.result["months"]:
        ratio = row["mean_hedge_ratio"]
        lines.append(
            f"{row['month']:<9}{row['days']:>5}{row['unhedged']:>14,.2f}{row['hedged']:>14,.2f}"
            f"{row['costs']:>12,.2f}{ratio if ratio is not None else 0.0:>13.2f}"
        )
    lines += ["", *(each.words for each in verdict.comparisons), "", f"verdict: {verdict.answer}"]
    return "\n".join([*lines, *(f"  {reason}" for reason in verdict.reasons)])


def _card(settings: BacktestSettings) -> ModelCard:
    if settings.models:
        registry = Registry.open(Path(settings.models))
        return registry.load(registry.entries[-1]).card
    if not settings.model:
        raise ConfigError("model must name the file that the paper run used: it defines what a cascade is")
    return Forecaster.load(Path(settings.model)).card


def _read_result(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read the backtest {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no result of a backtest: {error}") from error
    if not isinstance(found, dict) or "effectiveness" not in found:
        raise ConfigError(
            f"{path} is no result of a backtest: name the result.json that oi-hedge backtest wrote"
        )
    return found


def _backtest_now(
    settings: BacktestSettings,
    card: ModelCard,
    catalog: Path,
    coverage: Coverage,
    equity: float,
    out: Path,
) -> dict[str, Any]:
    """Run the backtest over the time of the ledger, on data of one's own, with the account that paper had."""
    model = Path(settings.models or settings.model)
    registry = Registry.open(model) if settings.models else None
    plan = make_plan(
        store.open_catalog(catalog), settings, model, card, coverage.start_ns, coverage.end_ns, registry
    )
    collateral = equity / (plan.start_price * abs(settings.exposure_quantity))
    same = replace(plan, settings=msgspec.structs.replace(settings, collateral=collateral))
    result = build_result(run_backtest(same, out, sweeps="none"))
    write_result(out / RESULT_FILE, result)
    return result


def _write(report: PaperReport, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_result(out / RESULT_FILE, report.result)
    write_text(out / VERDICT_FILE, json.dumps(to_plain(report.verdict.to_dict()), indent=2) + "\n")
    write_text(out / DAILY_FILE, report.daily.to_csv(index=False))
    write_text(out / MONTHLY_FILE, pd.DataFrame(report.result["months"]).to_csv(index=False))


def read_answer(out: Path) -> str:
    """
    Return the answer of the last report.

    Raises
    ------
    DataError
        If there is none.

    """
    try:
        return str(json.loads((out / VERDICT_FILE).read_text())["answer"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{out} holds no verdict; make one with: oi-hedge paper report") from error
