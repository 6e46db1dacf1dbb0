"""The description: what a reader of the tars learns of an image, and boxes that move with it."""

import json
import math
from typing import Any

import pytest
from companion_rows import manifest_row, stored_image
from hypothesis import given
from hypothesis import strategies as st

from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNCERTAIN
from pipeline.records.errors import UserError
from pipeline.shards.companions.description import describe
from pipeline.shards.companions.reading import StoredBox, read_boxes

FILE_SIDES, STORED_SIDES = st.integers(16, 4000), st.integers(16, 200)
PIXELS = st.floats(0, 4000, width=32)


def box(left: float, top: float, width: float, height: float, label: str = "nodule") -> dict[str, Any]:
    return {"label": label, "reader": None, "left": left, "top": top, "width": width, "height": height}


def test_a_row_of_which_nothing_is_known_has_a_small_description() -> None:
    row = manifest_row(sex=None, age=None)
    said = describe(row, stored_image((60, 40), (30, 20)), boxes=True)
    assert said == (
        b'{"patient":"made:1","study":"made:1/2","split":"train","view":"PA","sex":null,"age":null,"findings":{}}'
    )


def test_findings_are_those_of_which_something_is_known() -> None:
    row = manifest_row(finding_edema=PRESENT, finding_mass=ABSENT, finding_hernia=UNCERTAIN)
    said = json.loads(describe(row, stored_image((60, 40), (30, 20)), boxes=True))
    assert said["findings"] == {"edema": "present", "mass": "absent", "hernia": "uncertain"}
    assert (said["sex"], said["age"]) == ("F", 61.0)


def test_columns_in_another_order_give_the_same_bytes() -> None:
    row = manifest_row(boxes=[box(1, 2, 3, 4)], finding_mass=PRESENT, finding_edema=ABSENT)
    stored = stored_image((60, 40), (30, 20))
    assert describe(dict(reversed(row.items())), stored, boxes=True) == describe(row, stored, boxes=True)


@given(
    file=st.tuples(FILE_SIDES, FILE_SIDES),
    shape=st.tuples(STORED_SIDES, STORED_SIDES),
    sides=st.tuples(PIXELS, PIXELS, PIXELS, PIXELS),
)
def test_boxes_keep_their_shares_of_the_image(
    file: tuple[int, int], shape: tuple[int, int], sides: tuple[float, float, float, float]
) -> None:
    image = stored_image(file, shape)
    row = manifest_row(boxes=[box(*sides)])
    (read,) = read_boxes(describe(row, image, boxes=True))
    height, width = shape
    assert read.left / width == pytest.approx(sides[0] / image.width, abs=0.001 / width)
    assert read.top / height == pytest.approx(sides[1] / image.height, abs=0.001 / height)
    assert read.width / width == pytest.approx(sides[2] / image.width, abs=0.001 / width)
    assert read.height / height == pytest.approx(sides[3] / image.height, abs=0.001 / height)


def test_no_box_and_an_unknown_number_of_boxes_differ() -> None:
    stored = stored_image((60, 40), (30, 20))
    assert json.loads(describe(manifest_row(boxes=[]), stored, boxes=True))["boxes"] == []
    assert "boxes" not in json.loads(describe(manifest_row(), stored, boxes=True))
    assert "boxes" not in json.loads(describe(manifest_row(boxes=[box(1, 2, 3, 4)]), stored, boxes=False))


def test_labels_and_readers_are_kept_in_every_script() -> None:
    row = manifest_row(boxes=[box(1, 2, 3, 4, "Nódulo") | {"reader": "R9"}])
    said = describe(row, stored_image((60, 40), (60, 40)), boxes=True)
    assert "Nódulo".encode() in said
    assert read_boxes(said) == [StoredBox("Nódulo", "R9", 1.0, 2.0, 3.0, 4.0)]


def test_an_age_that_is_no_number_is_unknown() -> None:
    said = describe(manifest_row(age=math.nan), stored_image((60, 40), (30, 20)), boxes=True)
    assert json.loads(said)["age"] is None


@pytest.mark.parametrize("side", [math.nan, math.inf])
def test_a_box_without_a_place_is_refused_by_the_key_of_its_image(side: float) -> None:
    row = manifest_row(boxes=[box(1, 2, 3, 4), box(1, side, 3, 4, "mass")])
    with pytest.raises(UserError, match=r"key 'a1' of corpus made: the box 'mass' has a side that is no finite number"):
        describe(row, stored_image((60, 40), (30, 20)), boxes=True)
