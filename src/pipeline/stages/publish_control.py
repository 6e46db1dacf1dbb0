"""Stage of rule publish_control: an encoder that is not trained here, in the same folder format."""

from pathlib import Path
from typing import Literal

from pipeline.models.checkpoints.foreign import load_foreign
from pipeline.models.checkpoints.integrity import require_digest
from pipeline.models.encoder import build_encoder
from pipeline.models.encoder_folder import save_encoder, save_pixels
from pipeline.records.errors import UserError
from pipeline.settings.base import Settings
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import PixelsEncoderSettings, RandomEncoderSettings


class ForeignRecipe(Settings):
    """Hold what decides the bytes of a foreign encoder: not where its checkpoint lies, nor on whose terms."""

    kind: Literal["foreign"]
    format: str
    """Whose names the checkpoint's tensors have."""
    encoder: EncoderSettings
    """Shape of the checkpoint's encoder, and how the images that it was trained on were normalised."""
    sha256: str
    """Digest of the checkpoint."""


ControlRecipe = RandomEncoderSettings | PixelsEncoderSettings | ForeignRecipe
"""All that an encoder which is not trained here depends on."""


def publish_control(
    settings: ControlRecipe, like: EncoderSettings | None, checkpoint: Path | None, folder: Path
) -> None:
    """Publish a control encoder.

    Args:
        settings: What kind of control it is.
        like: Architecture that a random control has; none for the others.
        checkpoint: File of a foreign encoder, fetched or the user's own, whose home may be written `~`; none for the
            others.
        folder: Encoder folder to publish.

    Raises:
        UserError: The checkpoint is another file than its digest states, cannot be read, or does not fit its settings.
    """
    if isinstance(settings, RandomEncoderSettings):
        if like is None:
            raise ValueError("a random control needs the architecture of the encoder it is like")
        save_encoder(folder, build_encoder(like, settings.seed), like)
    elif isinstance(settings, ForeignRecipe):
        if checkpoint is None:
            raise ValueError("a foreign encoder needs the file of its checkpoint")
        file = _from_home(checkpoint)
        require_digest(file, settings.sha256)
        save_encoder(folder, load_foreign(file, settings.format, settings.encoder), settings.encoder)
    else:
        save_pixels(folder, settings)


def _from_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UserError(f"{path} cannot be found: there is no such home; write the path out") from error
