"""Settings of the one training loop, whatever it trains."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Settings


class PhaseSettings(Settings):
    """Train some of the parameters for some of the steps; the others stay as they are."""

    steps: int = Field(gt=0)
    """Optimiser steps of the phase."""
    trains: tuple[str, ...] = Field(min_length=1)
    """Beginnings of the names of the parameters that are trained, such as `model.decoder.`; each begins one or more."""


class EarlyStoppingSettings(Settings):
    """End a run whose validation loss no longer falls, and publish the weights of the last improvement."""

    patience: int = Field(gt=0)
    """Validations in a row without improvement after which the run ends."""
    least_improvement: float = Field(default=0.0, ge=0)
    """How far the loss must fall below the lowest so far to count as improved."""


class OptimizationSettings(Settings):
    """Drive AdamW by a linear warm-up and a half cosine."""

    steps: int = Field(gt=0)
    """Optimiser steps of the whole run."""
    batch_size: int = Field(gt=0)
    """Images per step, over all devices."""
    base_learning_rate: float = Field(default=1.5e-4, gt=0)
    """Peak learning rate per 256 images of batch; the peak is this times batch_size / 256."""
    min_learning_rate: float = Field(default=0.0, ge=0)
    """Learning rate the cosine falls to; it is reached one step after the last."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps over which the learning rate rises linearly from 0."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Factor from each layer's learning rate to that of the layer below it; 1 for one rate (spec Medical MAE A3)."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Decoupled weight decay of matrices; biases and one-dimensional parameters have none."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay rates of AdamW's moment estimates."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Largest gradient norm; larger gradients are scaled down to it."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of matrix products; weights and optimiser state are always float32."""
    compiled: bool = False
    """Whether the model is compiled: faster steps on a GPU after a minute's start, sums in another order."""
    average_decay: float | None = Field(default=None, gt=0, lt=1)
    """Decay per step of a moving average of the weights, which is then what is validated and published; unset for the
    weights themselves."""
    phases: tuple[PhaseSettings, ...] = ()
    """What is trained when, one phase after the other; empty to train everything all the time."""

    @model_validator(mode="after")
    def _warmup_ends_before_the_run(self) -> "OptimizationSettings":
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps {self.warmup_steps} must be below steps {self.steps}")
        return self

    @model_validator(mode="after")
    def _the_cosine_falls(self) -> "OptimizationSettings":
        if self.min_learning_rate > self.learning_rate:
            raise ValueError(
                f"min_learning_rate {self.min_learning_rate:g} is above the peak, {self.learning_rate:g} for "
                f"batch_size {self.batch_size}"
            )
        return self

    @model_validator(mode="after")
    def _phases_fill_the_run(self) -> "OptimizationSettings":
        planned = sum(phase.steps for phase in self.phases)
        if self.phases and planned != self.steps:
            raise ValueError(f"the phases have {planned} steps, the run has {self.steps}; make them equal")
        return self

    @property
    def learning_rate(self) -> float:
        """Return the peak learning rate, scaled linearly with the batch size."""
        return self.base_learning_rate * self.batch_size / 256


class TrainingSettings(Settings):
    """Say how a task is trained and watched."""

    optimization: OptimizationSettings
    """How the loss is minimised."""
    validate_every: int = Field(default=100, gt=0)
    """Steps between two validations."""
    early_stopping: EarlyStoppingSettings | None = None
    """When the run ends before its last step; unset for never."""
    log_every: int = Field(default=10, gt=0)
    """Steps between two lines of the history."""
    seed: int = 0
    """Seed of initial weights, order, crops, masks and dropout."""
