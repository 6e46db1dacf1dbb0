"""One pretraining run as a job: what it reads, what it publishes where, and what it runs on."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.models.encoder_folder import CONFIG, WEIGHTS
from pipeline.records.digests import file_digest, settings_digest
from pipeline.settings.hardware import Hardware
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.shards.jpeg import DECODER

INITIAL = "initial encoder"
"""Name of the initial weights among the inputs of a run; no corpus has a name with a blank."""

INITIAL_CONFIG = "initial encoder's configuration"
"""Name of what those weights are for: channels and normalisation decide what becomes of them in the run."""

_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")


class Run(BaseModel):
    """Name one run, and the folders it is published in; the processes of a run are handed it as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str
    """Its name in the configuration."""
    settings: PretrainingSettings
    """What is learnt, and how."""
    indexes: dict[str, Path]
    """Shard index of each corpus of the mix."""
    initial: Path | None = None
    """Folder of the encoder whose weights the run starts from; none for fresh weights."""
    code: str
    """Digest of the stage's code."""
    encoder_folder: Path
    """Where the encoder is published."""
    run_folder: Path
    """Where the whole model and the records are published."""
    hardware: Hardware
    """What it is trained on."""
    log: Path
    """Log of the rule, to which every process of the run writes."""
    confidential: bool = False
    """Whether the log may not show identifiers."""

    @property
    def state_folder(self) -> Path:
        """Return the folder of what a stopped run continues from."""
        return self.run_folder / "state"

    def input_digests(self) -> dict[str, str]:
        """Return the digests of the shard indexes, which hold those of the shards, and of the initial encoder."""
        files = dict(self.indexes)
        if self.initial is not None:
            files |= {INITIAL: self.initial / WEIGHTS, INITIAL_CONFIG: self.initial / CONFIG}
        return {name: file_digest(file) for name, file in files.items()}


def recipe_of(run: Run, inputs: dict[str, str]) -> dict[str, object]:
    """Return all that the weights depend on; a run continues only from states of the same recipe."""
    return {"settings": run.settings.recipe, "inputs": inputs, "code": run.code, "decoder": DECODER}


def fingerprint(recipe: dict[str, object]) -> str:
    """Return the name of a recipe's state folder: 16 letters, the first 64 bits of its digest.

    They are g to v in place of hexadecimal digits, which logs of confidential corpora mask as names of images.
    """
    return settings_digest(recipe)[:16].translate(_LETTERS)
