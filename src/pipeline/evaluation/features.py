"""Features of every image of a corpus, as an encoder gives them."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from pipeline.batches.augmentation import plain
from pipeline.batches.batch import ImageBatch
from pipeline.models.encoder import normalise
from pipeline.settings.encoder import EncoderSettings

MEAN = "mean"
"""Mean of the patch tokens; the pixel baseline has this one feature vector only."""
CLS = "cls"
"""The class token."""


@torch.no_grad()
def encode(
    encoder: nn.Module, settings: EncoderSettings | None, batches: Iterator[ImageBatch], device: torch.device, side: int
) -> dict[str, NDArray[np.float32]]:
    """Return the features [N, D] of all images, squashed to `side` by `side`, under each way of pooling, float32."""
    encoder.to(device)
    pooled: dict[str, list[Tensor]] = {}
    for batch in batches:
        for pool, features in _encode_batch(encoder, settings, plain(batch.to(device), side).images).items():
            pooled.setdefault(pool, []).append(features.float().cpu())
    return {pool: torch.cat(parts).numpy() for pool, parts in pooled.items()}


def _encode_batch(encoder: nn.Module, settings: EncoderSettings | None, pixels: Tensor) -> dict[str, Tensor]:
    if not isinstance(encoder, VisionTransformer) or settings is None:
        return {MEAN: encoder(pixels)}
    tokens = encoder.forward_features(normalise(pixels, settings))
    return {MEAN: tokens[:, encoder.num_prefix_tokens :].mean(dim=1), CLS: tokens[:, 0]}
