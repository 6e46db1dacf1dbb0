"""How far each ray runs through lung, free air and pleural fluid."""

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from pipeline.sources.phantom.anatomy import Anatomy
from pipeline.sources.phantom.beam import Beam
from pipeline.sources.phantom.intervals import Interval, Map, Mask, hull
from pipeline.sources.phantom.lesions import Lesions
from pipeline.sources.phantom.primitives import Ellipsoid

PLEURA = 1.5
"""Thickness of the pleural line around a collapsed lung, mm."""


@dataclass(frozen=True, slots=True)
class LungPaths:
    """Hold depths in mm and silhouettes, [height, width] each."""

    lung: Map
    """Depth of aerated lung, both sides together."""
    free_air: Map
    """Depth of air outside the lung (pneumothorax)."""
    fluid: Map
    """Depth of pleural fluid."""
    pleural_line: Map
    """Depth of the pleura that free air sets off."""
    share: Map
    """Aerated lung as a share of the whole pleural space on the ray, 0 to 1."""
    fields: Mask
    """Pleural space not covered by the diaphragm nor, in frontal images, by heart and mediastinum."""
    rim: Mask
    """The part of `fields` that the collapsed lung does not reach."""
    heart: Mask
    """Silhouette of the heart."""


def trace_lungs(anatomy: Anatomy, lesions: Lesions, beam: Beam) -> LungPaths:
    """Return the paths of all rays; heart, mediastinum and diaphragm displace lung, air and fluid alike."""
    heart = beam.intervals(anatomy.heart)
    middle = beam.intervals(anatomy.mediastinum)
    domes = beam.intervals(anatomy.domes)
    filled = hull([*heart, *middle, *domes])
    space = beam.intervals(anatomy.lungs)
    dry = _within(beam, space, lesions.floating)
    lung = _within(beam, dry, lesions.collapsed)
    space_depth, dry_depth, lung_depth = (_depth(part, filled) for part in (space, dry, lung))
    # From the side, readers draw the lung across heart and mediastinum.
    covering = domes if beam.is_lateral else [*heart, *middle, *domes]
    fields = _silhouette(space) & ~_silhouette(covering)
    return LungPaths(
        lung=lung_depth,
        free_air=dry_depth - lung_depth,
        fluid=space_depth - dry_depth,
        pleural_line=_pleural_line(beam, lesions, dry_depth),
        share=lung_depth / np.maximum(space[0].length() + space[1].length(), np.float32(20)),
        fields=fields,
        rim=fields & _silhouette(dry) & ~_silhouette(lung),
        heart=_silhouette(heart),
    )


def _silhouette(parts: list[Interval]) -> Mask:
    return reduce(np.logical_or, (part.hits() for part in parts))


def _within(beam: Beam, spaces: list[Interval], bounds: tuple[Ellipsoid | None, ...]) -> list[Interval]:
    return [
        space if bound is None else space.within(*beam.intervals([bound]))
        for space, bound in zip(spaces, bounds, strict=True)
    ]


def _depth(parts: list[Interval], filled: Interval) -> Map:
    return parts[0].outside(filled) + parts[1].outside(filled)


def _pleural_line(beam: Beam, lesions: Lesions, dry_depth: Map) -> Map:
    line = np.zeros(beam.shape, np.float32)
    for solid in lesions.collapsed:
        if solid is not None:
            a, b, c = solid.axes
            inner = replace(solid, axes=(a - PLEURA, b - PLEURA, c - PLEURA))
            beam.add_chords(line, [solid, inner], [1.0, -1.0])
    return np.where(dry_depth > 30, line, np.float32(0))
