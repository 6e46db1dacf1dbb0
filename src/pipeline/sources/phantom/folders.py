"""What writers of small collections share: whose images stand in which class and part, and films and masks as files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.illness import Illness, fall_ill
from pipeline.sources.phantom.intervals import Mask
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Radiograph, render
from pipeline.sources.phantom.roster import cohort_studies
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.truth import write_image

VAL_SHARE = 0.2
"""Share of the patients outside the test part that a publisher's val part has."""

Gray = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Case:
    """Hold one study of a collection."""

    patient: Patient
    """Who it is."""
    study: Study
    """The study, as the illness leaves it."""
    illness: Illness
    """What the collection says of it."""
    part: str
    """train, val or test."""

    @property
    def number(self) -> int:
        """Return a number of this study that no other has."""
        return 10 * self.patient.number + self.study.number

    def film(self, source: PhantomSource) -> Radiograph:
        """Return the square frontal radiograph; collections of one seed have the same film of a case."""
        return render(self.patient, self.study, "frontal", (source.image_size, source.image_size))


def deal_cases(source: PhantomSource, illnesses: Sequence[Illness], collection: str) -> Iterator[Case]:
    """Yield the studies of a cohort whose patients take turns in having each illness, by patient and time.

    Each class is cut into parts by itself, whole patients each, and each collection cuts anew: a patient who is
    in `test` here may be in `train` of another collection, as in reality.
    """
    numbers = range(source.first_patient, source.first_patient + source.patients)
    parts: dict[int, str] = {}
    for turn in range(len(illnesses)):
        parts |= _deal_parts(source, [number for number in numbers if number % len(illnesses) == turn], collection)
    for patient, study in cohort_studies(source):
        illness = illnesses[patient.number % len(illnesses)]
        yield Case(patient, fall_ill(study, illness), illness, parts[patient.number])


def make_folders(root: Path, *levels: Iterable[str]) -> None:
    """Make the publisher's folders, each name of a level in each of the level above; some may stay empty."""
    for names in product(*levels):
        root.joinpath(*names).mkdir(parents=True, exist_ok=True)


def write_film(path: Path, image: Gray) -> None:
    """Write an image to a new file, making its folder; the ending may be .jpeg or in capitals too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".png", ".jpg"):
        write_image(path, image)
    else:
        write_image(plain := path.with_suffix(".jpg"), image)
        plain.rename(path)


def write_mask(path: Path, mask: Mask) -> None:
    """Write a mask as PNG of 0 and 255, making its folder."""
    write_film(path, mask.astype(np.uint8) * np.uint8(255))


def resized(image: Gray, side: int) -> Gray:
    """Return a square image at another size, as publishers do who collect what others published."""
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _deal_parts(source: PhantomSource, numbers: list[int], collection: str) -> dict[int, str]:
    """Return the part of each patient of one class: at least one in `train`, then in `test`, then in `val`."""
    drawn = sorted(numbers, key=lambda number: keyed_generator(source.seed, collection, number).random())
    tests = min(max(1, round(source.test_fraction * len(drawn))), len(drawn) - 1) if source.test_fraction else 0
    vals = min(max(1, round(VAL_SHARE * (len(drawn) - tests))), len(drawn) - tests - 1)
    parts = ["test"] * tests + ["val"] * vals + ["train"] * len(drawn)
    return dict(zip(drawn, parts, strict=False))
