"""MedMod: intensive-care stays, their phenotypes and outcomes, each with one MIMIC-CXR image (spec PaCX 1.10)."""

import logging
from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, SEXES, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.layouts.mimic_derived import MedmodLayout, StayPairing
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.locations import Trees
from pipeline.sources.mimic_images import identity, read_images
from pipeline.sources.mimic_tables import read_split, require_ids
from pipeline.sources.tables import parse_numbers, read_table, require_cells, require_lines

log = logging.getLogger(__name__)

PHENOTYPE_NAMES = {
    "Acute and unspecified renal failure": "acute_renal_failure",
    "Acute cerebrovascular disease": "acute_cerebrovascular_disease",
    "Acute myocardial infarction": "acute_myocardial_infarction",
    "Cardiac dysrhythmias": "cardiac_dysrhythmias",
    "Chronic kidney disease": "chronic_kidney_disease",
    "Chronic obstructive pulmonary disease and bronchiectasis": "copd_and_bronchiectasis",
    "Complications of surgical procedures or medical care": "complications_of_procedures",
    "Conduction disorders": "conduction_disorders",
    "Congestive heart failure; nonhypertensive": "congestive_heart_failure",
    "Coronary atherosclerosis and other heart disease": "coronary_atherosclerosis",
    "Diabetes mellitus with complications": "diabetes_with_complications",
    "Diabetes mellitus without complication": "diabetes_without_complications",
    "Disorders of lipid metabolism": "lipid_metabolism_disorders",
    "Essential hypertension": "essential_hypertension",
    "Fluid and electrolyte disorders": "fluid_and_electrolyte_disorders",
    "Gastrointestinal hemorrhage": "gastrointestinal_hemorrhage",
    "Hypertension with complications and secondary hypertension": "hypertension_with_complications",
    "Other liver diseases": "other_liver_diseases",
    "Other lower respiratory disease": "other_lower_respiratory_disease",
    "Other upper respiratory disease": "other_upper_respiratory_disease",
    "Pleurisy; pneumothorax; pulmonary collapse": "pleurisy_pneumothorax_collapse",
    "Pneumonia (except that caused by tuberculosis or sexually transmitted disease)": "pneumonia_phenotype",
    "Respiratory failure; insufficiency; arrest (adult)": "respiratory_failure",
    "Septicemia (except in labor)": "septicemia",
    "Shock": "shock",
}
"""The publisher's 25 columns, in alphabetical order, and the findings they become."""

OUTCOME_NAMES = {"mortality_inunit": "death_in_icu", "mortality_inhospital": "death_in_hospital"}
TIMES = ("intime", "outtime", "admittime", "dischtime")
MAY_BE_BLANK = ("outtime",)
FIRST_HOURS = pl.duration(hours=48)


def read_corpus(trees: Trees, layout: MedmodLayout) -> RawCorpus:
    """Pair each stay with an image; one row per pair.

    A stay without an image by the rule of `layout.pairing`, among them those whose end is not recorded, has no row;
    their number goes to the log.
    """
    stays = _read_stays(trees.own, layout)
    pairs = pair_stays(stays, read_images(trees, layout), layout.pairing)
    log.info("MedMod: %d of %d stays have an image by rule '%s'", pairs.height, stays.height, layout.pairing)
    rows = pairs.join(_official_parts(trees.own, layout), on="dicom_id", how="left", maintain_order="left")
    named = {
        **identity(),
        "key": pl.format("{}_{}", "stay_id", "dicom_id"),
        "sex": pl.col("gender").replace_strict({sex: sex for sex in SEXES}, default=None),
        "age": pl.col("age"),
    }
    findings = [column for column in rows.columns if column.startswith(finding_column(""))]
    complete = rows.select("official_split", *findings, **named)
    split_tables = () if layout.split_table is None else (layout.split_table,)
    return RawCorpus(complete_rows(complete), (layout.stays, layout.phenotypes, *split_tables))


def pair_stays(stays: pl.DataFrame, images: pl.DataFrame, pairing: StayPairing) -> pl.DataFrame:
    """Return the stays that have an image by the rule, with its columns, in order of `stay_id`.

    An image in the windows of two stays stands for the earlier one, and the later one takes its next best. Stays
    whose end is not recorded, and for `official_mortality` those below 48 hours, pair with nothing; the log counts
    them.

    Args:
        stays: Columns `subject_id`, `stay_id` and the four times.
        images: What `mimic_tables.read_metadata` returns.
        pairing: The rule, as the layout's setting explains it.
    """
    begin, end = _window(pairing)
    inside = pl.col("taken_at").is_between(begin, end)
    wanted = inside if pairing == "pacx" else inside & (pl.col("view") == "AP")
    candidates = (
        _usable(stays, pairing)
        .join(images, on="subject_id", how="inner")
        .filter(wanted)
        .sort("intime", "stay_id", "taken_at", "dicom_id", descending=[False, False, pairing != "pacx", False])
    )
    pairs = pl.DataFrame(_take_turns(candidates), schema={"stay_id": pl.String, "dicom_id": pl.String}, orient="row")
    return candidates.join(pairs, on=["stay_id", "dicom_id"], how="semi").sort("stay_id")


def _usable(stays: pl.DataFrame, pairing: StayPairing) -> pl.DataFrame:
    """Return the stays that the publisher keeps: outcomes of the first 48 hours need those hours."""
    ended = stays.drop_nulls("outtime")
    if ended.height < stays.height:
        log.info("MedMod: %d stays have no outtime and count as unpaired", stays.height - ended.height)
    if pairing != "official_mortality":
        return ended
    long = ended.filter(pl.col("outtime") - pl.col("intime") >= FIRST_HOURS)
    log.info("MedMod: %d stays of less than 48 hours are dropped, as the publisher does", ended.height - long.height)
    return long


def _window(pairing: StayPairing) -> tuple[pl.Expr, pl.Expr]:
    if pairing == "pacx":
        return pl.min_horizontal("intime", "admittime"), pl.max_horizontal("outtime", "dischtime")
    if pairing == "official_mortality":
        return pl.col("intime"), pl.col("intime") + FIRST_HOURS
    return pl.col("intime"), pl.col("outtime")


def _take_turns(candidates: pl.DataFrame) -> list[tuple[str, str]]:
    """Give each stay, in order, its first image that no stay before it has."""
    image_of: dict[str, str] = {}
    taken: set[str] = set()
    for stay, image in candidates.select("stay_id", "dicom_id").iter_rows():
        if stay not in image_of and image not in taken:
            image_of[stay] = image
            taken.add(image)
    return list(image_of.items())


def _read_stays(root: Path, layout: MedmodLayout) -> pl.DataFrame:
    """Return one row per stay, in order of `stay_id`, with its findings."""
    table = root / layout.stays
    raw = read_table(table, ["subject_id", "stay_id", *TIMES, "gender", "age", *OUTCOME_NAMES])
    number = raw["stay_id"].cast(pl.Int64, strict=False)
    require_lines(number.is_null() | number.is_duplicated(), table, "column 'stay_id' is not the number of one stay")
    require_ids(raw, ["subject_id"], table)
    stays = raw.select(
        "subject_id",
        "stay_id",
        "gender",
        number=number,
        age=parse_numbers(raw, "age", table),
        **{column: _time(raw, column, table) for column in TIMES},
        **{finding_column(finding): _presence(raw, name, table) for name, finding in OUTCOME_NAMES.items()},
    )
    return pl.concat(
        [stays.sort("number").drop("number"), _read_phenotypes(root, layout, raw.height)], how="horizontal"
    )


def _read_phenotypes(root: Path, layout: MedmodLayout, stays: int) -> pl.DataFrame:
    table = root / layout.phenotypes
    raw = read_table(table, list(PHENOTYPE_NAMES))
    if raw.height != stays:
        raise UserError(
            f"{table} has {raw.height} rows but {layout.stays} has {stays}: row i belongs to the i-th stay by "
            "stay_id, so use two tables of one run of the publisher's scripts"
        )
    return raw.select(
        **{finding_column(finding): _presence(raw, name, table) for name, finding in PHENOTYPE_NAMES.items()}
    )


def _time(raw: pl.DataFrame, column: str, table: Path) -> pl.Series:
    time = raw[column].str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms", strict=False)
    wrong = time.is_null() & raw[column].is_not_null() if column in MAY_BE_BLANK else time.is_null()
    require_lines(wrong, table, f"column '{column}' holds no time like 2180-07-23 14:00:00")
    return time


def _presence(raw: pl.DataFrame, column: str, table: Path) -> pl.Series:
    numbers = parse_numbers(raw, column, table)
    require_cells(raw, column, ~numbers.is_in([0.0, 1.0]).fill_null(value=False), table, "is neither 0 nor 1")
    return numbers.replace_strict({1.0: PRESENT, 0.0: ABSENT}, return_dtype=pl.String)


def _official_parts(root: Path, layout: MedmodLayout) -> pl.DataFrame:
    if layout.split_table is None:
        return pl.DataFrame(schema={"dicom_id": pl.String, "official_split": pl.String})
    return read_split(root / layout.split_table)
