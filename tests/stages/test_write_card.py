from pathlib import Path

import pytest
from tests.reporting.card_configuration import provenance, record_of

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.stages.write_card import write_card


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    return path


def test_the_card_of_a_run_is_published_with_the_digest_of_its_weights(weights: Path, tmp_path: Path) -> None:
    record, card = tmp_path / "run.json", tmp_path / "README.md"
    record.write_text(record_of("mixed", encoder=file_digest(weights)).model_dump_json())
    write_card(provenance("mixed"), weights, record, card)
    assert "# mixed\n" in card.read_text()
    assert file_digest(weights) in card.read_text()


def test_weights_of_another_run_get_no_card(weights: Path, tmp_path: Path) -> None:
    record, card = tmp_path / "run.json", tmp_path / "README.md"
    record.write_text(record_of("mixed").model_dump_json())
    with pytest.raises(UserError, match=r"run\.json names other encoder weights"):
        write_card(provenance("mixed"), weights, record, card)
    assert not card.exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("random", "the architecture of `synthetic` with fresh weights: a control"),
        ("pixels", "No network: the features are the image, shrunk to 16 x 16 gray values."),
        ("imagenet", "trained by others and brought into timm's format"),
    ],
)
def test_controls_have_cards_without_a_run(name: str, sentence: str, weights: Path, tmp_path: Path) -> None:
    write_card(provenance(name), weights, None, tmp_path / "README.md")
    assert sentence in (tmp_path / "README.md").read_text()
