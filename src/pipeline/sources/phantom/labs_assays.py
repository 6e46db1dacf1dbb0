"""The laboratory values that a phantom patient has for reasons of their own; the others follow from them."""

import math
from dataclasses import dataclass

from pipeline.sources.phantom.physiology import FLUID_LOAD_CORRELATION, Physiology


@dataclass(frozen=True, slots=True)
class Assay:
    """State how a quantity is distributed in the sick and what raises it; its score is standard normal."""

    middle: float
    """Median."""
    spread: float
    """Standard deviation: of the value, or of its logarithm where `skewed`."""
    skewed: bool = False
    """Whether the logarithm is normal, not the value."""
    cardiac_load: float = 0.0
    """Loading of the score on the cardiac load."""
    fluid: float = 0.0
    """Loading on the fluid balance."""
    inflammation: float = 0.0
    """Loading on the inflammation."""
    obstruction: float = 0.0
    """Loading on the airway obstruction."""
    item: str | None = None
    """Number of the item that reads this quantity itself; none where only others follow from it."""

    def score(self, state: Physiology, chance: float) -> float:
        """Return the score of a patient in a state; `chance` is the standard normal part that is unexplained."""
        loadings = (self.cardiac_load, self.fluid, self.inflammation, self.obstruction)
        latents = (state.cardiac_load, state.fluid, state.inflammation, state.obstruction)
        shared = 2 * FLUID_LOAD_CORRELATION * self.cardiac_load * self.fluid
        rest = math.sqrt(1 - sum(loading**2 for loading in loadings) - shared)
        return sum(loading * latent for loading, latent in zip(loadings, latents, strict=True)) + rest * chance

    def value(self, score: float) -> float:
        """Return the value at a score."""
        return self.middle * math.exp(self.spread * score) if self.skewed else self.middle + self.spread * score


ASSAYS = {
    # blood count
    "hemoglobin": Assay(11.2, 1.9, cardiac_load=-0.1, fluid=-0.4, inflammation=-0.25, item="51222"),
    "cell volume": Assay(91.0, 5.5, item="51250"),
    "cell hemoglobin concentration": Assay(32.6, 1.2, cardiac_load=-0.2, item="51249"),
    "cell width": Assay(14.6, 0.1, skewed=True, cardiac_load=0.45, inflammation=0.2, item="51277"),
    "platelets": Assay(215.0, 0.38, skewed=True, inflammation=0.3, item="51265"),
    "neutrophils": Assay(6.8, 0.42, skewed=True, inflammation=0.85, item="52075"),
    "lymphocytes": Assay(1.4, 0.45, skewed=True, inflammation=-0.5, item="51133"),
    "monocytes": Assay(0.62, 0.4, skewed=True, inflammation=0.35, item="52074"),
    "eosinophils": Assay(0.11, 0.8, skewed=True, inflammation=-0.45, obstruction=0.3, item="52073"),
    "basophils": Assay(0.03, 0.5, skewed=True, item="52069"),
    "immature granulocytes": Assay(0.05, 0.7, skewed=True, inflammation=0.7),
    # salts, kidneys, sugar
    "sodium": Assay(138.5, 3.8, cardiac_load=-0.3, fluid=-0.35, item="50983"),
    "potassium": Assay(4.15, 0.5, fluid=0.25, item="50971"),
    "bicarbonate": Assay(24.8, 3.4, inflammation=-0.4, obstruction=0.6, item="50882"),
    "anion gap": Assay(14.2, 2.6, fluid=0.3, inflammation=0.4, item="50868"),
    "urea nitrogen": Assay(20.0, 0.52, skewed=True, cardiac_load=0.5, fluid=0.4, item="51006"),
    "creatinine": Assay(1.05, 0.42, skewed=True, cardiac_load=0.45, fluid=0.4, item="50912"),
    "glucose": Assay(122.0, 0.28, skewed=True, inflammation=0.35, item="50931"),
    "magnesium": Assay(1.98, 0.26, fluid=0.15, item="50960"),
    "calcium": Assay(8.6, 0.6, fluid=-0.2, inflammation=-0.3, item="50893"),
    "phosphate": Assay(3.5, 0.26, skewed=True, fluid=0.4, item="50970"),
    # clotting
    "INR": Assay(1.2, 0.17, skewed=True, cardiac_load=0.5, item="51237"),
    "PTT": Assay(31.0, 0.22, skewed=True, cardiac_load=0.25, item="51275"),
    # liver, muscle, the specimen
    "ALT": Assay(25.0, 0.65, skewed=True, cardiac_load=0.4, item="50861"),
    "AST": Assay(29.0, 0.6, skewed=True, cardiac_load=0.4, inflammation=0.2, item="50878"),
    "alkaline phosphatase": Assay(84.0, 0.4, skewed=True, cardiac_load=0.25, inflammation=0.2, item="50863"),
    "bilirubin": Assay(0.6, 0.55, skewed=True, cardiac_load=0.4, item="50885"),
    "albumin": Assay(3.4, 0.55, fluid=-0.4, inflammation=-0.55, item="50862"),
    "creatine kinase": Assay(100.0, 0.9, skewed=True, cardiac_load=0.2, item="50910"),
    "hemolysis": Assay(9.0, 0.8, skewed=True, item="50934"),
    "lipemia": Assay(9.0, 0.6, skewed=True, item="51678"),
    "icterus": Assay(2.0, 0.5, skewed=True, cardiac_load=0.35, item="50947"),
    # blood gas
    "carbon dioxide": Assay(41.0, 0.18, skewed=True, obstruction=0.8, item="50818"),
    "oxygen": Assay(88.0, 0.4, skewed=True, fluid=-0.4, obstruction=-0.4, item="50821"),
    "lactate": Assay(1.6, 0.42, skewed=True, cardiac_load=0.3, inflammation=0.55, item="50813"),
}
"""Medians and spreads are about those of a hospital's inpatients; loadings on latents are ours."""
