"""The weights that a run starts from: those of another encoder, fitted to this one."""

from pathlib import Path

from timm.models.vision_transformer import VisionTransformer

from pipeline.models.adaptation import adapt
from pipeline.models.encoder_folder import load_encoder
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings


def start_from(encoder: VisionTransformer, settings: EncoderSettings, folder: Path) -> None:
    """Load a published encoder's weights into `encoder`, converted to its channels, normalisation and image size.

    All of them are taken, the final norm too, which the published CXR-MIM code drops (spec CXR-MIM B1). Positions
    come from the published encoder, learnt or not, and stay as frozen as they were in `encoder` (spec B1, B6.6b).

    Args:
        encoder: The encoder that is to start from them.
        settings: Its shape and normalisation.
        folder: Where the other encoder is published.

    Raises:
        UserError: The folder holds no vision transformer, or one that differs in what cannot be converted.
    """
    published, source = load_encoder(folder)
    if source is None:
        raise UserError(f"{folder} holds the pixel baseline, which has no weights to start from; name another encoder")
    try:
        state = adapt(published.state_dict(), source, settings)
    except UserError as error:
        raise UserError(f"{folder}: {error}") from error
    encoder.load_state_dict(state)
