"""The chest of one patient at one study, in millimetres."""

from dataclasses import dataclass

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom import attenuation, hardware, skeleton, soft_tissue, vessels
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.primitives import Beads, Ellipsoid, join
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.traits import Traits, sample_traits


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Hold the solids of a chest; what is neither lung nor listed is soft tissue."""

    body: tuple[Ellipsoid, ...]
    """Outer surface: trunk, neck, shoulders, arms."""
    breasts: tuple[Ellipsoid, ...]
    """Soft tissue in front of the trunk."""
    lungs: tuple[Ellipsoid, Ellipsoid]
    """Right and left pleural space, before heart, mediastinum and diaphragm are taken out."""
    heart: tuple[Ellipsoid, ...]
    """Ventricles and right atrium."""
    mediastinum: tuple[Ellipsoid, ...]
    """What else divides the lungs: great vessels, aortic arch, spine."""
    domes: tuple[Ellipsoid, Ellipsoid]
    """Right and left dome of the diaphragm, with all that lies below."""
    inserts: tuple[tuple[Ellipsoid, float], ...]
    """Solids with the attenuation that they add to soft tissue, 1/mm: flat bones, gas, housings."""
    bones: Beads
    """Ribs, clavicles and spine."""
    vessels: Beads
    """Lung vessels; only their part inside aerated lung counts."""
    wires: Beads
    """Electrodes, leads and lines."""


def build_anatomy(patient: Patient, study: Study) -> Anatomy:
    """Return the chest of a patient at a study, without local findings."""
    person, traits, arms = patient.person, sample_traits(patient), study.pose.arms
    scale, breadth = person.stature, person.stature * (1 + 0.04 * traits.breadth)
    obstruction = study.physiology.obstruction
    breath = 8.0 * study.pose.inspiration + 7.0 * obstruction
    arch = 1 + 0.12 * traits.aorta + 0.15 * max(person.age_score, 0.0)
    density = attenuation.BONE * (1 - 0.12 * person.age_score)
    lungs = soft_tissue.lungs(scale, breadth)
    return Anatomy(
        body=soft_tissue.body(person, breadth, arms),
        breasts=soft_tissue.breasts(person, scale),
        lungs=lungs,
        heart=soft_tissue.heart(scale, heart_width(study, traits), breath),
        mediastinum=soft_tissue.mediastinum(scale, arch, breath),
        domes=soft_tissue.domes(lungs, breath, flat=max(obstruction, 0.0)),
        inserts=(
            *skeleton.shoulder_blades(scale, arms, density),
            *soft_tissue.gas(scale, breath, keyed_generator(patient.seed, "gas", patient.number, study.number)),
            *hardware.cans(patient, study),
        ),
        bones=join(
            skeleton.ribs(soft_tissue.cage(scale, breadth), 1 + 0.12 * traits.rib_slope - 0.06 * obstruction, density),
            skeleton.clavicles(scale, 6.0 * traits.shoulder_height + 18.0 * arms, density),
            skeleton.spine(scale, density, 5.0 * traits.scoliosis),
        ),
        vessels=_vessels(patient, study),
        wires=hardware.wires(patient, study),
    )


def heart_width(study: Study, traits: Traits) -> float:
    """Return the width of the heart relative to a normal one.

    Load alone adds 3 % per standard deviation, less than the 4 % by which healthy hearts differ, so that it
    is faint in the image; cardiomegaly adds 11 to 29 %.
    """
    enlarged = 0.05 + 0.24 * study.severity(Finding.CARDIOMEGALY) if study.has(Finding.CARDIOMEGALY) else 0.0
    return 1 + 0.03 * study.physiology.cardiac_load + 0.04 * traits.heart_size + enlarged


def _vessels(patient: Patient, study: Study) -> Beads:
    """Return lung vessels, a little wider and less unequal from top to base under load and fluid."""
    state = study.physiology
    width = min(max(1 + 0.06 * state.cardiac_load + 0.05 * state.fluid, 0.75), 1.4)
    draw = keyed_generator(patient.seed, "vessels", patient.number)
    upper = 0.05 * state.cardiac_load
    return vessels.lung_vessels(draw, patient.person.stature, width, upper, attenuation.VESSEL)
