"""Train one model from a catalog: data set, split, fit, calibration, card, export."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.history import AssetHistory, load_history
from oi_hedge_strategy.state import CHANNELS, StateSchema
from oi_hedge_strategy.training.calibrate import Calibration, cross_fitted, fit_calibration
from oi_hedge_strategy.training.dataset import Samples, build_dataset
from oi_hedge_strategy.training.export import export_model
from oi_hedge_strategy.training.fit import FitConfig, FitResult, fit, predict_logits
from oi_hedge_strategy.training.judge import heads, judge
from oi_hedge_strategy.training.network import CalibratedForecast, CascadeNetwork
from oi_hedge_strategy.training.split import Split, purged_split

LEAST_OPEN_INTEREST_DAYS = 730
_DAY_NS = 86_400_000_000_000
_PARITY_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """
    Configure a training run.

    Parameters
    ----------
    cascade : CascadeDefinition
        What to forecast.
    fit : FitConfig
        How to fit.
    every_hours : int
        One sample for so many hours.
    valid_days : int
        Days from the end of the training data until the model expires.
    allow_short_history : bool
        Train on less than two years of open interest.

    """

    cascade: CascadeDefinition = field(default_factory=CascadeDefinition)
    fit: FitConfig = field(default_factory=FitConfig)
    every_hours: int = 3
    valid_days: int = 366
    allow_short_history: bool = False


def train(
    catalog: ParquetDataCatalog, assets: Sequence[str] | None, until_ns: int, out: Path, config: TrainConfig
) -> ModelCard:
    """
    Train a model on what was known by `until_ns` and write it to `out`.

    Parameters
    ----------
    catalog : ParquetDataCatalog
        Bars, open interest and funding.
    assets : sequence of str, optional
        Base coins to train on; all with open interest by default.
    until_ns : int
        The end of the training data: nothing later is read.
    out : Path
        The ONNX file.
    config : TrainConfig
        How to train.

    Raises
    ------
    CatalogError
        If there is less than two years of open interest and `allow_short_history` is not set.

    """
    names = list(assets) if assets else assets_with_open_interest(catalog)
    if not names:
        raise CatalogError(f"{catalog.path}: no open interest; ingest some, it is what is forecast on")
    histories = [load_history(catalog, asset, end_ns=until_ns) for asset in names]
    schema = StateSchema(tuple(sorted(set().union(*(each.live_venues() for each in histories)))))
    _check_history(histories, config)
    data = build_dataset(histories, schema, config.cascade, config.every_hours)
    split = purged_split(data.samples.ts, config.cascade.horizons_hours[-1], schema.offsets_hours[-1])
    torch.manual_seed(config.fit.seed)
    network = CascadeNetwork(schema, data.channels, config.cascade.horizons_hours)
    fitted = fit(network, data, split.training, split.stopping, config.fit)
    judged = data.samples.take(split.calibration)
    logits = predict_logits(network, judged, np.arange(len(judged)))
    calibration = fit_calibration(logits, judged.cascade.astype(np.float64))
    graph = CalibratedForecast(
        network,
        data.channels,
        torch.from_numpy(calibration.slope.astype(np.float32)),
        torch.from_numpy(calibration.intercept.astype(np.float32)),
    )
    metrics, thresholds = judge(
        cross_fitted(logits, judged.cascade.astype(np.float64)), judged, data.assets, config.cascade
    )
    card = ModelCard(
        name=out.stem,
        schema=schema,
        cascade=config.cascade,
        channels_seen=tuple(CHANNELS[at].name for at in data.channels),
        assets=data.assets,
        trained_from=int(min(each.ts[0] for each in histories)),
        trained_until=until_ns,
        expires=until_ns + config.valid_days * _DAY_NS,
        simulated=bool(store.read_info(catalog)["simulated"]),
        data_fingerprint=data.fingerprint,
        splits=_windows(split, data.samples),
        metrics=metrics,
        calibration=_calibration_card(calibration, config.cascade),
        alert_threshold=thresholds,
        reference=_reference(fitted),
        parameters=sum(each.numel() for each in network.parameters()),
    )
    rows = np.linspace(0, len(judged) - 1, min(_PARITY_SAMPLES, len(judged))).astype(np.int64)
    return export_model(graph, card, judged.take(rows), out)


def assets_with_open_interest(catalog: ParquetDataCatalog) -> list[str]:
    """Return the base coins whose open interest the catalog has."""
    ids = set(store.open_interest_ids(catalog))
    return sorted({each.base_currency.code for each in store.instruments(catalog) if each.id in ids})


def _check_history(histories: Sequence[AssetHistory], config: TrainConfig) -> None:
    days = max(each.open_interest_days() for each in histories)
    if days < LEAST_OPEN_INTEREST_DAYS and not config.allow_short_history:
        raise CatalogError(
            f"the catalog has {days:.0f} days of open interest, training needs {LEAST_OPEN_INTEREST_DAYS}: "
            "a shorter history holds too few cascades to train and to calibrate on; "
            "ingest more, or say --allow-short-history to train all the same"
        )


def _windows(split: Split, samples: Samples) -> dict[str, Any]:
    """Return first and last decision time and number of samples of each window."""
    found = {}
    for name in ("training", "stopping", "calibration"):
        rows = getattr(split, name)
        found[name] = [_iso(samples.ts[rows[0]]), _iso(samples.ts[rows[-1]]), int(rows.size)]
    return found


def _calibration_card(calibration: Calibration, definition: CascadeDefinition) -> dict[str, Any]:
    card: dict[str, Any] = {"method": "platt", "slope": {}, "intercept": {}}
    for key, index in heads(definition):
        card["slope"][key] = float(calibration.slope[index])
        card["intercept"][key] = float(calibration.intercept[index])
    return card


def _reference(fitted: FitResult) -> dict[str, Any]:
    scale = fitted.network.market_scale
    return {
        "training_loss": fitted.training_loss,
        "stopping_loss": fitted.stopping_loss,
        "market_mean": scale.shift.tolist(),
        "market_deviation": (1.0 / scale.scale).tolist(),
    }


def _iso(ts: int) -> str:
    return datetime.fromtimestamp(int(ts) / 1e9, UTC).isoformat(timespec="seconds")
