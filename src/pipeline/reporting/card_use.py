"""The part of a model card that says how to load an encoder; its code runs as it stands, once the paths are put in."""

from string import Template

from pipeline.settings.encoder import EncoderSettings

_USE = Template("""\
## Use
Input: the whole image as $channels, squashed to $side x $side pixels (bicubic, antialiased), gray values from 0 to 1
(bone white), minus mean $mean, divided by standard deviation $std. `config.json` holds all of this, so that timm and
transformers prepare images alike; the graph in `model.onnx` normalises by itself.

```python
import numpy as np
import torch
from PIL import Image

FOLDER = "PATH_OF_THIS_FOLDER"
image = Image.open("PATH_OF_AN_IMAGE").convert("L")  # 8-bit gray; scale files of more bits to 0 to 255 first
square = image.resize(($side, $side), Image.Resampling.BICUBIC)
pixels = torch.from_numpy(np.asarray(square, dtype=np.float32) / 255)[None, None]  # [1, 1, $side, $side]
```

With [timm](https://huggingface.co/docs/timm) (where its import misses the operator `torchvision::nms`, torch and
torchvision are of different builds: install both from the same index):
```python
import timm

encoder = timm.create_model(f"local-dir:{FOLDER}", pretrained=True).eval()
mean, std = (torch.tensor(encoder.pretrained_cfg[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
with torch.no_grad():
    tokens = encoder.forward_features((pixels - mean) / std)  # [1, 1 + $patches, D]
class_token, patch_mean = tokens[:, 0], tokens[:, 1:].mean(dim=1)
```

With [transformers](https://huggingface.co/docs/transformers):
```python
from transformers import AutoImageProcessor, AutoModel

encoder = AutoModel.from_pretrained(FOLDER).eval()
inputs = AutoImageProcessor.from_pretrained(FOLDER)(image$colour)
with torch.no_grad():
    tokens = encoder(**inputs).last_hidden_state  # [1, 1 + $patches, D]
class_token, patch_mean = tokens[:, 0], tokens[:, 1:].mean(dim=1)
```

With [onnxruntime](https://onnxruntime.ai), where `model.onnx` has been exported:
```python
import onnxruntime

session = onnxruntime.InferenceSession(f"{FOLDER}/model.onnx")
class_token, patch_mean = session.run(["class_token", "patch_mean"], {"pixels": pixels.numpy()})
```
""")


def use_section(encoder: EncoderSettings) -> str:
    """Say how images are prepared for an encoder, and how it is loaded by timm, transformers and onnxruntime."""
    gray = encoder.channels == 1
    mean, std = encoder.of_channels(encoder.channels)
    return _USE.substitute(
        channels="one gray channel" if gray else "three equal channels",
        side=encoder.image_size,
        mean=_numbers(mean),
        std=_numbers(std),
        patches=encoder.rows**2,
        colour="" if gray else '.convert("RGB")',
    )


def _numbers(values: tuple[float, ...]) -> str:
    """Write what all channels share once, or one number for each."""
    different = values[:1] if len(set(values)) == 1 else values
    return ", ".join(f"{value:g}" for value in different)
