"""The state a killed run continues from: weights, optimiser and step, on disk beside the outputs."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.records.errors import UserError
from pipeline.records.publish import UnwritableError, clear_scratch, explaining_refusals, publish_json
from pipeline.training.ownership import owned
from pipeline.training.recipe import describe_changes
from pipeline.training.state_file import DamagedStateError, is_complete, read_state, receipt_path, write_state

log = logging.getLogger(__name__)

_KEPT = 2


class StateFolder:
    """Keep the newest states of one run; the folder's name is the fingerprint of the recipe.

    Another recipe has another folder, so a state is never resumed by settings, data or code other
    than those that wrote it.
    """

    def __init__(self, parent: Path, fingerprint: str, recipe: Mapping[str, Any] | None = None) -> None:
        """Use `parent`/`fingerprint`; its owner creates it and keeps `recipe`, plain JSON data, in it."""
        self.parent = parent
        self.folder = parent / fingerprint
        self.recipe = recipe
        self._damaged: set[int] = set()

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep every other process out, this recipe's and others', and clear away what killed ones left half done.

        Raises:
            UserError: Another process owns the folder, and which, or nothing can be written there.
        """
        with owned(self.parent / "lock"):
            self._create()
            self._clear()
            self._tell_changes()
            yield

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Publish the state after `step` steps, then its receipt, then drop states older than the newest two.

        Raises:
            UserError: It could not be written; says why, and which states are kept.
        """
        try:
            write_state(self._path(step), step, state)
        except (OSError, UnwritableError) as error:
            raise UserError(self._failure(step, error)) from error
        self._damaged.discard(step)
        self._drop_old()

    def newest(self) -> tuple[int, dict[str, Any]] | None:
        """Return the newest whole state and its step; None where there is none.

        A state that is not what its receipt says is named in the log, and an older one is used.
        """
        for step in reversed(self._steps()):
            try:
                return step, read_state(self._path(step))
            except DamagedStateError as damage:
                self._damaged.add(step)
                log.warning("%s %s; going back to an older state", self._path(step), damage)
        return None

    def has_any(self) -> bool:
        """Tell whether there is a state that a run continues from, by receipts and sizes: none is read for it."""
        return any(is_complete(self._path(step)) for step in self._steps())

    def retire(self) -> None:
        """Keep this recipe's newest state alone, once the run's outputs are published.

        Snakemake deletes the outputs of a job that is killed after it has published and before it has ended; from the
        last state they are published again without training. States of other recipes, which may be of a run that
        somebody means to go on with, are named in the log.
        """
        usable = [step for step in self._steps() if step not in self._damaged and is_complete(self._path(step))]
        for step in self._steps():
            if usable and step != usable[-1]:
                self._drop(step)
        for folder, newest in sorted(self._others().items()):
            log.info(
                "%s holds states of another recipe, up to step %d; delete it when you need it no more", folder, newest
            )

    def _create(self) -> None:
        with explaining_refusals(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if self.recipe is not None and not self._recipe_path.exists():
            publish_json(self._recipe_path, self.recipe)

    def _clear(self) -> None:
        for folder in self.parent.iterdir():
            clear_scratch(folder)

    def _tell_changes(self) -> None:
        """Log why a run whose recipe was changed begins anew."""
        others = [receipt for receipt in self.parent.glob("*/step-*.json") if receipt.parent != self.folder]
        if others and not self._steps():
            newest = max(others, key=lambda receipt: receipt.stat().st_mtime)
            log.warning(
                "the states in %s are of another recipe (%s); the run begins anew; delete them when you need them no "
                "more",
                newest.parent,
                describe_changes(newest.parent / self._recipe_path.name, self._recipe_path),
            )

    def _drop_old(self) -> None:
        kept = [step for step in self._steps() if step not in self._damaged][-_KEPT:]
        for step in set(self._steps()) - set(kept):
            self._drop(step)

    def _drop(self, step: int) -> None:
        # The receipt goes first: a kill in between leaves a state without receipt, which is never read.
        receipt_path(self._path(step)).unlink(missing_ok=True)
        self._path(step).unlink(missing_ok=True)
        self._damaged.discard(step)

    def _failure(self, step: int, error: OSError | UnwritableError) -> str:
        kept = [str(older) for older in self._steps() if older != step and is_complete(self._path(older))]
        states = f"the states of steps {' and '.join(kept)} are kept" if kept else "no older state is kept"
        reason = error.reason if isinstance(error, UnwritableError) else error.strerror or str(error)
        return (
            f"the state of step {step} cannot be written to {self.folder} ({reason}); {states}; mend it and run again"
        )

    def _others(self) -> dict[Path, int]:
        """Return the newest step of each other recipe that has states, by its folder."""
        folders = {receipt.parent for receipt in self.parent.glob("*/step-*.json")} - {self.folder}
        return {folder: max(_steps_in(folder)) for folder in folders}

    def _steps(self) -> list[int]:
        return _steps_in(self.folder)

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.pt"

    @property
    def _recipe_path(self) -> Path:
        return self.folder / "recipe.json"


def _steps_in(folder: Path) -> list[int]:
    return sorted({int(path.stem.removeprefix("step-")) for path in folder.glob("step-*")})
