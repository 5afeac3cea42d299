"""Source, check, store: nothing is written before every source has passed."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nautilus_trader.model.instruments import Instrument
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from tqdm import tqdm

from oi_hedge_catalog import quality, store, writer
from oi_hedge_catalog.compare import compare_venues
from oi_hedge_catalog.errors import DataError, OIHedgeError
from oi_hedge_catalog.findings import Finding, Severity
from oi_hedge_catalog.quality import Report
from oi_hedge_catalog.series import Series


@dataclass(frozen=True)
class Loaded:
    """
    What a source gives.

    Attributes
    ----------
    series : Series
        The rows, converted to the one unit.
    step_ns : int, optional
        Regular distance of rows, if the source knows it.
    findings : tuple of Finding
        What the source noticed while reading.
    """

    series: Series
    step_ns: int | None = None
    findings: tuple[Finding, ...] = ()


class Source(Protocol):
    """One series from somewhere: a file, an archive, an exchange."""

    @property
    def name(self) -> str:
        """What to call the source in progress and errors."""
        ...

    @property
    def instrument(self) -> Instrument | None:
        """The instrument that the rows are about; None where they are about no listed one."""
        ...

    def load(self) -> Loaded:
        """Read and convert the rows; called once to check and once to store."""
        ...


@dataclass(frozen=True)
class IngestResult:
    """
    What an ingest did.

    Attributes
    ----------
    report : Report
        Summaries and findings of every source.
    added : tuple of (str, int)
        Name of each source and rows that were new.
    """

    report: Report
    added: tuple[tuple[str, int], ...]

    @property
    def rows(self) -> int:
        """Number of rows added."""
        return sum(rows for _, rows in self.added)


def ingest(
    sources: Sequence[Source],
    path: str | os.PathLike[str],
    info: dict[str, Any] | None = None,
) -> IngestResult:
    """
    Add what is new in `sources` to the catalog at `path`, which is made if it is not there.

    Every source is read and checked, against the catalog too, before the first row is written. Each source is
    then stored as a whole; a run that was stopped or killed is completed by running it again.

    Parameters
    ----------
    sources : sequence of Source
        The series to add.
    path : str or PathLike
        The directory of the catalog.
    info : dict, optional
        Stored by `store.write_info` if given.

    Raises
    ------
    DataError
        If rows are wrong, or stored already with other values.
    CatalogError
        If `path` cannot be a catalog, or holds another definition of an instrument.
    """
    existing = store.open_catalog(path) if Path(path, "data").is_dir() else None
    report = _check_all(sources, existing)
    catalog = store.open_catalog(path, create=True)
    added = []
    with writer.exclusive(catalog):
        if info is not None:
            store.write_info(catalog, info)
        listed = (source.instrument for source in sources)
        for instrument in {each.id: each for each in listed if each is not None}.values():
            writer.write_instrument(catalog, instrument)
        for source in _progress(sources, "storing"):
            series, _ = quality.clean(source.load().series)
            append = writer.plan_append(catalog, series)
            writer.write(catalog, append)
            added.append((source.name, append.rows))
    return IngestResult(report, tuple(added))


def _check_all(sources: Sequence[Source], catalog: ParquetDataCatalog | None) -> Report:
    """Check every source, raising one error that names all that is wrong."""
    report = Report()
    errors: list[OIHedgeError] = []
    for source in _progress(sources, "checking"):
        try:
            report += _check(source, catalog)
        except OIHedgeError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise DataError("\n".join(str(error) for error in errors))
    return report


def _check(source: Source, catalog: ParquetDataCatalog | None) -> Report:
    loaded = source.load()
    series, cleaning = quality.clean(loaded.series)
    found = quality.check_series(series, loaded.step_ns)
    report = Report(found.summaries, (*loaded.findings, *cleaning, *found.findings))
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    if errors:
        raise DataError("\n".join(f"{source.name}: {error.series}: {error.message}" for error in errors))
    if catalog is not None:
        if source.instrument is not None:
            writer.check_instrument(catalog, source.instrument)
        _check_against(catalog, source, series)
    return report


def _check_against(catalog: ParquetDataCatalog, source: Source, series: Series) -> None:
    try:
        writer.plan_append(catalog, series)
    except DataError as error:
        raise DataError(f"{source.name}: {error}") from error


def check_catalog(catalog: ParquetDataCatalog) -> Report:
    """
    Run every check on every series stored in `catalog`, and compare its venues with one another.

    Returns
    -------
    Report
        Bars first, then open interest, funding, long/short ratios, liquidations, options and wallets, each
        by name.
    """
    report = Report()
    for bar_type in store.bar_types(catalog):
        report += quality.check_series(store.read_bars(catalog, bar_type))
    for instrument_id in store.open_interest_ids(catalog):
        report += quality.check_series(store.read_open_interest(catalog, instrument_id))
    for instrument_id in store.funding_ids(catalog):
        report += quality.check_series(store.read_funding(catalog, instrument_id))
    for instrument_id in store.long_short_ids(catalog):
        report += quality.check_series(store.read_long_short(catalog, instrument_id))
    for instrument_id in store.liquidation_ids(catalog):
        report += quality.check_series(store.read_liquidations(catalog, instrument_id))
    for instrument_id in store.premium_ids(catalog):
        report += quality.check_series(store.read_premium_index(catalog, instrument_id))
    for instrument_id in store.options_ids(catalog):
        report += quality.check_series(store.read_options_open_interest(catalog, instrument_id))
    for instrument_id in store.wallet_ids(catalog):
        report += quality.check_series(store.read_wallet_concentration(catalog, instrument_id))
    return report + compare_venues(catalog)


def _progress(sources: Sequence[Source], verb: str) -> "tqdm[Source]":
    return tqdm(sources, desc=verb, unit="series", file=sys.stderr, disable=None, leave=False)
