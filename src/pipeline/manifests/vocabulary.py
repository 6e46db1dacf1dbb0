"""The words of a manifest: findings and what is known of them, splits, views."""

FINDINGS = (
    # CheXpert and MIMIC-CXR-JPG
    "no_finding",
    "enlarged_cardiomediastinum",
    "cardiomegaly",
    "lung_opacity",
    "lung_lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural_effusion",
    "pleural_other",
    "fracture",
    "support_devices",
    # ChestX-ray14
    "any_finding",
    "infiltration",
    "mass",
    "nodule",
    "emphysema",
    "fibrosis",
    "pleural_thickening",
    "hernia",
    # kinds of pneumonia
    "bacterial_pneumonia",
    "viral_pneumonia",
    "covid19",
    # outcomes recorded for the patient, not read from the image
    "icu_admission",
    "death",
)
"""Names of findings and outcomes; `any_finding` is present where a publisher's list names at least one."""

SPLITS = ("train", "val", "test")
"""Parts of a corpus: encoders and probes are fitted on `train`, selected on `val`, scored on `test`."""

VIEWS = ("AP", "PA", "LATERAL", "UNKNOWN")
SEXES = ("F", "M")

PRESENT = "present"
ABSENT = "absent"
UNCERTAIN = "uncertain"
UNKNOWN = "unknown"

PRESENCE = (PRESENT, ABSENT, UNCERTAIN, UNKNOWN)
"""What can be known of a finding; `unknown` means that nobody said anything, which is not `absent`."""


def finding_column(finding: str) -> str:
    """Return the manifest column of a finding."""
    return f"finding_{finding}"
