"""``oi-hedge check-model``: does a model file do what the strategy relies on."""

import time
from pathlib import Path

import click

from oi_hedge_strategy.commands.model_argument import load_model
from oi_hedge_strategy.forecast.conformance import check_conformance


@click.command("check-model")
@click.argument("model", type=click.Path(path_type=Path))
def check_model(model: Path) -> None:
    """Check that MODEL, a file or a registry's newest model, does what the strategy relies on.

    For models of your own: shapes, missing venues, extreme inputs, NaN, quantiles, and its card. It needs no
    data and says nothing about how good the forecasts are. Exits with 1 where a check fails.
    """
    forecaster = load_model(model, time.time_ns())
    findings = check_conformance(forecaster)
    passed = all(each.passed for each in findings)
    click.echo(f"{'CONFORMS' if passed else 'DOES NOT CONFORM'}: {forecaster.source}")
    for each in findings:
        mark, detail = ("ok", "") if each.passed else ("FAIL", f": {each.detail}")
        click.echo(f"{mark:6}{each.name}{detail}")
    raise SystemExit(0 if passed else 1)
