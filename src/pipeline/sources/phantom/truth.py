"""What really is in a phantom image, beside the tree that a pipeline reads: `phantom/truth.csv` and masks."""

import csv
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.sources.phantom.intervals import Mask
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Projected, Radiograph
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Study

Row = dict[str, str]


class TruthRecorder:
    """Collect the truth of the images of one tree, and write their masks at once and the table at the end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._rows: list[Row] = []
        (root / "phantom" / "masks").mkdir(parents=True)

    def record(self, image: str, patient: Patient, study: Study, view: Projected, shot: Radiograph) -> None:
        """Add one image, named by its path relative to the root."""
        self._rows.append({"image": image, **_truth(patient, study, view)})
        stem = str(Path(image).with_suffix("")).replace("/", "_")
        masks = {"lungs": shot.lungs, "heart": shot.heart, "lesions": shot.all_lesions()}
        for name, mask in masks.items():
            write_image(self._root / "phantom" / "masks" / f"{stem}_{name}.png", _as_image(mask))

    def write_table(self) -> None:
        """Write `phantom/truth.csv`: one row per image, in the order of recording."""
        write_table(self._root / "phantom" / "truth.csv", self._rows)


def write_table(path: Path, rows: list[Row]) -> None:
    """Write rows as CSV with the keys of the first as header; a cohort without rows gives an empty file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
        if rows:
            writer.writeheader()
        writer.writerows(rows)


def write_image(path: Path, image: npt.NDArray[np.uint8], jpeg_quality: int = 90) -> None:
    """Write an image in the format of the path's ending; raises OSError when the disk refuses it."""
    options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _, encoded = cv2.imencode(path.suffix, image, options)
    path.write_bytes(encoded.tobytes())


def _as_image(mask: Mask) -> npt.NDArray[np.uint8]:
    return mask.astype(np.uint8) * np.uint8(255)


def _truth(patient: Patient, study: Study, view: Projected) -> Row:
    """Return the columns patient, study and view, then latents, findings, margins and nuisances."""
    pose, exposure = study.pose, study.exposure
    numbers = {
        "stature": patient.person.stature,
        "wall_mm": patient.person.wall,
        **asdict(study.physiology),
        **{f"{finding}_margin": study.margins[finding] for finding in Finding},
        "rotation_deg": pose.rotation,
        "tilt_deg": pose.tilt,
        "roll_deg": pose.roll,
        "shift_right_mm": pose.shift[0],
        "shift_down_mm": pose.shift[1],
        "inspiration": pose.inspiration,
        "dose": exposure.dose,
        "scatter": exposure.scatter,
        "zoom": exposure.zoom,
    }
    flags = {**{str(finding): study.has(finding) for finding in Finding}, **asdict(study.devices)}
    return {
        "patient": str(patient.number),
        "study": str(study.number),
        "view": view,
        "projection": study.view if view == "frontal" else "",
        "age": str(study.age),
        "sex": patient.person.sex,
        **{name: f"{number:.6g}" for name, number in numbers.items()},
        **{name: str(int(flag)) for name, flag in flags.items()},
    }
