"""Closed-form chords against the definition of an ellipsoid."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.phantom.beam import Beam
from pipeline.sources.phantom.primitives import Beads, Ellipsoid, Points, tube


def beam(pixels: int = 41, pixel: float = 8.0) -> Beam:
    steps = ((np.arange(pixels) - (pixels - 1) / 2) * pixel).astype(np.float32)
    return Beam(
        rotation=np.eye(3),
        offset=np.zeros(3),
        source_to_detector=1000.0,
        source_to_centre=860.0,
        u=steps[None],
        v=steps[:, None],
        pixel=pixel,
    )


def marched_depth(solid: Ellipsoid, u: float, v: float) -> float:
    """Count samples inside the ellipsoid along one ray: slow, and independent of the closed form."""
    depth = np.arange(300.0, 1400.0, 0.25)
    points = np.stack([u * depth / 1000, v * depth / 1000, depth - 860.0], axis=-1) - solid.centre
    local = points @ solid.directions().T / solid.axes
    return float(((local**2).sum(axis=1) <= 1).sum() * 0.25)


centimetres = st.floats(-100, 100)
radius = st.floats(20, 150)
angle = st.floats(-90, 90)


@settings(max_examples=40, deadline=None)
@given(st.tuples(centimetres, centimetres, centimetres), st.tuples(radius, radius, radius), angle, angle)
def test_depths_equal_those_found_by_marching_along_the_ray(
    centre: tuple[float, float, float], axes: tuple[float, float, float], roll: float, pitch: float
) -> None:
    solid = Ellipsoid(centre, axes, roll, pitch)
    cast = beam()
    (interval,) = cast.intervals([solid])
    for row, column in ((20, 20), (5, 30), (33, 12)):
        marched = marched_depth(solid, float(cast.u[0, column]), float(cast.v[row, 0]))
        found = float(interval.length()[row, column])
        # Near a tangent the depth grows like a square root of the distance, so that rounding shows there.
        assert math.isclose(found, marched, abs_tol=1.5) or min(found, marched) < 12


@settings(max_examples=40, deadline=None)
@given(st.tuples(centimetres, centimetres, centimetres), st.tuples(radius, radius, radius), angle, angle)
def test_the_outline_is_not_cut_by_its_window(
    centre: tuple[float, float, float], axes: tuple[float, float, float], roll: float, pitch: float
) -> None:
    solid = Ellipsoid(centre, axes, roll, pitch)
    (interval,) = beam().intervals([solid])
    hits = interval.hits()
    for row, column in np.argwhere(~hits)[::97]:
        assert marched_depth(solid, float((column - 20) * 8), float((row - 20) * 8)) < 12


def test_a_tube_of_beads_has_the_mass_of_the_tube() -> None:
    curve: Points = np.stack([np.linspace(-60, 60, 9), np.zeros(9), np.zeros(9)], axis=-1)
    cast = beam(pixels=161, pixel=1.0)
    integral = cast.line_integral(tube(curve, 6.0, 0.02, spacing=3.0))
    magnification = 1000.0 / 860.0
    mass = float(integral.sum()) / magnification**2
    assert math.isclose(mass, 0.02 * math.pi * 6.0**2 * 120.0, rel_tol=0.03)


def test_a_ball_smaller_than_a_pixel_keeps_its_mass() -> None:
    ball = Beads(np.zeros((1, 3)), np.array([1.0]), np.array([0.5]))
    fine, coarse = (beam(61, pixel).line_integral(ball).sum() * pixel**2 for pixel in (0.2, 4.0))
    assert math.isclose(fine, coarse, rel_tol=0.1)


def test_balls_over_the_edge_are_cut_and_not_wrapped() -> None:
    ball = Beads(np.array([[-150.0, 0.0, 0.0]]), np.array([20.0]), np.array([0.1]))
    integral = beam().line_integral(ball)
    assert integral[:, :5].max() > 0
    assert integral[:, 20:].max() == 0
