"""Latent patients and their studies."""

import numpy as np
import pytest

from pipeline.sources.phantom.patient import Patient, sample_patient
from pipeline.sources.phantom.risk import RISKS, Finding
from pipeline.sources.phantom.study import Study, sample_studies


@pytest.fixture(scope="module")
def cohort() -> list[tuple[Patient, tuple[Study, ...]]]:
    patients = [sample_patient(0, number) for number in range(1, 801)]
    return [(patient, sample_studies(patient)) for patient in patients]


@pytest.fixture(scope="module")
def studies(cohort: list[tuple[Patient, tuple[Study, ...]]]) -> list[Study]:
    return [study for _, visits in cohort for study in visits]


@pytest.mark.parametrize("finding", list(Finding))
def test_findings_are_as_frequent_as_stated(studies: list[Study], finding: Finding) -> None:
    share = np.mean([study.has(finding) for study in studies])
    # Studies of one patient are correlated: allow three standard errors of independent patients.
    expected = RISKS[finding].prevalence
    assert abs(share - expected) < 3 * np.sqrt(expected * (1 - expected) / 800)


def test_every_prevalence_lies_between_8_and_35_percent() -> None:
    assert all(0.08 <= risk.prevalence <= 0.35 for risk in RISKS.values())


def test_latents_are_standard_normal_and_congestion_follows_load(studies: list[Study]) -> None:
    load = np.array([study.physiology.cardiac_load for study in studies])
    fluid = np.array([study.physiology.fluid for study in studies])
    for latent in (load, fluid):
        assert abs(latent.mean()) < 0.12
        assert abs(latent.std() - 1) < 0.1
    assert 0.4 < np.corrcoef(load, fluid)[0, 1] < 0.6


@pytest.mark.parametrize(
    ("finding", "latent"),
    [
        (Finding.CARDIOMEGALY, "cardiac_load"),
        (Finding.PLEURAL_EFFUSION, "cardiac_load"),
        (Finding.PLEURAL_EFFUSION, "fluid"),
        (Finding.CONSOLIDATION, "inflammation"),
    ],
)
def test_findings_follow_their_latents(studies: list[Study], finding: Finding, latent: str) -> None:
    values = np.array([getattr(study.physiology, latent) for study in studies])
    present = np.array([study.has(finding) for study in studies])
    assert values[present].mean() > values[~present].mean() + 0.5


def test_patients_have_one_to_three_numbered_studies(
    cohort: list[tuple[Patient, tuple[Study, ...]]],
) -> None:
    assert {len(visits) for _, visits in cohort} == {1, 2, 3}
    assert all([study.number for study in visits] == list(range(1, len(visits) + 1)) for _, visits in cohort)


def test_latents_vary_slowly_between_studies(cohort: list[tuple[Patient, tuple[Study, ...]]]) -> None:
    pairs = [(visits[0], visits[1]) for _, visits in cohort if len(visits) > 1]
    first, second = (np.array([pair[i].physiology.inflammation for pair in pairs]) for i in (0, 1))
    assert 0.8 < np.corrcoef(first, second)[0, 1] < 0.97


def test_sicker_patients_are_examined_at_the_bedside(studies: list[Study]) -> None:
    fluid = {view: np.mean([s.physiology.fluid for s in studies if s.view == view]) for view in ("AP", "PA")}
    assert fluid["AP"] > fluid["PA"] + 0.3


def test_a_patient_does_not_depend_on_anything_but_seed_and_number() -> None:
    assert sample_patient(5, 17) == sample_patient(5, 17)
    assert sample_patient(5, 17) != sample_patient(6, 17)
    assert sample_studies(sample_patient(5, 17)) == sample_studies(sample_patient(5, 17))


def test_ages_are_adult(cohort: list[tuple[Patient, tuple[Study, ...]]]) -> None:
    assert all(18 <= study.age <= 95 for _, visits in cohort for study in visits)
