"""Stage of rule draw_reconstructions: what a run's model makes of images it was not trained on."""

import json
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch

from pipeline.batches.batch import ImageBatch
from pipeline.batches.companions import fullest_subset
from pipeline.batches.loader import fixed_batches
from pipeline.batches.samples import Samples, Selection
from pipeline.reporting.gaze_pictures import draw_gaze_pictures
from pipeline.reporting.reconstructions import draw_reconstructions as draw
from pipeline.settings.methods import MaskedAutoencoderSettings
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.cxr_mim import CxrMim
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.tasks.methods import build_task
from pipeline.tasks.pretraining import PretrainingTask
from pipeline.tasks.pyramid_pictures import pyramid_pictures
from pipeline.tasks.reconstruction import reconstruct

_RECONSTRUCTIONS = 10
_GAZE_PICTURES = 4  # each as large as four reconstructions, so that strokes can be seen


def draw_reconstructions(weights: Path, settings: Path, indexes: Sequence[Path], threads: int, figure: Path) -> None:
    """Draw some validation images, always the same, as a model saw them and as it filled in what it did not see.

    Images that have what the method reads beside them, such as a gaze map, are drawn before others.

    Args:
        weights: Full weights of the run.
        settings: Resolved settings of the run.
        indexes: Shard indexes of the run's corpora, in the order of its settings.
        threads: Images decoded at a time.
        figure: PNG file to publish.
    """
    run = PretrainingSettings.model_validate(json.loads(settings.read_text()))
    task = build_task(run).eval()
    task.model.load_state_dict(safetensors.torch.load_file(weights))
    if isinstance(task, CxrMim):
        batch = _validation_images(run, task, indexes, _GAZE_PICTURES, threads)
        draw_gaze_pictures(pyramid_pictures(task, batch), figure)
    elif isinstance(task, MaskedAutoencoding):
        pictures = reconstruct(task, _validation_images(run, task, indexes, _RECONSTRUCTIONS, threads))
        draw(pictures.original, pictures.masked, pictures.reconstructed, figure, _note(task.method))


def _validation_images(
    run: PretrainingSettings, task: PretrainingTask, indexes: Sequence[Path], count: int, threads: int
) -> ImageBatch:
    with Samples(indexes, Selection(("val",), run.views)) as samples:
        positions = fullest_subset(samples, task.companions, count, run.seed)
        return next(fixed_batches(samples, count, positions, threads, task.companions, run.read_size, required=False))


def _note(method: MaskedAutoencoderSettings) -> str:
    note = f"tinted: hidden, {method.mask_ratio:.0%} of the patches"
    return f"{note}; each reconstructed with the mean and contrast of the true patch" if method.norm_pix else note
