"""What the methods of pretraining share: an encoder inside a model, and images normalised for it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol, cast

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from pipeline.batches.batch import IMAGES_ONLY, Companions, ImageBatch
from pipeline.batches.planes import send
from pipeline.models.encoder import channel_values
from pipeline.models.layers import layer_numbers
from pipeline.settings.encoder import Normalisation
from pipeline.settings.pretraining import PretrainingSettings


class HasEncoder(Protocol):
    """Hold the encoder that is pretrained."""

    encoder: VisionTransformer
    """It is what is published."""


class PretrainingTask(nn.Module, ABC):
    """Train an encoder as part of a model; a method adds what the model predicts, and its loss."""

    companions: Companions = IMAGES_ONLY
    """What is read beside the images."""
    watched: tuple[str, ...] = ()
    """Names of the scalars that training logs beside the loss."""

    def __init__(self, settings: PretrainingSettings, model: nn.Module) -> None:
        """Take a model that has an `encoder`."""
        super().__init__()
        self.settings = settings
        self.model = model

    @abstractmethod
    def validate(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the loss without augmentation, under masks that stay the same for the whole run, under `loss`."""

    def check(self, watched: Mapping[str, float], images: int) -> None:
        """Raise `UserError` where what is watched, means over some images, shows that the method is not at work."""

    def layers(self) -> dict[str, int]:
        """Return the number of the layer of each parameter, by name; decoders are one more than the last block."""
        names = (name for name, _ in self.named_parameters())
        return layer_numbers(names, "model.encoder.", len(self.encoder.blocks))

    @property
    def encoder(self) -> VisionTransformer:
        """Return the encoder that is pretrained."""
        return cast(HasEncoder, self.model).encoder

    @property
    def device(self) -> torch.device:
        """Return where the parameters are."""
        return next(self.model.parameters()).device

    def normalised(self, images: Tensor, batch: ImageBatch) -> Tensor:
        """Turn a batch's images [B, 1, H, W], 0.0 to 1.0, into the model's input [B, channels, H, W]."""
        mean, std = self._numbers(batch, images)
        return (images - mean) / std

    def _numbers(self, batch: ImageBatch, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, [1, C, 1, 1], or [B, C, 1, 1] where corpora have numbers of their own."""
        encoder, own = self.settings.encoder, self.settings.normalisation
        if not own:
            return channel_values(encoder, encoder.channels, like)
        of_corpora: list[Normalisation] = [own.get(corpus, encoder) for corpus in self.settings.corpora]
        numbers = np.array([normalisation.of_channels(encoder.channels) for normalisation in of_corpora])  # [N, 2, C]
        chosen = torch.from_numpy(numbers[batch.corpora]).to(like.dtype)
        mean, std = send(chosen, like.device)[..., None, None].unbind(1)
        return mean, std
