"""The patient bootstrap: which patient is drawn how often in which resample."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.records.randomness import keyed_generator

CHUNK = 16  # resamples at a time: few enough that what is summed per class stays in the processor's cache


def patient_codes(patients: NDArray[np.generic]) -> tuple[NDArray[np.intp], int]:
    """Number the patients 0, 1, … in sorted order: the number of each image's patient [N], and how many."""
    distinct, codes = np.unique(patients, return_inverse=True)
    return codes.astype(np.intp), len(distinct)


def patient_counts(n_patients: int, resamples: range, seed: int) -> NDArray[np.uint8]:
    """Draw as many patients as there are, with replacement, once per resample: counts [P, R].

    Resample r depends on (seed, r, n_patients) alone, so any range of resamples can be drawn by itself.
    A count above 255 would need one patient in 256 draws of at least 256: its chance is below 1e-500.
    """
    counts = np.empty((n_patients, len(resamples)), np.uint8)
    for column, resample in enumerate(resamples):
        drawn = keyed_generator(seed, "bootstrap", resample).integers(n_patients, size=n_patients)
        counts[:, column] = np.bincount(drawn, minlength=n_patients)
    return counts


def chunked_patient_counts(n_patients: int, resamples: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the same counts as `patient_counts`, [P, up to `CHUNK` resamples] at a time."""
    for start in range(0, resamples, CHUNK):
        yield patient_counts(n_patients, range(start, min(start + CHUNK, resamples)), seed)


def patient_weights(patients: NDArray[np.generic], resamples: int, seed: int) -> NDArray[np.uint8]:
    """Return how often each image takes part in each resample: weights [R, N], one byte each.

    All images of a patient are drawn together: the patient is the unit of independence.
    """
    codes, n_patients = patient_codes(patients)
    return np.take(patient_counts(n_patients, range(resamples), seed).T, codes, axis=1)
