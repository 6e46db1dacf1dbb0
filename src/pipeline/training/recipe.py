"""What distinguishes two recipes: the keys of their settings, data and code that differ."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_SHOWN = 5
_LONGEST = 20


def describe_changes(old: Path, new: Path) -> str:
    """Return which keys differ between the recipes of two files, as in `settings.seed 0 -> 1`, and five at most."""
    recipes = [_read(old), _read(new)]
    if None in recipes:
        return "no record of it is left"
    before, after = (dict(_flat(recipe)) for recipe in recipes)
    changed = [key for key in sorted({**before, **after}) if before.get(key) != after.get(key)]
    shown = [f"{key} {_short(before, key)} -> {_short(after, key)}" for key in changed[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _flat(recipe: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value that is no mapping, as JSON, under its dotted name."""
    for key, value in recipe.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value, ensure_ascii=False)


def _short(recipe: Mapping[str, str], key: str) -> str:
    value = recipe.get(key, "absent")
    return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
