"""The latent physiology: what image, ECG and laboratory values of a phantom patient have in common."""

import math
from dataclasses import dataclass

from pipeline.records.randomness import keyed_generator

AGE_LOAD_CORRELATION = 0.3
"""Correlation of age and cardiac load."""

FLUID_LOAD_CORRELATION = 0.5
"""Correlation of cardiac load and fluid balance: congestion follows failure, but not only failure."""

STUDY_PERSISTENCE = 0.9
"""Correlation of a latent between one study of a patient and the next."""


@dataclass(frozen=True, slots=True)
class Physiology:
    """Hold the state of a patient at one study; every latent is standard normal in the population."""

    cardiac_load: float
    """Filling pressure and size of the heart; strong in ECG and laboratory values, faint in the image."""
    fluid: float
    """Fluid balance; high is overload. Correlates with `cardiac_load`."""
    inflammation: float
    """Acute inflammation; high is septic."""
    obstruction: float
    """Chronic airway obstruction; high is hyperinflated."""


def sample_physiology(seed: int, patient: int, study: int, age_score: float) -> Physiology:
    """Return the latents at study 1, 2, ...: a stationary first-order process per latent.

    `age_score` is the patient's age in standard deviations from the mean age.
    """
    load = _latent(seed, "cardiac_load", patient, study)
    load = AGE_LOAD_CORRELATION * age_score + math.sqrt(1 - AGE_LOAD_CORRELATION**2) * load
    fluid = _latent(seed, "fluid", patient, study)
    return Physiology(
        cardiac_load=load,
        fluid=FLUID_LOAD_CORRELATION * load + math.sqrt(1 - FLUID_LOAD_CORRELATION**2) * fluid,
        inflammation=_latent(seed, "inflammation", patient, study),
        obstruction=_latent(seed, "obstruction", patient, study),
    )


def _latent(seed: int, purpose: str, patient: int, study: int) -> float:
    """Walk the process from study 1, so that a study never depends on how many there are."""
    value, *changes = keyed_generator(seed, purpose, patient).standard_normal(study).tolist()
    for change in changes:
        value = STUDY_PERSISTENCE * value + math.sqrt(1 - STUDY_PERSISTENCE**2) * change
    return float(value)
