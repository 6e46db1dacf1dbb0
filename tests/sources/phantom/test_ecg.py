"""The phantom's ECGs: laws between leads, and what physiology does to them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import wfdb  # type: ignore[import-untyped]
from scipy.stats import spearmanr
from wfdb.processing import xqrs_detect  # type: ignore[import-untyped]

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.ecg import electrocardiogram
from pipeline.sources.phantom.ecg_heart import sample_heart
from pipeline.sources.phantom.ecg_ids import record_path, record_time
from pipeline.sources.phantom.ecg_leads import LEADS
from pipeline.sources.phantom.mimic_ids import admission_time, subject_id
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.roster import cohort_studies
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.trees import mimic_iv_ecg

COHORT = list(cohort_studies(PhantomSource(kind="phantom", patients=150)))
SMALL = PhantomSource(kind="phantom", patients=4)

Leads = dict[str, npt.NDArray[np.float64]]


def leads(patient: Patient, study: Study) -> Leads:
    return dict(zip(LEADS, electrocardiogram(patient, study), strict=True))


@pytest.fixture(scope="module")
def signals() -> npt.NDArray[np.float64]:
    return np.stack([electrocardiogram(*pair) for pair in COHORT])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mimic_iv_ecg")
    mimic_iv_ecg.write_tree(root, SMALL)
    return root


def latent(name: str) -> list[float]:
    return [getattr(study.physiology, name) for _, study in COHORT]


@pytest.mark.parametrize("pair", COHORT[:5])
def test_einthoven_and_goldberger_hold(pair: tuple[Patient, Study]) -> None:
    lead = leads(*pair)
    exact = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(lead["II"], lead["I"] + lead["III"], **exact)
    np.testing.assert_allclose(lead["aVR"], -(lead["I"] + lead["II"]) / 2, **exact)
    np.testing.assert_allclose(lead["aVL"], lead["I"] - lead["II"] / 2, **exact)
    np.testing.assert_allclose(lead["aVF"], lead["II"] - lead["I"] / 2, **exact)


def test_voltages_are_those_of_hearts(signals: npt.NDArray[np.float64]) -> None:
    highest = np.abs(signals).max(axis=(1, 2))
    assert signals.shape[1:] == (12, 5000)
    assert highest.min() > 0.3
    assert highest.max() < 8


def test_a_detector_of_beats_finds_the_heart_rate(signals: npt.NDArray[np.float64]) -> None:
    for pair, record in list(zip(COHORT, signals, strict=True))[:20]:
        heart = sample_heart(*pair)
        largest = record[np.ptp(record, axis=1).argmax()]
        intervals = np.diff(xqrs_detect(largest, fs=500, verbose=False)) / 500
        if heart.fibrillates:
            assert intervals.std() > 0.08 * intervals.mean()
        else:
            assert 60 / np.median(intervals) == pytest.approx(heart.rate, rel=0.05)


def test_a_loaded_heart_raises_voltages_and_turns_the_axis(signals: npt.NDArray[np.float64]) -> None:
    lead = dict(zip(LEADS, signals.transpose(1, 0, 2), strict=True))
    sokolow = -lead["V1"].min(axis=1) + lead["V5"].max(axis=1)
    balance = lead["aVF"].max(axis=1) + lead["aVF"].min(axis=1)
    assert spearmanr(sokolow, latent("cardiac_load")).statistic > 0.4
    assert spearmanr(balance, latent("cardiac_load")).statistic < -0.4


def test_hearts_follow_the_latents_they_should() -> None:
    hearts = [sample_heart(*pair) for pair in COHORT]
    expected = [
        ("rate", "inflammation", 0.4),
        ("voltage", "cardiac_load", 0.3),
        ("repolarisation", "cardiac_load", -0.6),
        ("st_shift", "cardiac_load", -0.5),
        ("st_shift", "inflammation", -0.3),
        ("atrial_voltage", "obstruction", 0.6),
        ("atrial_axis", "obstruction", 0.6),
        ("fibrillates", "cardiac_load", 0.2),
    ]
    for quantity, name, least in expected:
        correlation = spearmanr([float(getattr(heart, quantity)) for heart in hearts], latent(name)).statistic
        assert correlation / least > 1, (quantity, name, correlation)


def test_physiology_can_be_read_from_the_signal(signals: npt.NDArray[np.float64]) -> None:
    quantiles = np.quantile(signals, [0.001, 0.01, 0.05, 0.25, 0.75, 0.95, 0.99, 0.999], axis=2)
    features = quantiles.transpose(1, 0, 2).reshape(len(signals), -1)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    load = np.array(latent("cardiac_load"))
    half = len(load) // 2
    weights = np.linalg.solve(
        features[:half].T @ features[:half] + 20 * np.eye(features.shape[1]), features[:half].T @ load[:half]
    )
    assert np.corrcoef(features[half:] @ weights, load[half:])[0, 1] > 0.6


def test_fibrillation_makes_beats_irregular() -> None:
    hearts = [sample_heart(*pair) for pair in COHORT]
    share = np.mean([heart.fibrillates for heart in hearts])
    assert 0.05 < share < 0.25
    assert min(heart.irregularity for heart in hearts if heart.fibrillates) > max(
        heart.irregularity for heart in hearts if not heart.fibrillates
    )


def test_an_ecg_belongs_to_the_study_and_to_nothing_else() -> None:
    patient, study = COHORT[0]
    np.testing.assert_array_equal(electrocardiogram(patient, study), electrocardiogram(patient, study))
    assert np.abs(electrocardiogram(*COHORT[1]) - electrocardiogram(*COHORT[2])).max() > 0.1


def test_an_ecg_is_taken_within_a_day_of_the_admission() -> None:
    for patient, study in COHORT:
        hours = (record_time(patient, study) - admission_time(patient, study)).total_seconds() / 3600
        assert -24 <= hours <= 24


def test_the_wfdb_package_reads_the_records(tree: Path) -> None:
    listed = pl.read_csv(tree / "record_list.csv", infer_schema=False)
    pairs = {record_path(*pair): pair for pair in cohort_studies(SMALL)}
    assert set(listed["path"]) == set(pairs)
    for path, subject, time in listed.select("path", "subject_id", "ecg_time").iter_rows():
        record = wfdb.rdrecord(str(tree / path), physical=False)
        patient, study = pairs[path]
        assert tuple(record.sig_name) == LEADS
        assert (record.fs, record.sig_len, record.fmt, record.units) == (500, 5000, ["16"] * 12, ["mV"] * 12)
        assert record.checksum == record.calc_checksum()
        assert record.init_value == record.d_signal[0].tolist()
        np.testing.assert_allclose(record.dac().T, electrocardiogram(patient, study), rtol=0, atol=0.0025 + 1e-9)
        assert (subject, time) == (str(subject_id(patient)), str(record.base_datetime))


def test_equal_sources_give_equal_bytes(tree: Path, tmp_path: Path) -> None:
    mimic_iv_ecg.write_tree(tmp_path / "again", SMALL.model_copy(update={"image_size": 64}))
    first, second = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tree, tmp_path / "again")
    )
    assert first == second
