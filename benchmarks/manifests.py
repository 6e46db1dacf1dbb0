"""MIMIC-CXR at full scale, raw tables and archived reports to a manifest, against pandas.

Made tables of the size and shape of MIMIC-CXR-JPG 2.x (377,110 images, 227,835 studies, 65,379 patients, gzipped
as published) and an archive of as many reports in the phantom's words, about 800 characters each (spec
performance, 3 and P9). Both sides read the same tables, do the same joins and write Parquet; ours also checks
every cell and the manifest's rules. Each contender runs in a process of its own, so that its peak memory is its
own; its clock starts after the imports. Rows whose peer is `limit` compare with what the project promises.
"""

import gzip
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console

from benchmarks.frame import Measure, less_is_better
from pipeline.manifests.schema import MANIFEST_SCHEMA, write_manifest
from pipeline.manifests.vocabulary import UNKNOWN
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.mimic import MimicCxrLayout
from pipeline.sources.adapter import read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.mimic_tables import FINDING_NAMES, PRESENCE_CODES, SPLIT_CODES, VIEW_CODES
from pipeline.sources.phantom.report import write_report
from pipeline.sources.phantom.roster import cohort_studies
from pipeline.sources.reports.table import read_reports

PATIENTS, STUDIES, IMAGES = 65_379, 227_835, 377_110
UNLABELLED = 8
PHANTOM_PATIENTS = 700
"""Patients whose reports make up the archive, two to a text."""
ROUNDS = 3
TABLE_SECONDS, REPORT_SECONDS, PEAK = 10.0, 30.0, 1000.0
METADATA, SPLIT, LABELS = (f"mimic-cxr-2.0.0-{name}.csv.gz" for name in ("metadata", "split", "chexpert"))
REPORTS = "mimic-cxr-reports.zip"
UNITS = {"wall": "s", "cpu": "CPU-s", "peak": "MB"}
FINDING_COLUMNS = {name: f"finding_{finding}" for name, finding in FINDING_NAMES.items()}
SHARED = ["key", "patient", "study", "view", "path", "split", *FINDING_COLUMNS.values()]
"""Columns that both sides make."""
PRESENCE_OF = {float(code): presence for code, presence in PRESENCE_CODES.items()}
IDS = ["subject_id", "study_id"]
METADATA_COLUMNS = [
    "dicom_id",
    *IDS,
    "PerformedProcedureStepDescription",
    "ViewPosition",
    "Rows",
    "Columns",
    "StudyDate",
    "StudyTime",
    "ProcedureCodeSequence_CodeMeaning",
    "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
]

Spent = dict[str, float]


def run() -> list[Measure]:
    """Make the raw tree once, compare what the contenders spend, and check that they agree and rebuild alike."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        studies = make_tables(root)
        make_archive(root / REPORTS, studies)
        rounds = [{name: spend(name, root, number) for name in CONTENDERS} for number in range(ROUNDS)]
        check_manifests(root)
    spent = {name: {key: median(each[name][key] for each in rounds) for key in UNITS} for name in CONTENDERS}
    tables, reports, whole = spent["tables"], spent["reports"], spent["whole"]
    both = TABLE_SECONDS + REPORT_SECONDS
    return [
        *compare("tables to manifest", tables, spent["pandas"], "pandas"),
        less_is_better("tables to manifest, wall", tables["wall"], TABLE_SECONDS, "limit", "s"),
        less_is_better("tables to manifest, peak", tables["peak"], PEAK, "limit", "MB"),
        less_is_better("reports read and cut, wall", reports["wall"], REPORT_SECONDS, "limit", "s"),
        less_is_better("tables and reports to manifest, wall", whole["wall"], both, "limit", "s"),
        less_is_better("tables and reports to manifest, peak", whole["peak"], PEAK, "limit", "MB"),
    ]


def compare(what: str, ours: Spent, theirs: Spent, peer: str) -> list[Measure]:
    """Compare wall time, processor time and peak memory."""
    return [less_is_better(f"{what}, {key}", ours[key], theirs[key], peer, unit) for key, unit in UNITS.items()]


def make_tables(root: Path) -> pl.DataFrame:
    """Write metadata, split and labels as published; return the studies: subject_id, study_id, split, date, time."""
    rng = np.random.Generator(np.random.Philox(key=0))
    studies = draw_studies(rng)
    labels = {name: draw_texts(rng, {"1.0": 0.12, "0.0": 0.05, "-1.0": 0.03}, STUDIES) for name in FINDING_NAMES}
    labelled = studies.select("subject_id", "study_id").with_columns(**labels)
    write_gzipped(root / LABELS, labelled[:-UNLABELLED])
    images = studies[spread(rng, STUDIES, IMAGES)].with_columns(
        dicom_id=draw_names(rng),
        ViewPosition=draw_texts(rng, {"AP": 0.39, "PA": 0.25, "LATERAL": 0.22, "LL": 0.1}, IMAGES),
        PerformedProcedureStepDescription=draw_texts(
            rng, {"CHEST (PA AND LAT)": 0.5, "CHEST (PORTABLE AP)": 0.5}, IMAGES
        ),
        Rows=pl.lit(3056),
        Columns=pl.lit(2544),
        ProcedureCodeSequence_CodeMeaning=pl.lit("CHEST (PA AND LAT)"),
        ViewCodeSequence_CodeMeaning=pl.lit("postero-anterior"),
        PatientOrientationCodeSequence_CodeMeaning=pl.lit("Erect"),
    )
    write_gzipped(root / SPLIT, images.select("dicom_id", "study_id", "subject_id", "split"))
    write_gzipped(root / METADATA, images.select(METADATA_COLUMNS))
    return studies


def draw_studies(rng: np.random.Generator) -> pl.DataFrame:
    """Draw the studies of all patients, each patient in one split."""
    owner = spread(rng, PATIENTS, STUDIES)
    subjects = np.sort(rng.choice(10_000_000, PATIENTS, replace=False)) + 10_000_000
    dates = (
        rng.integers(2110, 2200, STUDIES) * 10_000 + rng.integers(1, 13, STUDIES) * 100 + rng.integers(1, 29, STUDIES)
    )
    times = rng.integers(0, 24, STUDIES) * 10_000 + rng.integers(0, 60, STUDIES) * 100 + rng.integers(0, 60, STUDIES)
    return pl.DataFrame(
        {
            "subject_id": subjects[owner],
            "study_id": rng.choice(10_000_000, STUDIES, replace=False) + 50_000_000,
            "split": rng.choice(list(SPLIT_CODES), PATIENTS, p=[0.978, 0.008, 0.014])[owner],
            "StudyDate": dates,
            "StudyTime": times + 0.531,
        }
    )


def spread(rng: np.random.Generator, owners: int, items: int) -> npt.NDArray[np.int64]:
    """Return the owner of each item, in order; each owner has at least one."""
    return np.sort(np.concatenate([np.arange(owners), rng.integers(0, owners, items - owners)]))


def draw_texts(rng: np.random.Generator, shares: dict[str, float], count: int) -> pl.Series:
    """Draw texts by their shares; the rest of the cells are blank."""
    blank = max(1 - sum(shares.values()), 0.0)
    places = rng.choice(len(shares) + 1, count, p=[*shares.values(), blank])
    return pl.Series([*shares, None])[places]


def draw_names(rng: np.random.Generator) -> pl.Series:
    """Draw the names of the images: five groups of eight hexadecimal digits."""
    digits = rng.bytes(20 * IMAGES).hex()
    groups = [digits[start : start + 8] for start in range(0, len(digits), 8)]
    return pl.Series(["-".join(groups[start : start + 5]) for start in range(0, len(groups), 5)])


def write_gzipped(path: Path, table: pl.DataFrame) -> None:
    """Write a table as CSV, gzipped as the publisher's are."""
    path.write_bytes(gzip.compress(table.write_csv().encode(), 6, mtime=0))


def make_archive(path: Path, studies: pl.DataFrame) -> None:
    """Write one report per study: a phantom's, with the end of another as its recommendation."""
    cohort = PhantomSource(kind="phantom", patients=PHANTOM_PATIENTS)
    texts = [write_report(patient, study) for patient, study in cohort_studies(cohort)]
    ends = [text[-300:].replace(":", ",") for text in texts]
    pairs = np.random.Generator(np.random.Philox(key=1)).integers(0, len(texts), (STUDIES, 2)).tolist()
    with zipfile.ZipFile(path, "w") as archive:
        for (subject, study), (first, second) in zip(studies.select(IDS).iter_rows(), pairs, strict=True):
            member = zipfile.ZipInfo(f"files/p{subject // 1_000_000}/p{subject}/s{study}.txt")
            archive.writestr(member, f"{texts[first]} \n RECOMMENDATION(S):  {ends[second]}", zipfile.ZIP_DEFLATED)


def spend(contender: str, root: Path, number: int) -> Spent:
    """Run a contender in a process of its own; return wall and processor seconds and peak memory in MB."""
    command = [sys.executable, "-m", "benchmarks.manifests", contender, str(root), str(number)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def contend(contender: str, root: Path, number: int) -> None:
    """Run a contender here and print what it spent."""
    task = CONTENDERS[contender]
    if contender == "pandas":
        import_module("pandas")
        import_module("pyarrow.parquet")
    wall, cpu = time.perf_counter(), time.process_time()
    task(root, root / f"{contender}_{number}.parquet")
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "peak": peak_memory()}
    sys.stdout.write(json.dumps(spent))


def peak_memory() -> float:
    """Return this process's peak resident memory, MB; getrusage would count the parent's from before exec."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3


def build(root: Path, manifest: Path, reports: str | None) -> None:
    """Build the manifest from the raw tree; the inventory, whose time is that of the disk, is left out."""
    layout = MimicCxrLayout(format="mimic_cxr", reports=reports)
    rows = read_corpus(Trees.alone(root), layout).rows
    known = {"corpus": pl.lit("mimic"), "split": pl.col("official_split").cast(pl.String)}
    states = {"file_state": pl.lit("present"), "sha256": pl.lit(None)}
    columns = rows.with_columns(**known, **states).select(MANIFEST_SCHEMA.names())
    write_manifest(columns.cast(MANIFEST_SCHEMA).sort("key"), manifest)


def build_by_pandas(root: Path, manifest: Path) -> None:
    """Do the same joins as one would in a notebook."""
    import pandas as pd  # type: ignore[import-untyped]

    ids = ["dicom_id", "subject_id", "study_id"]
    text = dict.fromkeys(ids, str)
    metadata = pd.read_csv(root / METADATA, usecols=[*ids, "ViewPosition", "StudyDate", "StudyTime"], dtype=text)
    split = pd.read_csv(root / SPLIT, usecols=["dicom_id", "split"])
    labels = pd.read_csv(root / LABELS, usecols=["study_id", *FINDING_NAMES], dtype={"study_id": str})
    rows = metadata.merge(split, on="dicom_id", how="left").merge(labels, on="study_id", how="left")
    folder = "files/p" + rows.subject_id.str[:2] + "/p" + rows.subject_id + "/s" + rows.study_id
    findings = {FINDING_COLUMNS[name]: rows[name].map(PRESENCE_OF).fillna(UNKNOWN) for name in FINDING_NAMES}
    columns = {
        "key": rows.dicom_id,
        "patient": "mimic:" + rows.subject_id,
        "study": "mimic:" + rows.study_id,
        "view": rows.ViewPosition.map(VIEW_CODES).fillna("UNKNOWN"),
        "path": folder + "/" + rows.dicom_id + ".jpg",
        "split": rows.split.map(SPLIT_CODES),
    }
    pd.DataFrame(columns | findings).sort_values("key").to_parquet(manifest, index=False)


def cut(root: Path) -> None:
    """Read and cut all reports."""
    read_reports(root / REPORTS, pl.scan_csv(root / LABELS).select("study_id").collect()["study_id"].cast(pl.String))


CONTENDERS: dict[str, Callable[[Path, Path], None]] = {
    "tables": lambda root, manifest: build(root, manifest, None),
    "pandas": build_by_pandas,
    "whole": lambda root, manifest: build(root, manifest, REPORTS),
    "reports": lambda root, _: cut(root),
}


def check_manifests(root: Path) -> None:
    """End the benchmark unless all builds have equal bytes and hold the same as the peer's."""
    for contender in ("tables", "whole"):
        if len({(root / f"{contender}_{number}.parquet").read_bytes() for number in range(ROUNDS)}) > 1:
            raise ArithmeticError(f"{contender}: two builds of the manifest differ")
    ours, theirs = (pl.read_parquet(root / f"{name}_0.parquet", columns=SHARED) for name in ("tables", "pandas"))
    if not ours.cast(pl.String).equals(theirs.cast(pl.String)):
        raise ArithmeticError("the manifest does not hold what pandas read; the timing means nothing")
    Console().print(f"{ROUNDS} builds have equal bytes; {ours.height} rows are those of pandas")


if __name__ == "__main__":
    contend(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
