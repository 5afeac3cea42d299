"""A short soak: a paper node with four loopback venues under every fault loses no event and no book."""

import numpy as np
import pytest
from support.soak import run_soak
from support.soak_faults import FAULTS, FUNDING, HALT, STOP

pytest.importorskip("ccxt")


@pytest.fixture(scope="module")
def soak(tmp_path_factory):
    return run_soak(tmp_path_factory.mktemp("soak"), 2_000, lambda text: None)


def test_a_soak_loses_no_event_whatever_its_venues_do(soak):
    assert soak.served == soak.recorded
    assert len(soak.served) == 5
    assert min(soak.served.values()) > 0
    assert soak.uncaught == []


def test_a_soak_books_what_the_account_holds(soak):
    assert soak.fills > 0
    assert soak.balance == pytest.approx(soak.balance_of_ledger, abs=1e-6)
    assert soak.position == pytest.approx(soak.position_of_ledger)


def test_a_soak_keeps_its_memory(soak):
    assert np.ptp(soak.samples[:, 2]) < 50.0


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_was_injected_and_its_venue_recovered(soak, fault):
    assert soak.faults[fault].times > 0


def test_faults_that_concern_the_hedge_are_alerted_once_each(soak):
    for fault, condition in ((FUNDING, "rail funding"), (HALT, "rail venue"), (STOP, "rail drawdown")):
        assert soak.faults[fault].alerts[condition] == soak.alerts[condition] == soak.faults[fault].times
    times_1000 = soak.faults["open interest times 1000"]
    assert times_1000.alerts["open interest held back"] == times_1000.times
