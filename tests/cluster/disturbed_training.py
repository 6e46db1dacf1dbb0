"""What befalls the jobs of a cluster, done to runs while they train."""

import subprocess
from collections.abc import Callable

from cluster.private_slurm import Job, PrivateSlurm, wait_until
from workflow_copy import WorkflowCopy

MINUTES = 10
"""Time that each job of a training is given."""


class Training:
    """Runs that train on the cluster at the same time, and what happens to some of them."""

    def __init__(
        self, slurm: PrivateSlurm, workflow: WorkflowCopy, snakemake: "subprocess.Popen[str]", on_all_nodes: str
    ) -> None:
        """Watch what `snakemake` has submitted; the run `on_all_nodes` has to end before a node may be lost."""
        self.slurm = slurm
        self.workflow = workflow
        self.snakemake = snakemake
        self.on_all_nodes = on_all_nodes
        self.held: Job | None = None
        self.preempted: Job | None = None

    def disturb(self) -> None:
        """Let something happen to each run, in this order where they are ready for it: it has saved a step's state."""
        to_happen: dict[str, Callable[[Job], None]] = {
            "out_of_time": self.hold_back,
            "preempted": self.preempt,
            "killed": self.kill,
            "requeued": self.requeue,
            "node_lost": self.lose_node,
        }

        def all_happened() -> bool:
            self.look_after_jobs()
            assert self.snakemake.poll() is None, self.snakemake.communicate()[0]
            for run in list(to_happen):
                job = self.job_of(run)
                if job and self.has_state(run):
                    if self.is_time_for(run):
                        to_happen.pop(run)(job)
                    else:
                        self.suspend(job)  # lest it ends before
            return not to_happen

        wait_until(all_happened, 400, "every run has been disturbed")

    def see_to_its_end(self) -> None:
        """Wait until Snakemake ends."""

        def ended() -> bool:
            self.look_after_jobs()
            return self.snakemake.poll() is not None

        wait_until(ended, 400, "all runs have ended")

    def has_state(self, run: str) -> bool:
        """Tell whether a run has saved the state of a step."""
        receipts = (self.workflow.folder / "results/runs" / run / "state").glob("*/step-*.json")
        return any(int(receipt.stem.removeprefix("step-")) for receipt in receipts)

    def is_time_for(self, run: str) -> bool:
        """Tell whether what happens to a run leaves what happens to others as it is meant.

        A job has to be preempted while no other has freed a GPU; a node is lost once nothing needs all nodes.
        """
        if run == "node_lost":
            return self.all_nodes_are_free()
        if run in ("killed", "requeued"):
            return self.preempted is not None and self.slurm.state_of(self.preempted.id) != "RUNNING"
        return True

    def all_nodes_are_free(self) -> bool:
        """Tell whether the run that needs all nodes has been published, and its job has left the queue."""
        published = self.workflow.folder / "results/runs" / self.on_all_nodes / "run.json"
        return published.exists() and not any(
            job.comment.endswith(f"_{self.on_all_nodes}") for job in self.slurm.jobs()
        )

    def suspend(self, job: Job) -> None:
        """Let a job's training stand still."""
        for process in self.slurm.processes(job.id, "pretrain_encoder.py"):
            process.suspend()

    def resume(self, job: Job) -> None:
        """Let a job's training go on."""
        for process in self.slurm.processes(job.id, "pretrain_encoder.py"):
            process.resume()

    def look_after_jobs(self) -> None:
        """Let jobs that wait to run again do so at once, and a run that is held back go on when its time is short."""
        self.slurm.start_without_delay(MINUTES)
        if self.held and self.slurm.seconds_left(self.held.id) < 20:
            self.resume(self.held)
            self.held = None

    def hold_back(self, job: Job) -> None:
        """Keep a run from going on until hardly any time is left of a limit that it is given now.

        Training asks for its limit again after a minute at the soonest: it goes on in a later one.
        """
        self.suspend(job)
        minutes_gone = (60 * MINUTES - self.slurm.seconds_left(job.id)) // 60
        self.slurm.ask("scontrol", "update", f"jobid={job.id}", f"timelimit={minutes_gone + 2:.0f}")
        self.held = job

    def kill(self, job: Job) -> None:
        """Kill the process that trains, as the system does where memory runs out."""
        self.slurm.kill(job.id, "pretrain_encoder.py")

    def requeue(self, job: Job) -> None:
        """Put a job back into the queue by hand."""
        self.resume(job)
        self.slurm.ask("scontrol", "requeue", job.id)

    def preempt(self, job: Job) -> None:
        """Submit a job that takes precedence and needs two GPUs of a node that has one left."""
        place = (f"--nodelist={job.node}", "--gpus=2", "--mem=100")
        self.slurm.ask("sbatch", "--partition=urgent", *place, "--output=/dev/null", "--wrap=true")
        self.preempted = job

    def lose_node(self, job: Job) -> None:
        """Take a node away, with all that runs there; the run goes on at the other."""
        self.slurm.ask("scontrol", "update", f"nodename={job.node}", "state=down", "reason=test")
        self.wait_for(lambda: not self.slurm.processes(job.id, "slurmstepd"), "SLURM has cleared the lost node")
        self.slurm.kill(job.id)

    def wait_for(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for something, and look after jobs meanwhile."""

        def looked() -> bool:
            self.look_after_jobs()
            return happened()

        wait_until(looked, 100, what)

    def job_of(self, run: str) -> Job | None:
        """Return a run's job where it runs."""
        jobs = self.slurm.jobs()
        return next((job for job in jobs if job.comment.endswith(f"_{run}") and job.state == "RUNNING"), None)
