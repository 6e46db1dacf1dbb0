"""Where a kill hit, read from the stack of the killed thread and from what it left on disk."""

from pathlib import Path

PLACES = (
    ("resuming", (" in newest", " in has_any", " in _resume")),
    ("saving", ("training/saving.py", "training/snapshot.py", "training/state")),
    ("publishing", ("stages/run_publication.py", " in _publish")),
    ("validation", (" in _validate",)),
    ("training", ("training/loop.py",)),
    ("features", (" in extract_features",)),
    ("evaluation", (" in evaluate_benchmark",)),
    ("starting", (" in pretrain_encoder",)),
)
"""Places, and what of a stack tells them; the first that is told is it."""


def place_of(stack: str, half_written: set[Path]) -> str:
    """Return what was going on; a state that is half written was being saved beside whatever else was done."""
    place = next((place for place, marks in PLACES if any(mark in stack for mark in marks)), "between")
    return "saving" if half_written and place in ("training", "validation") else place
