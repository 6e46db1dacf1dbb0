"""Try again after what passes: busy servers, lost connections, silence."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from pipeline.records.errors import UserError
from pipeline.records.randomness import keyed_generator
from pipeline.sources.download.policy import Clock, TransferPolicy

Result = TypeVar("Result")


class TryAgain(Exception):  # noqa: N818
    """Report a failure that may pass; `after` is the wait that the server asks for, in seconds."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.after = reason, after


@dataclass(frozen=True)
class Retries:
    """Repeat an attempt as often as the policy allows."""

    policy: TransferPolicy
    clock: Clock
    stop: Event

    def persist(self, attempt: Callable[[], Result], progress: Callable[[], int], label: str) -> Result:
        """Return what `attempt` returns once it raises no `TryAgain` any more.

        `progress` is the furthest byte reached; as long as it grows, failures and patience are counted
        afresh. Raises `UserError` naming `label` when either is used up, `Stopped` when waiting is ended.
        """
        failures, furthest, since = 0, progress(), self.clock.now()
        while True:
            try:
                return attempt()
            except TryAgain as failure:
                reason, asked = failure.reason, failure.after
            if progress() > furthest:
                failures, furthest, since = 0, progress(), self.clock.now()
            failures += 1
            wait = max(asked, self._wait(failures, label))
            if failures >= self.policy.attempts or self.clock.now() + wait - since > self.policy.patience:
                raise UserError(
                    f"{label} could not be fetched ({reason}; failures in a row: {failures}); run again later"
                )
            self.clock.wait(wait, self.stop)

    def _wait(self, failures: int, label: str) -> float:
        """Return the wait after so many failures: doubling, and jittered so that workers do not return together."""
        doubled = min(self.policy.longest_wait, self.policy.first_wait * 2.0 ** (failures - 1))
        return doubled * float(keyed_generator(0, "wait before a download's retry", label, failures).uniform(0.5, 1.0))
