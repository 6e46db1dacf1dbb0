"""Every corpus from its raw layout to its manifest, by the workflow, on the phantom cohort."""

import polars as pl
import pytest
import yaml
from conftest import REPOSITORY
from workflow_copy import WorkflowCopy

from pipeline.manifests.schema import COMPANION_SCHEMA, check_manifest, read_manifest
from pipeline.manifests.vocabulary import FINDINGS, finding_column
from pipeline.settings.config import resolve
from pipeline.settings.corpus import is_confidential

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
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """Build every manifest of the phantom configuration and read them."""
    copy = WorkflowCopy.of_repository(tmp_path_factory.mktemp("every_corpus"))
    copy.build("manifests", "--configfile", "config/phantom.yaml")
    folder = copy.folder / "results/phantom/manifests"
    return {name: read_manifest(folder / f"{name}.parquet") for name in PHANTOM.corpora}


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
