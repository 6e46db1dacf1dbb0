"""MIMIC-IV-ECG, as the phantom writes it."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.ecg import EcgReadingSettings
from pipeline.settings.layouts.physiology import MimicIvEcgLayout
from pipeline.sources.adapter import RawCorpus, read_corpus
from pipeline.sources.ecg.reference import read_ecg
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.trees import mimic_iv_ecg

LAYOUT = MimicIvEcgLayout(format="mimic_iv_ecg")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    mimic_iv_ecg.write_tree(tmp_path / "raw", PhantomSource(kind="phantom", patients=5))
    return tmp_path / "raw"


def read(root: Path) -> RawCorpus:
    return read_corpus(Trees.alone(root), LAYOUT)


def edit(root: Path, old: str, new: str) -> None:
    table = root / "record_list.csv"
    table.write_text(table.read_text().replace(old, new))


def test_every_record_is_a_row_without_an_image(root: Path) -> None:
    corpus = read(root)
    listed = pl.read_csv(root / "record_list.csv", infer_schema=False)
    assert corpus.rows.schema == ROW_SCHEMA
    assert corpus.rows["ecg"].to_list() == listed["path"].to_list()
    assert corpus.rows["patient"].to_list() == ("mimic:" + listed["subject_id"]).to_list()
    assert corpus.rows["study"].to_list() == ("mimic:ecg" + listed["study_id"]).to_list()
    assert corpus.rows["key"].is_unique().all()
    assert set(corpus.rows["view"].cast(str)) == {"UNKNOWN"}
    assert corpus.rows["path"].null_count() == corpus.rows["official_split"].null_count() == corpus.rows.height


def test_both_files_of_every_record_are_attachments(root: Path) -> None:
    corpus = read(root)
    assert len(corpus.attachments) == 2 * corpus.rows.height
    assert {path for path in corpus.attachments if (root / path).is_file()} == set(corpus.attachments)
    assert corpus.tables == ("record_list.csv",)


def test_the_records_can_be_read_with_checksums(root: Path) -> None:
    for reference in read(root).rows["ecg"]:
        record = read_ecg(root, reference, EcgReadingSettings())
        assert record.signals.shape == (12, 5000)


def test_a_cell_of_another_form_is_named_by_line_and_column_only(root: Path) -> None:
    subject = read(root).rows["patient"][0].removeprefix("mimic:")
    edit(root, f"{subject},", f"x{subject},")
    with pytest.raises(UserError, match=r"record_list\.csv, line 2: column 'subject_id' holds nothing of") as refused:
        read(root)
    assert subject not in str(refused.value)


def test_a_record_listed_twice_is_refused(root: Path) -> None:
    lines = (root / "record_list.csv").read_text().splitlines()
    (root / "record_list.csv").write_text("\n".join([*lines, lines[1]]) + "\n")
    with pytest.raises(UserError, match=r"line 2: column 'study_id' names a record that another line names"):
        read(root)


def test_an_absent_column_is_named(root: Path) -> None:
    edit(root, "study_id,file_name", "study,file_name")
    with pytest.raises(UserError, match=r"record_list\.csv has no column 'study_id'"):
        read(root)
