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
    "non_covid_pneumonia",
    # tuberculosis sets
    "tuberculosis",
    # VinDr-CXR
    "aortic_enlargement",
    "calcification",
    "clavicle_fracture",
    "copd",
    "enlarged_pulmonary_artery",
    "interstitial_lung_disease",
    "lung_cavity",
    "lung_cyst",
    "lung_tumor",
    "mediastinal_shift",
    "nodule_or_mass",
    "other_disease",
    "other_lesion",
    "rib_fracture",
    # CheXchoNet: echocardiography and implants
    "left_ventricular_hypertrophy",
    "dilated_left_ventricle",
    "hypertrophy_or_dilation",
    "heart_transplant",
    "lung_transplant",
    "pacemaker_or_icd",
    # MedMod: phenotypes of an intensive-care stay, in the publisher's alphabetical order
    "acute_renal_failure",
    "acute_cerebrovascular_disease",
    "acute_myocardial_infarction",
    "cardiac_dysrhythmias",
    "chronic_kidney_disease",
    "copd_and_bronchiectasis",
    "complications_of_procedures",
    "conduction_disorders",
    "congestive_heart_failure",
    "coronary_atherosclerosis",
    "diabetes_with_complications",
    "diabetes_without_complications",
    "lipid_metabolism_disorders",
    "essential_hypertension",
    "fluid_and_electrolyte_disorders",
    "gastrointestinal_hemorrhage",
    "hypertension_with_complications",
    "other_liver_diseases",
    "other_lower_respiratory_disease",
    "other_upper_respiratory_disease",
    "pleurisy_pneumothorax_collapse",
    "pneumonia_phenotype",
    "respiratory_failure",
    "septicemia",
    "shock",
    # outcomes recorded for the patient, not read from the image
    "icu_admission",
    "death",
    "death_in_hospital",
    "death_in_icu",
)
"""Names of findings and outcomes; `any_finding` is present where a publisher's list names at least one."""

SPLITS = ("train", "val", "test")
"""Parts of a corpus: encoders and probes are fitted on `train`, selected on `val`, scored on `test`."""

EXCLUDED = "excluded"
"""The split of rows that stay in the manifest but take part in nothing, by a setting that says why."""

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
