"""What a training job runs on: stands in rules and profiles, never in the configuration."""

from pydantic import Field

from pipeline.settings.base import Settings


class Hardware(Settings):
    """Shape a training job; nothing here changes what is computed, other than by rounding."""

    threads: int = Field(gt=0)
    """CPU threads of the job on each node, shared by its processes."""
    nodes: int = Field(default=1, gt=0)
    """Machines that train together."""
    processes: int = Field(default=0, ge=0)
    """Processes on each node, one per device; 0 for one per GPU that the job has, or one where it has none."""
    gpus: int = Field(default=0, ge=0)
    """GPUs that the job holds for itself, at most all there are, 0 to see none; a cluster hands them out itself."""
    device_batch: int = Field(default=0, ge=0)
    """Images that a device takes at once, at most; 0 for its whole part of the batch."""
    readers: int = Field(default=-1, ge=-1)
    """Threads of each process that read and decode; 0 to read between the steps, -1 for its part of the threads."""
    checkpoint_minutes: int = Field(default=10, ge=0)
    """Time between two saved states, 0 to save as often as the disk can take it; a killed run loses at most what it
    did in this time, in one step more, and while the newest state was being written."""
    runtime_minutes: float | None = Field(default=None, gt=0)
    """Time that the job was promised by its cluster, counted from its start; unset for no limit."""
