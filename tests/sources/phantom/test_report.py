"""Reports of the phantom: MIMIC's form, the labels' statements, the image's sides."""

import csv
import gzip
import io
import re
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import pytest

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.anatomy import build_anatomy
from pipeline.sources.phantom.chexpert_labels import COLUMN_OF, reported_labels
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.sources.phantom.lesions import build_lesions
from pipeline.sources.phantom.mimic_ids import study_id
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.report import LINE_WIDTH, write_report
from pipeline.sources.phantom.report_grammar import Writer
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.roster import cohort_studies
from pipeline.sources.phantom.study import Study
from pipeline.sources.reports.conclusion import Conclusion, conclude

COHORT = PhantomSource(kind="phantom", patients=150, image_size=32)

# A labeller of a few lines: words of a finding, and in the same sentence words of denial or doubt.
NAMED = {
    Finding.CARDIOMEGALY: r"cardiomegaly|cardiac enlargement|enlargement of the|heart|cardiac (silhouette|size)",
    Finding.PLEURAL_EFFUSION: r"effusion|costophrenic",
    Finding.CONSOLIDATION: r"consolidation",
    Finding.PNEUMOTHORAX: r"pneumothora",
    Finding.LUNG_NODULE: r"nodul",
}
DOUBT = r"may |possible|probable|suspected|questionable|borderline|excluded|difficult to exclude|top normal"
DENIAL = r"\bno\b|normal|without|not enlarged|unremarkable|sharp"


@pytest.fixture(scope="module")
def studies() -> list[tuple[Patient, Study]]:
    return list(cohort_studies(COHORT))


@pytest.fixture(scope="module")
def concluded(studies: list[tuple[Patient, Study]]) -> list[Conclusion]:
    return [conclude(write_report(*both), study_id(*both)) for both in studies]


def said(finding: Finding, text: str) -> set[str]:
    """Return what the sentences on a finding say of it."""
    words = set()
    for sentence in re.split(r"(?<=\.)\s+", text.lower()):
        if re.search(NAMED[finding], sentence):
            doubted, denied = re.search(DOUBT, sentence), re.search(DENIAL, sentence)
            words.add("-1.0" if doubted else "0.0" if denied else "1.0")
    return words


def test_a_report_depends_on_patient_and_study_alone(studies: list[tuple[Patient, Study]]) -> None:
    again = list(cohort_studies(COHORT.model_copy(update={"patients": 5, "image_size": 64})))
    assert [write_report(*both) for both in again] == [write_report(*both) for both in studies[: len(again)]]


def test_reports_say_what_the_labels_say(studies: list[tuple[Patient, Study]], concluded: list[Conclusion]) -> None:
    for both, conclusion in zip(studies, concluded, strict=True):
        text = f"{conclusion.findings or ''} {conclusion.impression or ''}"
        for finding, column in COLUMN_OF.items():
            label = reported_labels(*both)[column]
            expected = set() if not label else {label}
            if conclusion.rule in ("sections", "last paragraph") or label in ("1.0", "-1.0"):
                assert said(finding, text) == expected, (text, finding, label)


def test_a_normal_report_says_so(studies: list[tuple[Patient, Study]], concluded: list[Conclusion]) -> None:
    for both, conclusion in zip(studies, concluded, strict=True):
        clear = re.search(
            r"no (acute|evidence of|radiographic)|normal chest|unremarkable (chest|radiog)|clear",
            f"{conclusion.findings} {conclusion.impression}".lower().replace("no evidence of pneumothorax", ""),
        )
        if reported_labels(*both)["No Finding"] == "1.0" and conclusion.rule == "sections":
            assert clear


def test_devices_are_named_where_they_are(studies: list[tuple[Patient, Study]], concluded: list[Conclusion]) -> None:
    for (_, study), conclusion in zip(studies, concluded, strict=True):
        text = f"{conclusion.findings} {conclusion.impression}".lower()
        assert bool(re.search(r"pacemaker|pacer|pacing", text)) == study.devices.pacemaker
        assert bool(re.search(r"svc|vena cava|cavoatrial", text)) == study.devices.line


def test_sides_are_those_of_the_image(studies: list[tuple[Patient, Study]], concluded: list[Conclusion]) -> None:
    seen = Counter[str]()
    for (patient, study), conclusion in zip(studies, concluded, strict=True):
        label = reported_labels(patient, study)["Pneumothorax"]
        if not study.has(Finding.PNEUMOTHORAX) or label not in ("1.0", "-1.0"):
            continue
        right, _ = build_lesions(patient, study, build_anatomy(patient, study)).collapsed
        text = f"{conclusion.findings or ''} {conclusion.impression or ''}".lower()
        sentences = [s for s in re.split(r"(?<=\.)\s+", text) if "pneumothora" in s]
        side, other = ("right", "left") if right else ("left", "right")
        assert all(re.search(rf"\b{side}\b", s) and not re.search(rf"\b{other}\b", s) for s in sentences)
        seen[side] += 1
    assert min(seen["right"], seen["left"]) > 2


def test_a_larger_finding_has_a_larger_word(studies: list[tuple[Patient, Study]], concluded: list[Conclusion]) -> None:
    graded: dict[str, list[float]] = {"small": [], "large": []}
    for (patient, study), conclusion in zip(studies, concluded, strict=True):
        if reported_labels(patient, study)["Pneumothorax"] == "1.0":
            text = f"{conclusion.findings} {conclusion.impression}".lower()
            if match := re.search(
                r"(small to moderate|small|trace|tiny|moderate|large|sizable)[^.]*pneumothorax", text
            ):
                grade = {"small": "small", "trace": "small", "tiny": "small", "large": "large", "sizable": "large"}
                graded.get(grade.get(match[1], ""), []).append(study.severity(Finding.PNEUMOTHORAX))
    assert graded["small"]
    assert graded["large"]
    assert max(graded["small"]) < min(graded["large"])


def test_the_wording_varies(concluded: list[Conclusion]) -> None:
    sentences = {s for c in concluded for s in re.split(r"(?<=\.)\s+", c.findings or "")}
    effusions = {s for s in sentences if "effusion" in s and re.search(r"\bno\b|without", s.lower()) is None}
    assert len(sentences) > 400
    assert len(effusions) > 60


def test_all_forms_of_reports_occur(concluded: list[Conclusion]) -> None:
    rules = Counter(conclusion.rule for conclusion in concluded)
    assert set(rules) == {"sections", "impression only", "findings only", "last paragraph"}
    assert rules["sections"] > len(concluded) / 2


def test_reports_have_the_form_of_the_publisher(studies: list[tuple[Patient, Study]]) -> None:
    reports = [write_report(*both) for both in studies]
    for report in reports:
        lines = report.removesuffix("\n").split("\n")
        assert max(map(len, lines)) <= LINE_WIDTH
        assert all(line.startswith(" ") for line in lines)
        assert " " * 33 + "FINAL REPORT" in lines
        assert "___" in report
    assert {"ADDENDUM", "WET READ", "CONCLUSION", "TECHNIQUE"} <= {
        word for report in reports for word in re.findall(r"^ ([A-Z ]+):", report, re.MULTILINE)
    }


def test_choices_within_choices_are_made_and_leave_no_marks() -> None:
    writer = Writer(keyed_generator(0, "test"))
    found = {writer.sentence(["[a|the [big|small|]] {what} [, really|]"], {"what": "cat"}) for _ in range(200)}
    assert found == {
        f"{article} cat{end}." for article in ("A", "The big", "The small", "The") for end in ("", ", really")
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cohorts") / "mimic_cxr"
    write_cohort(root, COHORT.model_copy(update={"patients": 22}), "mimic_cxr")
    return root


def rows(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_same_settings_give_the_same_tree(tree: Path, tmp_path: Path) -> None:
    write_cohort(tmp_path / "again", COHORT.model_copy(update={"patients": 22}), "mimic_cxr")
    for path in tree.rglob("*"):
        assert path.is_dir() or (tmp_path / "again" / path.relative_to(tree)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (
            "mimic-cxr-2.0.0-metadata.csv.gz",
            "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,"
            "StudyTime,ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
            "PatientOrientationCodeSequence_CodeMeaning",
        ),
        ("mimic-cxr-2.0.0-split.csv.gz", "dicom_id,study_id,subject_id,split"),
        (
            "mimic-cxr-2.0.0-chexpert.csv.gz",
            "subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,"
            "Lung Lesion,Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,"
            "Support Devices",
        ),
        (
            "mimic-cxr-2.1.0-test-set-labeled.csv",
            "study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
            "Airspace Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices",
        ),
    ],
)
def test_tables_have_the_columns_of_the_publisher(name: str, columns: str, tree: Path) -> None:
    assert ",".join(rows(tree / name)[0]) == columns


def test_images_lie_where_their_identifiers_say_with_the_size_of_the_metadata(tree: Path) -> None:
    metadata = rows(tree / "mimic-cxr-2.0.0-metadata.csv.gz")
    for row in metadata:
        folder = f"files/p{row['subject_id'][:2]}/p{row['subject_id']}/s{row['study_id']}"
        image = cv2.imread(str(tree / folder / f"{row['dicom_id']}.jpg"), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.shape == (int(row["Rows"]), int(row["Columns"]))
    assert {row["ViewPosition"] for row in metadata} >= {"AP", "PA", "LATERAL"}


def test_histograms_are_flat_as_those_of_the_publisher(tree: Path) -> None:
    path = tree / (tree / "IMAGE_FILENAMES").read_text().split()[0]
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    assert 100 < image.mean() < 160
    assert image.std() > 60


def test_patients_are_in_one_part_and_the_last_are_tested(tree: Path) -> None:
    parts = {row["subject_id"]: row["split"] for row in rows(tree / "mimic-cxr-2.0.0-split.csv.gz")}
    spread = {(row["subject_id"], row["split"]) for row in rows(tree / "mimic-cxr-2.0.0-split.csv.gz")}
    assert len(spread) == len(parts)
    assert Counter(parts.values()) == {"train": 14, "validate": 1, "test": 7}


def test_the_archive_holds_one_report_per_study(tree: Path) -> None:
    with zipfile.ZipFile(tree / "mimic-cxr-reports.zip") as archive:
        members = archive.namelist()
    studies = {(row["subject_id"], row["study_id"]) for row in rows(tree / "mimic-cxr-2.0.0-split.csv.gz")}
    assert members == sorted(f"files/p{s[:2]}/p{s}/s{study}.txt" for s, study in studies)
