"""Other ways to load the same samples, each as its documentation shows it, with two worker processes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import webdataset as wds
from litdata import StreamingDataLoader, StreamingDataset  # type: ignore[import-untyped]
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from benchmarks.loading.cohort import Cohort
from pipeline.shards.gray import GrayImage
from pipeline.shards.jpeg import decode_jpeg

Batch = tuple[Tensor, Sequence[str]]
"""Images and their keys."""

BATCH_SIZE, SIDE, WORKERS = 256, 224, 2
SHUFFLED_SHARDS, SHUFFLED_SAMPLES = 100, 1000
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

TO_TENSOR = (transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(MEAN, STD))
WEBDATASET_CROP = transforms.Compose([transforms.RandomResizedCrop(SIDE), *TO_TENSOR])
MEDICAL_MAE_CROP = transforms.Compose(
    [transforms.RandomResizedCrop(SIDE, (0.5, 1.0), interpolation=InterpolationMode.BICUBIC), *TO_TENSOR]
)


def webdataset_recipe(cohort: Cohort) -> Iterator[Batch]:
    """Stream shards as webdataset's read-me and its ResNet-50 example do, to float32 [B, 3, 224, 224].

    Without the example's last stage, which unbatches, shuffles and rebatches in the main process: it only costs.
    """
    dataset = (
        wds.WebDataset(cohort.shards, shardshuffle=SHUFFLED_SHARDS)
        .shuffle(SHUFFLED_SAMPLES)
        .decode("pil")
        .to_tuple("jpg", "json", "__key__")
        .map_tuple(WEBDATASET_CROP, _identity, _identity)
        .batched(BATCH_SIZE)
    )
    for pixels, _, keys in _web_loader(dataset):
        yield pixels, keys


def jpeg_files(cohort: Cohort) -> Iterator[Batch]:
    """Load a folder of JPEG files as Medical MAE and PaCX-MAE do, to float32 [B, 3, 224, 224]."""
    dataset = JpegFiles(sorted(cohort.files.iterdir()))
    yield from DataLoader(dataset, BATCH_SIZE, shuffle=True, num_workers=WORKERS, worker_init_fn=_use_one_thread)


def webdataset_with_our_decoder(cohort: Cohort) -> Iterator[Batch]:
    """Stream shards with webdataset and decode as we do, to uint8 [B, 1, H, W]."""
    dataset = (
        wds.WebDataset(cohort.shards, shardshuffle=SHUFFLED_SHARDS)
        .shuffle(SHUFFLED_SAMPLES)
        .to_tuple("jpg", "__key__")
        .batched(BATCH_SIZE, collation_fn=_decode_pairs)
    )
    yield from _web_loader(dataset)


def litdata_with_our_decoder(cohort: Cohort) -> Iterator[Batch]:
    """Stream litdata's own chunks and decode as we do, to uint8 [B, 1, H, W]."""
    dataset = StreamingDataset(str(cohort.chunks), shuffle=True)
    yield from StreamingDataLoader(
        dataset,
        batch_size=BATCH_SIZE,
        num_workers=WORKERS,
        collate_fn=_decode_samples,
        worker_init_fn=_use_one_thread,
    )


class JpegFiles(Dataset[tuple[Tensor, str]]):
    """Decode and augment one file at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> tuple[Tensor, str]:
        """Return an image, float32 [3, 224, 224], and its key."""
        path = self.paths[position]
        return MEDICAL_MAE_CROP(Image.open(path).convert("RGB")), path.stem


def _web_loader(dataset: wds.WebDataset) -> wds.WebLoader:
    return wds.WebLoader(dataset, batch_size=None, num_workers=WORKERS, worker_init_fn=_use_one_thread)


def _decode_pairs(pairs: Sequence[tuple[bytes, str]]) -> Batch:
    contents, keys = zip(*pairs, strict=True)
    return _on_one_canvas([decode_jpeg(content) for content in contents]), list(keys)


def _decode_samples(samples: Sequence[dict[str, Any]]) -> Batch:
    return _decode_pairs([(sample["image"], sample["key"]) for sample in samples])


def _on_one_canvas(images: Sequence[GrayImage]) -> Tensor:
    """Copy images into memory that the main process shares, as torch's own collation does: it saves a copy."""
    height, width = np.max([image.shape for image in images], axis=0).tolist()
    storage = torch.UntypedStorage._new_shared(len(images) * height * width)  # type: ignore[no-untyped-call]
    canvas = torch.empty(0, dtype=torch.uint8).set_(storage).view(len(images), 1, height, width)
    for place, image in zip(canvas.numpy(), images, strict=True):
        place[0, : image.shape[0], : image.shape[1]] = image
    return canvas


def _use_one_thread(_: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _identity(value: object) -> object:
    return value
