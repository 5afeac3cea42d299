"""The wheel: complete, without tests, and at home in an environment that knows nothing of the checkout."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest
from support.scripts import ROOT, python

PACKAGES = ("oi_hedge_strategy", "oi_hedge_adapters", "oi_hedge_catalog")
SOURCES = ("oi_hedge_strategy", "adapters", "catalog", "pyproject.toml", "README.md", "LICENSE", "COPYING")
TRAINING = ("torch", "onnx", "onnxscript", "sklearn")
RUN_TIME = (
    "cli",
    "strategy",
    "config",
    "backtest.run",
    "forecast.model",
    "simulation.venue",
    "evaluation.report",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the sources, without a network."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree)
    python("-m", "hatchling", "build", "-t", "wheel", "-d", tree / "dist", cwd=tree)
    (built,) = (tree / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def foreign(wheel, tmp_path_factory):
    """Return the bin directory of an environment with the wheel and its dependencies, but no checkout."""
    home = tmp_path_factory.mktemp("foreign") / "env"
    venv.create(home, with_pip=True)
    binaries = home / "bin"
    python(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, executable=binaries / "python"
    )
    site = next(home.glob("lib/python3*/site-packages"))
    # Dependencies from here; .pth files in there, such as that of the checkout, have no effect from there.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return binaries


def test_the_wheel_holds_three_typed_packages_and_the_models(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in PACKAGES:
        assert {f"{package}/__init__.py", f"{package}/py.typed"} <= names
    models = {name for name in names if name.endswith(".onnx")}
    assert models == {f"oi_hedge_strategy/forecast/models/{name}.onnx" for name in ("recorded", "simulated")}


def test_the_wheel_holds_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {*PACKAGES, next(top for top in tops if top.endswith(".dist-info"))}
    suffixes = {name.rsplit(".", 1)[-1] for name in names if ".dist-info" not in name}
    assert suffixes == {"py", "typed", "onnx", "toml"}


def test_licence_and_disclaimer_travel_with_it(wheel):
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    assert {name.rsplit("/", 1)[-1] for name in names if "/licenses/" in name} == {"LICENSE", "COPYING"}
    metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert "License-Expression: LGPL-3.0-or-later" in metadata
    assert "not affiliated with, endorsed by or supported by" in metadata


def test_the_command_explains_itself(foreign, tmp_path):
    done = subprocess.run([foreign / "oi-hedge", "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in ("backtest", "check", "ingest", "simulate", "train"):
        assert f"  {command} " in done.stdout


def test_the_packages_are_those_of_the_wheel(foreign, tmp_path):
    code = f"import {', '.join(PACKAGES)}\nfor each in ({', '.join(PACKAGES)}): print(each.__file__)"
    places = python("-I", "-c", code, executable=foreign / "python", cwd=tmp_path).split()
    assert len(places) == len(PACKAGES)
    assert all(place.startswith(str(foreign.parent)) for place in places)


def test_both_shipped_models_load(foreign, tmp_path):
    code = (
        "from oi_hedge_strategy.forecast.model import Forecaster\n"
        "from oi_hedge_strategy.forecast.shipped import shipped_model\n"
        "for simulated in (True, False):\n"
        "    card = Forecaster.load(shipped_model(simulated)).card\n"
        "    print(card.simulated, card.parameters > 1000)\n"
    )
    printed = python("-I", "-c", code, executable=foreign / "python", cwd=tmp_path)
    assert printed.splitlines() == ["True True", "False True"]


def test_a_backtest_runs_there(foreign, market, short_model, tmp_path):
    command = [foreign / "oi-hedge", "backtest", "--catalog", market, "--model", short_model]
    command += ["--start", "2024-04-01", "--end", "2024-04-02", "--out", tmp_path / "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").stat().st_size > 1_000_000


def test_running_needs_nothing_of_what_training_needs():
    imports = "".join(f"import oi_hedge_strategy.{name}\n" for name in RUN_TIME)
    code = f"{imports}import sys\nprint([name for name in {TRAINING} if name in sys.modules])"
    assert python("-c", code, executable=sys.executable).strip() == "[]"
