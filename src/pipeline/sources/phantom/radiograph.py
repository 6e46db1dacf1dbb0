"""One radiograph of one study, with its masks."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom import film
from pipeline.sources.phantom.anatomy import build_anatomy
from pipeline.sources.phantom.beam import Beam
from pipeline.sources.phantom.camera import aim
from pipeline.sources.phantom.intervals import Map, Mask
from pipeline.sources.phantom.lesions import build_lesions
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.projection import project
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Study

Projected = Literal["frontal", "lateral"]


@dataclass(frozen=True, slots=True)
class Radiograph:
    """Hold an image with its masks; all arrays are [height, width]."""

    image: npt.NDArray[np.uint8]
    """Gray values 0 to 255, bone bright."""
    lungs: Mask
    """Lung fields as readers draw them."""
    heart: Mask
    """Silhouette of the heart."""
    lesions: Mapping[Finding, Mask]
    """Where each local finding changes the image; cardiomegaly has none, it is the heart."""

    def all_lesions(self) -> Mask:
        """Return the pixels of any local finding."""
        return reduce(np.logical_or, self.lesions.values())


def render(patient: Patient, study: Study, view: Projected, shape: tuple[int, int]) -> Radiograph:
    """Return the radiograph of a study at `shape` = (height, width) pixels; it depends on nothing else."""
    beam = aim(study, view, shape)
    anatomy = build_anatomy(patient, study)
    draw = keyed_generator(patient.seed, "noise", patient.number, study.number, view)
    projection = project(
        anatomy,
        build_lesions(patient, study, anatomy),
        _texture(keyed_generator(patient.seed, "texture", patient.number), beam),
        beam,
    )
    exposed = film.expose(projection.line_integral, study.exposure, beam.pixel, draw)
    open_field = film.shutter(shape, study.exposure)
    gray = film.display(exposed, projection.inside & open_field, study.exposure, beam.pixel)
    gray = np.where(open_field, gray, np.float32(0.02))
    if view == "frontal":
        _stamp(gray, keyed_generator(patient.seed, "marker", patient.number, study.number))
    return Radiograph(
        image=np.rint(gray * 255).astype(np.uint8),
        lungs=projection.lungs & open_field,
        heart=projection.heart & open_field,
        lesions={finding: mask & open_field for finding, mask in projection.lesions.items()},
    )


def _texture(draw: np.random.Generator, beam: Beam) -> Map:
    """Return smooth noise of two sizes: uneven ventilation and vessels too small to draw."""
    height, width = beam.shape
    total = np.zeros(beam.shape, np.float32)
    for cells, weight in ((9, 0.05), (40, 0.05)):
        grid = draw.standard_normal((cells, cells), dtype=np.float32)
        total += np.float32(weight) * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return total


def _stamp(gray: Map, draw: np.random.Generator) -> None:
    """Draw the lead letter L that marks the patient's left, where the technician put it."""
    height, width = gray.shape
    left, top = int(draw.uniform(0.86, 0.94) * width), int(draw.uniform(0.03, 0.12) * height)
    tall = int(draw.uniform(0.04, 0.06) * min(height, width))
    stroke = max(1, tall // 5)
    gray[top : top + tall, left : left + stroke] = 1.0
    gray[top + tall - stroke : top + tall, left : left + tall * 3 // 5] = 1.0
