"""A run that is killed anywhere, as often as you like, and begun again: no byte of its results is another."""

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.resuming.killing import Ending, work_until
from kills.moments import AIMS, draw_moment, shuffled_aims
from kills.places import place_of
from kills.work import Work

from pipeline.settings.pretraining import PretrainingSettings
from pipeline.settings.training import EarlyStoppingSettings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("readers", "patience"), [(0, None), (1, None), (2, None), (2, 4)])
def test_twenty_kills_change_no_byte_of_weights_and_records(
    made_index: Path,
    made_manifest: Path,
    small_run: PretrainingSettings,
    tmp_path: Path,
    readers: int,
    patience: int | None,
) -> None:
    settings = longer(small_run) if patience is None else ending_early(small_run, patience)
    undisturbed = Work(tmp_path / "undisturbed", made_index, made_manifest, settings, readers=2)
    ending = work_until(undisturbed.do, parts=undisturbed.parts)
    killed, places = killed_at(replace(undisturbed, readers=readers), ending, tmp_path)
    print(f"{readers} readers, {len(killed)} runs, kills: {dict(places)}")
    assert places.total() == len(AIMS) == 20
    assert places.keys() >= {"publishing", "features", "evaluation"}  # which kills are aimed at
    assert [work.digests() for work in killed] == [undisturbed.digests()] * len(killed)


def longer(settings: PretrainingSettings) -> PretrainingSettings:
    optimization = settings.optimization.model_copy(update={"steps": 16})
    return settings.model_copy(update={"optimization": optimization})


def ending_early(settings: PretrainingSettings, patience: int) -> PretrainingSettings:
    """Return a run that publishes the weights of its first validation: no later one is seen as better."""
    ended = EarlyStoppingSettings(patience=patience, least_improvement=1e3)
    return longer(settings).model_copy(update={"validate_every": 2, "early_stopping": ended})


def killed_at(work: Work, undisturbed: Ending, folder: Path) -> tuple[list[Work], Counter[str]]:
    """Kill once for each aim, beginning a new work where one is done before; return all works and where kills hit."""
    works, places = [replace(work, folder=folder / "0")], Counter[str]()
    for number, aim in enumerate(shuffled_aims(work.readers)):
        for attempt in itertools.count():
            works[-1].prepare()
            half_written = works[-1].half_written()
            moment = draw_moment(undisturbed, aim, work.readers, number, attempt)
            ending = work_until(works[-1].do, moment, works[-1].parts)
            if ending.killed:
                break
            works.append(replace(work, folder=folder / str(len(works))))
        places[place_of(ending.stack, works[-1].half_written() - half_written)] += 1
    works[-1].prepare()
    work_until(works[-1].do)
    return works, places
