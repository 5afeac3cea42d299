"""Which stretch of a catalog a scenario runs on, and with which model."""

from pathlib import Path

import numpy as np
import pytest
from nautilus_trader.model.data import BarType
from support.models import FOREVER, tiny_card

from oi_hedge_catalog.errors import CatalogError
from oi_hedge_catalog.instruments import InstrumentSpec, build_instrument
from oi_hedge_catalog.series import BarSeries
from oi_hedge_catalog.store import open_catalog, write_info
from oi_hedge_catalog.writer import plan_append, write, write_instrument
from oi_hedge_strategy.backtest.settings import BacktestSettings
from oi_hedge_strategy.scenarios.definitions import Scenario
from oi_hedge_strategy.scenarios.shock import Shock
from oi_hedge_strategy.scenarios.windows import Models, calmest_window, recorded_window

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
START = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z
DAYS = 12
SETTINGS = BacktestSettings()
EVENT = Scenario("event", "Event", "It falls.", "a test", Shock(), "2024-01-04T00:00:00+00:00", 48)


def bars(name, swing, kept):
    """Return hourly bars that swing by a share of the price, by day."""
    ts = START + np.arange(1, DAYS * 24 + 1) * HOUR
    width = np.repeat(swing, 24)
    flat = np.full(ts.size, 1000.0)
    series = BarSeries(
        ts_event=ts,
        ts_init=ts,
        bar_type=BarType.from_str(f"{name}-1-HOUR-LAST-EXTERNAL"),
        price_precision=2,
        size_precision=3,
        open=flat,
        high=flat * (1.0 + width),
        low=flat * (1.0 - width),
        close=flat,
        volume=flat,
    )
    return series.take(kept)


def catalog(directory, swing=(0.05,) * DAYS, missing=(), simulated=False):
    opened = open_catalog(directory / "catalog", create=True)
    write_info(opened, {"simulated": simulated, "description": ""})
    kept = ~np.isin(np.arange(DAYS * 24), missing)
    for name, market in ((SETTINGS.hedge_instrument, "perp"), (SETTINGS.exposure_instrument, "spot")):
        spec = InstrumentSpec(
            id=str(name), market=market, base="ETH", quote="USDT", price_precision=2, size_precision=3,
            maker_fee="0", taker_fee="0",
        )  # fmt: skip
        write_instrument(opened, build_instrument(spec))
        write(opened, plan_append(opened, bars(name, swing, kept)))
    return opened


def models(start=0, end=FOREVER):
    return Models(Path("model.onnx"), tiny_card(trained_until=start, expires=end))


def calm(*days):
    return tuple(0.001 if day in days else 0.05 for day in range(DAYS))


def day_of(window):
    return (window[0] - START) // DAY


def test_the_calmest_stretch_is_taken_and_of_equal_ones_the_first(tmp_path):
    opened = catalog(tmp_path, calm(4, 5, 9, 10))
    window = calmest_window(opened, SETTINGS, models(), 48)
    assert (day_of(window), window[1] - window[0]) == (4, 2 * DAY)


def test_a_stretch_with_a_missing_bar_is_passed_over(tmp_path):
    opened = catalog(tmp_path, calm(4, 5, 9, 10), missing=(5 * 24 + 7,))
    assert day_of(calmest_window(opened, SETTINGS, models(), 48)) == 9


def test_a_model_must_be_valid_in_the_stretch(tmp_path):
    opened = catalog(tmp_path, calm(4, 5, 9, 10))
    assert day_of(calmest_window(opened, SETTINGS, models(start=START + 5 * DAY), 48)) == 9
    with pytest.raises(CatalogError, match="no stretch of 48 hours from 2024-01-12 to 2024-01-13"):
        calmest_window(opened, SETTINGS, models(start=START + 11 * DAY), 48)


def test_the_look_back_before_the_stretch_must_be_filled(tmp_path):
    opened = catalog(tmp_path, calm(0, 1, 6, 7))
    assert day_of(calmest_window(opened, SETTINGS, models(), 48)) == 6


def test_a_recorded_event_begins_a_day_before_its_onset(tmp_path):
    window = recorded_window(catalog(tmp_path), SETTINGS, models().card, EVENT)
    assert window == (START + 2 * DAY, START + 5 * DAY)


def test_a_few_missing_bars_are_part_of_the_record(tmp_path):
    opened = catalog(tmp_path, missing=range(60, 66))
    assert recorded_window(opened, SETTINGS, models().card, EVENT) is not None


@pytest.mark.parametrize(
    "values",
    [{"simulated": True}, {"missing": range(60, 90)}, {"missing": range(48)}],
    ids=["a simulated market", "a gap in the event", "no look-back"],
)
def test_what_was_not_recorded_is_replayed(tmp_path, values):
    assert recorded_window(catalog(tmp_path, **values), SETTINGS, models().card, EVENT) is None


def test_a_scenario_without_a_date_is_replayed(tmp_path):
    undated = Scenario("undated", "Undated", "It falls.", "a test", Shock())
    assert recorded_window(catalog(tmp_path), SETTINGS, models().card, undated) is None
