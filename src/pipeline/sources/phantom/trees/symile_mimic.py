"""The phantom cohort as a raw Symile-MIMIC 1.0.0 tree: tables and arrays of admissions (spec PaCX 1.3)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.labs.items import LAB_NAMES
from pipeline.sources.phantom import mimic_ids
from pipeline.sources.phantom.chexpert_labels import reported_labels
from pipeline.sources.phantom.ecg_ids import record_path
from pipeline.sources.phantom.ecg_samples import GAIN, stored_samples
from pipeline.sources.phantom.labs import sample_labs
from pipeline.sources.phantom.labs_tables import percentile_arrays, percentile_tables
from pipeline.sources.phantom.mimic_subset import frontal_images, write_columns
from pipeline.sources.phantom.radiograph import render
from pipeline.sources.phantom.trees.mimic_cxr import Taken
from pipeline.sources.phantom.truth import Row, TruthRecorder

LABELS = ("Atelectasis", "Cardiomegaly", "Edema", "Lung Opacity", "No Finding", "Pleural Effusion")
PART_OF = {"train": "train", "validate": "val", "test": "test"}

WITH_QUERIES = ("val_retrieval", "test")
"""Parts whose rows are candidates of queries."""

COLUMNS = (
    *("subject_id", "hadm_id", "cxr_path", *LABELS, "ecg_path"),
    *LAB_NAMES,
    *(f"{item}_percentile" for item in LAB_NAMES),
)
QUERY_COLUMNS = ("label_hadm_id", "label")

CANDIDATES = 10
"""Rows per query; fewer where a part has fewer admissions."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Admission:
    """Hold one row of a table: an admission, alone or as a candidate for a query."""

    taken: Taken
    labs: dict[str, float]
    """Values of the measured items."""
    percentiles: dict[str, float]
    """Percentiles of the measured items."""
    query: int | None = None
    """The hadm_id of the query; none in parts without queries."""

    @property
    def number(self) -> int:
        """Return the hadm_id."""
        return mimic_ids.admission_id(self.taken.patient, self.taken.study)


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write the tables of all parts, their arrays and the truth into the empty folder `root`.

    Every patient has one admission, with the first study. The official parts are those of the phantom
    MIMIC-CXR-JPG: the last `test_fraction` of the patients are `test`, of the others each tenth by number is `val`.
    Images in the arrays are `image_size` pixels square (the publisher's 320). The tables name the images and
    ECGs of the phantom MIMIC-CXR-JPG and MIMIC-IV-ECG of the same patients and seed. Rows of `val` are queries of
    themselves, as the publisher's script leaves them; their arrays say nothing of queries.
    """
    cohort, means = _cohort(source)
    parts = {
        "train": cohort["train"],
        "val": cohort["val"],
        "val_retrieval": _candidates(cohort["val"], source.seed),
        "test": _candidates(cohort["test"], source.seed),
    }
    images = _images(cohort, root)
    for part, rows in parts.items():
        if part == "train":
            write_columns(root / "train.csv", COLUMNS, [_cells(row) for row in rows])
        else:
            cells = [_cells(row) | _query_cells(row) for row in rows]
            write_columns(root / f"{part}.csv", (*COLUMNS, *QUERY_COLUMNS), cells)
        _write_arrays(root / "data_npy" / part, rows, means, images)
    named = {f"{item}_percentile": means[item] for item in LAB_NAMES}
    (root / "labs_means.json").write_text(json.dumps(named, indent=4), encoding="utf-8")


def _cohort(source: PhantomSource) -> tuple[dict[str, list[Admission]], dict[str, float]]:
    """Return the admissions by official part, and the mean percentiles of train."""
    taken: dict[str, list[Taken]] = {part: [] for part in PART_OF.values()}
    for image in frontal_images(source):
        if image.study.number == 1:
            taken[PART_OF[image.part]].append(image)
    labs = {part: [sample_labs(image.patient, image.study) for image in images] for part, images in taken.items()}
    percentiles, means = percentile_tables(labs)
    cohort = {
        part: [Admission(*row) for row in zip(images, labs[part], percentiles[part], strict=True)]
        for part, images in taken.items()
    }
    return cohort, means


def _candidates(rows: list[Admission], seed: int) -> list[Admission]:
    """Return the queries, then for each the other admissions that stand as wrong answers."""
    listed = [replace(row, query=row.number) for row in rows]
    for query in rows:
        others = [row for row in rows if row is not query]
        draw = keyed_generator(seed, "symile candidates", query.number)
        chosen = draw.choice(len(others), min(CANDIDATES - 1, len(others)), replace=False).tolist()
        listed += [replace(others[place], query=query.number) for place in chosen]
    return listed


def _cells(row: Admission) -> Row:
    patient, study = row.taken.patient, row.taken.study
    labels = reported_labels(patient, study)
    return {
        "subject_id": str(mimic_ids.subject_id(patient)),
        "hadm_id": str(row.number),
        "cxr_path": row.taken.path,
        **{name: labels[name] for name in LABELS},
        "ecg_path": record_path(patient, study),
        **{item: str(row.labs.get(item, "")) for item in LAB_NAMES},
        **{f"{item}_percentile": str(row.percentiles.get(item, "")) for item in LAB_NAMES},
    }


def _query_cells(row: Admission) -> Row:
    """Return which query a row is a candidate of, itself where it is of none, and whether it is the right one."""
    query = row.number if row.query is None else row.query
    return {"label_hadm_id": str(query), "label": str(int(query == row.number))}


def _images(cohort: Mapping[str, list[Admission]], root: Path) -> dict[int, Floats]:
    """Return the image of each admission as the arrays hold it, and record its truth."""
    truth = TruthRecorder(root)
    images = {}
    for part, rows in cohort.items():
        for row in rows:
            taken = row.taken
            shot = render(taken.patient, taken.study, "frontal", taken.shape)
            truth.record(taken.path, taken.patient, taken.study, "frontal", shot)
            images[row.number] = _normalised(_square(shot.image, taken, at_random=part == "train"))
    truth.write_table()
    return images


def _square(image: npt.NDArray[np.uint8], taken: Taken, at_random: bool) -> npt.NDArray[np.uint8]:
    """Cut the long side to the short one: anywhere, once and for all, or in the middle."""
    side, spare = min(image.shape), max(image.shape) - min(image.shape)
    draw = keyed_generator(taken.patient.seed, "symile crop", taken.patient.number)
    start = int(draw.integers(spare + 1)) if at_random else spare // 2
    tall = image.shape[0] > image.shape[1]
    return image[start : start + side] if tall else image[:, start : start + side]


def _normalised(image: npt.NDArray[np.uint8]) -> Floats:
    """Return [3, side, side] with ImageNet's means and deviations taken out."""
    mean, deviation = (np.array(values, np.float32)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    channels: Floats = (image[None].astype(np.float32) / np.float32(255) - mean) / deviation
    return channels


def _ecg(taken: Taken) -> Floats:
    """Return [1, 5000, 12] scaled to -1 to 1 over all leads together."""
    millivolts = stored_samples(taken.patient, taken.study) / GAIN
    low, high = millivolts.min(), millivolts.max()
    scaled: Floats = (2 * (millivolts - low) / (high - low) - 1).astype(np.float32)[None]
    return scaled


def _write_arrays(
    folder: Path, rows: list[Admission], means: Mapping[str, float], images: Mapping[int, Floats]
) -> None:
    percentiles, measured = percentile_arrays([row.labs for row in rows], [row.percentiles for row in rows], means)
    ecgs = {row.number: _ecg(row.taken) for row in rows}
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "cxr": np.array([images[row.number] for row in rows], np.float32),
        "ecg": np.array([ecgs[row.number] for row in rows], np.float32),
        "labs_percentiles": percentiles,
        "labs_missingness": measured,
        "hadm_id": np.array([row.number for row in rows], np.int64),
    }
    if folder.name in WITH_QUERIES:
        arrays["label_hadm_id"] = np.array([row.query for row in rows], np.int64)
        arrays["label"] = np.array([row.query == row.number for row in rows], np.int64)
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}_{folder.name}.npy", array)
