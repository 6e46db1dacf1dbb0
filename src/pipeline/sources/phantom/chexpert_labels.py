"""What a report labeller would say about a phantom study, in CheXpert's words and columns."""

import math

import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Study

LABEL_COLUMNS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
"""The label columns in CheXpert's order (spec RayGen E3)."""

COLUMN_OF = {
    Finding.CARDIOMEGALY: "Cardiomegaly",
    Finding.PLEURAL_EFFUSION: "Pleural Effusion",
    Finding.CONSOLIDATION: "Consolidation",
    Finding.PNEUMOTHORAX: "Pneumothorax",
    Finding.LUNG_NODULE: "Lung Lesion",
}

DENIED = {
    Finding.CARDIOMEGALY: 0.10,
    Finding.PLEURAL_EFFUSION: 0.35,
    Finding.CONSOLIDATION: 0.20,
    Finding.PNEUMOTHORAX: 0.35,
    Finding.LUNG_NODULE: 0.03,
}
"""Share of reports that state the absence of a finding that is absent; the others leave it unmentioned."""

PRESENT, ABSENT, UNCERTAIN, UNMENTIONED = "1.0", "0.0", "-1.0", ""


def reported_labels(patient: Patient, study: Study) -> dict[str, str]:
    """Return the labels mined from a report: 1.0, 0.0, -1.0 (uncertain) or blank (not mentioned).

    Uncertainty peaks at the threshold of a finding; columns without a phantom finding stay blank.
    """
    draw = keyed_generator(patient.seed, "chexpert report", patient.number, study.number)
    labels = dict.fromkeys(LABEL_COLUMNS, UNMENTIONED)
    for finding, column in COLUMN_OF.items():
        labels[column] = _reported(study.margins[finding], DENIED[finding], draw)
    raised = {labels[column] for column in COLUMN_OF.values()} & {PRESENT, UNCERTAIN}
    if not raised and not any(study.has(finding) for finding in Finding):
        labels["No Finding"] = PRESENT
    if _supported(study):
        labels["Support Devices"] = PRESENT
    return labels


def reference_labels(study: Study) -> dict[str, str]:
    """Return the labels of a reading without doubt: 1.0 or 0.0 in every column."""
    labels = dict.fromkeys(LABEL_COLUMNS, ABSENT)
    for finding, column in COLUMN_OF.items():
        labels[column] = PRESENT if study.has(finding) else ABSENT
    labels["No Finding"] = ABSENT if any(study.has(finding) for finding in Finding) else PRESENT
    labels["Support Devices"] = PRESENT if _supported(study) else ABSENT
    return labels


def _reported(margin: float, denied: float, draw: np.random.Generator) -> str:
    doubt, mention = draw.random(2).tolist()
    if doubt < 0.02 + 0.4 * math.exp(-((margin / 0.3) ** 2)):
        return UNCERTAIN
    if margin > 0:
        return PRESENT if mention < 0.95 else UNMENTIONED
    return ABSENT if mention < denied else UNMENTIONED


def _supported(study: Study) -> bool:
    """Electrodes are not counted as support devices, as in CheXpert's reports."""
    return study.devices.line or study.devices.pacemaker
