"""Phenotypes and outcomes of phantom stays."""

import numpy as np
import pytest

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.patient import sample_patient
from pipeline.sources.phantom.phenotypes import PHENOTYPES, dies_in_hospital, has_phenotype
from pipeline.sources.phantom.physiology import AGE_LOAD_CORRELATION, FLUID_LOAD_CORRELATION
from pipeline.sources.phantom.study import sample_studies


@pytest.mark.parametrize("name", PHENOTYPES)
def test_a_liability_has_unit_variance(name: str) -> None:
    rng = keyed_generator(0, "test", name)
    age, load, fluid, inflammation, obstruction, chance = rng.standard_normal((6, 200_000))
    load = AGE_LOAD_CORRELATION * age + np.sqrt(1 - AGE_LOAD_CORRELATION**2) * load
    fluid = FLUID_LOAD_CORRELATION * load + np.sqrt(1 - FLUID_LOAD_CORRELATION**2) * fluid
    kind = PHENOTYPES[name]
    risk = kind.risk
    known = risk.cardiac_load * load + risk.fluid * fluid + risk.inflammation * inflammation
    known += risk.obstruction * obstruction + kind.age * age
    assert np.var(known + kind.residual_scale() * chance) == pytest.approx(1, abs=0.02)


def test_phenotypes_are_as_frequent_as_published_and_follow_the_latents() -> None:
    names = ("Congestive heart failure; nonhypertensive", "Septicemia (except in labor)")
    first = [(patient, sample_studies(patient)[0]) for patient in (sample_patient(0, n) for n in range(1, 701))]
    for name, latent in zip(names, ("cardiac_load", "inflammation"), strict=True):
        sick = np.array([has_phenotype(name, *stay) for stay in first])
        level = np.array([getattr(study.physiology, latent) for _, study in first])
        assert sick.mean() == pytest.approx(PHENOTYPES[name].risk.prevalence, abs=0.05)
        assert level[sick].mean() - level[~sick].mean() > 0.8


def test_nobody_has_a_study_after_his_death() -> None:
    deaths = 0
    for number in range(1, 301):
        patient = sample_patient(0, number)
        died = [dies_in_hospital(patient, study) for study in sample_studies(patient)]
        assert not any(died[:-1])
        deaths += died[-1]
    assert 0.1 < deaths / 300 < 0.3
