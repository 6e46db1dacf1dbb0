"""Where source and detector stand for a view, and how the patient is posed between them."""

import math
from typing import Literal

import numpy as np

from pipeline.sources.phantom.beam import Beam
from pipeline.sources.phantom.primitives import Points
from pipeline.sources.phantom.study import Pose, Study

FILM_AREA = 350.0 * 430.0
"""Square millimetres of a 35 x 43 cm film; square images show a square of that area."""

SOURCE_DISTANCE = {"AP": 1100.0, "PA": 1800.0, "lateral": 1800.0}
"""Source to detector, mm: bedside images are taken from near."""

DETECTOR_GAP = 135.0
"""Centre of the chest to detector, mm."""

_AXES = {
    "AP": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "PA": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "lateral": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
}
"""Rows: right, down and beam direction in patient axes. A lateral image has the left side at the detector."""


def aim(study: Study, view: Literal["frontal", "lateral"], shape: tuple[int, int]) -> Beam:
    """Return the beam of a study onto `shape` = (height, width) pixels."""
    height, width = shape
    projected = "lateral" if view == "lateral" else study.view
    distance = SOURCE_DISTANCE[projected]
    pixel = study.exposure.zoom * math.sqrt(FILM_AREA / (height * width))
    u = (np.arange(width, dtype=np.float32) - (width - 1) / 2) * pixel
    v = (np.arange(height, dtype=np.float32) - (height - 1) / 2) * pixel
    return Beam(
        rotation=np.array(_AXES[projected]) @ _turn(study.pose),
        offset=np.array([*study.pose.shift, 0.0]),
        source_to_detector=distance,
        source_to_centre=distance - DETECTOR_GAP,
        u=u[None].astype(np.float32),
        v=v[:, None].astype(np.float32),
        pixel=pixel,
    )


def _turn(pose: Pose) -> Points:
    """Return the [3, 3] rotation of the patient: roll after tilt after rotation."""
    a, b, c = np.radians([pose.rotation, pose.tilt, pose.roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turned: Points = about_z @ about_x @ about_y
    return turned
