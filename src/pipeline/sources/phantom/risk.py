"""Which findings a patient has: a liability-threshold model on the latent physiology."""

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from pipeline.sources.phantom.physiology import FLUID_LOAD_CORRELATION, Physiology


class Finding(StrEnum):
    """The radiological findings that the phantom can have."""

    CARDIOMEGALY = "cardiomegaly"
    PLEURAL_EFFUSION = "pleural_effusion"
    CONSOLIDATION = "consolidation"
    PNEUMOTHORAX = "pneumothorax"
    LUNG_NODULE = "lung_nodule"


@dataclass(frozen=True, slots=True)
class Risk:
    """State what raises the liability for one finding; liability is standard normal in the population."""

    prevalence: float
    """Share of studies with the finding, 0 to 1."""
    chronic: float
    """Share of the variance not explained by the latents that stays with the patient, 0 to 1."""
    cardiac_load: float = 0.0
    """Loading on the cardiac load, in standard deviations of liability per standard deviation."""
    fluid: float = 0.0
    """Loading on the fluid balance, likewise."""
    inflammation: float = 0.0
    """Loading on the inflammation, likewise."""
    obstruction: float = 0.0
    """Loading on the airway obstruction, likewise."""

    def explained(self, physiology: Physiology) -> float:
        """Return the part of the liability that the latents explain."""
        return (
            self.cardiac_load * physiology.cardiac_load
            + self.fluid * physiology.fluid
            + self.inflammation * physiology.inflammation
            + self.obstruction * physiology.obstruction
        )

    def residual_scale(self) -> float:
        """Return the standard deviation of what the latents leave unexplained."""
        loadings = (self.cardiac_load, self.fluid, self.inflammation, self.obstruction)
        shared = 2 * FLUID_LOAD_CORRELATION * self.cardiac_load * self.fluid
        return math.sqrt(1.0 - sum(loading**2 for loading in loadings) - shared)


RISKS = {
    Finding.CARDIOMEGALY: Risk(prevalence=0.25, chronic=0.8, cardiac_load=0.45),
    Finding.PLEURAL_EFFUSION: Risk(prevalence=0.32, chronic=0.4, cardiac_load=0.35, fluid=0.5),
    Finding.CONSOLIDATION: Risk(prevalence=0.20, chronic=0.3, inflammation=0.7),
    Finding.PNEUMOTHORAX: Risk(prevalence=0.10, chronic=0.3, obstruction=0.35),
    Finding.LUNG_NODULE: Risk(prevalence=0.14, chronic=0.95, obstruction=0.25),
}
"""Prevalences lie between those of CheXpert (enriched) and ChestX-ray14 (spec RayGen E3, E4)."""


def liability_margin(finding: Finding, physiology: Physiology, susceptibility: float, episode: float) -> float:
    """Return by how much a study exceeds the threshold of a finding, in standard deviations; present if > 0.

    `susceptibility` belongs to the patient and `episode` to the study; both are standard normal.
    """
    risk = RISKS[finding]
    chance = math.sqrt(risk.chronic) * susceptibility + math.sqrt(1 - risk.chronic) * episode
    threshold = NormalDist().inv_cdf(1 - risk.prevalence)
    return risk.explained(physiology) + risk.residual_scale() * chance - threshold
