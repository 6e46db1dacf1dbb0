"""Where rays are inside a convex solid, and what remains when solids displace each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """Hold the depths (mm along w) where rays enter and leave a convex solid; none if `leave` < `enter`."""

    enter: Map
    leave: Map

    def length(self) -> Map:
        """Return the depth inside, mm; the path is longer by the obliquity of the ray."""
        depth: Map = np.maximum(self.leave - self.enter, np.float32(0))
        return depth

    def within(self, other: "Interval") -> "Interval":
        """Return the part inside both."""
        return Interval(np.maximum(self.enter, other.enter), np.minimum(self.leave, other.leave))

    def outside(self, other: "Interval") -> Map:
        """Return the depth inside this one but not the other, mm."""
        return self.length() - self.within(other).length()

    def hits(self) -> Mask:
        """Return which rays meet the solid."""
        return self.leave > self.enter


def hull(intervals: Sequence[Interval]) -> Interval:
    """Return the shortest interval around several, exact for their union where they touch along the ray."""
    enter, leave = intervals[0].enter.copy(), intervals[0].leave.copy()
    for interval in intervals[1:]:
        np.minimum(enter, interval.enter, out=enter)
        np.maximum(leave, interval.leave, out=leave)
    return Interval(enter, leave)
