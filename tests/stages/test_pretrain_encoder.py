"""A run as its stage makes it: damaged samples are counted wherever its numbers go, and corpora are mixed as asked."""

import json
from pathlib import Path

import pytest
from tests.stages.pretraining import copy_of, damage, record_of, run_of

from pipeline.evaluation.feature_file import read_origin
from pipeline.records.errors import UserError
from pipeline.records.events import read_history
from pipeline.settings.evaluation import FeatureSettings
from pipeline.settings.hardware import Hardware
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.stages.extract_features import extract_features
from pipeline.stages.pretrain_encoder import pretrain_encoder

TWO_THREADS = Hardware(threads=2)


def test_a_damaged_sample_stops_the_run_with_shard_key_and_reason(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    (key,) = damage(made_index, 1)
    with pytest.raises(UserError, match=rf"train-00000\d\.tar: .*'{key}'.* are not those that were indexed"):
        pretrain_encoder(run_of([made_index], small_run, tmp_path))
    assert not (tmp_path / "encoder").exists()


def test_samples_that_are_set_aside_are_counted_in_every_record(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    whole = copy_of(made_index, "whole")
    keys = damage(made_index, 2)
    pretrain_encoder(run_of([made_index], small_run, tmp_path, max_bad=2))
    assert record_of(tmp_path).quarantined == 2
    listed = [json.loads(line) for line in (tmp_path / "run" / "quarantine.jsonl").read_text().splitlines()]
    assert {entry["key"] for entry in listed} == set(keys)
    features = tmp_path / "features.safetensors"
    extract_features(tmp_path / "encoder", whole, FeatureSettings(), TWO_THREADS, features)
    assert read_origin(features).quarantined == 2


def test_a_run_without_damage_says_so(made_index: Path, small_run: PretrainingSettings, tmp_path: Path) -> None:
    pretrain_encoder(run_of([made_index], small_run, tmp_path))
    assert record_of(tmp_path).quarantined == 0
    assert (tmp_path / "run" / "quarantine.jsonl").read_bytes() == b""


def test_trying_again_does_not_undo_a_stop_for_too_many_damaged_samples(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    damage(made_index, 3)
    for _ in range(3):
        with pytest.raises(UserError, match="max_bad"):
            pretrain_encoder(run_of([made_index], small_run, tmp_path, max_bad=2))
    pretrain_encoder(run_of([made_index], small_run, tmp_path, max_bad=3))
    assert record_of(tmp_path).quarantined == 3


@pytest.mark.parametrize("split", ["val", "test"])
def test_validation_and_evaluation_tolerate_no_damaged_sample(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path, split: str
) -> None:
    whole = copy_of(made_index, "whole")
    (key,) = damage(made_index, 1, split)
    pretrained = run_of([whole if split == "test" else made_index], small_run, tmp_path, max_bad=5)
    if split == "val":
        with pytest.raises(UserError, match=key):
            pretrain_encoder(pretrained)
    else:
        pretrain_encoder(pretrained)
        with pytest.raises(UserError, match=key):
            extract_features(
                tmp_path / "encoder", made_index, FeatureSettings(), TWO_THREADS, tmp_path / "features.safetensors"
            )
        assert not (tmp_path / "features.safetensors").exists()


def test_a_mix_is_trained_on_as_weighted_and_recorded_by_corpus(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    other = copy_of(made_index, "other")
    damage(other, 8)
    pretrain_encoder(run_of([made_index, other], small_run, tmp_path, max_bad=8))
    assert record_of(tmp_path).quarantined > 0
    assert record_of(tmp_path).images == {"train": {"made": 12, "other": 12}, "val": {"made": 6, "other": 6}}
    seldom = {"made": 999, "other": 1}
    pretrain_encoder(run_of([made_index, other], small_run, tmp_path / "mixed", mixing=seldom))
    assert record_of(tmp_path / "mixed").quarantined == 0


def test_a_corpus_without_a_wanted_view_is_refused(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="LATERAL"):
        pretrain_encoder(run_of([made_index], small_run, tmp_path, views=["LATERAL"]))


def test_images_decoded_at_fewer_pixels_make_another_run(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    for name, read_size in (("whole", None), ("reduced", 16)):
        pretrain_encoder(run_of([made_index], small_run, tmp_path / name, read_size=read_size))
    assert record_of(tmp_path / "whole").weights != record_of(tmp_path / "reduced").weights


def test_outputs_lost_after_publication_are_published_again_without_training(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    run = run_of([made_index], small_run, tmp_path)
    pretrain_encoder(run)
    before = record_of(tmp_path)
    for output in (*run.encoder_folder.iterdir(), run.run_folder / "model.safetensors", run.run_folder / "run.json"):
        output.unlink()
    pretrain_encoder(run)
    assert record_of(tmp_path) == before
    steps = small_run.optimization.steps
    starts = [event["step"] for event in read_history(run.run_folder / "history.jsonl") if event["event"] == "start"]
    assert starts[-1] == steps
