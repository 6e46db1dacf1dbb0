"""A radiologist's fixations on a phantom image, in the columns of REFLACX (spec RayGen E5, CXR-MIM B3)."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.drawings import box_around
from pipeline.sources.phantom.intervals import Mask
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Radiograph
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.truth import Row

SCREEN_LEFT, SCREEN_TOP, SCREEN_HEIGHT = 1200.0, 80.0, 2000.0
"""Where the whole image stands on a screen of 3840 x 2160 pixels."""
DEGREES = 23.0
"""Visual angle of an image's long side at full view: 3056 pixels at 133 per degree."""
TRACKER_ERROR = 0.4
"""Standard deviation of a measured position along one axis, degrees."""
BUTTONS = (10.0, 933.0, 650.0, 1122.0)
"""Left, top, right, bottom of the buttons beside the image, screen pixels."""

INTEREST = {"lungs": 0.42, "hila": 0.18, "heart": 0.14, "lesions": 0.22}
"""Share of the fixations on each region; what is left goes to the buttons. Absent regions leave theirs to the lungs."""
MEAN_SECONDS = {"lungs": 0.28, "hila": 0.32, "heart": 0.28, "lesions": 0.55, "buttons": 0.25}
"""Median duration of a fixation; they are longer on lesions."""
FIXATIONS = (35, 75)
"""Least and greatest number of fixations of a reading."""
ZOOM_IN, ZOOM_OUT = 0.08, 0.3
"""Probability that a reader at full view zooms in before a fixation, and that a zoomed-in one zooms out."""


@dataclass(frozen=True, slots=True)
class Viewport:
    """Hold the part of the image on the screen."""

    left: float
    top: float
    right: float
    bottom: float
    """Edges in pixels of the image."""
    magnification: float
    """Size relative to the full view."""
    scale: float
    """Screen pixels per image pixel."""


def read_image(patient: Patient, study: Study, shot: Radiograph, reader: int) -> list[Row]:
    """Return the fixations of one reading, in order of time.

    The reader searches lungs, hila and heart, rests longer on lesions, zooms in at times, and glances at the
    buttons beside the image. Numbers are rounded as the publisher rounds them.
    """
    draw = keyed_generator(patient.seed, "gaze", patient.number, study.number, reader)
    places = _places(shot)
    height, width = shot.image.shape
    view, clock, rows = _whole(width, height), float(draw.uniform(0.1, 0.6)), []
    for _ in range(int(draw.integers(*FIXATIONS, endpoint=True))):
        region = _choose(draw, places)
        target = _target(draw, places, region, view)
        view = _change_view(draw, view, target, width, height)
        seconds = MEAN_SECONDS[region] * math.exp(0.45 * draw.standard_normal())
        degree = max(height, width) / DEGREES / view.magnification
        position = target + TRACKER_ERROR * degree * draw.standard_normal(2)
        rows.append(_row(draw, clock, seconds, position, degree, view))
        clock += seconds + float(draw.uniform(0.02, 0.09))
    return rows


def _places(shot: Radiograph) -> dict[str, npt.NDArray[np.float64]]:
    """Return the pixels, as x and y, [n, 2], of each region that the image shows."""
    masks = {"lungs": shot.lungs, "hila": _hila(shot), "heart": shot.heart, "lesions": shot.all_lesions()}
    found = {name: np.argwhere(mask)[:, ::-1].astype(np.float64) for name, mask in masks.items()}
    return {name: pixels for name, pixels in found.items() if len(pixels)}


def _hila(shot: Radiograph) -> Mask:
    """Return an ellipse between the lungs, where the vessels enter them."""
    lungs = box_around(shot.lungs)
    if lungs is None:
        return np.zeros_like(shot.lungs)
    y, x = np.indices(shot.lungs.shape)
    across = (x - lungs.centre[0]) / (0.22 * (lungs.right - lungs.left))
    along = (y - 0.55 * lungs.top - 0.45 * lungs.bottom) / (0.16 * (lungs.bottom - lungs.top))
    return np.asarray(across**2 + along**2 <= 1, np.bool_)


def _choose(draw: np.random.Generator, places: dict[str, npt.NDArray[np.float64]]) -> str:
    rest = draw.random()
    for region, share in INTEREST.items():
        rest -= share
        if rest < 0:
            return region if region in places else "lungs" if "lungs" in places else "buttons"
    return "buttons"


def _target(
    draw: np.random.Generator, places: dict[str, npt.NDArray[np.float64]], region: str, view: Viewport
) -> npt.NDArray[np.float64]:
    """Return a point of a region, x and y in pixels of the image."""
    if region in places:
        return np.asarray(draw.choice(places[region]), np.float64)
    left, top, right, bottom = BUTTONS
    on_screen = draw.uniform((left, top), (right, bottom))
    return np.asarray((on_screen - (SCREEN_LEFT, SCREEN_TOP)) / view.scale + (view.left, view.top), np.float64)


def _whole(width: int, height: int) -> Viewport:
    return Viewport(0.0, 0.0, width, height, 1.0, SCREEN_HEIGHT / height)


def _change_view(
    draw: np.random.Generator, view: Viewport, target: npt.NDArray[np.float64], width: int, height: int
) -> Viewport:
    """Zoom in on the target or back out, now and then."""
    change, power = draw.random(2).tolist()
    on_image = 0 <= target[0] < width and 0 <= target[1] < height
    if view.magnification > 1:
        return _whole(width, height) if change < ZOOM_OUT or not on_image else _around(view, target, width, height)
    if change >= ZOOM_IN or not on_image:
        return view
    magnification = 1.4 + 1.2 * power
    zoomed = Viewport(0.0, 0.0, width / magnification, height / magnification, magnification, view.scale)
    return _around(zoomed, target, width, height)


def _around(view: Viewport, target: npt.NDArray[np.float64], width: int, height: int) -> Viewport:
    """Pan so that the target is in the middle, as far as the image reaches."""
    across, along = width / view.magnification, height / view.magnification
    left = min(max(float(target[0]) - across / 2, 0.0), width - across)
    top = min(max(float(target[1]) - along / 2, 0.0), height - along)
    scale = SCREEN_HEIGHT / height * view.magnification
    return Viewport(left, top, left + across, top + along, view.magnification, scale)


def _row(
    draw: np.random.Generator,
    start: float,
    seconds: float,
    position: npt.NDArray[np.float64],
    degree: float,
    view: Viewport,
) -> Row:
    resolution = max(1, round(degree))
    shown = {"xmin": view.left, "ymin": view.top, "xmax": view.right, "ymax": view.bottom}
    screen = {
        "xmin": SCREEN_LEFT,
        "ymin": SCREEN_TOP,
        "xmax": SCREEN_LEFT + (view.right - view.left) * view.scale,
        "ymax": SCREEN_TOP + (view.bottom - view.top) * view.scale,
    }
    return {
        "timestamp_start_fixation": f"{start:.3f}",
        "timestamp_end_fixation": f"{start + seconds:.3f}",
        "x_position": str(round(float(position[0]))),
        "y_position": str(round(float(position[1]))),
        "pupil_area_normalized": f"{draw.normal(0.95, 0.06):.3f}",
        "angular_resolution_x_pixels_per_degree": str(resolution),
        "angular_resolution_y_pixels_per_degree": str(resolution),
        "window_width": "1.0",
        "window_level": "0.5",
        **{f"{end}_shown_from_image": str(round(edge)) for end, edge in shown.items()},
        **{f"{end}_in_screen_coordinates": str(round(edge)) for end, edge in screen.items()},
    }
