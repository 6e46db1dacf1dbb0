"""A run as its stage makes it: damaged samples are counted wherever its numbers go, and corpora are mixed as asked."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from corpus_stages import build_shards
from tests.stages.pretraining import copy_of, damage, record_of, run_of

from pipeline.evaluation.feature_file import read_origin
from pipeline.manifests.schema import write_manifest
from pipeline.records.errors import UserError
from pipeline.records.events import read_history
from pipeline.records.redaction import redact
from pipeline.settings.corpora import ShardSettings
from pipeline.settings.evaluation import FeatureSettings
from pipeline.settings.hardware import Hardware
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.stages.extract_features import extract_features
from pipeline.stages.pretrain_encoder import pretrain_encoder
from pipeline.stages.training_run import Run

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
    lose_outputs(run)
    pretrain_encoder(run)
    assert record_of(tmp_path) == before
    starts = [event["step"] for event in read_history(run.run_folder / "history.jsonl") if event["event"] == "start"]
    assert starts == [0]


def lose_outputs(run: Run) -> None:
    weights, record = run.run_folder / "model.safetensors", run.run_folder / "run.json"
    for output in (*run.encoder_folder.iterdir(), weights, record):
        output.unlink()


def test_a_finished_run_that_other_hardware_publishes_again_keeps_its_record(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    run = run_of([made_index], small_run, tmp_path)
    pretrain_encoder(run)
    record = (run.run_folder / "run.json").read_bytes()
    lose_outputs(run)
    pretrain_encoder(run.model_copy(update={"hardware": Hardware(threads=1, device_batch=2)}))
    assert (run.run_folder / "run.json").read_bytes() == record


def test_a_run_that_is_over_says_that_it_does_not_train_and_what_to_delete_so_that_it_does(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run = run_of([made_index], small_run, tmp_path)
    pretrain_encoder(run)
    assert "was over" not in caplog.text
    lose_outputs(run)
    pretrain_encoder(run)
    (told,) = [message for message in caplog.messages if "was over after step 8" in message]
    (states,) = run.state_folder.glob("*/")
    assert f"delete {states} to train it anew" in told


def test_the_name_of_a_run_s_states_can_be_read_in_a_confidential_log(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    run = run_of([made_index], small_run, tmp_path)
    pretrain_encoder(run)
    (states,) = run.state_folder.glob("*/")
    assert len(states.name) == 16
    assert redact(f"delete state/{states.name}/ and run again") == f"delete state/{states.name}/ and run again"


def test_what_was_read_ahead_of_an_early_end_is_in_no_published_file(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    keys = damage(made_index, 8)
    optimization = small_run.optimization.model_copy(update={"batch_size": 1, "base_learning_rate": 1e-9})
    ended: dict[str, Any] = {
        "optimization": optimization.model_dump(mode="json"),
        "validate_every": 1,
        "early_stopping": {"patience": 1, "least_improvement": 1e-3},
        "max_bad": 8,
    }
    published = []
    for readers in (0, 1, 2, 8):
        run = run_of([made_index], small_run, tmp_path / str(readers), **ended)
        pretrain_encoder(run.model_copy(update={"hardware": Hardware(threads=2, readers=readers)}))
        outputs = (run.run_folder / "quarantine.jsonl", run.encoder_folder / "config.json", run.run_folder / "run.json")
        published.append([output.read_bytes() for output in outputs])
    assert published == [published[0]] * len(published)
    record = record_of(tmp_path / "0")
    assert record.steps == 2
    assert 0 < record.quarantined < len(keys)


def test_a_run_that_has_nothing_to_validate_on_is_refused_before_it_trains(
    made_manifest: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    manifest = tmp_path / "trained.parquet"
    write_manifest(pl.read_parquet(made_manifest).filter(split="train"), manifest)
    index = tmp_path / "shards" / "trained" / "index.parquet"
    build_shards(made_manifest.parent / "raw", ShardSettings(image_size=32), manifest, index)
    run = run_of([index], small_run, tmp_path)
    with pytest.raises(UserError, match=r"no sample of .* val "):
        pretrain_encoder(run)
    assert not list(run.state_folder.glob("*/step-*"))
