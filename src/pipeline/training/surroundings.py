"""Where a run leaves its traces, what it shares its work with, and what may stop it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.records.events import EventLog
from pipeline.training.batching import BatchPlan
from pipeline.training.group import ALONE, Group
from pipeline.training.state import StateFolder
from pipeline.training.stopping import Interruptions


@dataclass(frozen=True)
class Surroundings:
    """Say where a run leaves its traces, what it shares its work with, and what may stop it."""

    states: StateFolder
    history: EventLog | None
    """Of the first process; the others, which must not open it while that one writes, have none."""
    interruptions: Interruptions
    plan: BatchPlan
    group: Group = ALONE
    checkpoint_seconds: float = 600.0
    """Time between two saved states, 0 to save as often as the disk can take it."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What this life of the run is trained on, plain JSON data; each state keeps that of the life it is of."""
