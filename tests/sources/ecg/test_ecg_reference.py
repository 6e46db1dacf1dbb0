"""ECGs as a manifest names them."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.records.errors import UserError
from pipeline.settings.ecg import EcgReadingSettings
from pipeline.sources.ecg.record import read_record
from pipeline.sources.ecg.reference import MIMIC_LEADS, read_ecg


@pytest.fixture
def array(tmp_path: Path) -> np.ndarray:
    values = np.random.default_rng(0).uniform(-1, 1, (3, 1, 50, 12)).astype(np.float32)
    (tmp_path / "data_npy").mkdir()
    np.save(tmp_path / "data_npy" / "ecg.npy", values)
    return values


def test_a_row_of_an_array_comes_with_the_leads_asked_for(array: np.ndarray, tmp_path: Path) -> None:
    read = read_ecg(tmp_path, "data_npy/ecg.npy#2", EcgReadingSettings())
    for lead, signal in zip(read.leads, read.signals, strict=True):
        np.testing.assert_array_equal(signal, array[2, 0, :, MIMIC_LEADS.index(lead)])
    assert read.signals.shape == (12, 50)


@pytest.mark.parametrize("row", [3, 10])
def test_a_row_beyond_the_array_is_refused(array: np.ndarray, tmp_path: Path, row: int) -> None:
    with pytest.raises(UserError, match=rf"shape \(3, 1, 50, 12\) and so no row {row}"):
        read_ecg(tmp_path, f"data_npy/ecg.npy#{row}", EcgReadingSettings())


def test_an_array_that_is_absent_or_no_array_is_refused(array: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "page.npy").write_text("<html>")
    for name in ("none.npy", "page.npy"):
        with pytest.raises(UserError, match=rf"{name} is not a readable array"):
            read_ecg(tmp_path, f"{name}#0", EcgReadingSettings())


def test_an_array_has_no_other_leads(array: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no lead 'V9'"):
        read_ecg(tmp_path, "data_npy/ecg.npy#0", EcgReadingSettings(leads=("I", "V9")))


def test_a_record_is_read_as_such(real_data: Path) -> None:
    settings = EcgReadingSettings()
    root = real_data / "ecg_cinc2021"
    named, read = read_ecg(root, "as_dat/E07513", settings), read_record(root / "as_dat" / "E07513", settings)
    np.testing.assert_array_equal(named.signals, read.signals)
