"""Save states on a small disk until it is full, then on one that is read-only, and print what a user would be told."""

import subprocess
import sys
from pathlib import Path

from saving_processes import FINGERPRINT, same, state_of

from pipeline.records.errors import UserError
from pipeline.training.saving import StateWriter
from pipeline.training.state import StateFolder

SMALL, LARGE = 100_000, 2_500_000


def newest(states: StateFolder, numbers: int) -> int:
    """Return the newest step; raises `AssertionError` where its content is another's."""
    found = states.newest()
    assert found is not None
    assert same(found[1], state_of(found[0], numbers))
    return found[0]


def refusal(writer: StateWriter, step: int, numbers: int) -> str:
    """Return what saving a state is refused with."""
    writer.save(step, state_of(step, numbers))
    try:
        writer.wait()
    except UserError as error:
        return str(error)
    return "nothing was refused"


disk = Path(sys.argv[1])
states = StateFolder(disk / "state", FINGERPRINT)
writer = StateWriter(states)
for early in (1, 2):
    writer.save(early, state_of(early, SMALL))
print(refusal(writer, 3, LARGE))
print(f"newest {newest(states, SMALL)}, scratch files {len(list(states.folder.glob('.*')))}")
writer.save(4, state_of(4, SMALL))
writer.wait()
print(f"with room again: newest {newest(states, SMALL)}")
subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
print(refusal(writer, 5, SMALL))
print(f"newest {newest(states, SMALL)}")
try:
    states.owned().__enter__()
except UserError as error:
    print(error)
