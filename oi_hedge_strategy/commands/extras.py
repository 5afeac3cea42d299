"""What the training commands need beyond the package's own dependencies."""

import importlib.util

from oi_hedge_catalog.errors import ConfigError


def require_training_extra(*modules: str) -> None:
    """
    Check that modules of the extra `train` are installed.

    Raises
    ------
    ConfigError
        If one is not.

    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"this needs {', '.join(missing)}: install the extra: pip install 'oi-hedge-strategy[train]'"
        )
