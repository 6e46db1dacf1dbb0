"""What is told of a run: events that stay, lines of the log, and one line that shows how far it is."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pipeline.records.events import EventLog, read_history
from pipeline.records.progress import Progress
from pipeline.training.meter import Reading
from pipeline.training.stopping import Reason

log = logging.getLogger(__name__)

Fact = str | int | float | bool | None


class RunHistory:
    """Tell what happens to a run, by the steps done; a process that has no event log tells nothing.

    An event may be told again by a later life of the run. What lies beyond the step of a `start` event was lost with
    the life before it, and everything up to that step was told before the state was saved.
    """

    def __init__(self, events: EventLog | None) -> None:
        """Tell by `events`, which of several processes the first alone has."""
        self._events = events
        self._progress: Progress | None = None

    @contextmanager
    def following(self, images: int) -> Iterator[None]:
        """Show how many of the `images` that are left are trained on, while the block runs."""
        if self._events is None:
            yield
            return
        with Progress("training", images) as self._progress:
            yield

    def advance(self, images: int, waited: float) -> None:
        """Count the images of a step, over all processes, and the seconds that the step's images were waited for."""
        if self._progress is not None:
            self._progress.advance(images, waited)

    def start(self, step: int, resolved: Mapping[str, Fact]) -> None:
        """Tell that a life of the run begins after `step` steps, and what was resolved for it."""
        self._append("start", step, resolved)
        if step:
            self._log("resuming after step %d", step)

    def step(self, step: int, learning_rate: float, reading: Reading, memory: str, mfu: float | None) -> None:
        """Tell what the steps since the last event of this kind came to."""
        share = {} if mfu is None else {"mfu": mfu}
        self._append("step", step, {"lr": learning_rate, **reading.facts(), **share})
        self._log("step %d %s", step, reading)
        if self._progress is not None:
            shown = {name: f"{100 * value:.0f} %" for name, value in share.items()}
            self._progress.tell(loss=f"{reading.loss:.4f}", memory=memory, **shown)

    def validation(self, step: int, reading: Reading) -> None:
        """Tell the validation loss."""
        self._append("validation", step, reading.facts())
        self._log("step %d validation %s", step, reading)

    def saved(self, step: int) -> None:
        """Tell that a state is on disk."""
        self._append("save", step, {})

    def stop(self, step: int, reason: Reason) -> None:
        """Tell that this life of the run ends before its last step."""
        self._append("stop", step, {"reason": reason.value})

    def finish(self, step: int, published: int) -> None:
        """Tell that the run is over, and after which step it had the weights that it publishes.

        It is told once, though a run that is over is begun again where its outputs were lost.
        """
        if not self._told("finish", step):
            self._append("finish", step, {"published": published})

    def _told(self, event: str, step: int) -> bool:
        if self._events is None or not self._events.path.is_file():
            return False
        return any((told.get("event"), told.get("step")) == (event, step) for told in read_history(self._events.path))

    def _append(self, event: str, step: int, facts: Mapping[str, Fact]) -> None:
        if self._events is not None:
            self._events.append({"event": event, "step": step, **facts})

    def _log(self, line: str, *values: object) -> None:
        if self._events is not None:
            log.info(line, *values)
