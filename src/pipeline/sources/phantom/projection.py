"""From solids to the line integral of attenuation along every ray, with the silhouettes of what matters."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.sources.phantom import attenuation
from pipeline.sources.phantom.anatomy import Anatomy
from pipeline.sources.phantom.beam import Beam
from pipeline.sources.phantom.intervals import Map, Mask, hull
from pipeline.sources.phantom.lesions import Lesions
from pipeline.sources.phantom.lung_paths import LungPaths, trace_lungs
from pipeline.sources.phantom.risk import Finding

VISIBLE_CHANGE = 0.03
"""Line integral (3 % of the fluence) by which a patch or nodule must change a ray to be in its mask."""

VISIBLE_FLUID = 10.0
"""Depth of fluid, mm, that puts a ray into the mask of an effusion."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Hold what the rays met, [height, width] each."""

    line_integral: Map
    """Attenuation along the ray, dimensionless."""
    inside: Mask
    """Silhouette of the body."""
    lungs: Mask
    """Lung not covered by heart, mediastinum or diaphragm, as readers draw it."""
    heart: Mask
    """Silhouette of the heart."""
    lesions: Mapping[Finding, Mask]
    """Where each local finding changes the image."""


def project(anatomy: Anatomy, lesions: Lesions, texture: Map, beam: Beam) -> Projection:
    """Cast all rays; `texture` [height, width] is the relative variation of lung density (mean 0)."""
    paths = trace_lungs(anatomy, lesions, beam)
    trunk = beam.union_depth(anatomy.body)
    patches = beam.line_integral(lesions.consolidation) * np.minimum(1.5 * paths.share, np.float32(1))
    nodules = beam.line_integral(lesions.nodules)
    total = _soft_tissue(paths, trunk, texture) + patches + nodules
    total += beam.line_integral(anatomy.vessels) * paths.share + beam.line_integral(anatomy.bones)
    _add_breasts(total, anatomy, beam)
    beam.add_chords(total, *zip(*anatomy.inserts, strict=True))
    total += beam.line_integral(anatomy.wires)
    inside = trunk > 0
    return Projection(
        line_integral=np.maximum(total * beam.obliquity(), np.float32(0)),
        inside=inside,
        lungs=paths.fields & inside,
        heart=paths.heart & inside,
        lesions={
            Finding.PLEURAL_EFFUSION: (paths.fluid > VISIBLE_FLUID) & inside,
            Finding.CONSOLIDATION: (patches > VISIBLE_CHANGE) & inside,
            Finding.PNEUMOTHORAX: paths.rim & inside,
            Finding.LUNG_NODULE: (nodules > VISIBLE_CHANGE) & inside,
        },
    )


def _soft_tissue(paths: LungPaths, trunk: Map, texture: Map) -> Map:
    """Return the attenuation of trunk and lungs; in an extreme pose the lung ends where the body does."""
    lung = np.minimum(paths.lung, trunk)
    tissue = np.maximum(trunk - lung - paths.free_air, np.float32(0)) + paths.pleural_line
    total: Map = np.float32(attenuation.TISSUE) * tissue + np.float32(attenuation.LUNG) * (1 + texture) * lung
    return total


def _add_breasts(total: Map, anatomy: Anatomy, beam: Beam) -> None:
    if not anatomy.breasts:
        return
    chest = hull(beam.intervals(anatomy.body[:2]))
    for breast in beam.intervals(anatomy.breasts):
        total += np.float32(attenuation.TISSUE) * breast.outside(chest)
