"""The phantom cohort as a raw MIMIC-CXR-JPG tree with its reports (spec RayGen E1, E2, PaCX 1.10)."""

import csv
import gzip
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom import mimic_ids
from pipeline.sources.phantom.chexpert_labels import PRESENT, UNCERTAIN, reference_labels, reported_labels
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Projected, render
from pipeline.sources.phantom.report import examination, write_report
from pipeline.sources.phantom.roster import cohort_studies, held_out_numbers
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.trees.chexpert import film_shape
from pipeline.sources.phantom.truth import Row, TruthRecorder, write_image

LABELS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
"""Label columns in the publisher's order, which is not CheXpert's."""

VALIDATED, UNLABELLED, READ_AGAIN, NO_VIEW, DOUBT_LOST = 10, 0.02, 0.5, 0.03, 0.3
"""One of how many patients outside the test part is in `validate`; shares of studies without labels, of test studies
read by the radiologist, of images without `ViewPosition`, and of doubts that NegBio takes for findings."""

JPEG_QUALITY = 95
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Taken:
    """Hold one image of the cohort with where it belongs."""

    patient: Patient
    study: Study
    view: Projected
    shape: tuple[int, int]
    part: str

    @property
    def path(self) -> str:
        """Return the image's path in the tree."""
        return mimic_ids.image_path(self.patient, self.study, self.view)

    @property
    def ids(self) -> Row:
        """Return the columns that name the image, in the order of the metadata."""
        return {"dicom_id": mimic_ids.dicom_id(self.patient, self.study, self.view)} | _study_ids(self)


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write images, the tables of releases 2.0.0 and 2.1.0, the archive of reports and the truth into `root`.

    The last `test_fraction` of the patients are `test`, and of the others each tenth by number is `validate`.
    Rows are in the order of subject, study and image, as the publisher's are.
    """
    taken = sorted(_cohort(source), key=lambda image: image.path)
    studies = {image.path.rsplit("/", 1)[0]: image for image in taken}
    _write_images(root, taken)
    (root / "IMAGE_FILENAMES").write_text("".join(f"{image.path}\n" for image in taken), encoding="utf-8")
    _write_gzipped(root / "mimic-cxr-2.0.0-metadata.csv.gz", [_metadata(image) for image in taken])
    _write_gzipped(root / "mimic-cxr-2.0.0-split.csv.gz", [_split(image) for image in taken])
    labelled = [image for image in studies.values() if not _drawn("unlabelled", image, UNLABELLED)]
    _write_gzipped(root / "mimic-cxr-2.0.0-chexpert.csv.gz", [_study_ids(i) | _labels(i) for i in labelled])
    _write_gzipped(root / "mimic-cxr-2.0.0-negbio.csv.gz", [_study_ids(i) | _negbio_labels(i) for i in labelled])
    read = [image for image in studies.values() if image.part == "test" and _drawn("read again", image, READ_AGAIN)]
    (root / "mimic-cxr-2.1.0-test-set-labeled.csv").write_bytes(_as_csv([_radiologist_labels(i) for i in read]))
    _write_reports(root / "mimic-cxr-reports.zip", studies)


def _cohort(source: PhantomSource) -> list[Taken]:
    held_out = held_out_numbers(source)
    taken = []
    for patient, study in cohort_studies(source):
        part = "test" if patient.number in held_out else "train" if patient.number % VALIDATED else "validate"
        shape = film_shape(patient, study, source.image_size)
        views: tuple[Projected, ...] = ("frontal", "lateral") if study.has_lateral else ("frontal",)
        taken += [Taken(patient, study, view, shape, part) for view in views]
    return taken


def _write_images(root: Path, taken: list[Taken]) -> None:
    """Write the images with their histograms flattened, as the publisher did on the way from DICOM."""
    truth = TruthRecorder(root)
    for image in taken:
        shot = render(image.patient, image.study, image.view, image.shape)
        (root / image.path).parent.mkdir(parents=True, exist_ok=True)
        write_image(root / image.path, np.asarray(cv2.equalizeHist(shot.image), np.uint8), JPEG_QUALITY)
        truth.record(image.path, image.patient, image.study, image.view, shot)
    truth.write_table()


def _metadata(image: Taken) -> Row:
    time = mimic_ids.study_time(image.patient, image.study)
    named = not _drawn("no view", image, NO_VIEW)
    lateral = "LL" if _drawn("lateral", image, 0.3) else "LATERAL"
    position = image.study.view if image.view == "frontal" else lateral
    meaning = {"AP": "antero-posterior", "PA": "postero-anterior", "LATERAL": "lateral", "LL": "left lateral"}
    return image.ids | {
        "PerformedProcedureStepDescription": examination(image.study),
        "ViewPosition": position if named else "",
        "Rows": str(image.shape[0]),
        "Columns": str(image.shape[1]),
        "StudyDate": f"{time:%Y%m%d}",
        # A number in the publisher's table: midnight has one digit.
        "StudyTime": f"{int(f'{time:%H%M%S}')}.{time.microsecond // 1000:03d}",
        "ProcedureCodeSequence_CodeMeaning": examination(image.study),
        "ViewCodeSequence_CodeMeaning": meaning[position] if named else "",
        "PatientOrientationCodeSequence_CodeMeaning": "Erect" if image.study.view == "PA" else "Recumbent",
    }


def _split(image: Taken) -> Row:
    ids = image.ids
    return {name: ids[name] for name in ("dicom_id", "study_id", "subject_id")} | {"split": image.part}


def _labels(image: Taken) -> Row:
    labels = reported_labels(image.patient, image.study)
    return {name: labels[name] for name in LABELS}


def _negbio_labels(image: Taken) -> Row:
    """Return what the other labeller reads in the report: it takes some doubts for findings."""
    sure = _drawn("negbio", image, DOUBT_LOST)
    return {name: PRESENT if sure and label == UNCERTAIN else label for name, label in _labels(image).items()}


def _radiologist_labels(image: Taken) -> Row:
    labels = reference_labels(image.study)
    columns = {("Airspace Opacity" if name == "Lung Opacity" else name): labels[name] for name in LABELS}
    return {"study_id": _study_ids(image)["study_id"]} | columns


def _study_ids(image: Taken) -> Row:
    subject, study = mimic_ids.subject_id(image.patient), mimic_ids.study_id(image.patient, image.study)
    return {"subject_id": str(subject), "study_id": str(study)}


def _drawn(purpose: str, image: Taken, share: float) -> bool:
    """Tell whether a study or an image, as the purpose has it, is among a share of them."""
    key = (image.patient.number, image.study.number, image.view if purpose in ("no view", "lateral") else "")
    return float(keyed_generator(image.patient.seed, f"mimic {purpose}", *key).random()) < share


def _as_csv(rows: list[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _write_gzipped(path: Path, rows: list[Row]) -> None:
    path.write_bytes(gzip.compress(_as_csv(rows), mtime=0))


def _write_reports(path: Path, studies: dict[str, Taken]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for folder, image in studies.items():
            member = zipfile.ZipInfo(f"{folder}.txt", ZIP_TIME)
            text = write_report(image.patient, image.study)
            archive.writestr(member, text, zipfile.ZIP_DEFLATED)
