import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import digests
from pipeline.records.digests import code_digest, file_digest, reached_files, settings_digest, unit_hash

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.text(), PLAIN, max_size=5))
def test_the_order_of_settings_does_not_count(settings: dict[str, object]) -> None:
    assert settings_digest(dict(reversed(settings.items()))) == settings_digest(settings)


def test_a_file_digest_is_what_sha256sum_prints(tmp_path: Path) -> None:
    (tmp_path / "shard").write_bytes(b"radiograph")
    assert file_digest(tmp_path / "shard") == hashlib.sha256(b"radiograph").hexdigest()


@given(st.text())
def test_a_unit_hash_is_in_the_unit_interval_and_depends_on_its_text_alone(text: str) -> None:
    assert 0 <= unit_hash(text) < 1
    assert unit_hash(text) == unit_hash(text)


DIGESTS_OF_STAGES = """
import json
from pipeline.records.digests import PACKAGE_ROOT, code_digest
print(json.dumps({path.stem: code_digest([path]) for path in (PACKAGE_ROOT / "stages").glob("*.py")}))
"""
SOURCE = '''"""Say what it does."""
from pipeline.records.errors import UserError

class Probe:
    """Fit."""

    penalty: float = 1.0
    """Strength of the regularisation."""

def loss(x):
    """Square."""
    return x * x  # why
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# why", "# because"),
        ('"""Square."""', '"""Return the square."""'),
        ("Strength of the regularisation", "L2 penalty"),
        ("def loss(x):", "\n\ndef loss(\n    x,\n):"),
    ],
)
def test_comments_docstrings_and_layout_are_no_change(tmp_path: Path, old: str, new: str) -> None:
    assert _digest(tmp_path, SOURCE.replace(old, new)) == _digest(tmp_path, SOURCE)


@pytest.mark.parametrize(("old", "new"), [("x * x", "x + x"), ("1.0", "2.0"), ("def loss", "def risk")])
def test_what_the_code_does_is_a_change(tmp_path: Path, old: str, new: str) -> None:
    assert _digest(tmp_path, SOURCE.replace(old, new)) != _digest(tmp_path, SOURCE)


def test_imports_are_followed_through_the_package_and_no_further() -> None:
    stages = digests.PACKAGE_ROOT / "stages"
    reached = {
        path.relative_to(digests.PACKAGE_ROOT).as_posix() for path in reached_files([stages / "pretrain_encoder.py"])
    }
    assert {"training/loop.py", "models/patches.py", "records/publish.py"} <= reached
    assert not {path for path in reached if path.startswith(("evaluation/", "sources/"))}


def test_how_processes_train_together_makes_no_features_stale() -> None:
    reached = reached_files([digests.PACKAGE_ROOT / "stages" / "extract_features.py"])
    assert {path.stem for path in reached if path.parent.name == "training"} == {"__init__", "device", "waiting"}


def test_files_that_change_no_result_exist_and_change_no_digest(tmp_path: Path) -> None:
    package = tmp_path / digests.PACKAGE
    shutil.copytree(digests.PACKAGE_ROOT, package, ignore=shutil.ignore_patterns("__pycache__"))
    before = _digests_of_stages(package)
    assert before
    for path in digests.CHANGE_NO_RESULT:
        assert path.is_file()
        with (package / path.relative_to(digests.PACKAGE_ROOT)).open("a") as copy:
            copy.write("\nCHANGED = 1\n")
    assert _digests_of_stages(package) == before
    with (package / "training" / "step.py").open("a") as copy:
        copy.write("\nCHANGED = 1\n")
    after = _digests_of_stages(package)
    assert after["pretrain_encoder"] != before["pretrain_encoder"]
    assert after["extract_features"] == before["extract_features"]


def _digests_of_stages(package: Path) -> dict[str, str]:
    program = [sys.executable, "-c", DIGESTS_OF_STAGES]
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _digest(folder: Path, source: str) -> str:
    path = folder / f"{hashlib.sha256(source.encode()).hexdigest()}" / "script.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(source)
    return code_digest([path])
