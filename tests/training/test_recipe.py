"""How a changed recipe is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.training.recipe import describe_changes


def told(folder: Path, old: Any, new: Any) -> str:
    paths = [folder / "old.json", folder / "new.json"]
    for path, recipe in zip(paths, (old, new), strict=True):
        path.write_text(json.dumps(recipe))
    return describe_changes(*paths)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b 1 -> 2"),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": None}}, "a.c absent -> null"),
        ({"a": {"b": 1}}, {"a": {}}, "a absent -> {}, a.b 1 -> absent"),
        ({"a": [1, 2]}, {"a": [2, 1]}, "a [1, 2] -> [2, 1]"),
        ({"code": "0123456789abcdef" * 4}, {"code": "short"}, 'code "0123456789abcdef01… -> "short"'),
        ({}, dict.fromkeys("gfedcba", 0), ", ".join(f"{key} absent -> 0" for key in "abcde") + " and 2 more"),
    ],
)
def test_changes_are_told_by_their_dotted_names(tmp_path: Path, old: Any, new: Any, expected: str) -> None:
    assert told(tmp_path, old, new) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.dictionaries(st.text(), st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner)), max_size=4))
def test_of_equal_recipes_nothing_is_told(tmp_path: Path, recipe: dict[str, Any]) -> None:
    assert told(tmp_path, recipe, dict(reversed(recipe.items()))) == ""


def test_a_recipe_that_is_lost_or_damaged_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text("{}")
    assert "no record" in describe_changes(tmp_path / "old.json", tmp_path / "new.json")
    (tmp_path / "old.json").write_text('{"cut')
    assert "no record" in describe_changes(tmp_path / "old.json", tmp_path / "new.json")
