"""The rule that writes shards, as a dry-run shows it."""

import re
from pathlib import Path
from typing import Any

import pytest
from workflow_copy import SMALL, WorkflowCopy

pytestmark = pytest.mark.slow

COMMON = {
    "source": {"kind": "phantom", "patients": 6, "image_size": 32},
    "splits": {"scheme": "patient", "test_fraction": 0.3},
}
CORPORA: dict[str, dict[str, Any]] = {
    "mimic": {"layout": {"format": "mimic_cxr"}},
    "ecg": {"layout": {"format": "mimic_iv_ecg"}},
    "derived": {
        "layout": {"format": "symile_mimic", "variant": "raw", "images_of": "mimic", "ecg_of": "ecg"},
        "shards": {"image_size": 32, "parts": 1},
    },
}


def test_shards_wait_for_those_who_lend_images_alone(tmp_path: Path) -> None:
    corpora = {name: COMMON | corpus for name, corpus in CORPORA.items()}
    copy = WorkflowCopy.of_repository(tmp_path, SMALL | {"corpora": SMALL["corpora"] | corpora})
    planned = copy.run("--profile", "profiles/local", "--dry-run", "shards")
    inputs = re.findall(r"^rule write_shards:\n +input: (.*)$", planned, re.MULTILINE)
    lent, own = "results/inventory/mimic.parquet", "results/inventory/derived.parquet"
    assert f"{lent}, {own}, results/manifests/derived.parquet" in inputs
