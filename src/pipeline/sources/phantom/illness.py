"""Illnesses that small collections sort patients by: each is a course of findings and latents."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Study


class Illness(StrEnum):
    """What a collection says of a patient."""

    NONE = "none"
    COVID19 = "covid19"
    BACTERIAL_PNEUMONIA = "bacterial_pneumonia"
    VIRAL_PNEUMONIA = "viral_pneumonia"
    TUBERCULOSIS = "tuberculosis"
    EMPHYSEMA = "emphysema"


@dataclass(frozen=True, slots=True)
class Course:
    """State what an illness does to a study."""

    findings: Mapping[Finding, float] = field(default_factory=dict)
    """Least margin over the threshold of the findings that it brings, standard deviations."""
    inflammation: float = 0.0
    """What it adds to the inflammation, standard deviations."""
    obstruction: float = 0.0
    """What it adds to the airway obstruction, standard deviations."""


COURSES = {
    Illness.COVID19: Course({Finding.CONSOLIDATION: 0.5}, inflammation=1.0),
    Illness.BACTERIAL_PNEUMONIA: Course({Finding.CONSOLIDATION: 1.2}, inflammation=1.8),
    Illness.VIRAL_PNEUMONIA: Course({Finding.CONSOLIDATION: 0.1}, inflammation=0.6),
    Illness.TUBERCULOSIS: Course({Finding.LUNG_NODULE: 0.6, Finding.CONSOLIDATION: 0.1}, inflammation=0.4),
    Illness.EMPHYSEMA: Course(obstruction=2.0),
}
"""A healthy patient has none."""


def fall_ill(study: Study, illness: Illness) -> Study:
    """Return the study as the illness leaves it: the same person, pose and exposure; `NONE` takes all findings away.

    Whoever is ill with something keeps the findings that are there anyway, as in real collections.
    """
    if illness == Illness.NONE:
        return replace(study, margins={finding: -abs(margin) for finding, margin in study.margins.items()})
    course = COURSES[illness]
    brought = {finding: least + 0.5 * abs(study.margins[finding]) for finding, least in course.findings.items()}
    physiology = replace(
        study.physiology,
        inflammation=study.physiology.inflammation + course.inflammation,
        obstruction=study.physiology.obstruction + course.obstruction,
    )
    return replace(study, margins={**study.margins, **brought}, physiology=physiology)


def is_healthy(study: Study) -> bool:
    """Return whether a study has no finding at all."""
    return not any(study.has(finding) for finding in Finding)
