"""How the heart of a phantom patient beats: rhythm, intervals and voltages from the latent physiology."""

import math
from dataclasses import dataclass

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.study import Study

FIBRILLATION_THRESHOLD = 1.15
"""Liability above which the atria fibrillate, standard deviations: about one study in eight."""

BLOCK_THRESHOLD = 1.4
"""Liability above which a bundle branch is blocked: about one study in twelve."""


@dataclass(frozen=True, slots=True)
class Heart:
    """Hold what the ECG of a study shows; voltages are lengths of the heart's dipole in millivolts."""

    rate: float
    """Beats per minute, 45 to 150."""
    fibrillates: bool
    """Whether the atria fibrillate: no P waves, irregular beats."""
    irregularity: float
    """Standard deviation of the time between beats, as a share of its mean."""
    atrial_voltage: float
    """Peak of the P wave; high with obstructed airways."""
    atrial_axis: float
    """Direction of the P wave in the frontal plane, degrees from left towards the feet; vertical with obstruction."""
    conduction: float
    """Time from P to QRS, seconds."""
    width: float
    """Width of the QRS complex, seconds; 0.09 is normal, 0.12 and more is block."""
    voltage: float
    """Peak of the QRS complex; high with a loaded heart, low behind fluid, air and fat."""
    axis: float
    """Direction of the QRS complex in the frontal plane, degrees from left towards the feet."""
    backward: float
    """Share of the QRS dipole that points to the back: high where the left ventricle is thick."""
    repolarisation: float
    """Peak of the T wave along the QRS; negative is strain."""
    st_shift: float
    """Level between QRS and T along the QRS; negative is ischaemia or strain."""


def sample_heart(patient: Patient, study: Study) -> Heart:
    """Return the state of the heart at a study.

    Voltages, axis, width, ST and T load on the cardiac load, voltage also on fluid, airways and chest wall, rate on
    inflammation, P on the airways; what is left differs by patient, and a little by study.
    """
    own = keyed_generator(patient.seed, "heart", patient.number).standard_normal(8).tolist()
    now = keyed_generator(patient.seed, "heart at study", patient.number, study.number).standard_normal(8).tolist()
    voltage, axis, backward, wave, atrial, rate, fibrillation, block = (
        math.sqrt(0.7) * fixed + math.sqrt(0.3) * passing for fixed, passing in zip(own, now, strict=True)
    )
    state, age = study.physiology, patient.person.age_score
    load, fluid, inflammation, air = state.cardiac_load, state.fluid, state.inflammation, state.obstruction
    fibrillates = 0.55 * load + 0.25 * age + 0.75 * fibrillation > FIBRILLATION_THRESHOLD
    blocked = 0.5 * load + 0.2 * age + 0.8 * block > BLOCK_THRESHOLD or study.devices.pacemaker
    fat = (patient.person.wall - 22.0) / 22.0
    return Heart(
        rate=_between(74 + 9 * inflammation + 3 * load + 12 * fibrillates + 7 * rate, 45, 150),
        fibrillates=fibrillates,
        irregularity=0.2 if fibrillates else 0.03 * math.exp(-0.3 * load - 0.3 * inflammation),
        atrial_voltage=0.11 * math.exp(0.3 * air + 0.15 * load + 0.15 * atrial),
        atrial_axis=_between(55 + 14 * air + 6 * atrial, 0, 95),
        conduction=_between(0.16 + 0.012 * load + 0.01 * age + 0.01 * block, 0.12, 0.26),
        width=_between(0.088 + 0.006 * load + 0.003 * block, 0.07, 0.115) + 0.045 * blocked,
        voltage=1.15 * math.exp(0.3 * load - 0.25 * fluid - 0.15 * air - 0.08 * fat + 0.12 * voltage),
        axis=_between(45 - 20 * load + 16 * air - 8 * age + 12 * axis, -60, 110),
        backward=_between(0.42 + 0.12 * load + 0.08 * backward, 0.0, 0.85),
        repolarisation=_between(0.3 - 0.13 * load - 0.07 * inflammation + 0.05 * wave, -0.35, 0.6),
        st_shift=_between(0.01 - 0.035 * load - 0.025 * inflammation + 0.015 * wave, -0.25, 0.15),
    )


def _between(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
