"""Smaller training sets: shares of patients, each nested in the larger ones."""

import numpy as np
from numpy.typing import NDArray

from pipeline.records.digests import unit_hash


def patients_within(patients: list[str], fraction: float, seed: int) -> NDArray[np.bool_]:
    """Return, per image, whether its patient is in the share; a patient of 1 % is also in the 10 %."""
    return np.array([unit_hash(f"fraction:{seed}:{patient}") < fraction for patient in patients])
