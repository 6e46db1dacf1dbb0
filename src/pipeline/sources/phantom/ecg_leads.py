"""From the heart's dipole to electrodes, and from electrodes to leads."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
"""The leads in the order of MIMIC-IV-ECG."""

_DOWER = np.array(
    [
        (0.632, -0.235, 0.059),  # I
        (0.235, 1.066, -0.132),  # II
        (-0.515, 0.157, -0.917),  # V1
        (0.044, 0.164, -1.387),
        (0.882, 0.098, -1.277),
        (1.213, 0.127, -0.601),
        (1.125, 0.127, -0.086),
        (0.831, 0.076, 0.230),  # V6
    ]
)
"""Dower's lead vectors: left, feet, back (Dower et al. 1980, Clin Cardiol 3:87)."""


def electrode_vectors() -> Floats:
    """Return [9, 3] vectors of right arm, left arm, left leg and V1 to V6, against the mean of the three limbs.

    A potential is the dipole (left, feet, back) times the vector. The limbs follow from leads I and II: their
    potentials add up to nothing.
    """
    first, second = _DOWER[0], _DOWER[1]
    limbs = np.stack([-first - second, 2 * first - second, 2 * second - first]) / 3
    return np.concatenate([limbs, _DOWER[2:]])


def to_leads(potentials: Floats) -> Floats:
    """Return the twelve leads, [12, samples], from the potentials of the nine electrodes, [9, samples].

    By Einthoven, Goldberger and Wilson, so that II = I + III and aVR = -(I + II) / 2 whatever the potentials.
    """
    right, left, leg = potentials[:3]
    one, two = left - right, leg - right
    augmented = (-(one + two) / 2, two - one / 2, one - two / 2)
    return np.stack([one, two, two - one, *augmented, *(potentials[3:] - (right + left + leg) / 3)])
