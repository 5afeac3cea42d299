"""Binance's public archive: zips of open interest, long/short ratios, bars and funding, by day or month."""

from datetime import date

from oi_hedge_adapters.history.download import Downloads, Mirror, download
from oi_hedge_adapters.history.metrics import day_ns
from oi_hedge_adapters.history.metrics_source import LongShortSource, MetricsFiles, OpenInterestSource
from oi_hedge_adapters.history.vision_request import INTERVALS, USUAL, Dataset, Request, instrument_id
from oi_hedge_adapters.history.vision_tables import FundingSource, KlineSource, PremiumSource
from oi_hedge_catalog.errors import DataError
from oi_hedge_catalog.findings import Finding, Severity
from oi_hedge_catalog.ingest import Source

__all__ = ["BASE_URL", "INTERVALS", "USUAL", "Dataset", "Request", "instrument_id", "vision_sources"]

BASE_URL = "https://data.binance.vision"


def vision_sources(request: Request, mirror: Mirror, skip_damaged: bool = False) -> list[Source]:
    """
    Download what `request` asks for and return a source for each series.

    Days that the archive does not have are findings of the sources.

    Raises
    ------
    DataError
        If nothing was found, the archive cannot be reached, or files are damaged, unless `skip_damaged`.
    """
    wanted = {dataset: request.files(dataset) for dataset in request.datasets}
    got = download([path for files in wanted.values() for path in files.values()], mirror)
    if got.damaged and not skip_damaged:
        raise DataError(
            "\n".join(
                f"{problem}; files that are complete are kept; to go on without it, use --skip-damaged"
                for problem in got.damaged
            )
        )
    return [
        source for dataset in request.datasets for source in _sources(request, dataset, wanted, got, mirror)
    ]


def _sources(
    request: Request,
    dataset: Dataset,
    wanted: dict[Dataset, dict[date, str]],
    got: Downloads,
    mirror: Mirror,
) -> list[Source]:
    present = set(got.present)
    files = {day: mirror.cache / path for day, path in wanted[dataset].items() if path in present}
    if not files:
        raise DataError(
            f"{mirror.base_url} has no {dataset} of {request.symbol} from {request.start} to {request.end}; "
            "is the symbol right, and was it traded then?"
        )
    absent = _absent(request, dataset, wanted[dataset], got)
    match dataset:
        case Dataset.KLINES:
            return [KlineSource(request, files, absent)]
        case Dataset.FUNDING:
            return [FundingSource(request, files, absent)]
        case Dataset.PREMIUM:
            return [PremiumSource(request, files, absent)]
    bars = None
    if Dataset.KLINES in request.datasets and request.interval == "5m":
        klines = wanted[Dataset.KLINES].items()
        bars = {day: mirror.cache / path for day, path in klines if path in present}
    reading = MetricsFiles(
        instrument=request.instrument,
        row=request.row,
        symbol=request.symbol,
        files=files,
        label=request.label,
        lag_ns=request.lag,
        bars=KlineSource(request, bars).load_bars() if bars else None,
    )
    sources: list[Source] = [OpenInterestSource(reading, absent)]
    return [*sources, LongShortSource(reading)] if len(reading.long_short()) else sources


def _absent(
    request: Request, dataset: Dataset, wanted: dict[date, str], got: Downloads
) -> tuple[Finding, ...]:
    """Return a finding for the files that could not be had."""
    present = set(got.present)
    without = [day for day, path in wanted.items() if path not in present]
    if not without:
        return ()
    first = without[0]
    span = "months" if dataset is Dataset.FUNDING else "days"
    shown = ", ".join(f"{day:%Y-%m}" if span == "months" else str(day) for day in without[:5])
    more = f" and {len(without) - 5} more" if len(without) > 5 else ""
    text = f"{dataset}: {span} that the archive does not have, or not whole: {shown}{more}"
    series, time = str(request.instrument.id), day_ns(first)
    return (Finding(Severity.WARNING, "missing_file", series, "ts_event", text, None, time, len(without)),)
