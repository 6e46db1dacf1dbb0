"""Images and masks of the phantom."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.sources.phantom.intervals import Mask
from pipeline.sources.phantom.patient import Patient, sample_patient
from pipeline.sources.phantom.radiograph import Projected, Radiograph, render
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Devices, Study, View, sample_studies

SHAPE = (96, 96)
LOCAL = [finding for finding in Finding if finding != Finding.CARDIOMEGALY]
BARE = Devices(electrodes=False, line=False, pacemaker=False)


def first_study(number: int, *present: Finding) -> tuple[Patient, Study]:
    """Return a patient and the first study with exactly the findings `present`, all severe."""
    patient = sample_patient(0, number)
    study = sample_studies(patient)[0]
    margins = {finding: 2.0 if finding in present else -1.0 for finding in Finding}
    exposure = replace(study.exposure, collimation=(0.0, 0.0, 0.0, 0.0))
    return patient, replace(study, margins=margins, devices=BARE, exposure=exposure)


def width(mask: Mask) -> int:
    return int(np.ptp(np.flatnonzero(mask.any(axis=0))))


@pytest.fixture(scope="module")
def healthy() -> list[Radiograph]:
    return [render(*first_study(number), "frontal", SHAPE) for number in range(1, 21)]


def test_an_image_depends_on_its_key_only(healthy: list[Radiograph]) -> None:
    again = render(*first_study(3), "frontal", SHAPE)
    assert again.image.tobytes() == healthy[2].image.tobytes()


def test_images_use_the_gray_scale(healthy: list[Radiograph]) -> None:
    for shot in healthy:
        assert shot.image.dtype == np.uint8
        assert shot.image.shape == SHAPE
        assert shot.image.std() > 30


def test_lungs_are_darker_than_the_heart_in_every_image(healthy: list[Radiograph]) -> None:
    for shot in healthy:
        heart = shot.heart & ~shot.lungs
        assert shot.image[shot.lungs].mean() < shot.image[heart].mean() - 30


def test_lung_fields_cover_a_plausible_share_and_spare_the_heart(healthy: list[Radiograph]) -> None:
    for shot in healthy:
        assert 0.12 < shot.lungs.mean() < 0.5
        assert not (shot.lungs & shot.heart).any()


def test_the_heart_lies_to_the_viewers_right(healthy: list[Radiograph]) -> None:
    def centre(mask: Mask) -> float:
        return float(np.argwhere(mask)[:, 1].mean())

    def midline(shot: Radiograph) -> float:
        columns = np.flatnonzero(shot.lungs.any(axis=0))
        return float(columns[0] + columns[-1]) / 2

    assert sum(centre(shot.heart) > midline(shot) for shot in healthy) >= 17


def test_without_findings_there_are_no_lesions(healthy: list[Radiograph]) -> None:
    assert not any(shot.all_lesions().any() for shot in healthy)


# From the side a pneumothorax hides behind the other lung, in the phantom as in the clinic.
VISIBLE: list[tuple[Projected, Finding]] = [
    *(("frontal", finding) for finding in LOCAL),
    *(("lateral", finding) for finding in LOCAL if finding != Finding.PNEUMOTHORAX),
]


@pytest.mark.parametrize(("view", "finding"), VISIBLE)
def test_a_finding_changes_the_image_inside_its_mask(view: Projected, finding: Finding) -> None:
    for number in (1, 2, 3, 4):
        with_it = render(*first_study(number, finding), view, SHAPE)
        without = render(*first_study(number), view, SHAPE)
        mask = with_it.lesions[finding]
        change = np.abs(with_it.image.astype(float) - without.image)
        assert mask.any()
        assert change[mask].mean() > 1.0
        assert change[mask].mean() > 2 * change[~mask].mean()


@pytest.mark.parametrize("finding", LOCAL)
def test_lesions_lie_in_the_chest(finding: Finding) -> None:
    for number in range(1, 9):
        shot = render(*first_study(number, finding), "frontal", SHAPE)
        columns = np.flatnonzero(shot.lungs.any(axis=0))
        lesion = np.flatnonzero(shot.lesions[finding].any(axis=0))
        assert columns[0] - 2 <= lesion[0]
        assert lesion[-1] <= columns[-1] + 2


def test_a_pneumothorax_is_darker_and_an_effusion_brighter_than_the_lung_was() -> None:
    for finding, sign in ((Finding.PNEUMOTHORAX, -1), (Finding.PLEURAL_EFFUSION, 1)):
        after = render(*first_study(5, finding), "frontal", SHAPE)
        before = render(*first_study(5), "frontal", SHAPE)
        mask = after.lesions[finding] & before.lungs
        assert sign * (after.image[mask].mean() - before.image[mask].mean()) > 2


def test_findings_differ_in_size() -> None:
    def share(finding: Finding) -> float:
        shots = (render(*first_study(number, finding), "frontal", SHAPE) for number in range(1, 9))
        return float(np.mean([shot.lesions[finding].mean() for shot in shots]))

    assert share(Finding.PLEURAL_EFFUSION) > share(Finding.CONSOLIDATION) > share(Finding.LUNG_NODULE)


def test_cardiomegaly_widens_the_heart_plainly_and_load_alone_faintly() -> None:
    def heart(load: float, *present: Finding) -> float:
        widths = []
        for number in range(1, 9):
            patient, study = first_study(number, *present)
            study = replace(study, physiology=replace(study.physiology, cardiac_load=load))
            widths.append(width(render(patient, study, "frontal", SHAPE).heart))
        return float(np.mean(widths))

    low, high, enlarged = heart(-2.0), heart(2.0), heart(2.0, Finding.CARDIOMEGALY)
    assert low < high < 1.2 * low
    assert enlarged > 1.12 * high


def test_the_heart_is_magnified_more_from_the_front_than_from_the_back() -> None:
    def cardiothoracic_ratio(number: int, view: View) -> float:
        patient, study = first_study(number)
        shot = render(patient, replace(study, view=view), "frontal", (192, 192))
        return width(shot.heart) / width(shot.lungs)

    ratios = [[cardiothoracic_ratio(number, view) for view in ("AP", "PA")] for number in range(1, 11)]
    ap, pa = np.mean(ratios, axis=0)
    assert 1.02 * pa < ap < 1.25 * pa


def test_films_keep_their_shape() -> None:
    shot = render(*first_study(1), "lateral", (117, 96))
    assert shot.image.shape == shot.lungs.shape == shot.heart.shape == (117, 96)
