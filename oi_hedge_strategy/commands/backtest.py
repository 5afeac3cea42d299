"""``oi-hedge backtest``: hedge an exposure over a catalog and judge the hedge."""

from pathlib import Path
from typing import Any, cast

import click

from oi_hedge_strategy.backtest.run import run_backtest
from oi_hedge_strategy.backtest.sweep import LOSS_AVERSIONS, Sweeps
from oi_hedge_strategy.commands.plan_options import opened_plan, plan_options
from oi_hedge_strategy.evaluation.report import write_report
from oi_hedge_strategy.evaluation.result import build_result, write_result
from oi_hedge_strategy.evaluation.summary import format_summary


@click.command()
@plan_options
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where reports go; `reports` of the settings by default."
)
@click.option(
    "--sweeps",
    type=click.Choice(["auto", *LOSS_AVERSIONS]),
    default="auto",
    show_default=True,
    help="How many configurations are tried for frontier, cost sensitivity and the tuned hedge; auto: "
    "standard for 60 days or more, else none.",
)
def backtest(out: Path | None, sweeps: str, **asked: Any) -> None:
    """Hedge an exposure over a catalog: hedged, unhedged and baselines on the same data.

    Writes report.html, result.json, Nautilus's order, fill and position reports, and every forecast and
    decision as a catalog. Without --catalog it simulates a market first; nothing then says anything about
    real ones.
    """
    with opened_plan(**asked) as plan:
        out = out or Path(plan.settings.reports)
        record = run_backtest(plan, out, None if sweeps == "auto" else cast(Sweeps, sweeps))
        result = build_result(record)
        write_result(out / "result.json", result)
        write_report(record, result, out / "report.html")
    click.echo(format_summary(result))
    click.echo(f"\nreport: {out / 'report.html'}")
