"""Storing wallet concentrations, and which moments of a history are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nautilus_trader.model.identifiers import InstrumentId

from oi_hedge_adapters.history.spec import parse_duration
from oi_hedge_adapters.wallets import WalletSet
from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ConfigError, DataError
from oi_hedge_catalog.ingest import Loaded
from oi_hedge_catalog.ingest import ingest as run_ingest
from oi_hedge_catalog.input_series import wallet_series
from oi_hedge_catalog.types import WalletConcentration, wallet_id


@dataclass(frozen=True)
class Span:
    """The moments asked for; no start means now."""

    start: int | None
    end: int | None
    every: str

    def moments(self, newest_ns: int) -> range:
        """Return the whole multiples of the step from the start to the end or the newest block."""
        step = parse_duration(self.every)
        if step <= 0:
            raise ConfigError(f"--every must be above 0, was {self.every}")
        assert self.start is not None
        first = -(-self.start // step) * step
        last = newest_ns if self.end is None else min(newest_ns, self.end)
        found = range(first, last + 1, step)
        if not found:
            raise ConfigError("the period from --from to --until, or to the newest block, has no moment")
        return found


@dataclass(frozen=True)
class Measured:
    """Concentrations of one set of addresses as a source of the catalog."""

    instrument_id: InstrumentId
    updates: tuple[WalletConcentration, ...]
    instrument: None = None

    @property
    def name(self) -> str:
        """What to call the source in errors."""
        return f"wallets {self.instrument_id}"

    def load(self) -> Loaded:
        """Return the rows."""
        return Loaded(wallet_series(self.instrument_id, list(self.updates)))


def store_concentrations(updates: Sequence[WalletConcentration], catalog: Path) -> int:
    """
    Check and store what is new.

    Returns
    -------
    int
        How many rows that was.

    Raises
    ------
    DataError
        If the figures are impossible, differ from what is stored, or are of another set of addresses.
    """
    by_id: dict[InstrumentId, list[WalletConcentration]] = {}
    for each in updates:
        by_id.setdefault(each.instrument_id, []).append(each)
    for instrument_id, found in by_id.items():
        _check_same_set(catalog, instrument_id, found[0])
    sources = [Measured(instrument_id, tuple(found)) for instrument_id, found in by_id.items()]
    return run_ingest(sources, catalog).rows


def _check_same_set(catalog: Path, instrument_id: InstrumentId, update: WalletConcentration) -> None:
    """Refuse figures of more or fewer addresses than the stored ones: they would not compare."""
    if not Path(catalog, "data").is_dir():
        return
    opened = store.open_catalog(catalog)
    if instrument_id not in store.wallet_ids(opened):
        return
    stored = store.read_wallet_concentration(opened, instrument_id)
    known, given = (int(stored.addresses[-1]), int(stored.top[-1])), (update.addresses, update.top)
    if known != given:
        raise DataError(
            f"{instrument_id} is stored for {known[0]} addresses with the top {known[1]} counted, the wallet "
            f"file has {given[0]} and {given[1]}; ingest another set into another catalog"
        )


def missing_moments(wallets: WalletSet, catalog: Path, moments: range) -> list[int]:
    """
    Return the moments that are not stored, and the last one that is.

    That one is read again, so that a changed set of addresses shows as values that differ.
    """
    if not Path(catalog, "data").is_dir():
        return list(moments)
    opened, whole = store.open_catalog(catalog), wallet_id(wallets.coin)
    if whole not in store.wallet_ids(opened):
        return list(moments)
    stored = set((store.read_wallet_concentration(opened, whole).ts_init - wallets.lag_ns).tolist())
    there = [moment for moment in moments if moment in stored]
    return [moment for moment in moments if moment not in stored or moment == there[-1]]
