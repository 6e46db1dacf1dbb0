"""What a phantom report says: sentences that agree with the reported labels and with the image."""

from collections.abc import Mapping

from pipeline.sources.phantom import report_phrases as words
from pipeline.sources.phantom.anatomy import Anatomy, build_anatomy
from pipeline.sources.phantom.chexpert_labels import ABSENT, COLUMN_OF, PRESENT, reported_labels
from pipeline.sources.phantom.lesions import LEFT, RIGHT, Lesions, build_lesions
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.primitives import Beads
from pipeline.sources.phantom.report_grammar import Writer
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Study

SIDES = {RIGHT: "right", LEFT: "left"}
MODERATE, LARGE = 0.5, 0.75
"""Severities from which a finding is called moderate and large."""
UPPER_ZONE, LOWER_ZONE = -0.2, 0.2
"""Height in the lung, as a share of its vertical semi-axis below the centre, at which the zones meet."""

Slots = dict[str, str]


class Content:
    """Hold what is to be said of one study."""

    def __init__(self, patient: Patient, study: Study, writer: Writer) -> None:
        self._study, self._writer = study, writer
        labels = reported_labels(patient, study)
        self._normal = labels["No Finding"] == PRESENT
        self._said = {finding: labels[column] for finding, column in COLUMN_OF.items() if labels[column]}
        self._slots = _slots(patient, study, writer)

    def describe(self) -> list[str]:
        """Return the sentences of the findings, in an order of the reader's own."""
        stated = [self._describe(finding, label) for finding, label in self._said.items()]
        normal = [self._writer.sentence(words.NORMAL_DESCRIPTIONS)] if self._normal else []
        remarks = self._technical() + self._neutral()
        return self._writer.shuffled(stated + normal) + self._devices() + self._writer.shuffled(remarks)

    def summarize(self) -> list[str]:
        """Return the sentences of the impression: what was found or suspected, else that nothing was."""
        raised = {finding: label for finding, label in self._said.items() if label != ABSENT}
        if raised:
            return [self._summary(finding, label) for finding, label in raised.items()]
        return [self._writer.sentence(words.NORMAL_SUMMARIES if self._normal else words.SILENT_SUMMARIES)]

    def remark(self) -> list[str]:
        """Return the sentences on devices and on what is absent, for reports that have no findings section."""
        denied = [self._describe(finding, label) for finding, label in self._said.items() if label == ABSENT]
        return self._devices() + denied

    def _describe(self, finding: Finding, label: str) -> str:
        return self._writer.sentence(words.DESCRIPTIONS[finding][label], self._slots[finding])

    def _summary(self, finding: Finding, label: str) -> str:
        return self._writer.sentence(words.SUMMARIES[finding][label], self._slots[finding])

    def _devices(self) -> list[str]:
        named = {words.VENOUS_LINE: self._study.devices.line, words.PACEMAKER: self._study.devices.pacemaker}
        return [self._writer.sentence(phrases) for phrases, there in named.items() if there]

    def _technical(self) -> list[str]:
        breath, turn = self._study.pose.inspiration, abs(self._study.pose.rotation)
        said = {words.SHALLOW_BREATH: breath < -1, words.DEEP_BREATH: breath > 1, words.ROTATED: turn > 8}
        return [self._writer.sentence(phrases) for phrases, true in said.items() if true]

    def _neutral(self) -> list[str]:
        return [self._writer.sentence([phrase]) for phrase in words.NEUTRAL if self._writer.chance(0.35)]


def _slots(patient: Patient, study: Study, writer: Writer) -> dict[Finding, Slots]:
    """Return grade, side and zone of each finding; what is absent, and only suspected, lies anywhere."""
    anatomy = build_anatomy(patient, study)
    lesions = build_lesions(patient, study, anatomy)
    places = _places(anatomy, lesions)
    anywhere = {
        finding: {"side": writer.one_of(list(SIDES.values())), "zone": writer.one_of(["upper", "mid", "lower"])}
        for finding in Finding
    }
    return {
        finding: _grade(study.severity(finding), writer) | anywhere[finding] | places.get(finding, {})
        for finding in Finding
    }


def _grade(severity: float, writer: Writer) -> Slots:
    grade = int(severity >= MODERATE) + int(severity >= LARGE)
    return {slot: writer.phrase([choices[grade]]) for slot, choices in words.SIZES.items()}


def _places(anatomy: Anatomy, lesions: Lesions) -> Mapping[Finding, Slots]:
    places: dict[Finding, Slots] = {}
    wet = [SIDES[side] for side, lung in enumerate(lesions.floating) if lung]
    dry = [SIDES[side] for side, lung in enumerate(lesions.collapsed) if lung]
    if wet:
        places[Finding.PLEURAL_EFFUSION] = {"side": wet[0], "sides": "bilateral" if len(wet) == 2 else wet[0]}
    if dry:
        places[Finding.PNEUMOTHORAX] = {"side": dry[0]}
    for finding, beads in {Finding.CONSOLIDATION: lesions.consolidation, Finding.LUNG_NODULE: lesions.nodules}.items():
        if len(beads.centres):
            places[finding] = _place(anatomy, beads)
    return places


def _place(anatomy: Anatomy, beads: Beads) -> Slots:
    across, down, _ = beads.centres.mean(axis=0)
    side = RIGHT if across < 0 else LEFT
    lung = anatomy.lungs[side]
    height = (down - lung.centre[1]) / lung.axes[1]
    zone = "upper" if height < UPPER_ZONE else "mid" if height < LOWER_ZONE else "lower"
    return {"side": SIDES[side], "zone": zone}
