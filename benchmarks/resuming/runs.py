"""The run that is killed, as our stage trains it and as Lightning's documentation would have it.

Both train the same model on the same radiographs for the same steps, with one thread of torch's, and save as often as
they can: ours whenever the last state is on disk, Lightning after each step.
"""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import safetensors.torch
import torch

# Before all that imports torchvision, which needs it beside a CPU build of torch.
from pipeline.models import torchvision_operators  # noqa: F401 # isort: skip

from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.resuming.cohort import Cohort
from pipeline.models.encoder import normalise
from pipeline.models.masked_autoencoder import MaskedAutoencoder
from pipeline.records.digests import file_digest
from pipeline.records.events import read_events
from pipeline.settings.hardware import Hardware
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.stages.pretrain_encoder import pretrain_encoder
from pipeline.stages.run_publication import FULL_WEIGHTS, HISTORY
from pipeline.stages.training_run import Run

STEPS, BATCH_SIZE, THREADS = 36, 8, 1
SETTINGS = PretrainingSettings.model_validate(
    {
        "task": {"kind": "mae", "mask_ratio": 0.75, "decoder_width": 32, "decoder_depth": 1, "decoder_heads": 2},
        "encoder": {
            "architecture": "vit_tiny_patch16_224",
            "image_size": 64,
            "patch_size": 8,
            "width": 48,
            "depth": 2,
            "heads": 2,
        },
        "corpora": ["made"],
        "optimization": {"steps": STEPS, "batch_size": BATCH_SIZE, "base_learning_rate": 0.03},
        "validation_images": 8,
        "validate_every": STEPS,
        "log_every": 1,
    }
)


class Killable(Protocol):
    """A run that begins, or goes on, and leaves its weights."""

    def train(self) -> None:
        """Train to the last step, from wherever the run was stopped."""
        ...

    def digest(self) -> str:
        """Return the SHA-256 of the weights of a run that has ended."""
        ...

    def steps_taken(self) -> int:
        """Return how many steps the run took in all, those that kills made it take again among them."""
        ...


@dataclass(frozen=True)
class OurRun:
    """Train by the stage of the rule `pretrain_encoder`."""

    folder: Path
    cohort: Cohort
    workers: int

    def train(self) -> None:
        """Train, and publish."""
        pretrain_encoder(
            Run(
                name="killed",
                settings=SETTINGS,
                indexes={"made": self.cohort.index},
                code="0" * 64,
                encoder_folder=self.folder / "encoder",
                run_folder=self.folder / "run",
                hardware=Hardware(threads=THREADS, readers=self.workers, checkpoint_minutes=0),
                log=self.folder / "log",
            )
        )

    def digest(self) -> str:
        """Return the SHA-256 of the published weights."""
        return file_digest(self.folder / "run" / FULL_WEIGHTS)

    def steps_taken(self) -> int:
        """Count the steps of the history."""
        return sum(event["event"] == "step" for event in read_events(self.folder / "run" / HISTORY))


@dataclass(frozen=True)
class LightningRun:
    """Train by Lightning: everything seeded, deterministic operators, and `ckpt_path="last"`."""

    folder: Path
    cohort: Cohort
    workers: int

    def train(self) -> None:
        """Fit, and write the weights."""
        warnings.simplefilter("ignore")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        torch.set_num_threads(THREADS)
        self.folder.mkdir(parents=True, exist_ok=True)
        seed_everything(SETTINGS.seed, workers=True, verbose=False)
        module = Reconstruction(self._steps)
        batches = DataLoader(Radiographs(self.cohort.files), BATCH_SIZE, shuffle=True, num_workers=self.workers)
        self._trainer().fit(module, batches, ckpt_path="last")
        safetensors.torch.save_file(module.model.state_dict(), self._weights)

    def digest(self) -> str:
        """Return the SHA-256 of the weights."""
        return file_digest(self._weights)

    def steps_taken(self) -> int:
        """Count the steps that were noted."""
        return self._steps.stat().st_size

    def _trainer(self) -> Trainer:
        return Trainer(
            accelerator="cpu",
            devices=1,
            max_steps=STEPS,
            deterministic=True,
            callbacks=[ModelCheckpoint(self.folder / "checkpoints", every_n_train_steps=1, save_last=True)],
            default_root_dir=self.folder,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    @property
    def _steps(self) -> Path:
        return self.folder / "steps"

    @property
    def _weights(self) -> Path:
        return self.folder / "weights.safetensors"


class Radiographs(Dataset[Tensor]):
    """Read JPEG files, and crop them at random as torchvision does."""

    CROP = transforms.Compose(
        [transforms.RandomResizedCrop(SETTINGS.encoder.image_size, (0.5, 1.0)), transforms.ToTensor()]
    )

    def __init__(self, folder: Path) -> None:
        """List the files."""
        self._files = sorted(folder.iterdir())

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, position: int) -> Tensor:
        with Image.open(self._files[position]) as image:
            crop: Tensor = self.CROP(image)
        return crop


class Reconstruction(LightningModule):
    """The same masked autoencoder as ours, its masks drawn by torch."""

    def __init__(self, steps: Path) -> None:
        """Draw the weights; a byte is appended to a file for each step."""
        super().__init__()
        self._steps = steps
        self.model = MaskedAutoencoder(SETTINGS.encoder, SETTINGS.task, SETTINGS.seed)

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        """Return the mean squared error over the masked patches."""
        with self._steps.open("ab") as steps:
            steps.write(b".")
        noise = torch.rand(len(batch), self.model.rows**2)
        prediction = self.model(normalise(batch, SETTINGS.encoder), noise)
        return nn.functional.mse_loss(prediction.predicted, prediction.target)

    def configure_optimizers(self) -> Any:
        """Return AdamW under a cosine that falls with every step."""
        optimizer = torch.optim.AdamW(self.parameters(), SETTINGS.optimization.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
