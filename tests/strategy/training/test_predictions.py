from dataclasses import replace

import numpy as np
import pytest
from support.predictions import make_predictions

from oi_hedge_catalog.errors import DataError
from oi_hedge_strategy.training.predictions import FoldRecord, Predictions


@pytest.fixture(scope="module")
def predictions():
    return make_predictions(days=60)


@pytest.mark.parametrize("onsets", [True, False])
def test_what_is_written_is_read_back(tmp_path, onsets):
    written = make_predictions(days=30, onsets=onsets)
    path = written.write(tmp_path / "out" / "predictions.npz")
    found = Predictions.read(path)
    assert [each.name for each in path.parent.iterdir()] == ["predictions.npz"]
    assert (found.assets, found.horizons_hours) == (("ETH", "BTC"), (4, 18, 48))
    for name in ("ts", "asset", "fold", "cascade", "change"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name))
        assert getattr(found, name).dtype == getattr(written, name).dtype
    assert (found.onset_hours is not None) is onsets
    assert list(found.probability) == list(written.probability)
    for mapping in ("probability", "threshold"):
        for name, values in getattr(written, mapping).items():
            np.testing.assert_array_equal(getattr(found, mapping)[name], values)


def test_a_missing_a_broken_and_a_cut_off_file_are_named(tmp_path, predictions):
    with pytest.raises(DataError, match=r"none\.npz: no such file"):
        Predictions.read(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match=r"text\.npz: not a file of predictions"):
        Predictions.read(tmp_path / "text.npz")
    path = predictions.write(tmp_path / "cut.npz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"cut\.npz: not a file of predictions"):
        Predictions.read(path)
    np.savez(tmp_path / "other.npz", head=np.array('{"format_version": 99}'))
    with pytest.raises(DataError, match="expected version 1 of predictions, found 99"):
        Predictions.read(tmp_path / "other.npz")


def test_logits_in_place_of_probabilities_are_refused(predictions):
    logits = {"hybrid": np.full_like(predictions.probability["hybrid"], 2.5)}
    with pytest.raises(DataError, match=r"within \[0, 1\], found 2.5 to 2.5"):
        replace(predictions, probability=logits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ts": lambda p: p.ts[::-1].copy()}, "ascending"),
        ({"cascade": lambda p: p.cascade[:-1]}, r"cascade of shape \(960, 2, 3\)"),
        ({"assets": lambda p: ("ETH",)}, "asset 1 has no name"),
        ({"threshold": lambda p: {"hybrid": np.zeros((2, 2, 3), np.float32)}}, "folds 0 to 1, found 0 to 3"),
        ({"probability": lambda p: {}}, "at least one forecaster"),
    ],
)
def test_arrays_that_contradict_one_another_are_refused(predictions, change, message):
    with pytest.raises(DataError, match=message):
        replace(predictions, **{name: make(predictions) for name, make in change.items()})


@pytest.mark.parametrize(
    ("training", "test"),
    [
        (("2022-01-01T00:00:00", "2022-06-01T00:00:00"), ("2022-07-01T00:00:00", "2022-08-01T00:00:00")),
        (("2022-01-01T00:00:00Z", "2022-06-01T00:00:00Z"), ("2022-05-01T00:00:00Z", "2022-08-01T00:00:00Z")),
        (("2022-06-01T00:00:00Z", "2022-01-01T00:00:00Z"), ("2022-07-01T00:00:00Z", "2022-08-01T00:00:00Z")),
    ],
)
def test_windows_without_offset_or_out_of_order_are_refused(training, test):
    with pytest.raises(DataError, match="fold 2022-Q3, window t.*with an offset from UTC that ascend"):
        FoldRecord("2022-Q3", {"training": training, "test": test})
