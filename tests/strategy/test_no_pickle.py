"""Nothing that we ship reads or writes pickles: no model, state or recording can run code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "oi_hedge_strategy",
    "adapters/oi_hedge_adapters",
    "catalog/oi_hedge_catalog",
    "examples",
    "benchmarks",
)
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FORBIDDEN = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "shelve",
    "marshal",
    "jsonpickle",
    "joblib",
}
LOADERS = {("torch", "load"): ("weights_only", True), ("np", "load"): ("allow_pickle", False),
           ("np", "savez"): ("allow_pickle", False), ("numpy", "load"): ("allow_pickle", False)}  # fmt: skip
PARALLEL = {"Parallel", "delayed", "cpu_count", "parallel_config"}
"""What joblib may be used for: running jobs, not files."""


def faults(text):
    """Yield line and reason of each use of a pickle in a module's source."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for each in node.names:
                if each.name.split(".")[0] in FORBIDDEN:
                    yield node.lineno, f"imports {each.name}"
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {each.name for each in node.names}
            if node.module.split(".")[0] in FORBIDDEN and not names <= PARALLEL:
                yield node.lineno, f"imports {sorted(names)} from {node.module}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from _call(node)


def _call(node):
    name = node.func.attr
    owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
    if name in ("read_pickle", "to_pickle"):
        yield node.lineno, f"calls {name}"
    wanted = LOADERS.get((owner, name))
    if wanted is not None:
        keyword, value = wanted
        given = {each.arg: getattr(each.value, "value", None) for each in node.keywords}
        if given.get(keyword) is not value:
            yield node.lineno, f"calls {owner}.{name} without {keyword}={value}"


def test_nothing_that_is_shipped_uses_pickles():
    assert len(FILES) > 150
    found = [
        f"{path.relative_to(ROOT)}:{line} {why}" for path in FILES for line, why in faults(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import dill as d",
        "from joblib import dump",
        "import torch\ntorch.load('a')",
        "torch.load('a', weights_only=False)",
        "np.load('a', allow_pickle=True)",
        "np.load('a')",
        "frame.to_pickle('a')",
    ],
)
def test_each_way_of_using_pickles_is_found(source):
    assert list(faults(source))


def test_what_is_allowed_is_not_found():
    assert list(faults("from joblib import Parallel\ntorch.load('a', weights_only=True)")) == []
