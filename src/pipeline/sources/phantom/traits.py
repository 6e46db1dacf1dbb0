"""How one chest differs from another of the same stature."""

from dataclasses import dataclass

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.patient import Patient


@dataclass(frozen=True, slots=True)
class Traits:
    """Hold the build of a patient in standard deviations from the mean."""

    breadth: float
    """Width of the chest."""
    heart_size: float
    """Width of the heart, apart from load and cardiomegaly."""
    aorta: float
    """Size of the aortic arch."""
    rib_slope: float
    """How steeply the ribs run down."""
    scoliosis: float
    """Sideways bend of the spine."""
    shoulder_height: float
    """Height of the outer ends of the collar bones."""


def sample_traits(patient: Patient) -> Traits:
    """Return the build of a patient; independent standard normal values, the same at every study."""
    return Traits(*keyed_generator(patient.seed, "traits", patient.number).standard_normal(6).tolist())
