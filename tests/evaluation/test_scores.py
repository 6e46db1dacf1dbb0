from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.scores import Scores, read_scores, require_same_images, write_scores
from pipeline.records.errors import UserError

SCORES = Scores(
    classes=("edema", "nodule"),
    logits=np.array([[0.1, -2.0], [3.0, 0.5], [0.0, 0.0]], np.float32),
    labels=np.array([[1, 0], [0, -1], [1, 1]], np.int8),
    patients=np.array([0, 0, 1]),
    rows=np.array([4, 7, 9]),
)


def test_scores_come_back_exactly(tmp_path: Path) -> None:
    write_scores(tmp_path / "s.safetensors", SCORES)
    back = read_scores(tmp_path / "s.safetensors")
    assert back.classes == SCORES.classes
    for name in ("logits", "labels", "patients", "rows"):
        np.testing.assert_array_equal(getattr(back, name), getattr(SCORES, name))


def test_other_scores_of_the_same_images_can_be_compared() -> None:
    require_same_images(SCORES, replace(SCORES, logits=SCORES.logits + 1), "b")


@pytest.mark.parametrize(
    "change", [{"rows": SCORES.rows + 1}, {"labels": 1 - SCORES.labels}, {"classes": ("edema", "mass")}]
)
def test_scores_of_other_images_or_labels_cannot(change: dict[str, object]) -> None:
    with pytest.raises(UserError, match="benchmark b: the two encoders were scored on different images"):
        require_same_images(SCORES, replace(SCORES, **change), "b")
