"""Runs killed at random moments and resumed: do their weights equal those of an undisturbed run? Beside Lightning 2.6.

One masked autoencoder on 96 real radiographs, 36 steps of 8 images, with 0, 1 and 2 loader workers. Killed runs get
SIGKILL three times, each after a random time, and go on to the end. Lightning is used as its documentation says for
reproducible runs that can be resumed: `seed_everything(workers=True)`, `deterministic=True`, a checkpoint after every
step, `save_last=True`, `ckpt_path="last"`. Undisturbed it gives the same weights each time; killed it does not, unless
all kills come before its first checkpoint or after the last step. Its checkpoints hold model, optimiser, schedule and
counters, but not what random numbers come from: a resumed process seeds its generators anew, so that order, crops and
masks differ from what they would have been, and the rest of an epoch is read from a new permutation (Lightning warns
of that). For a loader that keeps a state of its own, such as torchdata's StatefulDataLoader, it saves that too, which
mends the order; generators of crops and masks are left to the user. Weights depend on the number of workers even
undisturbed, since each worker draws its crops from a generator of its own, and without workers from that of the masks
(Lightning issue 20679; torch's DataLoader is made so). Here each draw is keyed by seed, epoch and image, and no
generator has a state.

Steps of a killed run include those taken again, from the last state on disk to each kill: Lightning waits for every
save, ours saves meanwhile. Wall time is not compared, since on a shared machine it says little.
"""

import itertools
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.frame import Measure, less_is_better, more_often_is_better
from benchmarks.resuming.cohort import Cohort, write_cohort
from benchmarks.resuming.killing import PRELOADED, WARM, AfterSeconds, work_until
from benchmarks.resuming.runs import STEPS, Killable, LightningRun, OurRun
from pipeline.records.randomness import keyed_generator

WORKERS = (0, 1, 2)
KILLED_RUNS = 3
"""Killed runs for each number of workers."""
KILLS = 3
"""Kills of each run, unless it is done before."""
PEER = "Lightning"

NewRun = Callable[[Path, Cohort, int], Killable]


@dataclass(frozen=True)
class Outcome:
    """Say what came of the runs with one number of workers."""

    undisturbed: tuple[str, str]
    """Digests of the weights of two undisturbed runs."""
    killed: list[str]
    """Those of killed runs."""
    steps_taken: list[int]
    """Steps that each killed run took until its end."""


def run() -> list[Measure]:
    """Kill and resume, and end with an error unless each of our runs has the weights of the undisturbed one."""
    WARM.set_forkserver_preload([*PRELOADED, "benchmarks.resuming.runs"])
    with TemporaryDirectory() as folder:
        cohort = write_cohort(Path(folder) / "cohort")
        ours = [observe(OurRun, Path(folder) / "ours", cohort, workers) for workers in WORKERS]
        theirs = [observe(LightningRun, Path(folder) / "lightning", cohort, workers) for workers in WORKERS]
    if len({digest for outcome in ours for digest in (*outcome.undisturbed, *outcome.killed)}) > 1:
        raise ArithmeticError("weights depend on kills or on the number of workers")
    return compare(ours, theirs)


def observe(new_run: NewRun, folder: Path, cohort: Cohort, workers: int) -> Outcome:
    """Train undisturbed, twice, and then killed."""
    first, second = (new_run(folder / f"{workers}-{name}", cohort, workers) for name in ("first", "second"))
    # The first warms the machine's caches.
    seconds = [work_until(undisturbed.train).seconds for undisturbed in (first, second)][-1]
    killed = [new_run(folder / f"{workers}-killed-{number}", cohort, workers) for number in range(KILLED_RUNS)]
    for number, one in enumerate(killed):
        kill_and_resume(one, seconds, number)
    return Outcome(
        undisturbed=(first.digest(), second.digest()),
        killed=[one.digest() for one in killed],
        steps_taken=[one.steps_taken() for one in killed],
    )


def kill_and_resume(one: Killable, undisturbed_seconds: float, number: int) -> None:
    """Train to the end, killed on the way as often as it takes so long."""
    shares = keyed_generator(0, "moment of a kill", number).uniform(0.2, 0.7, KILLS)
    if all(work_until(one.train, AfterSeconds(share * undisturbed_seconds)).killed for share in shares):
        work_until(one.train)


def compare(ours: list[Outcome], theirs: list[Outcome]) -> list[Measure]:
    """Compare how often weights are the same, and how many steps it takes."""
    pairs = len(WORKERS) * (len(WORKERS) - 1) // 2
    rows = (
        ("same weights: trained again, undisturbed", count_repeated, len(WORKERS)),
        ("same weights: killed and resumed", count_resumed, len(WORKERS) * KILLED_RUNS),
        ("same weights: another number of workers", count_equal_pairs, pairs),
    )
    same = [more_often_is_better(name, count(ours), count(theirs), PEER, f"of {total}") for name, count, total in rows]
    steps = (count_steps(ours), count_steps(theirs))
    return [*same, less_is_better(f"steps that {STEPS} steps take, killed {KILLS} times", *steps, PEER, "steps")]


def count_repeated(outcomes: list[Outcome]) -> int:
    """Return for how many numbers of workers two undisturbed runs have the same weights."""
    return sum(len(set(outcome.undisturbed)) == 1 for outcome in outcomes)


def count_resumed(outcomes: list[Outcome]) -> int:
    """Return how many killed runs have the weights of the undisturbed one with as many workers."""
    return sum(digest == outcome.undisturbed[0] for outcome in outcomes for digest in outcome.killed)


def count_equal_pairs(outcomes: list[Outcome]) -> int:
    """Return how many pairs of numbers of workers have the same weights, undisturbed."""
    pairs = itertools.combinations(outcomes, 2)
    return sum(one.undisturbed[0] == other.undisturbed[0] for one, other in pairs)


def count_steps(outcomes: list[Outcome]) -> float:
    """Return how many steps a killed run took until its end, in the mean."""
    return statistics.mean(steps for outcome in outcomes for steps in outcome.steps_taken)
