"""Wallet files, the measures of concentration, and balances from CSV and Parquet files."""

import numpy as np
import pandas as pd
import pytest

from oi_hedge_adapters.wallet_files import read_balance_file
from oi_hedge_adapters.wallets import (
    Moment,
    WalletSet,
    concentrations,
    gini,
    herfindahl,
    load_wallets,
    top_share,
)
from oi_hedge_catalog.errors import DataError, ManifestError
from oi_hedge_catalog.input_series import wallet_series
from oi_hedge_catalog.quality import check_series

A, B, C = (f"0x{digit * 40}" for digit in "abc")
WALLETS = WalletSet("ETH", {"exchange": (A, B), "whale": (C,)}, top=1, publication_lag="90s")
TEXT = f"""
coin = "ETH"
top = 2
publication_lag = "2min"

[groups]
exchange = ["{A}", "{B}"]
staking_pool = [
    "{C.upper().replace("X", "x")}",  # an entry may have a comment
]
"""


def test_a_wallet_file_gives_groups_in_order(tmp_path):
    path = tmp_path / "wallets.toml"
    path.write_text(TEXT)

    found = load_wallets(path)

    assert (found.coin, found.top, found.lag_ns) == ("ETH", 2, 120_000_000_000)
    assert found.addresses == (A, B, C)
    assert list(found.groups) == ["exchange", "staking_pool"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('coin = "ETH"', 'coin = "eth"'), "coin must be of capital letters and digits, was 'eth'"),
        (('coin = "ETH"', ""), "missing required field `coin`"),
        (("top = 2", "top = 0"), "top must be at least 1, was 0"),
        (("top = 2", "tops = 2"), "unknown field `tops`"),
        (("top = 2", 'token = "0x12"'), "token '0x12' is no address, expected 0x and 40"),
        (("top = 2", "decimals = -1"), "decimals must lie within 0 and 77, was -1"),
        (('"2min"', '"soon"'), "'soon' is not a duration"),
        ((f'"{B}"', f'"{B[:-1]}"'), "group exchange: '0xb+' is no address"),
        ((f'"{B}"', f'"{A.upper().replace("X", "x")}"'), "is in exchange and again in exchange"),
        (("staking_pool", "Pools"), "group 'Pools' must be of small letters"),
        ((f'"{A}", "{B}"', ""), "group exchange has no address"),
        (("[groups]", "[groups"), "is not valid TOML"),
    ],
)
def test_a_wallet_file_that_cannot_be_meant_is_refused(tmp_path, change, message):
    path = tmp_path / "wallets.toml"
    path.write_text(TEXT.replace(*change))
    assert path.read_text() != TEXT

    with pytest.raises(ManifestError, match=rf"wallet file .*wallets\.toml.*{message}"):
        load_wallets(path)


def test_a_wallet_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ManifestError, match="none.toml does not exist"):
        load_wallets(tmp_path / "none.toml")
    with pytest.raises(ManifestError, match="cannot be read: Is a directory"):
        load_wallets(tmp_path)


def test_measures_of_shares_drawn_by_hand():
    assert top_share([5, 3, 2], 2) == pytest.approx(0.8)
    assert herfindahl([5, 3, 2]) == pytest.approx(0.25 + 0.09 + 0.04)
    assert gini([5, 3, 2]) == pytest.approx(0.2)
    assert gini([0, 0, 0, 8]) == pytest.approx(0.75)


@pytest.mark.parametrize("count", [1, 3, 7, 1000])
def test_equal_holdings_are_the_least_concentrated(count):
    equal = [0.1] * count

    assert gini(equal) == pytest.approx(0.0, abs=1e-12)
    assert gini(equal) >= 0.0
    assert herfindahl(equal) == pytest.approx(1 / count)


def test_gini_is_half_the_mean_difference_over_the_mean():
    values = np.random.default_rng(1).pareto(1.5, 200)

    difference = np.abs(values[:, None] - values[None]).mean()

    assert gini(values) == pytest.approx(difference / (2 * values.mean()))


def test_figures_pass_the_catalogs_checks():
    rng = np.random.default_rng(2)
    updates = [
        concentrations(WALLETS, rng.uniform(0, 5, 3).tolist(), Moment(at, at + 1, at))[0]
        for at in range(1, 50)
    ]

    assert check_series(wallet_series(updates[0].instrument_id, updates)).verdict != "errors"


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_balance_that_cannot_be_is_refused(bad):
    with pytest.raises(DataError, match=f"ETH of {B} at block 7: {bad} is no balance"):
        concentrations(WALLETS, [1.0, bad, 1.0], Moment(1, 2, 7))


def balance_rows():
    rows = [("2024-01-01T00:00:00Z", A, 5), ("2024-01-01T00:00:00Z", B, 3), ("2024-01-01T00:00:00Z", C, 2)]
    rows += [("2024-01-02T00:00:00Z", C, 12), ("2024-01-02T00:00:00Z", B, 3), ("2024-01-02T00:00:00Z", A, 5)]
    rows.append(("2024-01-02T00:00:00Z", "0x" + "d" * 40, 999))  # of no group
    return pd.DataFrame(rows, columns=["time", "address", "balance"])


def write(path, frame):
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.assign(time=pd.to_datetime(frame["time"])).to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_of_balances_give_the_figures_of_each_time(tmp_path, suffix):
    frame = balance_rows()
    frame["address"] = frame["address"].str.upper().str.replace("0X", "0x")

    found = read_balance_file(write(tmp_path / f"balances.{suffix}", frame), WALLETS)

    assert [str(each.instrument_id.symbol) for each in found] == ["ETH", "ETH-EXCHANGE", "ETH-WHALE"] * 2
    first, second = found[0], found[3]
    assert (first.total, first.top_share, first.block) == (10.0, 0.5, None)
    assert [first.herfindahl, first.gini] == pytest.approx([0.38, 0.2])
    assert [second.total, second.herfindahl, second.gini] == pytest.approx([20.0, 0.445, 0.3])
    day = pd.Timestamp("2024-01-02", tz="UTC").value
    assert (second.ts_event, second.ts_init) == (day, day + 90_000_000_000)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: frame.drop(index=4), f"no balance of {B} at 2024-01-02 00:00 .1 such"),
        (lambda frame: pd.concat([frame, frame[:1]]), f"row 7: {A} is there twice at 2024-01-01 00:00"),
        (
            lambda frame: frame.assign(balance=[None, *frame["balance"][1:]]),
            "row 0, column 'balance': the bal",
        ),
        (lambda frame: frame.assign(balance=["much", *frame["balance"][1:]]), "'much' is not a number"),
        (lambda frame: frame.drop(columns="address"), "has no column 'address'"),
        (lambda frame: frame.assign(time=frame["time"].str[:-1]), "times have no time zone"),
        (lambda frame: frame[:0], "has no row"),
    ],
)
def test_files_that_do_not_cover_the_set_are_refused(tmp_path, spoil, message):
    path = write(tmp_path / "balances.csv", spoil(balance_rows()))

    with pytest.raises(DataError, match=message):
        read_balance_file(path, WALLETS)
