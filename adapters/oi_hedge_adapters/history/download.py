"""Files of a public archive: downloaded in parallel, checked against their checksums, kept in a directory."""

import asyncio
import hashlib
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from tqdm import tqdm

from oi_hedge_catalog.errors import DataError

CHECKSUM = ".CHECKSUM"
PARTIAL = ".part"
_RETRIED = frozenset({408, 418, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """
    Where files come from and where they are kept.

    Parameters
    ----------
    base_url : str
        Address that the paths of files are below.
    cache : Path
        Directory of the files that are complete and verified; made if it is not there.
    parallel : int, default 8
        Downloads at a time.
    attempts : int, default 5
        Tries of a request that the server refuses for the moment or that breaks off.
    backoff_secs : float, default 0.5
        Pause before the second try, doubled before each further one, with jitter.
    timeout_secs : float, default 60
        Longest time for one request.
    """

    base_url: str
    cache: Path
    parallel: int = 8
    attempts: int = 5
    backoff_secs: float = 0.5
    timeout_secs: float = 60.0

    def url(self, path: str) -> str:
        """Return the address of a file."""
        return f"{self.base_url.rstrip('/')}/{path}"


@dataclass(frozen=True)
class Downloads:
    """
    What came of a list of files, each by its path, in the order of the list.

    Attributes
    ----------
    present : tuple of str
        Complete and of the right checksum, in the cache.
    missing : tuple of str
        The server has no such file.
    damaged : tuple of str
        A sentence for each file whose checksum was wrong twice.
    """

    present: tuple[str, ...]
    missing: tuple[str, ...]
    damaged: tuple[str, ...]


class _MissingError(Exception):
    """The server answered that there is no such file."""


def download(paths: Sequence[str], mirror: Mirror) -> Downloads:
    """
    Bring `paths` into the cache of `mirror`, unless they are there already.

    Each file is staged beside its place and moved into it once its SHA-256 is that of the archive's checksum
    file, so a run that was stopped leaves complete files only and the next one goes on from there. A file of
    another checksum is downloaded once more.

    Raises
    ------
    DataError
        If the server cannot be reached, refuses, or a file cannot be written.
    """
    return asyncio.run(_download(list(paths), mirror))


async def _download(paths: list[str], mirror: Mirror) -> Downloads:
    outcome: dict[str, str | None] = {}
    damaged: dict[str, str] = {}
    queue = iter(paths)
    bar = tqdm(total=len(paths), desc="downloading", unit="file", file=sys.stderr, disable=None, leave=False)

    async def work(session: aiohttp.ClientSession) -> None:
        for path in queue:
            try:
                problem = await _bring(session, path, mirror)
                outcome[path] = "present" if problem is None else "damaged"
                if problem is not None:
                    damaged[path] = problem
            except _MissingError:
                outcome[path] = "missing"
            bar.update()

    timeout = aiohttp.ClientTimeout(total=mirror.timeout_secs)
    connector = aiohttp.TCPConnector(limit=mirror.parallel)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(min(mirror.parallel, len(paths))):
                group.create_task(work(session))
    except* DataError as errors:
        raise errors.exceptions[0] from None
    finally:
        bar.close()
    return Downloads(
        tuple(path for path in paths if outcome[path] == "present"),
        tuple(path for path in paths if outcome[path] == "missing"),
        tuple(damaged[path] for path in paths if path in damaged),
    )


async def _bring(session: aiohttp.ClientSession, path: str, mirror: Mirror) -> str | None:
    """Make `path` complete in the cache; return what is wrong if its checksum is, twice."""
    target = mirror.cache / path
    noted = target.with_name(target.name + CHECKSUM)
    if target.is_file() and noted.is_file() and _digest(target.read_bytes()) == _expected(noted.read_text()):
        return None
    body = target.read_bytes() if target.is_file() else None
    problem = None
    for _ in range(2):
        note = (await _get(session, path + CHECKSUM, mirror)).decode(errors="replace")
        if body is None or _digest(body) != _expected(note):
            body = await _get(session, path, mirror)
        found, expected = _digest(body), _expected(note)
        if found == expected:
            _write(target, body)
            _write(noted, note.encode())
            return None
        problem = f"{mirror.url(path)}: expected SHA-256 {expected or 'none'}, found {found}, twice"
        body = None
    return problem


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _expected(note: str) -> str:
    """Return the digest of a checksum file, ``<SHA-256>  <name>``."""
    words = note.split()
    return words[0].lower() if words else ""


def _write(target: Path, body: bytes) -> None:
    staged = target.with_name(target.name + PARTIAL)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(body)
        os.replace(staged, target)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise DataError(
            f"cannot write {target}: {error.strerror}; files that are complete are kept, run again to go on"
        ) from error


async def _get(session: aiohttp.ClientSession, path: str, mirror: Mirror) -> bytes:
    """Return the body of a file, trying again while the server is busy or the connection breaks."""
    url, reason, pause = mirror.url(path), "", 0.0
    for attempt in range(mirror.attempts):
        if attempt:
            delay = max(pause, mirror.backoff_secs * 2 ** (attempt - 1))
            await asyncio.sleep(delay * random.uniform(1.0, 1.25))
        try:
            async with session.get(url) as response:
                if response.status == 200:
                    return await response.read()
                if response.status == 404:
                    raise _MissingError
                reason = f"HTTP {response.status}"
                if response.status not in _RETRIED:
                    raise DataError(f"{url}: the server refuses ({reason}); check the address and access")
                pause = _retry_after(response.headers.get("Retry-After"))
        except aiohttp.InvalidURL as error:
            raise DataError(f"{url!r} is not an address such as https://data.binance.vision") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            reason, pause = str(error) or type(error).__name__, 0.0
    raise DataError(
        f"{url}: no complete answer in {mirror.attempts} attempts, the last ended with {reason}; "
        "files that are complete are kept, run again to go on"
    )


def _retry_after(header: str | None) -> float:
    return min(float(header), 300.0) if header is not None and header.isdigit() else 0.0
