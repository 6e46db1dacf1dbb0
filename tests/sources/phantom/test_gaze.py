"""A phantom radiologist's fixations."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.gaze.fixations import Fixations, read_fixations
from pipeline.sources.gaze.heatmap import heatmap
from pipeline.sources.gaze.selection import on_image
from pipeline.sources.phantom.gaze import read_image
from pipeline.sources.phantom.radiograph import Radiograph, render
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.roster import cohort_studies

COLUMNS = (
    "timestamp_start_fixation,timestamp_end_fixation,x_position,y_position,pupil_area_normalized,"
    "angular_resolution_x_pixels_per_degree,angular_resolution_y_pixels_per_degree,window_width,window_level,"
    "xmin_shown_from_image,ymin_shown_from_image,xmax_shown_from_image,ymax_shown_from_image,"
    "xmin_in_screen_coordinates,ymin_in_screen_coordinates,xmax_in_screen_coordinates,ymax_in_screen_coordinates"
)
SHAPE = (256, 256)
Read = tuple[Fixations, Radiograph]


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> list[Read]:
    """Read ten images that show a nodule or a consolidation."""
    table = tmp_path_factory.mktemp("gaze") / "fixations.csv"
    local = (Finding.LUNG_NODULE, Finding.CONSOLIDATION)
    read: list[Read] = []
    for patient, study in cohort_studies(PhantomSource(kind="phantom", patients=60)):
        if len(read) < 10 and any(study.has(finding) for finding in local):
            shot = render(patient, study, "frontal", SHAPE)
            rows = read_image(patient, study, shot, reader=1)
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
            table.write_text(text.getvalue(), newline="")
            assert text.getvalue().splitlines()[0] == COLUMNS
            read.append((read_fixations(table), shot))
    return read


def test_fixations_follow_each_other_and_last_as_long_as_people_look(readings: list[Read]) -> None:
    for fixations, _ in readings:
        assert (fixations.times[1:, 0] > fixations.times[:-1, 1]).all()
        assert 0.15 < np.median(fixations.duration) < 0.6
        assert 30 <= len(fixations.duration) <= 80


def test_readers_look_at_the_chest_and_most_at_lesions(readings: list[Read]) -> None:
    maps = [(heatmap(fixations, SHAPE), shot) for fixations, shot in readings]
    chest = np.mean([shares[shot.lungs | shot.heart].sum() for shares, shot in maps])
    assert chest > 0.6
    gain = [
        shares[shot.all_lesions()].mean() / shares[shot.lungs & ~shot.all_lesions()].mean()
        for shares, shot in maps
        if shot.all_lesions().any()
    ]
    assert np.median(gain) > 1.5


def test_a_zoomed_view_shows_less_and_has_fewer_pixels_per_degree(readings: list[Read]) -> None:
    resolution = np.concatenate([fixations.resolution[:, 0] for fixations, _ in readings])
    width = np.concatenate([fixations.shown[:, 2] - fixations.shown[:, 0] for fixations, _ in readings])
    zoomed = width < SHAPE[1]
    assert 0.05 < zoomed.mean() < 0.6
    assert resolution[zoomed].max() < resolution[~zoomed].min()


def test_glances_at_the_buttons_are_what_the_filter_takes_out(readings: list[Read]) -> None:
    kept = np.concatenate([on_image(fixations) for fixations, _ in readings])
    outside = np.concatenate([fixations.position[:, 0] < -0.1 * SHAPE[1] for fixations, _ in readings])
    assert 0 < outside.mean() < 0.12
    assert not kept[outside].any()
    assert kept[~outside].mean() > 0.95


def test_readers_differ_and_repeat_themselves() -> None:
    patient, study = next(cohort_studies(PhantomSource(kind="phantom", patients=1)))
    shot = render(patient, study, "frontal", (48, 48))
    assert read_image(patient, study, shot, 1) == read_image(patient, study, shot, 1)
    assert read_image(patient, study, shot, 1) != read_image(patient, study, shot, 2)


def test_an_image_without_lungs_or_lesions_is_read_too(tmp_path: Path) -> None:
    patient, study = next(cohort_studies(PhantomSource(kind="phantom", patients=1)))
    shot = render(patient, study, "frontal", (48, 48))
    empty = np.zeros_like(shot.lungs)
    nothing = Radiograph(shot.image, empty, empty, dict.fromkeys(Finding, empty))
    assert read_image(patient, study, nothing, 0)
