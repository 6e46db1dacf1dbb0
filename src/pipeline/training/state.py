"""The state a killed run continues from: weights, optimiser and step, on disk beside the outputs."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import torch

from pipeline.records.digests import file_digest
from pipeline.records.publish import publish_json, publishing

log = logging.getLogger(__name__)

_KEPT = 2


class StateFolder:
    """Keep the newest states of one run; the folder's name is the fingerprint of the recipe.

    Another recipe has another folder, so a state is never resumed by settings, data or code other
    than those that wrote it.
    """

    def __init__(self, parent: Path, fingerprint: str) -> None:
        """Use `parent`/`fingerprint`, creating it where it does not exist."""
        self.parent = parent
        self.folder = parent / fingerprint
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Publish the state after `step` steps, then its digest, then drop states older than the newest two."""
        path = self._path(step)
        with publishing(path) as scratch:
            torch.save(state, scratch)
        publish_json(path.with_suffix(".json"), {"step": step, "sha256": file_digest(path)})
        for old in self._steps()[:-_KEPT]:
            # The receipt goes first: a kill in between leaves a state without receipt, which is never read.
            self._path(old).with_suffix(".json").unlink(missing_ok=True)
            self._path(old).unlink(missing_ok=True)

    def newest(self) -> tuple[int, dict[str, Any]] | None:
        """Return the newest whole state and its step; None where there is none.

        A state whose bytes do not match its digest is named in the log, and an older one is used.
        """
        for step in reversed(self._steps()):
            if self._is_whole(step):
                return step, torch.load(self._path(step), map_location="cpu", weights_only=True)
            log.warning("%s is damaged; going back to an older state", self._path(step))
        return None

    def has_any(self) -> bool:
        """Tell whether there is a whole state that a run continues from."""
        return any(self._is_whole(step) for step in reversed(self._steps()))

    def _is_whole(self, step: int) -> bool:
        path = self._path(step)
        receipt = json.loads(path.with_suffix(".json").read_text())
        return path.is_file() and file_digest(path) == receipt["sha256"]

    def remove(self) -> None:
        """Delete all states of the run, once its outputs are published."""
        shutil.rmtree(self.parent)

    def _steps(self) -> list[int]:
        return sorted(int(path.stem.removeprefix("step-")) for path in self.folder.glob("step-*.json"))

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.pt"
