"""What an image, an ECG and laboratory values tell of the latent physiology, over a population."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.sources.phantom.ecg import electrocardiogram
from pipeline.sources.phantom.labs import complete_labs
from pipeline.sources.phantom.patient import Patient, sample_patient
from pipeline.sources.phantom.radiograph import render
from pipeline.sources.phantom.study import Study, sample_studies

PATIENTS = 500


@pytest.fixture(scope="module")
def first_studies() -> list[tuple[Patient, Study]]:
    patients = [sample_patient(0, number) for number in range(1, PATIENTS + 1)]
    return [(patient, sample_studies(patient)[0]) for patient in patients]


def explained(features: list[NDArray[np.float64]], target: list[float]) -> float:
    """Return the share of the target's variance that a ridge regression explains in the second half."""
    half = len(target) // 2
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13)))
    return float(model.fit(features[:half], target[:half]).score(features[half:], target[half:]))


def waves(patient: Patient, study: Study) -> NDArray[np.float64]:
    leads = np.asarray(electrocardiogram(patient, study), np.float64)
    leads = leads if leads.shape[0] == 12 else leads.T
    edges = np.percentile(leads, [1, 99], axis=1).ravel()
    return np.concatenate([leads.std(axis=1), np.ptp(leads, axis=1), edges, (leads**3).mean(axis=1)])


def pixels(patient: Patient, study: Study) -> NDArray[np.float64]:
    film = render(patient, study, "frontal", (64, 64)).image
    return np.asarray(cv2.resize(film, (24, 24), interpolation=cv2.INTER_AREA), np.float64).ravel()


def test_cardiac_load_is_strong_in_ecg_and_laboratory_values_and_faint_in_the_image(
    first_studies: list[tuple[Patient, Study]],
) -> None:
    load = [study.physiology.cardiac_load for _, study in first_studies]
    values = [np.log(np.maximum(list(complete_labs(*case).values()), 1e-3)) for case in first_studies]
    assert explained(values, load) > 0.55
    assert explained([waves(*case) for case in first_studies], load) > 0.65
    assert 0.05 < explained([pixels(*case) for case in first_studies], load) < 0.35
