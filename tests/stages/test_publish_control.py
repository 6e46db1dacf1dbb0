import argparse
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from conftest import IMAGENET, TINY_ENCODER

from pipeline.models.encoder import build_encoder
from pipeline.models.encoder_folder import WEIGHTS, load_encoder
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import PixelsEncoderSettings, RandomEncoderSettings
from pipeline.stages.publish_control import ForeignRecipe, publish_control

ENCODER = EncoderSettings.model_validate(TINY_ENCODER | IMAGENET)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    weights = build_encoder(ENCODER, seed=7).state_dict() | {"mask_token": torch.zeros(1, 1, 16)}
    torch.save({"model": weights, "epoch": 799, "args": argparse.Namespace(lr=1e-3)}, tmp_path / "checkpoint-799.pth")
    return tmp_path / "checkpoint-799.pth"


def foreign(checkpoint: Path, checkpoint_format: str = "medical_mae") -> ForeignRecipe:
    return ForeignRecipe(kind="foreign", format=checkpoint_format, encoder=ENCODER, sha256=file_digest(checkpoint))


def test_a_foreign_encoder_is_published_with_its_weights_and_its_normalisation(
    checkpoint: Path, tmp_path: Path
) -> None:
    publish_control(foreign(checkpoint), like=None, checkpoint=checkpoint, folder=tmp_path / "medical_mae")
    published = safetensors.torch.load_file(tmp_path / "medical_mae" / WEIGHTS)
    theirs = torch.load(checkpoint, weights_only=False)["model"]
    assert published.keys() == theirs.keys() - {"mask_token"}
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in published.items())
    encoder, settings = load_encoder(tmp_path / "medical_mae")
    assert settings == ENCODER
    images = torch.rand(1, 3, 32, 32)
    by_timm = timm.create_model(f"local-dir:{tmp_path / 'medical_mae'}", pretrained=True).eval()
    assert torch.equal(encoder(images), by_timm(images))


def test_another_file_is_refused_before_it_is_read(checkpoint: Path, tmp_path: Path) -> None:
    settings = foreign(checkpoint)
    checkpoint.write_bytes(b"no checkpoint at all")
    with pytest.raises(
        UserError, match=rf"checkpoint-799\.pth has sha256 {file_digest(checkpoint)}.*{settings.sha256}"
    ):
        publish_control(settings, like=None, checkpoint=checkpoint, folder=tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("", "cannot be read \\(Is a directory\\); give the path of a checkpoint file"),
        ("moved.pth", "moved.pth cannot be read \\(No such file or directory\\); give the path"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_sentence(
    file: str, reason: str, checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=reason) as refusal:
        publish_control(foreign(checkpoint), None, checkpoint=tmp_path / file, folder=tmp_path / "folder")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "folder").exists()


def test_a_checkpoint_may_be_named_from_its_owners_home(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    publish_control(foreign(checkpoint), None, checkpoint=Path("~", checkpoint.name), folder=tmp_path / "folder")
    assert load_encoder(tmp_path / "folder")[1] == ENCODER
    with pytest.raises(UserError, match=r"~nobody_of_that_name/vit\.pth cannot be found: there is no such home"):
        publish_control(foreign(checkpoint), None, checkpoint=Path("~nobody_of_that_name/vit.pth"), folder=tmp_path)


def test_a_checkpoint_that_does_not_fit_publishes_nothing(checkpoint: Path, tmp_path: Path) -> None:
    settings = foreign(checkpoint, "timm")
    with pytest.raises(UserError, match="unexpected mask_token"):
        publish_control(settings, like=None, checkpoint=checkpoint, folder=tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_random_control_has_the_architecture_it_is_like_and_its_seeds_weights(tmp_path: Path) -> None:
    settings = RandomEncoderSettings(kind="random", like="mae", seed=3)
    publish_control(settings, like=ENCODER, checkpoint=None, folder=tmp_path / "random")
    encoder, shape = load_encoder(tmp_path / "random")
    assert shape == ENCODER
    assert torch.equal(encoder.state_dict()["cls_token"], build_encoder(ENCODER, seed=3).state_dict()["cls_token"])


def test_the_pixel_baseline_needs_neither_architecture_nor_checkpoint(tmp_path: Path) -> None:
    publish_control(PixelsEncoderSettings(kind="pixels", side=4), None, None, tmp_path / "pixels")
    encoder, shape = load_encoder(tmp_path / "pixels")
    assert shape is None
    assert encoder(torch.rand(2, 1, 32, 32)).shape == (2, 16)
