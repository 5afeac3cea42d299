"""Messages of exchanges as they were recorded or are documented, for tests that read them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"


def message(name: str, path: str = "") -> Any:
    """Return the JSON message of `name`, or the part of it at a path of keys and positions."""
    if not FIXTURES.is_dir() and "CI" not in os.environ:
        pytest.skip("recorded exchange messages are not in ../shared/fixtures")
    found = json.loads((FIXTURES / name).read_text())
    for part in filter(None, path.split("/")):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found
