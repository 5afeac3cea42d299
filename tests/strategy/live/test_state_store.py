"""What a node keeps on disk: whole or not at all, its owner's alone, the generation before it in reserve."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from oi_hedge_catalog.errors import StateError
from oi_hedge_strategy.live.journal import Journal, read_journal
from oi_hedge_strategy.live.state_store import StateStore, read_checkpoint, write_checkpoint


def arrays(number):
    return {"a.levels": np.arange(5.0) * number, "rows": np.full((2, 3), number, np.int64)}


def filled(directory):
    """Make two generations of two and three records."""
    with StateStore(directory) as store:
        for number, records in ((1, 2), (2, 3)):
            store.begin(arrays(number), {"number": number})
            for at in range(records):
                store.append(at, f"{number}.{at}".encode())
            store.wait()
    return sorted(path.name for path in directory.iterdir() if path.suffix in (".state", ".log"))


def loaded(directory):
    with StateStore(directory) as store:
        return store.load()


SECOND = [(0, b"2.0"), (1, b"2.1"), (2, b"2.2")]
ALL = [(0, b"1.0"), (1, b"1.1"), *SECOND]


def test_a_new_directory_holds_nothing_and_is_its_owners_alone(tmp_path):
    assert loaded(tmp_path / "new" / "state") is None
    assert (tmp_path / "new" / "state").stat().st_mode & 0o777 == 0o700


def test_the_newest_checkpoint_and_its_journal_come_back(tmp_path):
    filled(tmp_path)
    found = loaded(tmp_path)
    assert found.facts == {"number": 2}
    assert found.records == SECOND
    assert found.notices == []
    assert {name: each.tolist() for name, each in found.arrays.items()} == {
        name: each.tolist() for name, each in arrays(2).items()
    }


def test_every_file_is_readable_by_its_owner_only_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        filled(tmp_path)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_two_generations_are_kept(tmp_path):
    with StateStore(tmp_path) as store:
        for number in range(1, 6):
            store.begin(arrays(number), {})
            store.wait()
    names = {path.name for path in tmp_path.glob("*-*")}
    assert names == {f"{kind}-0000000{at}.{end}" for at in (4, 5) for kind, end in
                     (("checkpoint", "state"), ("journal", "log"))}  # fmt: skip


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "zeros"])
def test_a_damaged_checkpoint_is_replaced_by_the_one_before_and_both_journals(tmp_path, damage):
    filled(tmp_path)
    path = tmp_path / "checkpoint-00000002.state"
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    changed = {"cut": content[:400], "flip": content, "empty": b"", "zeros": bytes(len(content))}[damage]
    path.write_bytes(changed)
    found = loaded(tmp_path)
    assert found.facts == {"number": 1}
    assert found.records == ALL
    assert len(found.notices) == 1
    assert str(path) in found.notices[0]
    assert "the generation before it is used" in found.notices[0]


def test_a_checkpoint_that_was_never_finished_changes_nothing(tmp_path):
    filled(tmp_path)
    (tmp_path / "checkpoint-00000003.tmp").write_bytes(b"half")
    Journal(tmp_path / "journal-00000003.log").append(9, b"after")
    found = loaded(tmp_path)
    assert found.facts == {"number": 2}
    assert found.records == [*SECOND, (9, b"after")]
    with StateStore(tmp_path) as store:
        store.begin(arrays(4), {"number": 4})
    assert loaded(tmp_path).facts == {"number": 4}


def test_no_whole_checkpoint_is_an_error_not_an_empty_state(tmp_path):
    filled(tmp_path)
    for path in tmp_path.glob("*.state"):
        path.write_bytes(b"rubbish")
    with pytest.raises(StateError, match="none of 2 checkpoints is whole"):
        loaded(tmp_path)


def test_a_checkpoint_of_another_format_says_so(tmp_path):
    path = tmp_path / "checkpoint-00000001.state"
    write_checkpoint(path, {}, {})
    path.write_bytes(path.read_bytes().replace(b"oi-hedge-state 1 ", b"oi-hedge-state 7 "))
    with pytest.raises(StateError, match="is of format 7, expected 1"):
        read_checkpoint(path)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_record_that_was_being_written_is_left_out_and_said(tmp_path, cut):
    filled(tmp_path)
    path = tmp_path / "journal-00000002.log"
    path.write_bytes(path.read_bytes()[:-cut])
    found = loaded(tmp_path)
    assert found.records == SECOND[:-1]
    assert re.search(r"the last \d+ bytes are no whole record", found.notices[0])
    assert loaded(tmp_path).notices == []


def test_nothing_follows_a_damaged_record(tmp_path):
    filled(tmp_path)
    (tmp_path / "checkpoint-00000002.state").write_bytes(b"")
    path = tmp_path / "journal-00000001.log"
    content = bytearray(path.read_bytes())
    content[-6] ^= 255
    path.write_bytes(content)
    found = loaded(tmp_path)
    assert found.records == ALL[:1]
    assert any("1 later journals cannot follow" in each for each in found.notices)


def test_reading_a_journal_of_random_bytes_yields_nothing(tmp_path):
    rng = np.random.default_rng(1)
    for size in (0, 1, 8, 9, 100, 10_000):
        (tmp_path / "noise").write_bytes(rng.bytes(size))
        assert list(read_journal(tmp_path / "noise")) == []


def test_a_directory_that_others_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(StateError, match=r"others than its owner may write to it \(mode 777"):
        StateStore(tmp_path)


def test_a_second_node_is_refused_by_the_pid_of_the_first_and_admitted_after_kill_9(tmp_path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from oi_hedge_strategy.live.state_store import StateStore\n"
        "store = StateStore(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StateError, match=f"is in use by process {child.pid}, since 20"):
            StateStore(tmp_path)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    StateStore(tmp_path).close()


def test_a_full_disk_is_an_error_where_the_record_is_appended(tmp_path, monkeypatch):
    with StateStore(tmp_path) as store:
        store.begin({}, {})
        store.append(1, b"fits")
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:5]))
        with pytest.raises(OSError, match="the disk is full"):
            store.append(1, b"does not")
        monkeypatch.undo()
    found = loaded(tmp_path)
    assert found.records == [(1, b"fits")]
