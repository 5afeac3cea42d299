"""A log that goes to a file on a full disk does not end the process that writes it."""

import resource
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys, time
from nautilus_trader.common.component import Logger, init_logging
from oi_hedge_strategy.live.steady_stderr import steady_stderr

guard, log = init_logging(), Logger("HEDGE")
with steady_stderr():
    resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, resource.RLIM_INFINITY))
    for line in range(50):
        log.error(f"line {{line}}")
    deadline = time.monotonic() + 20.0
    while not open({path!r}).read().count("line {awaited}") and time.monotonic() < deadline:
        time.sleep(0.05)
print("went on")
"""


@pytest.mark.parametrize(("limit", "awaited"), [(512, 3), (resource.RLIM_INFINITY, 49)])
def test_a_log_in_a_file_that_takes_no_more_lets_the_process_go_on(tmp_path, limit, awaited):
    path = tmp_path / "log"
    with path.open("w") as file:
        script = SCRIPT.format(bytes=limit, path=str(path), awaited=awaited)
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=file, text=True, timeout=120
        )
    assert (done.returncode, done.stdout) == (0, "went on\n")
    assert "line 3" in path.read_text()


def test_what_is_no_file_is_left_as_it_is():
    script = (
        "import os\nfrom oi_hedge_strategy.live.steady_stderr import steady_stderr\n"
        "before = os.fstat(2).st_ino\nwith steady_stderr():\n    print(os.fstat(2).st_ino == before)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "True\n"
