"""Train one model from a catalog: data set, windows, fits, calibration, card, export."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from joblib import delayed
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from oi_hedge_catalog import store
from oi_hedge_catalog.errors import CatalogError, ConfigError
from oi_hedge_strategy.cascades import CascadeDefinition
from oi_hedge_strategy.evaluation.breakdown import iso
from oi_hedge_strategy.forecast.card import ModelCard
from oi_hedge_strategy.history import AssetHistory, load_history
from oi_hedge_strategy.state import StateSchema
from oi_hedge_strategy.training.assemble import export_fold
from oi_hedge_strategy.training.dataset import build_dataset
from oi_hedge_strategy.training.feature_set import FeatureSet
from oi_hedge_strategy.training.fit import FitConfig
from oi_hedge_strategy.training.folds import Fold, make_fold
from oi_hedge_strategy.training.forecasters import NETWORKS, Fitted, fit_forecaster, seeds_of
from oi_hedge_strategy.training.network import Architecture
from oi_hedge_strategy.training.parallel import run_jobs

LEAST_OPEN_INTEREST_DAYS = 730
CACHE = ".cache"


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
    architecture : str
        Of the model that is exported.
    seeds : int
        Networks that are fitted and merged into the model.
    first_seed : int
        Of the first of them.
    valid_days : int
        Days from the end of the training data until the model expires.
    allow_short_history : bool
        Train on less than two years of open interest.
    parallel : str
        Where the jobs run, see `run_jobs`.

    """

    cascade: CascadeDefinition = field(default_factory=CascadeDefinition)
    fit: FitConfig = field(default_factory=FitConfig)
    architecture: Architecture = "hybrid"
    seeds: int = 2
    first_seed: int = 0
    valid_days: int = 366
    allow_short_history: bool = False
    parallel: str = "local"

    def check(self) -> None:
        """Raise ConfigError for the first value out of range."""
        if self.architecture not in NETWORKS:
            known = ", ".join(NETWORKS)
            raise ConfigError(f"expected architecture to be one of {known}, was {self.architecture}")
        if self.seeds < 1:
            raise ConfigError(f"expected at least one seed, was {self.seeds}")


@dataclass(frozen=True, slots=True)
class Material:
    """Hold what a run trains on: histories, samples, and where its jobs keep their results."""

    histories: list[AssetHistory]
    data: FeatureSet
    work: Path
    simulated: bool


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
    config.check()
    material = prepare(catalog, assets, until_ns, config)
    fold = make_fold(material.data, until_ns)
    members = fit_all(material, [fold], [config.architecture], config)
    return export(material, fold, list(members.values()), out, config)


def fit_all(
    material: Material, folds: Sequence[Fold], names: Sequence[str], config: TrainConfig
) -> dict[tuple[str, str, int], Fitted]:
    """Fit every forecaster and seed on every fold as jobs of one pool; return them by date, name and seed."""
    wanted = [
        (fold, name, config.first_seed + seed)
        for fold in folds
        for name in names
        for seed in seeds_of(name, config.seeds)
    ]
    jobs = [
        delayed(fit_forecaster)(material.data.path, fold, name, seed, config.fit, material.work)
        for fold, name, seed in wanted
    ]
    found: list[Fitted] = run_jobs(jobs, "fit", config.parallel)
    return {(fold.name, name, seed): each for (fold, name, seed), each in zip(wanted, found, strict=True)}


def export(
    material: Material,
    fold: Fold,
    members: Sequence[Fitted],
    out: Path,
    config: TrainConfig,
    table: Mapping[str, Any] | None = None,
) -> ModelCard:
    """Write the model of one fold; `table` holds the scores of the walk-forward that it stems from."""
    return export_fold(
        members,
        config.architecture,
        material.data,
        fold,
        material.histories,
        config.valid_days,
        material.simulated,
        out,
        table,
    )


def prepare(
    catalog: ParquetDataCatalog,
    assets: Sequence[str] | None,
    until_ns: int,
    config: TrainConfig,
    dates: Sequence[int] = (),
) -> Material:
    """
    Read the histories until `until_ns` and build the data set.

    Its venues are those alive at any of the models' `dates`, at `until_ns` by default: one that died later
    stays.
    Data set and results of jobs lie below ``.cache`` in the catalog's directory.
    """
    names = list(assets) if assets else assets_with_open_interest(catalog)
    if not names:
        raise CatalogError(f"{catalog.path}: no open interest; ingest some, it is what is forecast on")
    histories = [load_history(catalog, asset, end_ns=until_ns) for asset in names]
    moments = dates or (until_ns,)
    for date in moments:
        check_history(histories, date, config)
    alive = set().union(*(each.live_venues(date) for each in histories for date in moments))
    if not alive:
        raise CatalogError(
            f"{catalog.path}: no venue has data of the 90 days before {iso(moments[-1])[:10]}; ingest newer "
            "data or name an earlier date"
        )
    schema = StateSchema(tuple(sorted(alive)))
    cache = Path(catalog.path) / CACHE
    data = build_dataset(histories, schema, config.cascade, cache / "features", config.parallel)
    told = json.dumps([data.fingerprint, asdict(config.fit), _fit_code()], sort_keys=True)
    work = cache / "fits" / hashlib.sha256(told.encode()).hexdigest()[:20]
    work.mkdir(parents=True, exist_ok=True)
    return Material(histories, data, work, bool(store.read_info(catalog)["simulated"]))


def assets_with_open_interest(catalog: ParquetDataCatalog) -> list[str]:
    """Return the base coins whose open interest the catalog has."""
    ids = set(store.open_interest_ids(catalog))
    return sorted({each.base_currency.code for each in store.instruments(catalog) if each.id in ids})


def check_history(histories: Sequence[AssetHistory], until_ns: int, config: TrainConfig) -> None:
    """Refuse to train a model of date `until_ns` on less than two years of open interest."""
    days = max(each.open_interest_days(until_ns) for each in histories)
    if days < LEAST_OPEN_INTEREST_DAYS and not config.allow_short_history:
        raise CatalogError(
            f"by {iso(until_ns)[:10]} the catalog has {days:.0f} days of open interest, training needs "
            f"{LEAST_OPEN_INTEREST_DAYS}: a shorter history holds too few cascades to train and to calibrate "
            "on; ingest more, start later, or say --allow-short-history to train all the same"
        )


def _fit_code() -> str:
    """Return the hash of the code that fits, so that results of other code are not taken up."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        if source.stem in ("baselines", "fit", "forecasters", "network", "split"):
            digest.update(source.read_bytes())
    return digest.hexdigest()
