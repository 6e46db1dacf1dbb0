"""WFDB records, against the wfdb package on real and on written ones."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import wfdb  # type: ignore[import-untyped]

from pipeline.records.errors import UserError
from pipeline.settings.ecg import ECGFOUNDER_LEADS, EcgReadingSettings
from pipeline.sources.ecg.record import read_record

ALL = EcgReadingSettings()
ON_TRUST = EcgReadingSettings(verify_checksums=False)


def write_record(
    folder: Path, signals: npt.NDArray[np.float64], leads: list[str], kind: str = "16", gain: float = 1000.0
) -> Path:
    """Write [leads, samples] with the wfdb package."""
    count = len(leads)
    wfdb.wrsamp(
        "made",
        fs=500,
        units=["mV"] * count,
        sig_name=leads,
        p_signal=signals.T,
        fmt=[kind] * count,
        adc_gain=[gain] * count,
        baseline=[-7] * count,
        write_dir=str(folder),
    )
    return folder / "made"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    signals = np.round(np.random.default_rng(0).normal(size=(3, 500)), 3)
    return write_record(tmp_path, signals, ["I", "aVF", "aVL"])


@pytest.mark.parametrize("folder", ["records", "as_dat"])
@pytest.mark.parametrize("origin", ["JS", "E", "HR"])
def test_real_records_equal_what_wfdb_reads(real_data: Path, folder: str, origin: str) -> None:
    headers = sorted((real_data / "ecg_cinc2021" / folder).glob(f"{origin}[0-9]*.hea"))
    assert headers
    for header in headers:
        read = read_record(header.with_suffix(""), ALL)
        oracle = wfdb.rdrecord(str(header.with_suffix("")))
        places = [oracle.sig_name.index(lead) for lead in ECGFOUNDER_LEADS]
        assert read.signals.dtype == np.float32
        assert read.frequency == oracle.fs
        np.testing.assert_allclose(read.signals, oracle.p_signal[:, places].T, rtol=0, atol=1e-6)


def test_the_real_records_are_many(real_data: Path) -> None:
    counts = {
        folder: len(list((real_data / "ecg_cinc2021" / folder).glob("*.hea"))) for folder in ("records", "as_dat")
    }
    assert counts == {"records": 50, "as_dat": 50}


def test_leads_come_by_name_in_the_order_asked_for(record: Path) -> None:
    swapped = read_record(record, EcgReadingSettings(leads=("aVL", "I")))
    oracle = wfdb.rdrecord(str(record)).p_signal.T
    assert swapped.leads == ("aVL", "I")
    np.testing.assert_allclose(swapped.signals, oracle[[2, 0]], rtol=0, atol=1e-6)


def test_a_missing_sample_is_not_a_number_and_nothing_else_is(tmp_path: Path) -> None:
    signals = np.zeros((1, 100))
    signals[0, 40] = np.nan
    read = read_record(write_record(tmp_path, signals, ["I"]), EcgReadingSettings(leads=("I",)))
    assert np.flatnonzero(np.isnan(read.signals)).tolist() == [40]


@pytest.mark.parametrize("kind", ["80", "212", "24", "32"])
def test_other_formats_are_read_by_the_wfdb_package(tmp_path: Path, kind: str) -> None:
    signals = np.round(np.random.default_rng(1).normal(scale=0.02, size=(2, 300)), 3)
    record = write_record(tmp_path, signals, ["I", "II"], kind)
    read = read_record(record, EcgReadingSettings(leads=("II", "I")))
    np.testing.assert_allclose(read.signals, signals[::-1], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("unit", "scale"), [("uV", 1e-3), ("V", 1e3), ("mv", 1.0)])
def test_other_units_become_millivolts(record: Path, unit: str, scale: float) -> None:
    settings = EcgReadingSettings(leads=("I",))
    millivolts = read_record(record, settings).signals
    header = record.with_name("made.hea")
    header.write_text(header.read_text().replace("/mV", f"/{unit}"))
    np.testing.assert_allclose(read_record(record, settings).signals, millivolts * scale, rtol=1e-6)


def test_a_unit_that_is_no_voltage_is_refused(record: Path) -> None:
    header = record.with_name("made.hea")
    header.write_text(header.read_text().replace("/mV", "/mmHg"))
    with pytest.raises(UserError, match=r"made is in 'mmHg', which is no voltage"):
        read_record(record, EcgReadingSettings(leads=("I",)))


def test_a_header_without_gains_and_length_means_the_defaults_of_wfdb(record: Path) -> None:
    record.with_name("made.hea").write_text("made 3 500\n" + "made.dat 16\n" * 3)
    oracle = wfdb.rdrecord(str(record)).p_signal.T
    header = record.with_name("made.hea")
    header.write_text("made 3 500\n" + "".join(f"made.dat 16 0 16 0 0 0 0 {lead}\n" for lead in ("I", "II", "III")))
    read = read_record(record, EcgReadingSettings(leads=("I", "II", "III"), verify_checksums=False))
    np.testing.assert_allclose(read.signals, oracle, rtol=0, atol=1e-6)


def test_a_flipped_bit_is_found_by_the_checksum_where_it_is_verified(record: Path) -> None:
    samples = record.with_name("made.dat")
    raw = bytearray(samples.read_bytes())
    raw[2] ^= 1
    samples.write_bytes(raw)
    leads = ("I", "aVF")
    with pytest.raises(UserError, match=r"lead 'aVF' has not the checksum of its header"):
        read_record(record, EcgReadingSettings(leads=leads))
    assert read_record(record, EcgReadingSettings(leads=leads, verify_checksums=False)).signals.shape == (2, 500)
    assert read_record(record, EcgReadingSettings(leads=("I",))).signals.shape == (1, 500)


@pytest.mark.parametrize("change", [-6, -1, 6])
def test_samples_of_another_length_than_the_header_says_are_refused(record: Path, change: int) -> None:
    samples = record.with_name("made.dat")
    raw = samples.read_bytes()
    samples.write_bytes(raw[:change] if change < 0 else raw + bytes(change))
    with pytest.raises(UserError, match=rf"made\.dat holds {3000 + change} bytes .* states 3000; restore the record"):
        read_record(record, EcgReadingSettings(leads=("I",)))


def test_a_lead_that_is_absent_or_there_twice_is_refused(record: Path) -> None:
    with pytest.raises(UserError, match=r"has 0 leads 'V1' where one is needed; its leads are I, aVF, aVL"):
        read_record(record, ALL.model_copy(update={"leads": ("I", "V1")}))
    header = record.with_name("made.hea")
    header.write_text(header.read_text().replace("aVF", "I"))
    with pytest.raises(UserError, match=r"has 2 leads 'I'"):
        read_record(record, EcgReadingSettings(leads=("I",)))


@pytest.mark.parametrize("ending", ["hea", "dat"])
def test_an_absent_file_is_named(record: Path, ending: str) -> None:
    record.with_name(f"made.{ending}").unlink()
    with pytest.raises(UserError, match=rf"made\.{ending} does not exist"):
        read_record(record, EcgReadingSettings(leads=("I",)))


def test_a_header_that_is_none_is_refused(record: Path) -> None:
    record.with_name("made.hea").write_text("<html>please log in</html>\n")
    with pytest.raises(UserError, match=r"made is not a readable WFDB record"):
        read_record(record, ALL)


def test_reading_plain_records_does_not_import_wfdb(real_data: Path, tmp_path: Path) -> None:
    for ending in ("hea", "dat"):
        shutil.copy(real_data / "ecg_cinc2021" / "as_dat" / f"E07513.{ending}", tmp_path)
    program = (
        "import sys; from pathlib import Path; from pipeline.sources.ecg.record import read_record;"
        "from pipeline.settings.ecg import EcgReadingSettings;"
        f"read_record(Path({str(tmp_path / 'E07513')!r}), EcgReadingSettings()); print('wfdb' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
