"""Encoders of foreign checkpoints: each tensor of the file has its place in the encoder, and each place its tensor."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from pipeline.models.checkpoints.names import encoder_tensors
from pipeline.models.checkpoints.reading import listed, read_tensors
from pipeline.models.encoder import build_encoder
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings


def read_foreign(path: Path, checkpoint_format: str) -> dict[str, Tensor]:
    """Return the encoder's tensors of a checkpoint under timm's names, and those that the format does not know.

    Raises `UserError` where the file cannot be read or holds no whole encoder.
    """
    return encoder_tensors(path, read_tensors(path), checkpoint_format)


def load_foreign(path: Path, checkpoint_format: str, settings: EncoderSettings) -> VisionTransformer:
    """Return the encoder of a checkpoint, whose weights are exactly the file's.

    Args:
        path: The checkpoint.
        checkpoint_format: Whose names its tensors have, a key of `FORMATS`.
        settings: Shape of its encoder. The number of heads shows in no tensor: it is taken on trust.

    Raises:
        UserError: The file cannot be read, or has other tensors than the encoder; the sentence names them, and the
            settings that they tell.
    """
    tensors = read_foreign(path, checkpoint_format)
    encoder = build_encoder(settings, seed=0)
    wanted = encoder.state_dict()
    faults = _faults(tensors, wanted)
    if faults:
        remedy = _told_settings(tensors, wanted) or "correct its format, or encoder.architecture"
        raise UserError(f"{path} does not fit the settings of its encoder: {'; '.join(faults)}; {remedy}")
    encoder.load_state_dict(tensors)
    return encoder


def _faults(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    shared = [name for name in wanted if name in tensors]
    found = {
        "missing": listed(name for name in wanted if name not in tensors),
        "unexpected": listed(name for name in tensors if name not in wanted),
        "of another shape": listed(
            f"{name} {list(tensors[name].shape)} in place of {list(wanted[name].shape)}"
            for name in shared
            if tensors[name].shape != wanted[name].shape
        ),
        "too precise for float32": listed(
            f"{name} ({tensors[name].dtype})" for name in shared if not _fits_float32(tensors[name])
        ),
    }
    return [f"{fault} {names}" for fault, names in found.items() if names]


def _fits_float32(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and torch.promote_types(tensor.dtype, torch.float32) == torch.float32


def _told_settings(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """Return what to set so that the encoder has the shape that the checkpoint's tensors tell."""
    ours = _told_shape(wanted)
    other = {key: value for key, value in _told_shape(tensors).items() if value != ours.get(key)}
    return "set " + " and ".join(f"encoder.{key} to {value}" for key, value in other.items()) if other else ""


def _told_shape(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the settings of an encoder that show in its tensors, as far as these are there."""
    told = {}
    projection, positions = tensors.get("patch_embed.proj.weight"), tensors.get("pos_embed")
    if projection is not None and projection.ndim == 4:
        told = {"channels": projection.shape[1], "patch_size": projection.shape[3], "width": projection.shape[0]}
        if positions is not None and (rows := _rows(positions)):
            told["image_size"] = rows * projection.shape[3]
    blocks = {name.split(".")[1] for name in tensors if name.startswith("blocks.")}
    return told | ({"depth": len(blocks)} if blocks else {})


def _rows(positions: Tensor) -> int:
    """Return the rows of the square grid of positions [1, 1 + N, D]; 0 where there is none."""
    patches = positions.shape[1] - 1 if positions.ndim == 3 else 0
    rows = math.isqrt(max(patches, 0))
    return rows if rows**2 == patches else 0
