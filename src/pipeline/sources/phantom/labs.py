"""Laboratory values of a phantom study: assays that follow the latents, items that follow from assays, and gaps."""

import math

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.labs_assays import ASSAYS
from pipeline.sources.phantom.labs_panels import ALWAYS_MEASURED, PANELS
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.study import Study

PERSISTENCE = 0.5
"""Share of the variance not explained by the latents that stays with the patient."""

SALT_CARBON_DIOXIDE = 0.0307
"""Dissolved carbon dioxide in blood, mmol/l per mmHg."""

SHARE_ITEMS = {
    "neutrophils": "51256",
    "lymphocytes": "51244",
    "monocytes": "51254",
    "eosinophils": "51200",
    "basophils": "51146",
    "immature granulocytes": "52135",
}
"""Kinds of white cells, and the items of their shares in percent."""

DECIMALS = {
    **dict.fromkeys(("50820", "51133", "51279", "52069", "52073", "52074", "52075"), 2),
    **dict.fromkeys(("50813", "50862", "50885", "50893", "50912", "50960", "50970", "50971", "52172"), 1),
    **dict.fromkeys(("51221", "51222", "51237", "51248", "51249", "51274", "51275", "51277", "51301"), 1),
    **dict.fromkeys(("51146", "51200", "51244", "51254", "51256", "52135"), 1),
}
"""Decimals that an item is reported with, where there are any."""


def sample_labs(patient: Patient, study: Study) -> dict[str, float]:
    """Return the items that were measured, by number in MIMIC's `d_labitems`.

    About 30 % of the 50 items are missing, blood gases most; the sicker the patient, the more is ordered.
    """
    values = complete_labs(patient, study)
    draw = keyed_generator(patient.seed, "lab orders", patient.number, study.number)
    measured = {ALWAYS_MEASURED}
    for panel in PANELS.values():
        chance = float(draw.standard_normal())
        luck = draw.random(len(panel.items)).tolist()
        if panel.is_ordered(study.physiology, chance):
            measured.update(item for item, fate in zip(panel.items, luck, strict=True) if fate >= panel.lost)
    return {item: value for item, value in values.items() if item in measured}


def complete_labs(patient: Patient, study: Study) -> dict[str, float]:
    """Return all 50 items as they would read if they were measured, rounded as laboratories do."""
    own = keyed_generator(patient.seed, "assays", patient.number).standard_normal(len(ASSAYS)).tolist()
    now = keyed_generator(patient.seed, "assays at study", patient.number, study.number).standard_normal(len(ASSAYS))
    level = {}
    for (name, assay), fixed, passing in zip(ASSAYS.items(), own, now.tolist(), strict=True):
        chance = math.sqrt(PERSISTENCE) * fixed + math.sqrt(1 - PERSISTENCE) * passing
        level[name] = assay.value(min(max(assay.score(study.physiology, chance), -3.5), 3.5))
    level["hemoglobin"] += 0.6 if patient.person.sex == "M" else -0.6
    items = {assay.item: level[name] for name, assay in ASSAYS.items() if assay.item}
    items |= _red_cells(level) | _white_cells(level) | _salts_and_gases(level) | {"51274": 10.9 * level["INR"]}
    return {item: round(value, DECIMALS.get(item, 0)) for item, value in items.items()}


def _red_cells(level: dict[str, float]) -> dict[str, float]:
    """Return what the definitions of the red-cell indices bind to volume, concentration and width."""
    hematocrit = 100 * level["hemoglobin"] / level["cell hemoglobin concentration"]
    red_cells = 10 * hematocrit / level["cell volume"]
    return {
        "51221": hematocrit,
        "51279": red_cells,
        "51248": 10 * level["hemoglobin"] / red_cells,
        # Width at a fifth of the height of a normal distribution with this coefficient of variation.
        "52172": 2 * math.sqrt(2 * math.log(5)) * level["cell width"] / 100 * level["cell volume"],
    }


def _white_cells(level: dict[str, float]) -> dict[str, float]:
    """Return the count of white cells and the shares of their kinds, which add up."""
    total = sum(level[name] for name in SHARE_ITEMS)
    return {"51301": total} | {item: 100 * level[name] / total for name, item in SHARE_ITEMS.items()}


def _salts_and_gases(level: dict[str, float]) -> dict[str, float]:
    """Return chloride from the anion gap, and pH by Henderson and Hasselbalch with what follows from it."""
    dissolved = SALT_CARBON_DIOXIDE * level["carbon dioxide"]
    acidity = 6.1 + math.log10(level["bicarbonate"] / dissolved)
    return {
        "50902": level["sodium"] + level["potassium"] - level["bicarbonate"] - level["anion gap"],
        "50820": acidity,
        "50804": level["bicarbonate"] + dissolved,
        "50802": 0.93 * (level["bicarbonate"] - 24.4 + 14.8 * (acidity - 7.4)),
    }
