"""A short soak: a paper node with four loopback venues loses no event, and its books are its account."""

import numpy as np
import pytest
from support.soak import run_soak

pytest.importorskip("ccxt")


def test_a_soak_loses_no_event_and_books_what_the_account_holds(tmp_path):
    soak = run_soak(tmp_path, 2_000, lambda text: None)
    assert soak.served == soak.recorded
    assert min(soak.served.values()) > 0
    assert len(soak.served) == 4
    assert soak.balance == pytest.approx(soak.balance_of_ledger, abs=1e-6)
    assert soak.position == pytest.approx(soak.position_of_ledger)
    assert np.ptp(soak.samples[:, 2]) < 50.0
