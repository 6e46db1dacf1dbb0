"""The model card beside an encoder's weights."""

from pipeline.settings.encoders import PixelsEncoderSettings, RandomEncoderSettings
from pipeline.settings.pretraining import EncoderSettings, PretrainingSettings

_HEAD = """---
library_name: timm
tags: [chest-x-ray, feature-extraction]
---
# {name}
"""

_USE = """
## Use
```python
import timm

encoder = timm.create_model("local-dir:PATH_OF_THIS_FOLDER", pretrained=True)
```
Input: {channels}-channel images of {side} x {side} pixels in 0 to 1, minus {mean}, divided by {std} (`config.json`).
"""

_LIMITS = """
Research use only, never for diagnosis. The licences and data-use agreements of the corpora apply to these weights.
"""


def trained_card(name: str, settings: PretrainingSettings) -> str:
    """Return the card of an encoder trained here."""
    task, optimization = settings.task, settings.optimization
    facts = f"""
Trained as a masked autoencoder on the train splits of {", ".join(settings.corpora)}: {task.mask_ratio:.0%} of the
patches masked, {optimization.steps} steps of {optimization.batch_size} images, seed {settings.seed}.
Every setting, and the digests of data and code, are in `runs/{name}/` (`settings.json`, `run.json`).
"""
    return _HEAD.format(name=name) + facts + _use(settings.encoder) + _LIMITS


def random_card(name: str, settings: RandomEncoderSettings, encoder: EncoderSettings) -> str:
    """Return the card of the untrained control."""
    facts = f"\nThe architecture of `{settings.like}` with fresh weights (seed {settings.seed}): a control.\n"
    return _HEAD.format(name=name) + facts + _use(encoder) + _LIMITS


def pixels_card(name: str, settings: PixelsEncoderSettings) -> str:
    """Return the card of the baseline without a network."""
    facts = f"\nNo network: the features are the image, shrunk to {settings.side} x {settings.side} gray values.\n"
    return _HEAD.format(name=name) + facts


def _use(encoder: EncoderSettings) -> str:
    return _USE.format(channels=encoder.channels, side=encoder.image_size, mean=encoder.mean, std=encoder.std)
