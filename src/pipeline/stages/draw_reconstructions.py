"""Stage of rule draw_reconstructions: what a run's model makes of images it was not trained on."""

import json
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch

from pipeline.batches.loader import fixed_batches
from pipeline.batches.order import fixed_subset
from pipeline.batches.samples import Samples, Selection
from pipeline.reporting.reconstructions import draw_reconstructions as draw
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.tasks.reconstruction import reconstruct

_PICTURES = 10


def draw_reconstructions(weights: Path, settings: Path, indexes: Sequence[Path], threads: int, figure: Path) -> None:
    """Draw some validation images masked, reconstructed and as they are.

    Args:
        weights: Full weights of the run.
        settings: Resolved settings of the run.
        indexes: Shard indexes of the run's corpora.
        threads: Images decoded at a time.
        figure: PNG file to publish.
    """
    run = PretrainingSettings.model_validate(json.loads(settings.read_text()))
    task = MaskedAutoencoding(run).eval()
    task.model.load_state_dict(safetensors.torch.load_file(weights))
    with Samples(indexes, Selection(("val",), run.views)) as samples:
        positions = fixed_subset(len(samples), _PICTURES, run.seed)
        batch = next(fixed_batches(samples, _PICTURES, positions, threads, read_size=run.read_size))
    pictures = reconstruct(task, batch)
    draw(pictures.original, pictures.masked, pictures.reconstructed, figure)
