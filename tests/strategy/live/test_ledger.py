"""The running ledger survives being killed, days that end, and being read meanwhile."""

import os

import pytest
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from support.paper_ledger import HEDGE, HOUR, LAG, START, write_ledger

from oi_hedge_catalog.errors import DataError
from oi_hedge_strategy.live.ledger import KINDS, Ledger, read_ledger
from oi_hedge_strategy.live.ledger_records import LedgerBar, LedgerFill
from oi_hedge_strategy.records import HedgeDecision


def fill(ts, name="O-1"):
    return LedgerFill(HEDGE, name, f"T-{name}", -1, 5.0, 2000.0, 1.0, "USDT", ts, ts)


def names(directory):
    return [each.client_order_id for each in read_ledger(directory, LedgerFill)]


def journals(directory):
    return sorted(path.name for path in directory.glob("*.journal"))


def test_a_day_that_is_over_is_in_the_catalog_and_today_in_the_journal(tmp_path):
    write_ledger(tmp_path, days=3)
    assert journals(tmp_path) == ["2024-01-04.journal"]
    catalog = ParquetDataCatalog(str(tmp_path / "catalog"))
    assert len(catalog.query(LedgerBar)) == 3 * 24
    bars = read_ledger(tmp_path, LedgerBar)
    assert [bar.ts_init for bar in bars] == [START + hour * HOUR + LAG for hour in range(3 * 24 + 1)]
    assert len(read_ledger(tmp_path, HedgeDecision)) == len(bars)
    assert [each.side for each in read_ledger(tmp_path, LedgerFill)] == [-1, 1, -1]


def test_append_says_when_a_day_begins(tmp_path):
    ledger = Ledger(tmp_path)
    begun = [ledger.append(fill(START + hours * HOUR, f"O-{hours}")) for hours in (0, 23, 24, 25)]
    ledger.close()
    assert begun == ["2024-01-01", "", "2024-01-02", ""]


def test_a_day_whose_journal_cannot_be_opened_is_tried_again_with_the_next_record(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)
    ledger.append(fill(START, "O-1"))

    def refuse(path):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr("oi_hedge_strategy.live.ledger.Journal", refuse)
        for _ in range(2):
            with pytest.raises(OSError, match="Read-only"):
                ledger.append(fill(START + 24 * HOUR, "O-2"))
    other = os.open(tmp_path, os.O_RDONLY)
    assert ledger.append(fill(START + 24 * HOUR, "O-3")) == "2024-01-02"
    os.fstat(other)
    os.close(other)
    ledger.close()
    assert names(tmp_path) == ["O-1", "O-3"]


def test_a_later_run_of_the_day_adds_to_its_journal(tmp_path):
    for name in ("O-1", "O-2"):
        ledger = Ledger(tmp_path)
        ledger.append(fill(START, name))
        ledger.close()
    assert names(tmp_path) == ["O-1", "O-2"]


@pytest.mark.parametrize("left", range(1, 40, 6))
def test_a_record_that_was_being_written_is_lost_and_no_other(tmp_path, left):
    ledger = Ledger(tmp_path)
    for name in ("O-1", "O-2"):
        ledger.append(fill(START, name))
    ledger.close()
    path = tmp_path / "2024-01-01.journal"
    os.truncate(path, path.stat().st_size - left)
    assert names(tmp_path) == ["O-1"]
    later = Ledger(tmp_path)
    later.append(fill(START + 1, "O-3"))
    later.close()
    assert names(tmp_path) == ["O-1", "O-3"]


def test_being_killed_between_catalog_and_journal_doubles_nothing(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append(fill(START))
    ledger.close()
    path = tmp_path / "2024-01-01.journal"
    content = path.read_bytes()
    ledger.move_days(before="2024-01-02")
    path.write_bytes(content)
    assert names(tmp_path) == ["O-1"]
    ledger.move_days(before="2024-01-02")
    assert names(tmp_path) == ["O-1"]
    assert journals(tmp_path) == []


def test_a_run_that_pauses_for_days_moves_what_was_left(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append(fill(START, "O-1"))
    ledger.close()
    later = Ledger(tmp_path)
    later.move_days(before=later.append(fill(START + 5 * 24 * HOUR, "O-2")))
    assert journals(tmp_path) == ["2024-01-06.journal"]
    assert names(tmp_path) == ["O-1", "O-2"]
    later.close()


def test_the_ledger_is_its_owner_s_alone(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    ledger.append(fill(START))
    ledger.close()
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "ledger" / "2024-01-01.journal").stat().st_mode & 0o777 == 0o600


def test_no_ledger_and_one_of_a_later_version_are_one_sentence_each(tmp_path):
    with pytest.raises(DataError, match="holds no ledger; start a run"):
        read_ledger(tmp_path / "no", LedgerBar)
    ledger = Ledger(tmp_path)
    ledger.append(fill(START))
    ledger._journal.append(len(KINDS), b"{}")
    ledger.close()
    with pytest.raises(DataError, match="later version"):
        read_ledger(tmp_path, LedgerFill)
