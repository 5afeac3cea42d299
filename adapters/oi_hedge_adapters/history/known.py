"""Definitions of the instruments that history is asked for."""

from collections.abc import Sequence
from pathlib import Path

from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.instruments import Instrument

from oi_hedge_adapters.history.manifest import load_instruments
from oi_hedge_catalog import store
from oi_hedge_catalog.errors import ManifestError

KNOWN = Path(__file__).with_name("instruments.toml")


def find_instruments(
    wanted: Sequence[InstrumentId], catalog: Path, manifest: Path | None = None
) -> list[Instrument]:
    """
    Return the definition of each of `wanted`.

    A definition is taken from the catalog if it has one, else from `manifest`, else from those that come with
    the package.

    Raises
    ------
    ManifestError
        If an instrument is defined nowhere.
    """
    found = _definitions(catalog, manifest)
    if absent := [str(each) for each in wanted if str(each) not in found]:
        raise ManifestError(
            f"{absent[0]} is not defined: name a TOML file that has its [[instrument]] table by --instruments"
        )
    return [found[str(each)] for each in wanted]


def find_known(wanted: InstrumentId, catalog: Path, manifest: Path | None = None) -> Instrument | None:
    """Return the definition of an instrument if there is one, as `find_instruments`."""
    return _definitions(catalog, manifest).get(str(wanted))


def _definitions(catalog: Path, manifest: Path | None) -> dict[str, Instrument]:
    found = load_instruments(KNOWN)
    if manifest is not None:
        found |= load_instruments(manifest)
    if (catalog / "data").is_dir():
        found |= {str(each.id): each for each in store.instruments(store.open_catalog(catalog))}
    return found
