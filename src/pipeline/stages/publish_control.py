"""Stage of rule publish_control: an encoder nobody trained, in the same folder format."""

from pathlib import Path

from pipeline.models.encoder import build_encoder
from pipeline.models.encoder_folder import save_encoder, save_pixels
from pipeline.settings.encoders import ControlSettings, RandomEncoderSettings
from pipeline.settings.pretraining import EncoderSettings


def publish_control(settings: ControlSettings, like: EncoderSettings | None, folder: Path) -> None:
    """Publish a control encoder.

    Args:
        settings: What kind of control it is.
        like: Architecture of the run it is a control of; none for the pixel baseline.
        folder: Encoder folder to publish.
    """
    if isinstance(settings, RandomEncoderSettings):
        if like is None:
            raise ValueError("a random control needs the architecture of the run it is like")
        save_encoder(folder, build_encoder(like, settings.seed), like)
    else:
        save_pixels(folder, settings)
