"""Find a session by what a user names."""

from pathlib import Path

from oi_hedge_catalog.errors import DataError
from oi_hedge_strategy.live.session import INFO_FILE, Session

SESSIONS = "sessions"
_RUNS = ("paper", "live")


def find_session(named: Path | None) -> Session:
    """
    Return the session of a directory, or the newest one in it; the newest of all runs by default.

    Raises
    ------
    DataError
        If there is none.

    """
    if named is not None and not named.is_dir():
        raise DataError(f"{named} is no directory; name a session, or the directory of a paper or live run")
    if named is not None and (named / INFO_FILE).exists():
        return Session(named)
    roots = [Path(each) for each in _RUNS] if named is None else [named]
    places = [part for root in roots for part in (root, root / SESSIONS)]
    found = [path.parent for place in places for path in place.glob(f"*/{INFO_FILE}")]
    if not found:
        where = " and ".join(map(str, roots))
        raise DataError(
            f"there is no recorded session in {where}; start one with: oi-hedge paper --config FILE"
        )
    return Session(max(found, key=lambda path: path.name))
