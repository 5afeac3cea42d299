"""Run `oi-hedge` in this process, and judge how it refuses bad input."""

import hashlib
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from oi_hedge_strategy.cli import main


def oi_hedge(*arguments: Any) -> Result:
    """Run the command line; a bug shows as the exception itself."""
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def succeed(*arguments: Any) -> str:
    """Run the command line, require exit code 0 and return what it printed."""
    result = oi_hedge(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refuse(*arguments: Any) -> str:
    """Run the command line, require exit code 1 and one sentence on stderr, and return the sentence."""
    result = oi_hedge(*arguments)
    assert result.exit_code == 1, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    assert not result.stdout
    return lines[0].removeprefix("Error: ")


def digest(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a directory, by its path."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
