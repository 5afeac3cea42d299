"""Run independent jobs, on this machine or on a Ray cluster."""

import importlib.util
import os
from collections.abc import Callable, Sequence
from typing import Any

from joblib import Parallel, parallel_config
from tqdm import tqdm

from oi_hedge_catalog.errors import ConfigError

Job = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
BACKENDS = ("local", "ray")


def run_jobs(jobs: Sequence[Job], description: str, parallel: str = "local") -> list[Any]:
    """
    Run jobs of joblib's `delayed` in one pool, with progress, and return their results in order.

    Parameters
    ----------
    jobs : sequence
        Independent; each must give the same result wherever it runs.
    description : str
        For the progress bar.
    parallel : str
        ``local`` for as many processes as this machine has cores; ``ray`` for the Ray cluster that
        ``RAY_ADDRESS`` names, or a local one, whose nodes must share the file system.

    Raises
    ------
    ConfigError
        If Ray is asked for and not installed.

    """
    if parallel not in BACKENDS:
        raise ConfigError(f"expected parallel to be one of {', '.join(BACKENDS)}, was {parallel}")
    workers = min(len(jobs), os.cpu_count() or 1)
    if parallel == "local" and workers <= 1:
        progress = tqdm(jobs, desc=description, leave=False, disable=None)
        return [function(*args, **kwargs) for function, args, kwargs in progress]
    bar = {"total": len(jobs), "desc": description, "leave": False, "disable": None}
    if parallel == "ray":
        with _ray():
            handed_out: list[Any] = Parallel(n_jobs=-1)(tqdm(jobs, **bar))
            return handed_out
    return list(tqdm(Parallel(n_jobs=workers, return_as="generator")(jobs), **bar))


def _ray() -> Any:
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--parallel ray needs ray: pip install 'oi-hedge-strategy[ray]'")
    from ray.util.joblib import register_ray

    register_ray()  # type: ignore[no-untyped-call]
    return parallel_config(backend="ray")
