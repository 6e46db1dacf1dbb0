"""The latent patient: who someone is, whatever the corpus and the study."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.risk import Finding

Sex = Literal["F", "M"]

MEAN_AGE, AGE_DEVIATION = 58.0, 17.0
"""Years; about the ages in CheXpert."""


@dataclass(frozen=True, slots=True)
class Person:
    """Hold age, sex and body size."""

    age: float
    """Years at the first study, 18 to 93."""
    sex: Sex
    """F or M."""
    stature: float
    """Linear size relative to an adult of mean height, about 0.85 to 1.15."""
    wall: float
    """Thickness of the soft tissue over the ribs, millimetres, 8 to 60."""

    @property
    def age_score(self) -> float:
        """Return the age in standard deviations from the mean."""
        return (self.age - MEAN_AGE) / AGE_DEVIATION


@dataclass(frozen=True, slots=True)
class Patient:
    """Hold one phantom patient: everything that does not change between studies."""

    seed: int
    """Seed of the generative model."""
    number: int
    """Number of the patient, from 1."""
    person: Person
    """Age, sex and body size."""
    susceptibility: Mapping[Finding, float]
    """Standard normal liability for each finding that stays with the patient."""


def sample_patient(seed: int, number: int) -> Patient:
    """Return patient `number`: a function of (seed, number), so a number is one person in every corpus."""
    draws = keyed_generator(seed, "susceptibility", number).standard_normal(len(Finding))
    susceptibility = dict(zip(Finding, draws.tolist(), strict=True))
    return Patient(seed, number, _sample_person(seed, number), susceptibility)


def _sample_person(seed: int, number: int) -> Person:
    draw = keyed_generator(seed, "person", number)
    age_score, height, fat = draw.standard_normal(3).tolist()
    sex: Sex = "M" if draw.random() < 0.55 else "F"
    return Person(
        age=min(max(MEAN_AGE + AGE_DEVIATION * age_score, 18.0), 93.0),
        sex=sex,
        stature=(1.02 if sex == "M" else 0.94) * (1 + 0.04 * min(max(height, -2.5), 2.5)),
        wall=min(max(22.0 * 1.5**fat, 8.0), 60.0),
    )
