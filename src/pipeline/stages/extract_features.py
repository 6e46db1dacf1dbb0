"""Stage of rule extract_features: every image of a corpus through one encoder, once."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.batches.batch import ImageBatch
from pipeline.batches.loader import fixed_batches
from pipeline.batches.samples import Samples, Selection
from pipeline.evaluation.feature_file import FeatureOrigin, write_features
from pipeline.evaluation.features import encode
from pipeline.manifests.vocabulary import SPLITS
from pipeline.models.encoder_folder import WEIGHTS, count_quarantined, load_encoder
from pipeline.records.digests import file_digest
from pipeline.records.progress import Progress
from pipeline.settings.evaluation import FeatureSettings
from pipeline.settings.hardware import Hardware
from pipeline.shards.jpeg import DECODER
from pipeline.training.device import describe_device, prepare_device
from pipeline.training.lease import leased_gpus
from pipeline.training.waiting import timed


def extract_features(
    encoder_folder: Path, index: Path, settings: FeatureSettings, hardware: Hardware, features: Path
) -> None:
    """Encode all samples of an index, in its order, and publish their features.

    Args:
        encoder_folder: Published encoder.
        index: Shard index of the corpus.
        settings: How images are batched, and their size where the encoder has none of its own.
        hardware: Threads, and GPUs to hold meanwhile.
        features: File to publish.

    Raises:
        UserError: The folder holds no encoder, or a sample is damaged: evaluation tolerates none.
    """
    with leased_gpus(hardware.gpus):
        device = prepare_device(hardware.threads)
        encoder, own = load_encoder(encoder_folder)
        side = own.image_size if own else settings.pixels_side
        with Samples([index], Selection(SPLITS)) as samples, Progress("features", len(samples)) as progress:
            batches = fixed_batches(
                samples,
                settings.batch_size,
                np.arange(len(samples)),
                hardware.threads,
                pinned=device.type == "cuda",
            )
            encoded = encode(encoder, own, _followed(batches, progress), device, side)
    origin = FeatureOrigin(
        encoder=file_digest(encoder_folder / WEIGHTS),
        index=file_digest(index),
        device=describe_device(device),
        decoder=DECODER,
        quarantined=count_quarantined(encoder_folder),
    )
    write_features(features, encoded, origin)


def _followed(batches: Iterator[ImageBatch], progress: Progress) -> Iterator[ImageBatch]:
    """Yield the batches, and show how far they are and how long each was waited for."""
    for batch, waited in timed(batches):
        yield batch
        progress.advance(len(batch), waited)
