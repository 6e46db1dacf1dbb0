"""The work that is killed: three stages one after another, each only where it is not done yet, as Snakemake has it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.records.digests import file_digest
from pipeline.settings.benchmarks import BenchmarkSettings
from pipeline.settings.evaluation import FeatureSettings
from pipeline.settings.hardware import Hardware
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.settings.probes import BootstrapSettings, RidgeSettings
from pipeline.stages.evaluate_benchmark import Evaluation, evaluate_benchmark
from pipeline.stages.extract_features import extract_features
from pipeline.stages.pretrain_encoder import pretrain_encoder
from pipeline.stages.training_run import Run

THREADS = 1  # more would only wait for each other where the machine is busy
CODE = "c" * 64
RECORDS = ("settings.json", "run.json", "quarantine.jsonl")
"""What is published beside the whole model's weights, and the same however often a run is killed."""
VIEW = {"kind": "attribute", "column": "view", "positive": "AP", "negative": "PA"}


@dataclass(frozen=True)
class Work:
    """Everything from shards to a metric record, in a folder of its own."""

    folder: Path
    index: Path
    manifest: Path
    settings: PretrainingSettings
    readers: int
    """Threads that read and decode training images."""

    @property
    def parts(self) -> dict[str, Path]:
        """Return the folders in which kills can be aimed at an operation."""
        return {
            "saving": self._run / "state",
            "publishing": self.folder / "pretrained",
            "features": self._features.parent,
            "evaluation": self._record.parent,
        }

    def prepare(self) -> None:
        """Delete what stages that did not end have published, as Snakemake does before it runs them again."""
        for stage, outputs in self._outputs.items():
            if not self._note(stage).exists():
                for output in outputs:
                    output.unlink(missing_ok=True)

    def do(self) -> None:
        """Run the stages that have not ended yet."""
        self._once("pretrain_encoder", lambda: pretrain_encoder(self._pretraining()))
        self._once(
            "extract_features",
            lambda: extract_features(
                self._encoder, self.index, FeatureSettings(), Hardware(threads=THREADS), self._features
            ),
        )
        self._once("evaluate_benchmark", lambda: evaluate_benchmark(self._evaluation(), self._record, self._scores))

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of all that is published, but for the history, which tells of the kills."""
        records = [self._encoder / "config.json", *(self._run / name for name in RECORDS)]
        published = [*self._weights, *records, self._features, self._scores, self._record]
        return {str(path.relative_to(self.folder)): file_digest(path) for path in published}

    def half_written(self) -> set[Path]:
        """Return the states whose writing was not ended."""
        return set(self.parts["saving"].glob("*/.*.tmp"))

    def _once(self, name: str, stage: Callable[[], None]) -> None:
        """Run a stage unless it has ended, and note that it has."""
        note = self._note(name)
        if not note.exists():
            stage()
            note.parent.mkdir(parents=True, exist_ok=True)
            note.touch()

    def _note(self, stage: str) -> Path:
        return self.folder / "ended" / stage

    def _pretraining(self) -> Run:
        return Run(
            name="killed",
            settings=self.settings,
            indexes={"made": self.index},
            code=CODE,
            encoder_folder=self._encoder,
            run_folder=self._run,
            hardware=Hardware(threads=THREADS, readers=self.readers, checkpoint_minutes=0),
            log=self.folder / "log",
        )

    def _evaluation(self) -> Evaluation:
        return Evaluation(
            benchmark="view",
            encoder="killed",
            protocol="ridge",
            settings=BenchmarkSettings.model_validate({"corpus": "made", "target": VIEW}),
            probe=RidgeSettings(kind="ridge"),
            bootstrap=BootstrapSettings(resamples=100),
            features=self._features,
            index=self.index,
            manifest=self.manifest,
            code=CODE,
        )

    @property
    def _encoder(self) -> Path:
        return self.folder / "pretrained" / "encoder"

    @property
    def _run(self) -> Path:
        return self.folder / "pretrained" / "run"

    @property
    def _weights(self) -> list[Path]:
        return [self._encoder / "model.safetensors", self._run / "model.safetensors"]

    @property
    def _outputs(self) -> dict[str, list[Path]]:
        """Return the outputs that the rule of each stage declares."""
        records = [self._run / name for name in ("history.jsonl", *RECORDS)]
        return {
            "pretrain_encoder": [*self._weights, self._encoder / "config.json", *records],
            "extract_features": [self._features],
            "evaluate_benchmark": [self._record, self._scores],
        }

    @property
    def _features(self) -> Path:
        return self.folder / "features" / "made.safetensors"

    @property
    def _record(self) -> Path:
        return self.folder / "evaluated" / "record.json"

    @property
    def _scores(self) -> Path:
        return self.folder / "evaluated" / "scores.safetensors"
