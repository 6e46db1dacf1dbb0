"""Phenotypes and outcomes of a phantom intensive-care stay: liabilities on the latent physiology.

They follow from what ECG and laboratory values show strongly and the image faintly, so that an image encoder
gains on them what it learns from those (spec PaCX 1.6, 1.10).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.physiology import AGE_LOAD_CORRELATION, FLUID_LOAD_CORRELATION
from pipeline.sources.phantom.risk import Risk
from pipeline.sources.phantom.study import Study, sample_studies


@dataclass(frozen=True, slots=True)
class Phenotype:
    """State what raises the liability for a phenotype; liability is standard normal in the population."""

    risk: Risk
    """Prevalence and loadings on the latents."""
    age: float = 0.0
    """Loading on the age, in standard deviations of liability per standard deviation of age."""

    def residual_scale(self) -> float:
        """Return the standard deviation of what latents and age leave unexplained."""
        shared = AGE_LOAD_CORRELATION * (self.risk.cardiac_load + FLUID_LOAD_CORRELATION * self.risk.fluid)
        return math.sqrt(self.risk.residual_scale() ** 2 - self.age**2 - 2 * self.age * shared)


def _kind(prevalence: float, chronic: float, age: float = 0.0, **loadings: float) -> Phenotype:
    return Phenotype(Risk(prevalence, chronic, **loadings), age)


PHENOTYPES = {
    "Acute and unspecified renal failure": _kind(0.21, 0.2, 0.1, fluid=0.7),
    "Acute cerebrovascular disease": _kind(0.07, 0.3, 0.3),
    "Acute myocardial infarction": _kind(0.10, 0.2, 0.2, cardiac_load=0.45),
    "Cardiac dysrhythmias": _kind(0.32, 0.6, 0.3, cardiac_load=0.55),
    "Chronic kidney disease": _kind(0.13, 0.95, 0.25, fluid=0.55),
    "Chronic obstructive pulmonary disease and bronchiectasis": _kind(0.13, 0.95, 0.15, obstruction=0.8),
    "Complications of surgical procedures or medical care": _kind(0.21, 0.1),
    "Conduction disorders": _kind(0.07, 0.8, 0.3, cardiac_load=0.4),
    "Congestive heart failure; nonhypertensive": _kind(0.27, 0.8, 0.1, cardiac_load=0.75, fluid=0.15),
    "Coronary atherosclerosis and other heart disease": _kind(0.32, 0.95, 0.45, cardiac_load=0.25),
    "Diabetes mellitus with complications": _kind(0.09, 0.95, 0.1, fluid=0.2),
    "Diabetes mellitus without complication": _kind(0.19, 0.95, 0.15),
    "Disorders of lipid metabolism": _kind(0.29, 0.95, 0.35),
    "Essential hypertension": _kind(0.42, 0.95, 0.35),
    "Fluid and electrolyte disorders": _kind(0.27, 0.1, fluid=0.6),
    "Gastrointestinal hemorrhage": _kind(0.07, 0.2, 0.1),
    "Hypertension with complications and secondary hypertension": _kind(0.13, 0.95, 0.2, cardiac_load=0.3, fluid=0.3),
    "Other liver diseases": _kind(0.09, 0.9, -0.1, fluid=0.2),
    "Other lower respiratory disease": _kind(0.05, 0.5, obstruction=0.3),
    "Other upper respiratory disease": _kind(0.04, 0.3, inflammation=0.15),
    "Pleurisy; pneumothorax; pulmonary collapse": _kind(0.09, 0.2, fluid=0.4, obstruction=0.2),
    "Pneumonia (except that caused by tuberculosis or sexually transmitted disease)": _kind(
        0.14, 0.2, inflammation=0.7
    ),
    "Respiratory failure; insufficiency; arrest (adult)": _kind(
        0.18, 0.2, 0.05, fluid=0.25, inflammation=0.4, obstruction=0.35
    ),
    "Septicemia (except in labor)": _kind(0.14, 0.1, 0.1, inflammation=0.8),
    "Shock": _kind(0.08, 0.1, 0.1, cardiac_load=0.25, inflammation=0.65),
}
"""By the publisher's names, in alphabetical order; prevalences as in the benchmark of Harutyunyan et al. (2019)."""

DEATH_IN_HOSPITAL = _kind(0.2, 0.0, 0.25, cardiac_load=0.35, inflammation=0.55)
"""Its prevalence is that of last admissions; half of all are, so that a tenth of the stays ends in death."""
DEATH_IN_UNIT_SHARE = 0.7
"""Share of the deaths in hospital that happen in intensive care."""


def has_phenotype(name: str, patient: Patient, study: Study) -> bool:
    """Tell whether the stay of a study has a phenotype of the publisher's list."""
    return _margin(PHENOTYPES[name], f"phenotype {name}", patient, study) > 0


def dies_in_hospital(patient: Patient, study: Study) -> bool:
    """Tell whether the patient dies during the admission of a study, which is then the last one."""
    last = study.number == len(sample_studies(patient))
    return last and _margin(DEATH_IN_HOSPITAL, "death in hospital", patient, study) > 0


def _margin(phenotype: Phenotype, purpose: str, patient: Patient, study: Study) -> float:
    """Return by how much the liability exceeds the threshold, standard deviations."""
    risk = phenotype.risk
    lasting = float(keyed_generator(patient.seed, purpose, patient.number).standard_normal())
    passing = float(keyed_generator(patient.seed, purpose, patient.number, study.number).standard_normal())
    chance = math.sqrt(risk.chronic) * lasting + math.sqrt(1 - risk.chronic) * passing
    known = risk.explained(study.physiology) + phenotype.age * patient.person.age_score
    return known + phenotype.residual_scale() * chance - NormalDist().inv_cdf(1 - risk.prevalence)
