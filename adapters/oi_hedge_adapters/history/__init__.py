"""Recorded data from outside: files, archives and exchange history, all as catalog sources."""

from oi_hedge_adapters.history.files import FileSource, file_sources
from oi_hedge_adapters.history.manifest import Manifest, load_manifest

__all__ = ["FileSource", "Manifest", "file_sources", "load_manifest"]
