"""ECGFounder's preprocessing, against a plain loop over leads with scipy."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, filtfilt, iirnotch, medfilt

from pipeline.records.errors import UserError
from pipeline.settings.ecg import ECGFOUNDER_LEADS, EcgPreprocessingSettings, EcgReadingSettings
from pipeline.sources.ecg.preprocessing import preprocess, running_median, usable
from pipeline.sources.ecg.record import read_record

SETTINGS = EcgPreprocessingSettings()
SHORT = EcgPreprocessingSettings(leads=("I", "II", "III"))

Doubles = npt.NDArray[np.float64]


def by_definition(record: Doubles, notch: float = 50.0) -> Doubles:
    """Prepare [leads, samples] lead by lead, as the definition reads."""
    prepared = []
    for lead in record:
        filtered = filtfilt(*iirnotch(notch, 30, 500), lead)
        filtered = filtfilt(*butter(4, [0.67, 40], "bandpass", fs=500), filtered)
        prepared.append(filtered - medfilt(filtered, 201))
    whole = np.stack(prepared)
    result: Doubles = (whole - whole.mean()) / (whole.std() + 1e-8)
    return result


def walk(records: int = 2, leads: int = 3, samples: int = 1200) -> Doubles:
    return np.cumsum(np.random.default_rng(0).normal(size=(records, leads, samples)), axis=-1)


def test_real_records_come_out_as_the_definition_says(real_data: Path) -> None:
    paths = sorted((real_data / "ecg_cinc2021" / "as_dat").glob("*.hea"))[::8]
    records = np.stack([read_record(path.with_suffix(""), EcgReadingSettings()).signals for path in paths])
    prepared = preprocess(records, ECGFOUNDER_LEADS, 500.0, SETTINGS)
    assert prepared.dtype == np.float32
    for record, ours in zip(records, prepared, strict=True):
        np.testing.assert_allclose(ours, by_definition(record.astype(np.float64)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("notch", [50.0, 60.0])
def test_the_notch_is_a_setting(notch: float) -> None:
    records = walk()
    prepared = preprocess(records, SHORT.leads, 500.0, SHORT.model_copy(update={"notch": notch}))
    for record, ours in zip(records, prepared, strict=True):
        np.testing.assert_allclose(ours, by_definition(record, notch), rtol=0, atol=1e-4)


def test_the_notch_takes_the_hum_out() -> None:
    seconds = np.arange(5000) / 500
    beats = np.tile(np.exp(-(((seconds % 1 - 0.5) / 0.02) ** 2)), (1, 3, 1))
    hum = 0.3 * np.sin(2 * np.pi * 60 * seconds)
    at_60 = SHORT.model_copy(update={"notch": 60.0, "band": (0.67, 100.0)})
    clean, hummed = (preprocess(record, SHORT.leads, 500.0, at_60) for record in (beats, beats + hum))
    assert np.abs(clean - hummed)[..., 500:-500].max() < 0.02


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.01, 100.0), shift=st.floats(-50.0, 50.0))
def test_an_affine_change_of_a_record_changes_nothing(scale: float, shift: float) -> None:
    records = walk()
    prepared = preprocess(records, SHORT.leads, 500.0, SHORT)
    changed = preprocess(records * scale + shift, SHORT.leads, 500.0, SHORT)
    np.testing.assert_allclose(changed, prepared, rtol=0, atol=2e-4)


def test_the_order_of_leads_matters_and_is_asserted() -> None:
    records = walk()
    swapped = records[:, [0, 2, 1]]
    prepared, other = (preprocess(both, SHORT.leads, 500.0, SHORT) for both in (records, swapped))
    assert np.abs(prepared - other).max() > 0.1
    np.testing.assert_allclose(prepared[:, [0, 2, 1]], other, atol=1e-5)
    with pytest.raises(UserError, match="come as I, III, II; the encoder needs I, II, III"):
        preprocess(swapped, ("I", "III", "II"), 500.0, SHORT)


def test_records_do_not_touch_each_other() -> None:
    records = walk(3)
    together = preprocess(records, SHORT.leads, 500.0, SHORT)
    for record, among in zip(records, together, strict=True):
        np.testing.assert_array_equal(preprocess(record[None], SHORT.leads, 500.0, SHORT)[0], among)


def test_one_mean_and_deviation_hold_for_all_leads_together() -> None:
    records = walk() * np.array([[1.0], [5.0], [20.0]])
    prepared = preprocess(records, SHORT.leads, 500.0, SHORT)
    np.testing.assert_allclose(prepared.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(prepared.std(axis=(1, 2)), 1, atol=1e-5)
    assert prepared[0, 2].std() > 10 * prepared[0, 0].std()


def test_another_frequency_is_refused() -> None:
    with pytest.raises(UserError, match="have 250 samples per second; the encoder needs 500"):
        preprocess(walk(), SHORT.leads, 250.0, SHORT)


@pytest.mark.parametrize("spoil", [np.nan, 0.0])
def test_records_that_lack_samples_or_are_zero_are_named(spoil: float) -> None:
    records = walk(3)
    records[1, :, 5 if np.isnan(spoil) else slice(None)] = spoil
    assert usable(records).tolist() == [True, False, True]
    with pytest.raises(UserError, match="ECG record 1 of 3 lacks samples or is zero throughout"):
        preprocess(records, SHORT.leads, 500.0, SHORT)


@settings(max_examples=30, deadline=None)
@given(
    signals=st.lists(st.integers(-9, 9), min_size=1, max_size=60),
    half=st.integers(0, 20),
)
def test_the_running_median_is_that_of_scipy_row_by_row(signals: list[int], half: int) -> None:
    window = 2 * min(half, (len(signals) - 1) // 2) + 1
    rows = np.stack([np.array(signals, float), -3.0 * np.array(signals, float)[::-1]])
    oracle = np.stack([medfilt(row, window) for row in rows])
    np.testing.assert_array_equal(running_median(rows, window), oracle)
