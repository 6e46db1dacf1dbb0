"""Stage of rule write_card: the model card beside an encoder's weights."""

from pathlib import Path

from pipeline.records.publish import publish_text
from pipeline.reporting.model_card import pixels_card, random_card, trained_card
from pipeline.settings.encoders import ControlSettings, PixelsEncoderSettings
from pipeline.settings.pretraining import EncoderSettings, PretrainingSettings


def write_card(
    name: str, settings: PretrainingSettings | ControlSettings, like: EncoderSettings | None, card: Path
) -> None:
    """Publish the card of an encoder, trained or control.

    Args:
        name: The encoder's name in the configuration.
        settings: Settings of the run that trained it, or of the control.
        like: Architecture of a random control; none for other encoders.
        card: Markdown file to publish.

    Raises:
        ValueError: A random control comes without its architecture.
    """
    if isinstance(settings, PretrainingSettings):
        text = trained_card(name, settings)
    elif isinstance(settings, PixelsEncoderSettings):
        text = pixels_card(name, settings)
    elif like is not None:
        text = random_card(name, settings, like)
    else:
        raise ValueError("a random control needs the architecture of the run it is like")
    publish_text(card, text)
