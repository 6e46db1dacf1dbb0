"""Checkpoints as the training scripts of each format write them, around an encoder of ours."""

import argparse
from pathlib import Path
from typing import Any

import torch
from conftest import IMAGENET, TINY_ENCODER
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from pipeline.models.encoder import build_encoder
from pipeline.settings.encoder import EncoderSettings

SETTINGS = EncoderSettings.model_validate(TINY_ENCODER | IMAGENET | {"depth": 3})
WIDTH, DECODER_WIDTH, POSITIONS = 24, 16, 1 + 4 * 4
FORMATS = ("timm", "mae", "medical_mae", "cxr_mim")


def trained_encoder(settings: EncoderSettings = SETTINGS, seed: int = 1) -> VisionTransformer:
    """Return an encoder in which no tensor is as it was initialised."""
    encoder = build_encoder(settings, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in encoder.state_dict().values():
            tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    return encoder.eval()


def block(prefix: str, width: int) -> dict[str, Tensor]:
    layer = nn.TransformerEncoderLayer(width, 2).state_dict()
    return {f"{prefix}{name}": tensor for name, tensor in layer.items()}


def mae_weights(encoder: VisionTransformer) -> dict[str, Tensor]:
    return encoder.state_dict() | {
        "mask_token": torch.zeros(1, 1, DECODER_WIDTH),
        "decoder_pos_embed": torch.zeros(1, POSITIONS, DECODER_WIDTH),
        "decoder_embed.weight": torch.zeros(DECODER_WIDTH, WIDTH),
        "decoder_embed.bias": torch.zeros(DECODER_WIDTH),
        **block("decoder_blocks.0.", DECODER_WIDTH),
        **block("decoder_blocks.1.", DECODER_WIDTH),
        "decoder_norm.weight": torch.ones(DECODER_WIDTH),
        "decoder_norm.bias": torch.zeros(DECODER_WIDTH),
        "decoder_pred.weight": torch.zeros(8 * 8 * 3, DECODER_WIDTH),
        "decoder_pred.bias": torch.zeros(8 * 8 * 3),
    }


def cxr_mim_weights(encoder: VisionTransformer) -> dict[str, Tensor]:
    weights = encoder.state_dict()
    for kind in ("weight", "bias"):
        weights[f"norm.3.{kind}"] = weights.pop(f"norm.{kind}")
    for tap in range(4):
        weights |= {f"norm.{tap}.{kind}": torch.ones(WIDTH) for kind in ("weight", "bias") if tap < 3}
        weights |= {
            f"decoder.{tap}.embed.weight": torch.zeros(DECODER_WIDTH, WIDTH),
            f"decoder.{tap}.mask_token": torch.zeros(1, 1, DECODER_WIDTH),
            f"decoder.{tap}.pos_embed": torch.zeros(1, POSITIONS, DECODER_WIDTH),
            **block(f"decoder.{tap}.blocks.0.", DECODER_WIDTH),
            f"decoder.{tap}.norm.weight": torch.ones(DECODER_WIDTH),
            f"decoder.{tap}.pred.0.weight": torch.zeros(27, DECODER_WIDTH, 1, 1),
            f"hog_enc.{tap}.conv.weight": torch.zeros(2, 1, 3, 3),
        }
    return weights


def weights_of(checkpoint_format: str, encoder: VisionTransformer) -> dict[str, Tensor]:
    if checkpoint_format == "timm":
        return encoder.state_dict() | {"head.weight": torch.zeros(1000, WIDTH), "head.bias": torch.zeros(1000)}
    return cxr_mim_weights(encoder) if checkpoint_format == "cxr_mim" else mae_weights(encoder)


def training_state(encoder: VisionTransformer, **more: Any) -> dict[str, Any]:
    """Return what is saved beside the weights, that of an optimizer that has made a step included."""
    optimizer = torch.optim.AdamW(encoder.parameters(), betas=(0.9, 0.95))
    encoder.forward_features(torch.ones(1, encoder.patch_embed.proj.in_channels, 32, 32)).sum().backward()
    optimizer.step()
    return {
        "optimizer": optimizer.state_dict(),
        "epoch": 799,
        "scaler": torch.amp.GradScaler("cpu").state_dict(),
        "args": argparse.Namespace(blr=1.5e-4, output_dir="./out", distributed=True, **more),
    }


def write_checkpoint(path: Path, checkpoint_format: str, encoder: VisionTransformer) -> Path:
    """Write a checkpoint as its publisher does: timm's is a flat state dict, the others are a whole training state."""
    weights = {name: tensor.clone() for name, tensor in weights_of(checkpoint_format, encoder).items()}
    trained = weights if checkpoint_format == "timm" else {"model": weights, **training_state(trained_encoder())}
    torch.save(trained, path)
    return path
