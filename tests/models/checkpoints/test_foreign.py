from pathlib import Path
from typing import get_args

import pytest
import safetensors.torch
import timm
import torch
from foreign_files import FORMATS, SETTINGS, mae_weights, trained_encoder, weights_of, write_checkpoint
from torch import Tensor

from pipeline.models.checkpoints import names
from pipeline.models.checkpoints.foreign import load_foreign, read_foreign
from pipeline.records.errors import UserError
from pipeline.settings.encoders import ForeignEncoderSettings


def saved(weights: dict[str, Tensor], path: Path) -> Path:
    torch.save({"model": weights}, path)
    return path


def images() -> Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_every_format_of_the_settings_has_its_names() -> None:
    assert set(names.FORMATS) == set(get_args(ForeignEncoderSettings.model_fields["format"].annotation))


@pytest.mark.parametrize("checkpoint_format", FORMATS)
def test_an_encoder_comes_back_from_its_publishers_file(checkpoint_format: str, tmp_path: Path) -> None:
    theirs = trained_encoder()
    checkpoint = write_checkpoint(tmp_path / "checkpoint-799.pth", checkpoint_format, theirs)
    ours = load_foreign(checkpoint, checkpoint_format, SETTINGS).eval()
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(ours.state_dict()[name], tensor) for name, tensor in theirs.state_dict().items())
    assert torch.equal(ours.forward_features(images()), theirs.forward_features(images()))


def test_a_model_that_timm_itself_saved_gives_the_same_features(tmp_path: Path) -> None:
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2}
    theirs = timm.create_model("vit_tiny_patch16_224", num_classes=5, **shape).eval()
    safetensors.torch.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours = load_foreign(tmp_path / "model.safetensors", "timm", SETTINGS).eval()
    assert torch.equal(ours.forward_features(images()), theirs.forward_features(images()))


def test_an_mae_of_the_encoder_alone_is_whole(tmp_path: Path) -> None:
    encoder = trained_encoder()
    checkpoint = saved(encoder.state_dict(), tmp_path / "mae_pretrain_vit.pth")
    assert read_foreign(checkpoint, "mae").keys() == encoder.state_dict().keys()


def test_cxr_mims_last_normalisation_is_the_encoders(tmp_path: Path) -> None:
    weights = weights_of("cxr_mim", trained_encoder())
    read = read_foreign(saved(weights, tmp_path / "cxr_mim.pth"), "cxr_mim")
    assert torch.equal(read["norm.weight"], weights["norm.3.weight"])
    assert not torch.equal(read["norm.weight"], weights["norm.2.weight"])


@pytest.mark.parametrize("checkpoint_format", ["timm", "mae", "medical_mae"])
def test_a_fine_tuned_encoder_without_a_norm_of_its_tokens_is_refused(checkpoint_format: str, tmp_path: Path) -> None:
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2}
    tuned = timm.create_model("vit_tiny_patch16_224", num_classes=14, global_pool="avg", **shape)
    checkpoint = saved(tuned.state_dict(), tmp_path / "tuned.pth")
    with pytest.raises(
        UserError, match=r"tuned\.pth was fine-tuned with fc_norm.* take the checkpoint of its pretrain"
    ):
        load_foreign(checkpoint, checkpoint_format, SETTINGS)


def test_what_is_missing_and_what_is_unexpected_is_named(tmp_path: Path) -> None:
    weights = trained_encoder().state_dict() | {"blocks.0.ls1.gamma": torch.ones(24)}
    del weights["blocks.2.mlp.fc1.bias"], weights["cls_token"]
    with pytest.raises(UserError) as refusal:
        load_foreign(saved(weights, tmp_path / "odd.pth"), "mae", SETTINGS)
    assert str(refusal.value) == (
        f"{tmp_path}/odd.pth does not fit the settings of its encoder: missing cls_token, blocks.2.mlp.fc1.bias; "
        "unexpected blocks.0.ls1.gamma; correct its format, or encoder.architecture"
    )


def test_a_long_list_of_names_is_counted(tmp_path: Path) -> None:
    checkpoint = saved(mae_weights(trained_encoder()), tmp_path / "mae.pth")
    unexpected = len(mae_weights(trained_encoder())) - len(trained_encoder().state_dict())
    with pytest.raises(UserError, match=rf"unexpected mask_token, decoder_pos_embed, .* and {unexpected - 5} more; "):
        load_foreign(checkpoint, "timm", SETTINGS)


@pytest.mark.parametrize(
    ("changes", "named", "told"),
    [
        ({"channels": 1, "mean": 0.5, "std": 0.5}, "patch_embed.proj.weight", "set encoder.channels to 3$"),
        ({"image_size": 64}, r"pos_embed \[1, 17, 24\] in place of \[1, 65, 24\]", "set encoder.image_size to 32$"),
        ({"depth": 2}, "unexpected blocks.2.norm1.weight", "set encoder.depth to 3$"),
        ({"depth": 4}, "missing blocks.3.norm1.weight", "set encoder.depth to 3$"),
        ({"width": 48}, r"cls_token \[1, 1, 24\] in place of \[1, 1, 48\]", "set encoder.width to 24$"),
        ({"patch_size": 16, "image_size": 64}, "patch_embed", "encoder.patch_size to 8 and encoder.image_size to 32$"),
    ],
)
def test_settings_that_do_not_fit_are_corrected(
    changes: dict[str, float], named: str, told: str, tmp_path: Path
) -> None:
    checkpoint = write_checkpoint(tmp_path / "mae.pth", "mae", trained_encoder())
    with pytest.raises(UserError, match=f"{named}.*{told}"):
        load_foreign(checkpoint, "mae", SETTINGS.model_copy(update=changes))


@pytest.mark.parametrize("shape", [(24,), (1, 0, 24), (1, 1, 24), (1, 12, 24)])
def test_positions_of_no_square_grid_tell_no_image_size(shape: tuple[int, ...], tmp_path: Path) -> None:
    weights = trained_encoder().state_dict() | {"pos_embed": torch.zeros(shape)}
    with pytest.raises(UserError, match=r"of another shape pos_embed .*; correct its format, or encoder\.architecture"):
        load_foreign(saved(weights, tmp_path / "odd.pth"), "mae", SETTINGS)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_widened_exactly(stored: torch.dtype, tmp_path: Path) -> None:
    weights = {name: tensor.to(stored) for name, tensor in trained_encoder().state_dict().items()}
    encoder = load_foreign(saved(weights, tmp_path / "half.pth"), "mae", SETTINGS)
    assert all(torch.equal(encoder.state_dict()[name], tensor.float()) for name, tensor in weights.items())


def test_weights_that_would_be_rounded_are_refused(tmp_path: Path) -> None:
    weights = trained_encoder().state_dict() | {"norm.weight": torch.ones(24, dtype=torch.float64)}
    with pytest.raises(UserError, match=r"too precise for float32 norm\.weight \(torch\.float64\)"):
        load_foreign(saved(weights, tmp_path / "double.pth"), "mae", SETTINGS)
