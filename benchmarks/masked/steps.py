"""Whole training steps of masked autoencoders, ours and Hugging Face's."""

import torch
from torch import Tensor, nn
from transformers import ViTMAEConfig, ViTMAEForPreTraining

from benchmarks.masked.shapes import Shape
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding

PEER = "Hugging Face ViTMAE"
MLP_RATIO = 4
LEARNING_RATE, BETAS = 1e-4, (0.9, 0.95)
SEED = 0


class Ours(nn.Module):
    """Give the loss of our model."""

    def __init__(self, shape: Shape) -> None:
        """Build the model with fresh weights."""
        super().__init__()
        settings = {
            "task": shape.method.model_dump(),
            "encoder": shape.encoder.model_dump(),
            "corpora": ["made"],
            "optimization": {"steps": 1, "batch_size": 1},
            "validation_images": 1,
        }
        self.task = MaskedAutoencoding(PretrainingSettings.model_validate(settings))

    def forward(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return the loss of normalised images [B, C, H, W] under noise [B, N]."""
        model = self.task.model
        return self.task.reconstruction_loss(model(images, noise, model.kept))


class Theirs(nn.Module):
    """Give the loss of Hugging Face's model."""

    def __init__(self, shape: Shape) -> None:
        """Build the model with fresh weights."""
        super().__init__()
        self.model = hugging_face(shape)

    def forward(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return the loss of normalised images [B, C, H, W] under noise [B, N]."""
        loss: Tensor = self.model(pixel_values=images, noise=noise).loss
        return loss


class Training:
    """Take whole training steps on the same images: loss, gradients, fused AdamW."""

    def __init__(self, model: nn.Module, shape: Shape, batch_size: int, device: torch.device) -> None:
        """Prepare to train `model`, which gives the loss of images [B, C, H, W] under noise [B, N].

        Images and noise are the same for all models, but for the number of channels.
        """
        encoder = shape.encoder
        generator = torch.Generator().manual_seed(SEED)
        gray = torch.randn(batch_size, 1, encoder.image_size, encoder.image_size, generator=generator)
        noise = torch.rand(batch_size, encoder.rows**2, generator=generator)
        self._images, self._noise = gray.to(device).repeat(1, encoder.channels, 1, 1), noise.to(device)
        self._model = model.to(device)
        self._optimizer = adamw(model)

    def loss(self, dtype: torch.dtype) -> Tensor:
        """Return the loss, with matrix products in a number format; weights stay float32."""
        with torch.autocast(self._images.device.type, dtype, enabled=dtype != torch.float32):
            loss: Tensor = self._model(self._images, self._noise)
        return loss

    def step(self, dtype: torch.dtype) -> None:
        """Take a step with matrix products in a number format."""
        self.loss(dtype).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)


def train_ours(shape: Shape, batch_size: int, device: torch.device, compiled: bool = False) -> Training:
    """Return the training of our model of a shape; compiled, as the training loop compiles it."""
    model = Ours(shape)
    if compiled:
        model.task.model.compile()
    return Training(model, shape, batch_size, device)


def train_theirs(shape: Shape, batch_size: int, device: torch.device) -> Training:
    """Return the training of Hugging Face's model of the same size as a shape of ours."""
    peer = shape.peer()
    return Training(Theirs(peer), peer, batch_size, device)


def adamw(module: nn.Module) -> torch.optim.AdamW:
    """Return fused AdamW over what is trained of a module."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trained, LEARNING_RATE, BETAS, fused=True)


def hugging_face(shape: Shape) -> ViTMAEForPreTraining:
    """Return Hugging Face's masked autoencoder of a shape with fresh weights; nothing is downloaded.

    Raises `ValueError` where the shape leaves the encoder's numbers to its architecture.
    """
    encoder, method = shape.encoder, shape.method
    if encoder.width is None or encoder.depth is None or encoder.heads is None:
        raise ValueError(f"{shape.name}: the peer needs the encoder's width, depth and heads")
    configuration = ViTMAEConfig(
        image_size=encoder.image_size,
        patch_size=encoder.patch_size,
        num_channels=encoder.channels,
        hidden_size=encoder.width,
        num_hidden_layers=encoder.depth,
        num_attention_heads=encoder.heads,
        intermediate_size=MLP_RATIO * encoder.width,
        layer_norm_eps=1e-6,
        decoder_hidden_size=method.decoder_width,
        decoder_num_hidden_layers=method.decoder_depth,
        decoder_num_attention_heads=method.decoder_heads,
        decoder_intermediate_size=MLP_RATIO * method.decoder_width,
        mask_ratio=method.mask_ratio,
        norm_pix_loss=method.norm_pix,
    )
    return ViTMAEForPreTraining(configuration)
