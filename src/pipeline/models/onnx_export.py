"""An encoder as one ONNX file: gray values in, features out, so that no user can normalise otherwise."""

import json
import warnings
from typing import cast

import onnx
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from pipeline.models.encoder import normalise
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings

PIXELS = "pixels"
"""Name of the input: float32 [batch, 1, side, side], gray values from 0.0 to 1.0."""
CLASS_TOKEN = "class_token"  # noqa: S105
"""Name of the output [batch, D] that is the class token after the final norm."""
PATCH_MEAN = "patch_mean"
"""Name of the output [batch, D] that is the mean of the patch tokens after the final norm."""

INPUT = "float32 [batch, 1, side, side], gray values 0.0 to 1.0; the graph normalises them"
"""What the file says about its input."""

_OPERATOR_SET = 20
"""The first that knows layer norm and GELU as operators."""
_LARGEST = 2**31 - 2**20
"""Bytes of weights beyond which one protocol buffer has no room for them."""


class FeaturesOfPixels(nn.Module):
    """Normalise, encode and pool, as features are computed everywhere in this project."""

    def __init__(self, encoder: VisionTransformer, settings: EncoderSettings) -> None:
        """Wrap an encoder."""
        super().__init__()
        self.encoder = encoder
        self.settings = settings

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Turn pixels [B, 1, S, S], 0.0 to 1.0, into the class token [B, D] and the mean of the patch tokens [B, D]."""
        tokens = self.encoder.forward_features(normalise(pixels, self.settings))
        return tokens[:, 0], tokens[:, self.encoder.num_prefix_tokens :].mean(dim=1)


def onnx_bytes(encoder: VisionTransformer, settings: EncoderSettings, name: str, digest: str) -> bytes:
    """Return the encoder as an ONNX model; equal weights and versions give equal bytes.

    Args:
        encoder: The encoder, on the CPU.
        settings: Its shape and normalisation.
        name: Its name, for the model's metadata.
        digest: sha256 of the weights it was loaded from, for the same.

    Raises:
        UserError: It does not fit into one ONNX file.
    """
    size = sum(parameter.numel() * parameter.element_size() for parameter in encoder.parameters())
    if size > _LARGEST:
        raise UserError(
            f"encoder '{name}' has {size / 2**30:.1f} GiB of weights, and an ONNX file holds 2 GiB at most; "
            "load its model.safetensors instead"
        )
    model = _exported(FeaturesOfPixels(encoder, settings).eval(), settings.image_size)
    _forget_the_machine(model)
    onnx.helper.set_model_props(model, _metadata(settings, name, digest))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _exported(module: nn.Module, side: int) -> onnx.ModelProto:
    pixels = torch.zeros(2, 1, side, side)
    with warnings.catch_warnings():
        # The exporter's own use of a name that torch has since deprecated.
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
        program = torch.onnx.export(
            module,
            (pixels,),
            input_names=[PIXELS],
            output_names=[CLASS_TOKEN, PATCH_MEAN],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            opset_version=_OPERATOR_SET,
            dynamo=True,
            verbose=False,
        )
    model: onnx.ModelProto = cast(torch.onnx.ONNXProgram, program).model_proto
    return model


def _forget_the_machine(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes on every part, among them stack traces with the paths of this machine."""
    graph = model.graph
    parts = [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for part in parts:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def _metadata(settings: EncoderSettings, name: str, digest: str) -> dict[str, str]:
    mean, std = settings.of_channels(settings.channels)
    return {
        "name": name,
        "architecture": settings.architecture,
        "image_size": str(settings.image_size),
        "patch_size": str(settings.patch_size),
        "channels": str(settings.channels),
        "mean": json.dumps(mean),
        "std": json.dumps(std),
        "input": INPUT,
        "weights_sha256": digest,
    }
