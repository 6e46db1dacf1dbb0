"""REFLACX's labels by phase, and the findings of the vocabulary that mean the same (spec RayGen E5).

A label is mapped only where both its presence and its absence say the same as the finding's: 'Acute fracture'
is narrower than fracture, 'Pleural abnormality' wider than pleural effusion, and 'Wide mediastinum' leaves out
the large hearts that CheXpert counts as enlarged cardiomediastinum; such labels map to None. Their ellipses
still become boxes, under the publisher's label.
"""

_PHASE_1 = {
    "Airway wall thickening": None,
    "Atelectasis": "atelectasis",
    "Consolidation": "consolidation",
    "Emphysema": "emphysema",
    "Enlarged cardiac silhouette": "cardiomegaly",
    "Fibrosis": "fibrosis",
    "Fracture": "fracture",
    "Groundglass opacity": None,
    "Mass": "mass",
    "Nodule": "nodule",
    "Pleural effusion": "pleural_effusion",
    "Pleural thickening": "pleural_thickening",
    "Pneumothorax": "pneumothorax",
    "Pulmonary edema": "edema",
    "Wide mediastinum": None,
}

_PHASE_2 = {
    "Abnormal mediastinal contour": None,
    "Acute fracture": None,
    "Atelectasis": "atelectasis",
    "Consolidation": "consolidation",
    "Enlarged cardiac silhouette": "cardiomegaly",
    "Enlarged hilum": None,
    "Groundglass opacity": None,
    "Hiatal hernia": "hernia",
    "High lung volume / emphysema": None,
    "Interstitial lung disease": "interstitial_lung_disease",
    "Lung nodule or mass": "nodule_or_mass",
    "Pleural abnormality": None,
    "Pneumothorax": "pneumothorax",
    "Pulmonary edema": "edema",
}

FINDING_OF: dict[int, dict[str, str | None]] = {1: _PHASE_1, 2: _PHASE_2, 3: _PHASE_2}
"""By phase, each label that readers give a certainty and draw ellipses for, with the finding that means the same."""

SUPPORT_DEVICES = "Support devices"
"""A label of all phases that readers only tick; 'Quality issue' (phase 1) and 'Other' (free text) are left out."""


def mapped_labels(phase: int) -> dict[str, str]:
    """Return the label of each finding that the phase asks for with a certainty."""
    return {finding: label for label, finding in FINDING_OF[phase].items() if finding is not None}


def box_label(phase: int, label: str) -> str:
    """Return the finding that a label means, or else the publisher's label."""
    return FINDING_OF[phase][label] or label
