"""What several tests share: small shards, small settings, and where the real data are."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from corpus_stages import build_shards
from hypothesis import settings as hypothesis_settings

from pipeline.manifests.schema import COMPANION_SCHEMA, MANIFEST_SCHEMA, write_manifest
from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNKNOWN, finding_column
from pipeline.settings.corpora import ShardSettings
from pipeline.settings.pretraining import PretrainingSettings

# A loaded machine is slow at times, which is no failure of a law.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")

REPOSITORY = Path(__file__).resolve().parents[1]
TINY_TASK = {"kind": "mae", "mask_ratio": 0.75, "decoder_width": 16, "decoder_depth": 1, "decoder_heads": 2}
TINY_ENCODER = {
    "architecture": "vit_tiny_patch16_224",
    "image_size": 32,
    "patch_size": 8,
    "width": 24,
    "depth": 2,
    "heads": 2,
}
IMAGENET = {"channels": 3, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""How published encoders want their images."""
REAL_DATA = REPOSITORY.parent / "shared" / "realdata"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow files, so that several workers end at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def _outside_of_slurm() -> Iterator[None]:
    """Let tests that run in somebody's allocation ask that person's cluster nothing."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("JOB_ID", "JOB_END_TIME", "ARRAY_JOB_ID", "ARRAY_TASK_ID"):
            environment.delenv(f"SLURM_{name}", raising=False)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of openly licensed real data; skip where it is not at hand."""
    if not REAL_DATA.is_dir():
        pytest.skip("the openly licensed real data are not beside the repository")
    return REAL_DATA


@pytest.fixture
def small_run() -> PretrainingSettings:
    """Return a run that trains in a second."""
    return PretrainingSettings.model_validate(
        {
            "task": TINY_TASK,
            "encoder": TINY_ENCODER,
            "corpora": ["made"],
            "optimization": {"steps": 8, "batch_size": 6, "base_learning_rate": 0.04, "warmup_steps": 2},
            "validation_images": 5,
            "validate_every": 4,
            "log_every": 2,
        }
    )


def make_manifest(root: Path, patients: int = 12) -> pl.DataFrame:
    """Draw two images for each patient below `root` and return their manifest rows."""
    generator = np.random.default_rng(0)
    rows = []
    for patient in range(patients):
        for view in range(2):
            path = f"{patient:03d}_{view}.png"
            root.mkdir(parents=True, exist_ok=True)
            pixels = cv2.resize(generator.integers(0, 256, (6, 7), dtype=np.uint8), (42, 36))
            cv2.imwrite(str(root / path), pixels)
            rows.append(
                {
                    "corpus": "made",
                    "key": path.removesuffix(".png"),
                    "patient": f"made:{patient:03d}",
                    "study": f"made:{patient:03d}/0",
                    "view": "PA" if view else "AP",
                    "sex": "F" if patient % 2 else "M",
                    "age": 50.0,
                    "path": path,
                    "split": ("train", "train", "val", "test")[patient % 4],
                    "file_state": "present",
                    "sha256": None,
                    finding_column("edema"): PRESENT if patient % 3 else ABSENT,
                }
            )
    frame = pl.DataFrame(rows)
    defaults = dict.fromkeys(MANIFEST_SCHEMA, UNKNOWN) | dict.fromkeys(COMPANION_SCHEMA) | {"patient_known": True}
    unknown = [pl.lit(value).alias(column) for column, value in defaults.items() if column not in frame.columns]
    return frame.with_columns(unknown).select(MANIFEST_SCHEMA.names()).cast(dict(MANIFEST_SCHEMA))


@pytest.fixture
def made_manifest(tmp_path: Path) -> Path:
    """Publish the manifest of a small made-up corpus; its images are in `raw` beside it."""
    manifest = tmp_path / "made.parquet"
    write_manifest(make_manifest(tmp_path / "raw"), manifest)
    return manifest


@pytest.fixture
def made_index(made_manifest: Path) -> Path:
    """Write the shards of the small made-up corpus and return their index."""
    index = made_manifest.parent / "shards" / "made" / "index.parquet"
    settings = ShardSettings(image_size=32, samples_per_shard=5, parts=2)
    return build_shards(made_manifest.parent / "raw", settings, made_manifest, index)
