"""Settings of one pretraining run: what is learnt, from which corpora, how it is optimised."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, model_validator

from pipeline.settings.augmentation import AugmentationSettings
from pipeline.settings.base import Name
from pipeline.settings.encoder import EncoderSettings, Normalisation
from pipeline.settings.methods import CxrMimSettings, MaskedAutoencoderSettings, MethodSettings
from pipeline.settings.training import TrainingSettings


class PretrainingSettings(TrainingSettings):
    """Describe one pretraining run completely."""

    task: MethodSettings
    """What is learnt."""
    encoder: EncoderSettings
    """The encoder that is trained."""
    initial: Name | None = None
    """Encoder whose weights the run starts from, a control or another run; its channels, positions and normalisation
    are converted to those of this run's encoder. Unset, fresh weights are drawn."""
    corpora: tuple[Name, ...] = Field(min_length=1)
    """Corpora whose train splits are mixed."""
    mixing: dict[Name, PositiveFloat] | None = None
    """Relative number of images drawn from each corpus, whose epochs then have lengths of their own; unset, every
    image of every corpus appears once per epoch."""
    views: tuple[Literal["AP", "PA", "LATERAL", "UNKNOWN"], ...] = ()
    """Views that are trained and validated on; empty for all."""
    read_size: int | None = Field(default=None, gt=0)
    """Short side, pixels, that stored JPEGs need at least have when decoded for training: larger ones are decoded at
    the smallest eighth that has it (spec performance 2.1); unset, as stored. Features are always computed from images
    as stored."""
    normalisation: dict[Name, Normalisation] = Field(default_factory=dict)
    """Corpora whose images are normalised by other numbers than the encoder's while it is trained; no features are
    ever computed so (spec Medical MAE A6.6)."""
    max_bad: int = Field(default=0, ge=0)
    """Damaged samples that are set aside and listed before the run stops; each record that follows states how many."""
    augmentation: AugmentationSettings = AugmentationSettings()
    """How training images are varied."""
    validation_images: int = Field(default=512, gt=0)
    """Images of the val splits, at most, on which the loss is followed with fixed masks."""

    @property
    def recipe(self) -> dict[str, Any]:
        """Return the settings that shape the weights, as plain data; the others only say how the run is watched."""
        watching = {"log_every", "max_bad"}
        if self.early_stopping is None:
            watching |= {"validate_every", "validation_images"}
        return self.model_dump(mode="json", exclude=watching)

    @model_validator(mode="after")
    def _every_corpus_is_mixed(self) -> "PretrainingSettings":
        if self.mixing is not None and set(self.mixing) != set(self.corpora):
            odd = ", ".join(sorted(set(self.mixing) ^ set(self.corpora)))
            raise ValueError(f"mixing must give a weight to each of the corpora and to no other; differs in: {odd}")
        return self

    @model_validator(mode="after")
    def _normalised_corpora_are_mixed(self) -> "PretrainingSettings":
        for corpus, normalisation in self.normalisation.items():
            if corpus not in self.corpora:
                raise ValueError(f"normalisation names '{corpus}', which is not among the corpora; remove it")
            normalisation.of_channels(self.encoder.channels)
        return self

    @model_validator(mode="after")
    def _some_patches_are_visible_and_some_hidden(self) -> "PretrainingSettings":
        patches = self.encoder.rows**2
        if not 0 < visible_patches(self.task, patches) < patches:
            raise ValueError(
                f"mask_ratio {self.task.mask_ratio} leaves {visible_patches(self.task, patches)} of {patches} patches "
                "visible"
            )
        return self

    @model_validator(mode="after")
    def _cells_fill_the_image(self) -> "PretrainingSettings":
        if not isinstance(self.task, CxrMimSettings):
            return self
        for scale in self.task.scales:
            if self.encoder.patch_size % max(scale, 1) or (scale < 1 and self.encoder.rows % 2):
                raise ValueError(
                    f"scale {scale:g} does not cut {self.encoder.rows} rows of patches of {self.encoder.patch_size} "
                    "pixels into whole cells"
                )
        if self.encoder.blocks is not None and self.task.taps[-1] != self.encoder.blocks - 1:
            raise ValueError(
                f"taps {list(self.task.taps)} do not end with block {self.encoder.blocks - 1}, the encoder's last"
            )
        return self


def visible_patches(task: MethodSettings, patches: int) -> int:
    """Return how many of an image's patches stay visible; the two methods round differently (spec G)."""
    if isinstance(task, MaskedAutoencoderSettings):
        return int(patches * (1 - task.mask_ratio))
    return patches - int(patches * task.mask_ratio)
