import json
import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import make_manifest
from corpus_stages import build_shards
from pydantic import ValidationError

from pipeline.manifests.leakage import FINGERPRINT_SCHEMA, Corpora, Pair, Part, audit, require_no_leak
from pipeline.manifests.schema import write_manifest
from pipeline.records.audits import AuditRecord, Overlap, read_audit
from pipeline.records.errors import UserError
from pipeline.settings.audit import AuditSettings
from pipeline.settings.corpora import ShardSettings
from pipeline.stages.audit_leakage import audit_leakage

PAIRS = [
    Pair(Part("b", "train"), Part("b", "test")),
    Pair(Part("a", "train"), Part("b", "test")),
    Pair(Part("a", "train"), Part("b", "test")),
]
SETTINGS = AuditSettings()


def accepting(*kinds: str) -> AuditSettings:
    accepted = {"trained": "a/train", "tested": "b/test", "kinds": kinds, "reason": "the same phantom"}
    return AuditSettings.model_validate({"accept": [accepted]})


def in_split(manifest: pl.DataFrame, split: str) -> pl.DataFrame:
    return manifest.with_columns(split=pl.lit(split).cast(manifest.schema["split"]))


@pytest.fixture
def manifests(tmp_path: Path) -> dict[str, pl.DataFrame]:
    """Return two corpora of different patients."""
    manifest = make_manifest(tmp_path / "raw")
    other = manifest.with_columns(
        patient="other:" + pl.col("patient"), study="other:" + pl.col("study"), key="other-" + pl.col("key")
    )
    return {"a": other, "b": manifest}


@pytest.fixture
def leaking(manifests: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return a corpus that trains on what the other tests on."""
    return manifests | {"a": in_split(manifests["b"], "train")}


def drawn_fingerprints(manifests: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    generator = np.random.default_rng(0)
    return {
        name: pl.DataFrame(
            {"key": frame["key"], "fingerprint": [generator.bytes(32) for _ in range(frame.height)]},
            schema=FINGERPRINT_SCHEMA,
        )
        for name, frame in manifests.items()
    }


def audited(manifests: dict[str, pl.DataFrame], settings: AuditSettings = SETTINGS) -> AuditRecord:
    return audit(Corpora(manifests, {}, ()), PAIRS, settings)


def first(record: AuditRecord) -> Overlap:
    return record.compared[0]


def test_disjoint_corpora_pass_and_every_pair_is_reported_once(manifests: dict[str, pl.DataFrame]) -> None:
    record = audited(manifests)
    require_no_leak(record)
    assert record.clean
    assert [(overlap.trained, overlap.tested) for overlap in record.compared] == [
        ("a/train", "b/test"),
        ("b/train", "b/test"),
    ]


def test_only_parts_that_meet_are_compared(leaking: dict[str, pl.DataFrame]) -> None:
    record = audit(Corpora(leaking, {}, ()), PAIRS[:1], SETTINGS)
    assert [overlap.trained for overlap in record.compared] == ["b/train"]
    require_no_leak(record)


def test_a_shared_patient_stops_the_build_with_what_to_do(leaking: dict[str, pl.DataFrame]) -> None:
    said = (
        r"a/train is trained on and b/test is tested on, but they share 3 patients and 3 studies; "
        r".*corpora\.<name>\.splits\.exclude, or name the overlap in audit\.accept"
    )
    with pytest.raises(UserError, match=said):
        require_no_leak(audited(leaking))


def test_an_accepted_overlap_does_not_stop_and_keeps_its_reason(leaking: dict[str, pl.DataFrame]) -> None:
    record = audited(leaking, accepting("patients", "studies"))
    require_no_leak(record)
    assert not record.clean
    assert first(record).accepted == dict.fromkeys(["patients", "studies"], "the same phantom")


def test_an_overlap_of_another_kind_than_the_accepted_one_stops(leaking: dict[str, pl.DataFrame]) -> None:
    with pytest.raises(UserError, match="they share 3 studies"):
        require_no_leak(audited(leaking, accepting("patients")))


def test_excluded_patients_do_not_leak(leaking: dict[str, pl.DataFrame]) -> None:
    require_no_leak(audited(leaking | {"a": in_split(leaking["a"], "excluded")}))


def test_images_that_are_not_there_do_not_leak(leaking: dict[str, pl.DataFrame]) -> None:
    require_no_leak(audited(leaking | {"a": leaking["a"].with_columns(file_state=pl.lit("missing"))}))


def test_nothing_is_said_of_patients_where_a_publisher_names_none(leaking: dict[str, pl.DataFrame]) -> None:
    unnamed = leaking | {"a": leaking["a"].with_columns(patient_known=False)}
    assert (first(audited(unnamed)).patients, first(audited(unnamed)).studies) == (None, None)


def test_the_same_file_under_another_patient_stops_the_build(manifests: dict[str, pl.DataFrame]) -> None:
    same = {name: frame.with_columns(sha256=pl.lit("c" * 64)) for name, frame in manifests.items()}
    with pytest.raises(UserError, match="share 1 identical images"):
        require_no_leak(audited(same))


def test_nothing_is_said_of_identical_files_where_they_were_not_hashed(manifests: dict[str, pl.DataFrame]) -> None:
    assert {overlap.identical_images for overlap in audited(manifests).compared} == {None}
    hashed = {name: frame.with_columns(sha256=name + pl.col("key")) for name, frame in manifests.items()}
    assert {overlap.identical_images for overlap in audited(hashed).compared} == {0}


def test_images_in_one_array_file_are_not_taken_for_identical(manifests: dict[str, pl.DataFrame]) -> None:
    row = pl.int_range(pl.len()).cast(pl.String)
    arrays = {
        name: frame.with_columns(sha256=pl.lit("c" * 64), path="images.npy#" + row) for name, frame in manifests.items()
    }
    assert {overlap.identical_images for overlap in audited(arrays).compared} == {None}


@pytest.mark.parametrize("negative", [False, True])
def test_a_near_identical_image_of_another_patient_stops_the_build(
    manifests: dict[str, pl.DataFrame], negative: bool
) -> None:
    fingerprints = drawn_fingerprints(manifests)
    tested = manifests["b"].filter(split="test")["key"][0]
    trained = manifests["a"].filter(split="train")["key"][0]
    bits = np.frombuffer(fingerprints["b"].filter(key=tested)["fingerprint"][0], dtype=np.uint8).copy()
    bits[:2] ^= 1
    copy = (~bits if negative else bits).tobytes()
    copied = pl.when(pl.col("key") == trained).then(pl.lit(copy)).otherwise("fingerprint")
    fingerprints["a"] = fingerprints["a"].with_columns(fingerprint=copied)

    record = audit(Corpora(manifests, fingerprints, ()), PAIRS, SETTINGS)
    assert [overlap.near_identical_images for overlap in record.compared] == [1, 0]
    assert [twins.model_dump() for twins in first(record).twins or ()] == [
        {"trained": trained, "tested": tested, "distance": 2}
    ]
    with pytest.raises(UserError, match="share 1 near-identical images"):
        require_no_leak(record)
    require_no_leak(audit(Corpora(manifests, fingerprints, ()), PAIRS, accepting("near_identical_images")))

    secret = audit(Corpora(manifests, fingerprints, {"a"}), PAIRS, SETTINGS)
    assert first(secret).near_identical_images == 1
    assert first(secret).twins is None
    assert trained not in secret.model_dump_json()


def test_an_overlap_is_accepted_for_one_reason() -> None:
    accepted = {"trained": "a/train", "tested": "b/test", "kinds": ["patients"], "reason": "known"}
    with pytest.raises(ValidationError, match="accept names patients of a/train and b/test twice"):
        AuditSettings.model_validate({"accept": [accepted, accepted]})


def test_the_stage_finds_a_shrunken_copy_in_another_corpus(
    tmp_path: Path, manifests: dict[str, pl.DataFrame], caplog: pytest.LogCaptureFixture
) -> None:
    files = {name: tmp_path / f"{name}.parquet" for name in manifests}
    indexes = {name: tmp_path / name / "index.parquet" for name in manifests}
    for name, manifest in manifests.items():
        write_manifest(manifest.with_columns(corpus=pl.lit(name)), files[name])
        build_shards(tmp_path / "raw", ShardSettings(image_size=32), files[name], indexes[name])
    meeting = [Pair(Part("a", "test"), Part("b", "test")), Pair(Part("a", "train"), Part("b", "test"))]

    record = tmp_path / "audit.json"
    audit_leakage(files, indexes, meeting[1:], SETTINGS, (), record)
    assert read_audit(record).clean
    assert json.loads(record.read_text())["compared"][0]["near_identical_images"] == 0
    with caplog.at_level(logging.INFO), pytest.raises(UserError, match="share 6 near-identical images"):
        audit_leakage(files, indexes, meeting, SETTINGS, (), tmp_path / "other.json")
    assert "003_0 looks like other-003_0 (0 bits differ)" in caplog.text
    assert not (tmp_path / "other.json").exists()


def test_a_broken_audit_is_named_with_its_field(tmp_path: Path) -> None:
    (tmp_path / "leakage.json").write_text('{"clean": true, "near_identical_distance": 31}')
    with pytest.raises(UserError, match=r"leakage\.json is not a leakage audit: field 'compared'"):
        read_audit(tmp_path / "leakage.json")
