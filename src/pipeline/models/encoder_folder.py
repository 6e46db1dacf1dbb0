"""An encoder on disk: weights and configuration, in the format timm loads as `local-dir:`."""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from pipeline.models.encoder import model_arguments
from pipeline.models.pixels import PixelEncoder
from pipeline.records.errors import UserError
from pipeline.records.publish import publish_bytes, publish_json
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import PixelsEncoderSettings

WEIGHTS = "model.safetensors"
CONFIG = "config.json"

QUARANTINED = "quarantined_samples"
"""Key of the number of damaged samples in the configuration."""

PIXELS = "pixels"
"""Architecture name of the baseline that is no timm model."""


def save_encoder(folder: Path, encoder: VisionTransformer, settings: EncoderSettings, quarantined: int = 0) -> None:
    """Publish a timm encoder; `timm.create_model("local-dir:FOLDER", pretrained=True)` loads it.

    So do transformers' `AutoModel` and `AutoImageProcessor`, which wrap timm models. The preprocessing that both learn
    from the folder is that of this project's features: the whole image, squashed to the square, and normalised.

    Args:
        folder: Where it is published.
        encoder: The encoder.
        settings: Its shape and normalisation.
        quarantined: Damaged samples that were set aside while it was trained.
    """
    side = settings.image_size
    mean, std = settings.of_channels(settings.channels)
    config = {
        "architecture": settings.architecture,
        "num_classes": 0,
        "num_features": encoder.num_features,
        "model_args": {name: value for name, value in model_arguments(settings).items() if name != "num_classes"},
        "pretrained_cfg": {
            "input_size": [settings.channels, side, side],
            "fixed_input_size": True,
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "mean": list(mean),
            "std": list(std),
            "num_classes": 0,
            "pool_size": None,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
        QUARANTINED: quarantined,
    }
    _publish(folder, encoder, config)


def save_pixels(folder: Path, settings: PixelsEncoderSettings) -> None:
    """Publish the pixel baseline, an encoder without weights."""
    _publish(folder, PixelEncoder(settings.side), {"architecture": PIXELS, "side": settings.side})


def load_encoder(folder: Path) -> tuple[nn.Module, EncoderSettings | None]:
    """Return the encoder in evaluation mode and its settings; the pixel baseline has none.

    Raises `UserError` where the folder holds no encoder, `RuntimeError` where its weights do not fit.
    """
    config = _read_config(folder)
    if config["architecture"] == PIXELS:
        return PixelEncoder(config["side"]).eval(), None
    arguments, preprocessing = config["model_args"], config["pretrained_cfg"]
    with torch.random.fork_rng(devices=[]):
        encoder = timm.create_model(config["architecture"], num_classes=0, **arguments)
    encoder.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    settings = EncoderSettings(
        architecture=config["architecture"],
        image_size=arguments["img_size"],
        patch_size=arguments["patch_size"],
        channels=arguments["in_chans"],
        mean=_united(preprocessing["mean"]),
        std=_united(preprocessing["std"]),
        width=arguments.get("embed_dim"),
        depth=arguments.get("depth"),
        heads=arguments.get("num_heads"),
    )
    return encoder.eval(), settings


def count_quarantined(folder: Path) -> int:
    """Return how many damaged samples were set aside while an encoder was trained."""
    return int(_read_config(folder).get(QUARANTINED, 0))


def _publish(folder: Path, encoder: nn.Module, config: dict[str, Any]) -> None:
    publish_bytes(folder / WEIGHTS, safetensors.torch.save(encoder.state_dict(), {"format": "pt"}))
    publish_json(folder / CONFIG, config)


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text())
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise UserError(f"{folder} holds no encoder ({error}); delete the folder and run again") from error
    return config


def _united(values: list[float]) -> float | tuple[float, ...]:
    """Return the number that all channels share, or one for each."""
    return values[0] if len(set(values)) == 1 else tuple(values)
