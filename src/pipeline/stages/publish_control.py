"""Stage of rule publish_control: an encoder that is not trained here, in the same folder format."""

from pathlib import Path

from pipeline.models.checkpoints.foreign import load_foreign
from pipeline.models.checkpoints.integrity import require_digest
from pipeline.models.encoder import build_encoder
from pipeline.models.encoder_folder import save_encoder, save_pixels
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import ControlSettings, ForeignEncoderSettings, RandomEncoderSettings


def publish_control(
    settings: ControlSettings, like: EncoderSettings | None, checkpoint: Path | None, folder: Path
) -> None:
    """Publish a control encoder.

    Args:
        settings: What kind of control it is.
        like: Architecture that a random control has; none for the others.
        checkpoint: File of a foreign encoder, fetched or the user's own; none for the others.
        folder: Encoder folder to publish.

    Raises:
        UserError: The checkpoint is another file than its digest states, cannot be read, or does not fit its settings.
    """
    if isinstance(settings, RandomEncoderSettings):
        if like is None:
            raise ValueError("a random control needs the architecture of the encoder it is like")
        save_encoder(folder, build_encoder(like, settings.seed), like)
    elif isinstance(settings, ForeignEncoderSettings):
        if checkpoint is None:
            raise ValueError("a foreign encoder needs the file of its checkpoint")
        require_digest(checkpoint, settings.sha256)
        save_encoder(folder, load_foreign(checkpoint, settings.format, settings.encoder), settings.encoder)
    else:
        save_pixels(folder, settings)
