"""One instance an account."""

import json
import os

import pytest

from oi_hedge_catalog.errors import StateError
from oi_hedge_strategy.live.lock import LOCK_DIRECTORY, holder_pid, lock_account, lock_directory


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv(LOCK_DIRECTORY, str(tmp_path / "locks"))
    return tmp_path / "locks"


def test_an_account_is_held_once_and_the_error_names_the_process():
    with (
        lock_account("BINANCE", "key-1"),
        pytest.raises(StateError, match=f"the account at BINANCE is in use by process {os.getpid()}, since"),
    ):
        lock_account("BINANCE", "key-1")
    lock_account("BINANCE", "key-1").release()


def test_another_account_and_another_venue_are_free():
    with lock_account("BINANCE", "key-1"), lock_account("BINANCE", "key-2"), lock_account("BYBIT", "key-1"):
        pass


def test_the_key_is_in_no_name_and_no_content_and_files_are_the_owners(directory):
    with lock_account("BINANCE", "SECRETKEY"):
        files = list(directory.iterdir())
        assert len(files) == 2
        assert not any("SECRETKEY" in path.name or "SECRETKEY" in path.read_text() for path in files)
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
        assert directory.stat().st_mode & 0o777 == 0o700


def test_a_lock_file_left_behind_is_no_obstacle(directory):
    lock_account("BINANCE", "key").release()
    (path,) = directory.glob("*.lock")
    path.with_suffix(".owner").write_text(json.dumps({"pid": 1, "since": "2020"}))
    assert holder_pid(path) is None
    with lock_account("BINANCE", "key"):
        assert holder_pid(path) == os.getpid()


def test_locks_of_a_user_are_in_the_state_directory_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv(LOCK_DIRECTORY)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert lock_directory() == tmp_path / "oi-hedge" / "locks"
