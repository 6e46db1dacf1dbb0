"""The patient bootstrap draws whole patients, the same way each time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.resampling import chunked_patient_counts, patient_counts, patient_weights

FIRST_WEIGHTS = [1, 0, 2, 1, 2, 0, 2, 0, 2, 1, 0, 1]
"""Written down once: if another numpy draws other resamples, published intervals change."""


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(0, 2**63))
def test_images_of_a_patient_are_drawn_together_and_as_many_patients_as_there_are(drawn: list[int], seed: int) -> None:
    patients = np.array(drawn)
    weights = patient_weights(patients, 5, seed)
    distinct, first = np.unique(patients, return_index=True)
    assert np.array_equal(weights[:, first].sum(axis=1), np.full(5, len(distinct)))
    for patient, image in zip(distinct, first, strict=True):
        assert (weights[:, patients == patient] == weights[:, [image]]).all()


def test_weights_do_not_depend_on_what_a_patient_is_called_or_how_resamples_are_chunked() -> None:
    patients = np.array([3, 1, 1, 7, 3])
    names = np.array(["c", "a", "a", "g", "c"])
    assert np.array_equal(patient_weights(patients, 150, 4), patient_weights(names, 150, 4))
    whole = patient_counts(3, range(150), 4)
    assert np.array_equal(np.concatenate(list(chunked_patient_counts(3, 150, 4)), axis=1), whole)
    assert np.array_equal(patient_counts(3, range(140, 150), 4), whole[:, 140:])


def test_a_seed_names_one_set_of_resamples_and_another_seed_another() -> None:
    patients = np.arange(50)
    weights = patient_weights(patients, 20, 0)
    assert np.array_equal(weights, patient_weights(patients, 20, 0))
    assert not np.array_equal(weights, patient_weights(patients, 20, 1))
    assert len(np.unique(weights, axis=0)) == 20
    assert weights[0, :12].tolist() == FIRST_WEIGHTS


def test_counts_have_the_moments_of_the_multinomial_distribution() -> None:
    patients, resamples = 20, 4000
    counts = patient_counts(patients, range(resamples), 0).astype(float)
    covariance = np.cov(counts)
    off_diagonal = covariance[~np.eye(patients, dtype=bool)]
    assert np.abs(counts.mean(axis=1) - 1).max() < 5 * np.sqrt(0.95 / resamples)
    assert np.abs(np.diag(covariance) - 0.95).max() < 0.15
    assert abs(off_diagonal.mean() + 1 / patients) < 0.005


def test_one_hundred_thousand_images_stay_one_byte_each() -> None:
    patients = np.arange(112_120) // 4
    weights = patient_weights(patients, 10, 0)
    assert weights.dtype == np.uint8
    assert weights.shape == (10, 112_120)
