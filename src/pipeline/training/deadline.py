"""When a job's time is over, by a clock that nobody sets."""

from collections.abc import Callable
from time import monotonic

_OFTEN, _SELDOM = 60.0, 3600.0
_RESERVED_SHARE = 0.05
_LEAST_RESERVED, _MOST_RESERVED = 20.0, 120.0


class Deadline:
    """Know the end of a job's time, and ask for it again now and then, since a running job may be given another limit.

    It is asked for whenever half of the time that was left has gone by, at least once an hour and at most once a
    minute: often where it matters, and a dozen times in a day for all the jobs that a cluster's controller serves.

    Some time before the end is kept for what comes after a state is saved, as launchers that see each other end, and a
    busy controller that is asked to queue the job again: a twentieth of what is left at first, 20 to 120 seconds.
    """

    def __init__(
        self,
        ends: float,
        ask_again: Callable[[], float | None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take the end in seconds of `clock`, infinite for none; `ask_again` returns it anew, None where it cannot."""
        self.ends = ends
        self._ask_again = ask_again
        self._clock = clock
        self._ask_at = clock() + _OFTEN
        self._reserved = min(max(_RESERVED_SHARE * self.seconds_left, _LEAST_RESERVED), _MOST_RESERVED)

    def is_within(self, seconds: float) -> bool:
        """Say whether at most `seconds` are left without those kept; where it is due to ask again, waits for that."""
        if self._ask_again is not None and self._clock() >= self._ask_at:
            found = self._ask_again()
            self.ends = self.ends if found is None else found
            self._ask_at = self._clock() + min(max(self.seconds_left / 2, _OFTEN), _SELDOM)
        return self.seconds_left - self._reserved <= seconds

    @property
    def seconds_left(self) -> float:
        """Seconds until the end, negative after it."""
        return self.ends - self._clock()
