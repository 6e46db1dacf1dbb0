"""A copy of the repository in a folder of its own, to run the workflow in and to edit."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from conftest import REPOSITORY, TINY_ENCODER, TINY_TASK

PARTS = ("Snakefile", "slurm", "workflow", "profiles", "config", "src")

SMALL: dict[str, Any] = {
    "corpora": {
        "small_chexpert": {
            "source": {"kind": "phantom", "patients": 70, "image_size": 40, "test_fraction": 0.4},
            "layout": {"format": "chexpert"},
            "splits": {"scheme": "official", "val_fraction": 0.4},
            "shards": {"image_size": 32, "parts": 2},
        },
    },
    "pretrain": {
        "small": {
            "task": TINY_TASK,
            "encoder": TINY_ENCODER,
            "corpora": ["small_chexpert"],
            "optimization": {"steps": 40, "batch_size": 16, "base_learning_rate": 0.01},
            "log_every": 5,
        }
    },
    "controls": {"random": {"kind": "random", "like": "small"}, "pixels": {"kind": "pixels", "side": 8}},
    "protocols": {
        "linear_probe": {"probe": {"kind": "linear_probe"}, "encoders": ["small", "random"]},
        "ridge": {"probe": {"kind": "ridge"}, "encoders": ["pixels"]},
    },
    "benchmarks": {
        "view": {
            "corpus": "small_chexpert",
            "target": {"kind": "attribute", "column": "view", "positive": "AP", "negative": "PA"},
        },
        "sex": {
            "corpus": "small_chexpert",
            "target": {"kind": "attribute", "column": "sex", "positive": "M", "negative": "F"},
        },
    },
    "bootstrap": {"resamples": 100},
}
"""The whole line, as small as it can be: about 25 jobs of two seconds."""


class WorkflowCopy:
    """Run Snakemake in a copy of the repository; the copy's own `src` is what its jobs import."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_repository(cls, folder: Path, config: dict[str, Any] | None = None) -> "WorkflowCopy":
        """Copy what the workflow needs, with a configuration of its own where one is given."""
        folder.mkdir(parents=True, exist_ok=True)
        listing = subprocess.run(
            ["git", "ls-files", *PARTS], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        for file in listing.stdout.splitlines():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / file, folder / file, follow_symlinks=False)
        copy = cls(folder)
        if config is not None:
            copy.configure(config)
        return copy

    def duplicate(self, folder: Path) -> "WorkflowCopy":
        """Copy everything, times included, so that nothing is stale in the duplicate."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return WorkflowCopy(folder)

    def configure(self, config: dict[str, Any]) -> None:
        (self.folder / "config" / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start Snakemake; its output is collected."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> str:
        """Run Snakemake to its end and return what it printed. Raises `AssertionError` where it fails."""
        process = self.start(*arguments)
        output, _ = process.communicate()
        assert process.returncode == 0, output
        return output

    def build(self, *arguments: str) -> str:
        """Build with the local profile."""
        return self.run("--profile", "profiles/local", "--cores", "2", *(arguments or ("all",)))

    def stale(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry-run would run, the targets left out."""
        output = self.run("--profile", "profiles/local", "--dry-run", *arguments)
        targets = {"all", "sources", "manifests", "shards", "audit", "pretrain", "evaluate", "report"}
        table = re.search(r"^job +count\n-+ +-+\n(.*?)^total ", output, re.MULTILINE | re.DOTALL)
        rows = [line.split() for line in table[1].splitlines()] if table else []
        return {rule: int(count) for rule, count in rows if rule not in targets}

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text in a file of the copy; the text must be there."""
        file = self.folder / path
        assert old in file.read_text(), f"{old!r} is not in {path}"
        file.write_text(file.read_text().replace(old, new))
