"""Stage of rule export_encoder: an encoder as an ONNX file beside its weights."""

from pathlib import Path

from timm.models.vision_transformer import VisionTransformer

from pipeline.models.encoder_folder import WEIGHTS, load_encoder
from pipeline.models.onnx_export import onnx_bytes
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.records.publish import publish_bytes


def export_encoder(name: str, folder: Path, model: Path) -> None:
    """Publish an encoder as ONNX, which no other file is needed beside.

    Args:
        name: The encoder's name in the configuration.
        folder: Where it is published.
        model: ONNX file to publish.

    Raises:
        UserError: The folder holds no network, or one too large for an ONNX file.
    """
    encoder, settings = load_encoder(folder)
    if settings is None or not isinstance(encoder, VisionTransformer):
        raise UserError(f"{folder} holds the pixel baseline, which is no network to export; name another encoder")
    publish_bytes(model, onnx_bytes(encoder, settings, name, file_digest(folder / WEIGHTS)))
