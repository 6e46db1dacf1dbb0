"""The phantom's laboratory values: ranges, definitions that bind them, what raises them, and gaps."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import spearmanr

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.labs.items import LAB_ITEMS, LAB_NAMES
from pipeline.sources.phantom.labs import complete_labs, sample_labs
from pipeline.sources.phantom.labs_panels import ALWAYS_MEASURED, PANELS
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.roster import cohort_studies
from pipeline.sources.phantom.study import Study

COHORT = list(cohort_studies(PhantomSource(kind="phantom", patients=300)))
NUMBER = {name: item for item, name in LAB_NAMES.items()}

# The middle half of inpatients lies within, by textbooks' ranges widened for the sick.
PLAUSIBLE = {
    "Hemoglobin": (8, 15),
    "Platelet Count": (120, 400),
    "White Blood Cells": (5, 15),
    "MCV": (82, 100),
    "RDW": (12, 18),
    "Creatinine": (0.6, 2.0),
    "Urea Nitrogen": (10, 45),
    "Sodium": (133, 145),
    "Potassium": (3.4, 5.2),
    "Chloride": (94, 112),
    "Bicarbonate": (20, 30),
    "Anion Gap": (10, 20),
    "Glucose": (80, 200),
    "INR(PT)": (0.9, 1.8),
    "PT": (10, 20),
    "Albumin": (2.5, 4.5),
    "pH": (7.25, 7.5),
    "pCO2": (30, 60),
    "pO2": (50, 180),
    "Lactate": (0.8, 3.5),
    "Neutrophils": (55, 92),
}

Values = dict[str, npt.NDArray[np.float64]]


@pytest.fixture(scope="module")
def values() -> Values:
    rows = [complete_labs(*pair) for pair in COHORT]
    return {item: np.array([row[item] for row in rows]) for item in LAB_ITEMS}


@pytest.fixture(scope="module")
def measured() -> npt.NDArray[np.bool_]:
    rows = [sample_labs(*pair) for pair in COHORT]
    return np.array([[item in row for item in LAB_ITEMS] for row in rows])


def latent(name: str) -> npt.NDArray[np.float64]:
    return np.array([getattr(study.physiology, name) for _, study in COHORT])


def test_all_fifty_items_have_a_value_that_is_possible(values: Values) -> None:
    for item, column in values.items():
        assert np.isfinite(column).all()
        assert item == NUMBER["Base Excess"] or column.min() >= 0, LAB_NAMES[item]


@pytest.mark.parametrize("name", PLAUSIBLE)
def test_values_are_those_of_inpatients(values: Values, name: str) -> None:
    low, high = PLAUSIBLE[name]
    lower, upper = np.quantile(values[NUMBER[name]], [0.25, 0.75])
    assert low <= lower < upper <= high


def test_definitions_bind_what_they_define(values: Values) -> None:
    by_name = {name: values[item] for item, name in LAB_NAMES.items()}
    rounding = {"rtol": 0.03, "atol": 0.6}
    np.testing.assert_allclose(by_name["MCV"], 10 * by_name["Hematocrit"] / by_name["Red Blood Cells"], **rounding)
    np.testing.assert_allclose(by_name["MCH"], 10 * by_name["Hemoglobin"] / by_name["Red Blood Cells"], **rounding)
    np.testing.assert_allclose(by_name["MCHC"], 100 * by_name["Hemoglobin"] / by_name["Hematocrit"], **rounding)
    gap = by_name["Sodium"] + by_name["Potassium"] - by_name["Chloride"] - by_name["Bicarbonate"]
    np.testing.assert_allclose(by_name["Anion Gap"], gap, rtol=0, atol=2.1)
    acidity = 6.1 + np.log10(by_name["Bicarbonate"] / (0.0307 * by_name["pCO2"]))
    np.testing.assert_allclose(by_name["pH"], acidity, rtol=0, atol=0.04)
    kinds = ("Neutrophils", "Lymphocytes", "Monocytes", "Eosinophils", "Basophils", "Immature Granulocytes")
    np.testing.assert_allclose(sum(by_name[kind] for kind in kinds), 100, rtol=0, atol=0.31)
    neutrophils = by_name["White Blood Cells"] * by_name["Neutrophils"] / 100
    np.testing.assert_allclose(by_name["Absolute Neutrophil Count"], neutrophils, rtol=0.02)


@pytest.mark.parametrize(
    ("name", "cause", "least"),
    [
        ("Urea Nitrogen", "cardiac_load", 0.5),
        ("Creatinine", "cardiac_load", 0.5),
        ("Creatinine", "fluid", 0.4),
        ("White Blood Cells", "inflammation", 0.6),
        ("Absolute Neutrophil Count", "inflammation", 0.7),
        ("Lymphocytes", "inflammation", -0.6),
        ("Lactate", "inflammation", 0.4),
        ("Albumin", "inflammation", -0.4),
        ("Hemoglobin", "fluid", -0.3),
        ("pCO2", "obstruction", 0.7),
        ("Bicarbonate", "obstruction", 0.5),
        ("pO2", "obstruction", -0.3),
    ],
)
def test_the_latents_move_the_items_they_should(values: Values, name: str, cause: str, least: float) -> None:
    correlation = spearmanr(values[NUMBER[name]], latent(cause)).statistic
    assert correlation / least > 1, correlation


def test_about_a_third_is_missing_and_blood_gases_most(measured: npt.NDArray[np.bool_]) -> None:
    share = dict(zip(LAB_ITEMS, measured.mean(axis=0).tolist(), strict=True))
    assert measured.mean() == pytest.approx(0.7, abs=0.04)
    rarest = sorted(share, key=lambda item: share[item])[:5]
    assert set(rarest) == set(PANELS["blood gas"].items)
    assert share[NUMBER["Potassium"]] > 0.95


def test_everyone_has_at_least_one_value(measured: npt.NDArray[np.bool_]) -> None:
    assert measured[:, LAB_ITEMS.index(ALWAYS_MEASURED)].all()


def test_more_is_ordered_for_the_sick(measured: npt.NDArray[np.bool_]) -> None:
    sickness = latent("cardiac_load") + latent("fluid") + latent("inflammation")
    assert spearmanr(measured.mean(axis=1), sickness).statistic > 0.3
    gases = measured[:, LAB_ITEMS.index(NUMBER["pCO2"])]
    assert latent("obstruction")[gases].mean() > latent("obstruction")[~gases].mean() + 0.4


def test_every_item_is_in_one_panel() -> None:
    items = [item for panel in PANELS.values() for item in panel.items]
    assert sorted([*items, ALWAYS_MEASURED]) == list(LAB_ITEMS)


def test_measured_values_are_the_true_ones_and_the_same_every_time() -> None:
    pair: tuple[Patient, Study] = COHORT[0]
    labs = sample_labs(*pair)
    assert labs == sample_labs(*pair)
    assert labs.items() <= complete_labs(*pair).items()


def test_a_patient_stays_like_himself_between_studies() -> None:
    firsts = {patient.number: complete_labs(patient, study) for patient, study in COHORT if study.number == 1}
    seconds = {patient.number: complete_labs(patient, study) for patient, study in COHORT if study.number == 2}
    both = sorted(firsts.keys() & seconds.keys())
    pairs = [(firsts[number]["51250"], seconds[number]["51250"]) for number in both]
    assert spearmanr(pairs).statistic > 0.3
