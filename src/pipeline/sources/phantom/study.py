"""One visit to the X-ray room: state of the patient, view, pose, exposure and devices."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.physiology import Physiology, sample_physiology
from pipeline.sources.phantom.risk import Finding, liability_margin

View = Literal["AP", "PA"]


@dataclass(frozen=True, slots=True)
class Pose:
    """Hold how the patient stands or lies before the detector."""

    rotation: float
    """Turn about the long axis of the body, degrees."""
    tilt: float
    """Lean forwards or backwards (lordotic), degrees."""
    roll: float
    """Turn within the image plane, degrees."""
    shift: tuple[float, float]
    """Offset of the body from the centre of the detector, right and down, millimetres."""
    inspiration: float
    """Depth of breath in standard deviations; one lowers the diaphragm by 8 mm."""
    arms: float
    """How far the arms are held from the body, 0 (at the sides) to 1."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Hold how the image was taken and processed."""

    dose: float
    """Detected quanta per square millimetre behind air, thousands."""
    scatter: float
    """Scattered over primary fluence; 0.25 with a good grid, 1 without."""
    gamma: float
    """Exponent of the display curve."""
    window: tuple[float, float]
    """Gray value of the darkest lung, 0 to 1, and percentile of the attenuation that becomes white."""
    edge_enhancement: float
    """Weight of the unsharp mask, 0 (none) to 1."""
    collimation: tuple[float, float, float, float]
    """Shutter from the left, top, right and bottom edge, as shares of the side."""
    collimation_angle: float
    """Turn of the shutter, degrees."""
    zoom: float
    """Size of the imaged field relative to a 35 x 43 cm film."""


@dataclass(frozen=True, slots=True)
class Devices:
    """Hold what is on or in the patient."""

    electrodes: bool
    """ECG electrodes with leads."""
    line: bool
    """A central venous line."""
    pacemaker: bool
    """A pacemaker with one lead."""


@dataclass(frozen=True, slots=True)
class Study:
    """Hold one study of one patient."""

    number: int
    """1, 2 or 3."""
    age: int
    """Whole years at this study."""
    physiology: Physiology
    """The latents at this study."""
    margins: Mapping[Finding, float]
    """By how much each finding exceeds its threshold, standard deviations; present if > 0."""
    view: View
    """Beam direction of the frontal image."""
    pose: Pose
    """Pose of the frontal image."""
    exposure: Exposure
    """Exposure and processing."""
    devices: Devices
    """What is on or in the patient."""
    has_lateral: bool
    """Whether a lateral image was taken too."""

    def has(self, finding: Finding) -> bool:
        """Return whether the finding is truly present."""
        return self.margins[finding] > 0

    def severity(self, finding: Finding) -> float:
        """Return the extent of a finding: 0 when absent, else 0.25 at the threshold and 1 far above it."""
        margin = self.margins[finding]
        return 1 - 0.75 * math.exp(-1.5 * margin) if margin > 0 else 0.0


def sample_studies(patient: Patient) -> tuple[Study, ...]:
    """Return the one to three studies of a patient, in order of time."""
    count = keyed_generator(patient.seed, "visits", patient.number).choice([1, 2, 3], p=[0.3, 0.4, 0.3])
    return tuple(_sample_study(patient, number) for number in range(1, int(count) + 1))


def _sample_study(patient: Patient, number: int) -> Study:
    physiology = sample_physiology(patient.seed, patient.number, number, patient.person.age_score)
    sickness = 0.5 * (physiology.cardiac_load + physiology.fluid + physiology.inflammation)
    bedside, second = _draw(patient, number, "view").random(2).tolist()
    view: View = "AP" if bedside < 1 / (1 + math.exp(-1.2 * sickness)) else "PA"
    return Study(
        number=number,
        age=int(patient.person.age + 0.7 * (number - 1)),
        physiology=physiology,
        margins=_sample_margins(patient, number, physiology),
        view=view,
        pose=_sample_pose(view, _draw(patient, number, "pose")),
        exposure=_sample_exposure(view, _draw(patient, number, "exposure")),
        devices=_sample_devices(patient, view, sickness, _draw(patient, number, "hardware")),
        has_lateral=view == "PA" and second < 0.5,
    )


def _draw(patient: Patient, number: int, purpose: str) -> np.random.Generator:
    return keyed_generator(patient.seed, purpose, patient.number, number)


def _sample_margins(patient: Patient, number: int, physiology: Physiology) -> dict[Finding, float]:
    episodes = _draw(patient, number, "episode").standard_normal(len(Finding)).tolist()
    return {
        finding: liability_margin(finding, physiology, patient.susceptibility[finding], episode)
        for finding, episode in zip(Finding, episodes, strict=True)
    }


def _sample_pose(view: View, draw: np.random.Generator) -> Pose:
    # Bedside images are turned and off-centre more, and breathed in less.
    bedside = view == "AP"
    rotation, tilt, roll, right, down, breath = draw.standard_normal(6).tolist()
    return Pose(
        rotation=rotation * (6.0 if bedside else 2.5),
        tilt=tilt * 3.0 - (4.0 if bedside else 0.0),
        roll=roll * (2.5 if bedside else 1.2),
        shift=(right * (11.0 if bedside else 6.0), down * 10.0),
        inspiration=breath - (0.9 if bedside else 0.0),
        arms=float(draw.random()),
    )


def _sample_exposure(view: View, draw: np.random.Generator) -> Exposure:
    bedside = view == "AP"
    shutters = np.where(draw.random(4) < 0.35, draw.uniform(0.01, 0.06, 4), 0.0).tolist()
    return Exposure(
        dose=float(draw.uniform(10.0, 40.0) * (0.7 if bedside else 1.0)),
        scatter=float(draw.uniform(0.5, 1.0) if bedside else draw.uniform(0.25, 0.55)),
        gamma=float(draw.uniform(0.8, 1.25)),
        window=(float(draw.uniform(0.05, 0.25)), float(draw.uniform(84.0, 95.0))),
        edge_enhancement=float(draw.uniform(0.0, 1.0)),
        collimation=(shutters[0], shutters[1], shutters[2], shutters[3]),
        collimation_angle=float(draw.normal(0.0, 1.2)),
        zoom=float(draw.uniform(0.94, 1.08)),
    )


def _sample_devices(patient: Patient, view: View, sickness: float, draw: np.random.Generator) -> Devices:
    electrodes, line = draw.random(2).tolist()
    bedside = view == "AP"
    implanted = float(keyed_generator(patient.seed, "pacemaker", patient.number).random())
    return Devices(
        electrodes=electrodes < (0.55 if bedside else 0.04),
        line=line < (0.45 / (1 + math.exp(-sickness)) if bedside else 0.03),
        pacemaker=implanted < 0.02 + 0.12 * max(patient.person.age_score, 0.0),
    )
