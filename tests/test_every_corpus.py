"""Every corpus from its raw layout to its manifest and its shards, by the workflow, on the phantom cohort."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import webdataset as wds
import yaml
from conftest import REPOSITORY
from workflow_copy import WorkflowCopy

from pipeline.batches.batch import Companions
from pipeline.batches.loader import fixed_batches
from pipeline.batches.samples import Samples, Selection
from pipeline.manifests.schema import COMPANION_SCHEMA, check_manifest, read_manifest
from pipeline.manifests.vocabulary import FINDINGS, SPLITS, finding_column
from pipeline.settings.config import resolve
from pipeline.settings.corpus import is_confidential
from pipeline.shards.verification import find_faults

pytestmark = pytest.mark.slow

PHANTOM = resolve(yaml.safe_load((REPOSITORY / "config/phantom.yaml").read_text()))
FULL = resolve(yaml.safe_load((REPOSITORY / "config/full.yaml").read_text()))
DRAWN_FROM_MIMIC = ("mimic_cxr", "mimic_iv_ecg", "symile_mimic", "reflacx", "ms_cxr", "cxlseg", "medmod")
COMPANIONS = {
    "report_findings": {"mimic_cxr"},
    "report_impression": {"mimic_cxr"},
    "report_source": {"mimic_cxr"},
    "masks": {"cxlseg", "covid_qu_ex", "qata_cov19", "openmask"},
    "boxes": {"nih_cxr14", "vindr_cxr", "rsna_pneumonia", "ms_cxr", "reflacx"},
    "gaze": {"reflacx"},
    "ecg": {"mimic_iv_ecg", "symile_mimic"},
    "labs": {"symile_mimic", "hannover", "chexchonet"},
}
"""What each corpus says of an image besides its findings."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build manifests and shards of the phantom configuration; return the folder of results."""
    copy = WorkflowCopy.of_repository(tmp_path_factory.mktemp("every_corpus"))
    copy.build("manifests", "shards", "--configfile", "config/phantom.yaml")
    return copy.folder / "results/phantom"


@pytest.fixture(scope="module")
def manifests(results: Path) -> dict[str, pl.DataFrame]:
    """Read every manifest."""
    return {name: read_manifest(results / "manifests" / f"{name}.parquet") for name in PHANTOM.corpora}


def test_both_configurations_hold_every_corpus() -> None:
    assert set(PHANTOM.corpora) == set(FULL.corpora)
    assert {corpus.layout.format for corpus in FULL.corpora.values()} == set(FULL.corpora)


def test_only_open_corpora_may_show_in_logs() -> None:
    confidential = {name for name, corpus in FULL.corpora.items() if is_confidential(corpus.source, corpus.layout)}
    assert set(FULL.corpora) - confidential == {"nih_cxr14", "kermany", "hannover", "openmask"}
    assert not any(is_confidential(corpus.source, corpus.layout) for corpus in PHANTOM.corpora.values())


def test_every_image_is_there_and_every_manifest_keeps_its_rules(manifests: dict[str, pl.DataFrame]) -> None:
    for name, manifest in manifests.items():
        check_manifest(manifest, name)
        assert manifest.height > 0, name
        assert set(manifest["file_state"]) == {"present"}, name


def test_every_corpus_has_a_training_and_a_test_part(manifests: dict[str, pl.DataFrame]) -> None:
    for name, manifest in manifests.items():
        assert {"train", "test"} <= set(manifest["split"].cast(pl.String)), name


def test_every_corpus_labels_what_its_publisher_labels(manifests: dict[str, pl.DataFrame]) -> None:
    unlabelled = {"mimic_iv_ecg", "cxlseg"}
    for name in set(manifests) - unlabelled:
        said = [finding for finding in FINDINGS if (manifests[name][finding_column(finding)] == "present").any()]
        assert said, name


@pytest.mark.parametrize("column", COMPANION_SCHEMA)
def test_companions_are_where_the_publishers_give_them(manifests: dict[str, pl.DataFrame], column: str) -> None:
    given = {name for name, manifest in manifests.items() if manifest[column].is_not_null().any()}
    assert given == COMPANIONS[column]


def test_everything_drawn_from_mimic_names_the_same_patients(manifests: dict[str, pl.DataFrame]) -> None:
    everyone = set(manifests["mimic_cxr"]["patient"])
    for name in DRAWN_FROM_MIMIC:
        patients = set(manifests[name]["patient"])
        assert patients
        assert patients <= everyone, name


@pytest.mark.parametrize("lender", ["symile_mimic", "reflacx"])
def test_nobody_symile_or_reflacx_trains_on_is_tested_on(manifests: dict[str, pl.DataFrame], lender: str) -> None:
    used = set(manifests[lender].filter(pl.col("split").is_in(["train", "val"]))["patient"])
    for name in ("mimic_cxr", "ms_cxr", "cxlseg", "medmod"):
        tested = set(manifests[name].filter(pl.col("split") == "test")["patient"])
        assert not used & tested, name
    excluded = manifests["mimic_cxr"].filter(pl.col("split") == "excluded")
    assert excluded.height > 0


def test_a_manifest_names_files_and_no_folders_of_this_machine(manifests: dict[str, pl.DataFrame]) -> None:
    for manifest in manifests.values():
        assert not manifest["path"].drop_nulls().str.starts_with("/").any()


SHARDED = [name for name, corpus in PHANTOM.corpora.items() if corpus.shards]


@pytest.mark.parametrize("name", SHARDED)
def test_shards_hold_every_image_with_all_that_belongs_to_it(
    results: Path, manifests: dict[str, pl.DataFrame], name: str
) -> None:
    tars = sorted(str(path) for path in (results / "shards" / name).glob("*.tar"))
    streamed = {sample["__key__"]: sample for sample in wds.WebDataset(tars, shardshuffle=False)}
    images = manifests[name].filter(pl.col("split") != "excluded")
    assert set(streamed) == set(images["key"])
    for row in images.iter_rows(named=True):
        sample = streamed[row["key"]]
        assert {member for member in sample if not member.startswith("__")} == expected_members(row)
        described = json.loads(sample["json"])
        assert (described["patient"], described["split"]) == (row["patient"], row["split"])
        assert len(described.get("boxes", [])) == len(row["boxes"] or [])


def expected_members(row: dict[str, Any]) -> set[str]:
    """Name the members of the sample of a manifest's row."""
    texts = {f"{section}.txt" for section in ("findings", "impression") if row[f"report_{section}"] is not None}
    masks = {f"mask.{mask['structure']}.png" for mask in row["masks"] or []}
    return {"jpg", "json"} | texts | masks | ({"gaze.png"} if row["gaze"] else set())


def test_every_byte_of_the_shards_is_as_indexed_and_every_companion_is_read(results: Path) -> None:
    indexes = [results / "shards" / name / "index.parquet" for name in SHARDED]
    assert [fault for index in indexes for fault in find_faults(index)] == []
    everything = Companions(masks=("left_lung",), gaze=True, texts=("findings", "impression"), boxes=True)
    with Samples(indexes, Selection(SPLITS)) as samples:
        count = len(samples)
        batches = list(fixed_batches(samples, 64, np.arange(count), 2, everything))
    assert sum(len(batch) for batch in batches) == count
    assert any(batch.masked is not None and batch.masked.any() for batch in batches)
    assert any(batch.gazed is not None and batch.gazed.any() for batch in batches)
    assert any(batch.texts is not None and any(batch.texts) for batch in batches)
    assert any(batch.boxes is not None and len(batch.boxes.labels) for batch in batches)
