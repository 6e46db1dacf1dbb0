"""The divergent X-ray beam: closed-form chords of ellipsoids and beads along every ray."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.sources.phantom.intervals import Interval, Map
from pipeline.sources.phantom.primitives import Beads, Ellipsoid, Points
from pipeline.sources.phantom.splat import splat

Window = tuple[slice, slice]

SMALLEST_BALL = 1.25
"""Radius, pixels, below which a ball is drawn larger and fainter, so that sampling keeps its mass."""

_OUTSIDE = np.float32(1e9)
"""Depth, mm, that stands for no intersection: farther than anything imaged."""


@dataclass(frozen=True, slots=True)
class Beam:
    """Hold rays from a point source to a grid of detector pixels.

    Beam coordinates (mm): u right and v down in the displayed image, w from source to detector; the origin
    is the centre of the chest.
    """

    rotation: Points
    """[3, 3] from patient to beam coordinates; it may mirror, as a displayed PA image does."""
    offset: Points
    """[3] shift of the patient in beam coordinates, mm."""
    source_to_detector: float
    """Millimetres."""
    source_to_centre: float
    """Millimetres."""
    u: Map
    """[1, width] pixel centres on the detector, mm."""
    v: Map
    """[height, 1] pixel centres on the detector, mm."""
    pixel: float
    """Pixel pitch on the detector, mm."""

    @property
    def shape(self) -> tuple[int, int]:
        """Return height and width."""
        return self.v.shape[0], self.u.shape[1]

    @property
    def is_lateral(self) -> bool:
        """Return whether the beam crosses the patient from side to side."""
        return bool(abs(self.rotation[2, 0]) > abs(self.rotation[2, 2]))

    def intervals(self, solids: Sequence[Ellipsoid]) -> list[Interval]:
        """Return where every ray crosses each ellipsoid, [height, width] each."""
        crossings = []
        for window, part in self._cross(solids):
            enter, leave = np.full(self.shape, _OUTSIDE), np.full(self.shape, -_OUTSIDE)
            enter[window], leave[window] = part.enter, part.leave
            crossings.append(Interval(enter, leave))
        return crossings

    def add_chords(self, canvas: Map, solids: Sequence[Ellipsoid], attenuation: Sequence[float]) -> None:
        """Add the line integrals of ellipsoids to `canvas`, touching only the pixels that they cover."""
        for (window, part), density in zip(self._cross(solids), attenuation, strict=True):
            canvas[window] += part.length() * np.float32(density)

    def union_depth(self, solids: Sequence[Ellipsoid]) -> Map:
        """Return the depth in the thickest of the ellipsoids, [height, width]: their union, if concentric."""
        depth = np.zeros(self.shape, np.float32)
        for window, part in self._cross(solids):
            np.maximum(depth[window], part.length(), out=depth[window])
        return depth

    def obliquity(self) -> Map:
        """Return the length of each ray per unit of depth, at least 1, [height, width]."""
        lateral = (self.u / self.source_to_detector) ** 2 + (self.v / self.source_to_detector) ** 2
        slant: Map = np.sqrt(1 + lateral).astype(np.float32)
        return slant

    def line_integral(self, beads: Beads) -> Map:
        """Return the [height, width] line integral of beads; balls below a pixel keep their mass."""
        place = beads.centres @ self.rotation.T + self.offset
        zoom = self.source_to_detector / (place[:, 2] + self.source_to_centre) / self.pixel
        height, width = self.shape
        column = place[:, 0] * zoom + (width - 1) / 2
        row = place[:, 1] * zoom + (height - 1) / 2
        radius = beads.radii * zoom
        drawn = np.maximum(radius, SMALLEST_BALL)
        peak = 2 * beads.radii * beads.attenuation * (radius / drawn) ** 2
        return splat(self.shape, np.stack([row, column, drawn, peak]).astype(np.float32))

    def _cross(self, solids: Sequence[Ellipsoid]) -> Iterator[tuple[Window, Interval]]:
        """Yield the window of pixels that each ellipsoid covers, and its interval there.

        With S the map to the unit sphere and c the centre seen from the source, a ray t d meets the ellipsoid
        where |S(t d - c)|^2 = 1, that is A t^2 - 2 B t + C = 0; A, B and B^2 - AC are forms of (u, v, 1).
        """
        directions = np.array([solid.directions() for solid in solids]) @ self.rotation.T
        axes = np.array([solid.axes for solid in solids])[:, :, None]
        centres = np.array([solid.centre for solid in solids]) @ self.rotation.T + self.offset
        centres[:, 2] += self.source_to_centre
        duals = _gram(directions * axes) - centres[:, :, None] * centres[:, None]
        rays = directions / axes * (1.0, 1.0, self.source_to_detector)
        start = directions / axes @ centres[:, :, None]
        forms, towards = _gram(rays), rays.transpose(0, 2, 1) @ start
        conics = towards * towards.transpose(0, 2, 1) - (_gram(start) - 1.0) * forms
        for dual, form, toward, conic in zip(duals, forms, towards[:, :, 0], conics, strict=True):
            window = self._window(dual)
            yield window, self._solve(window, form, toward, conic)

    def _solve(self, window: Window, form: Points, toward: Points, conic: Points) -> Interval:
        u, v = self.u[:, window[1]], self.v[window[0]]
        reach = np.sqrt(np.maximum(_evaluate(conic, u, v), np.float32(0)))
        scale = np.float32(self.source_to_detector) / _evaluate(form, u, v)
        across, down, along = toward.astype(np.float32)
        middle = scale * (u * across + (v * down + along))
        half = np.where(reach > 0, reach * scale, -_OUTSIDE)
        return Interval(middle - half, middle + half)

    def _window(self, dual: Points) -> Window:
        """Return the pixels between the tangents of an outline, from its dual conic in ray directions."""
        height, width = self.shape
        (xx, _, xz), (_, yy, yz), (_, _, zz) = dual.tolist()
        return self._between(yy / zz, yz / zz, height), self._between(xx / zz, xz / zz, width)

    def _between(self, square: float, middle: float, count: int) -> slice:
        half = math.sqrt(max(middle**2 - square, 0.0))
        pitch = self.pixel / self.source_to_detector
        low = math.floor((middle - half) / pitch + (count - 1) / 2)
        high = math.ceil((middle + half) / pitch + (count - 1) / 2) + 1
        return slice(min(max(low, 0), count), min(max(high, 0), count))


def _gram(matrices: Points) -> Points:
    """Return M^T M of each matrix, [n, columns, columns]."""
    product: Points = matrices.transpose(0, 2, 1) @ matrices
    return product


def _evaluate(form: Points, u: Map, v: Map) -> Map:
    """Return the form at every (u, v, 1), as one matrix product of rank three."""
    (uu, uv, u1), (_, vv, v1), (_, _, one) = form.astype(np.float32)
    rows = np.concatenate([np.ones_like(v), v, v * v], axis=1)
    columns = np.concatenate([(uu * u + 2 * u1) * u + one, 2 * uv * u + 2 * v1, np.full_like(u, vv)])
    value: Map = rows @ columns
    return value
