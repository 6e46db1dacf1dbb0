"""Find the key a person meant."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that offers the closest of the known names, or lists them all."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; valid names are {', '.join(known)}" if known else ""


def valid_keys(root: type[BaseModel], location: Iterable[int | str]) -> set[str]:
    """Return the keys allowed at a place below a model, given as pydantic's error location."""
    *_, models = [{root}, *(models for _, models, _ in _steps(root, location))]
    return {name for model in models for name in model.model_fields}


def own_keys(root: type[BaseModel], location: Iterable[int | str]) -> list[str]:
    """Return the keys of a person's own that lead to a place, without pydantic's names of a union's members."""
    return [part for part, _, is_key in _steps(root, location) if is_key]


def _steps(root: type[BaseModel], location: Iterable[int | str]) -> Iterator[tuple[str, set[type[BaseModel]], bool]]:
    """Yield each part of a location, the models that may stand there, and whether a person writes it.

    A part is a field, the discriminator of a union (`phantom`), which nobody writes there, or a name of the user's
    own (`mae_demo`), which leads nowhere new.
    """
    models = {root}
    for part in map(str, location):
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        chosen = {model for model in models if part in _discriminators(model)}
        if fields:
            models = {model for field in fields for model in _models_in(field.annotation)}
        elif chosen:
            models = chosen
        yield part, models, bool(fields) or not chosen


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {model for argument in get_args(annotation) for model in _models_in(argument)}


def _discriminators(model: type[BaseModel]) -> set[str]:
    fields = (model.model_fields[name] for name in ("kind", "format") if name in model.model_fields)
    return {str(value) for field in fields for value in get_args(field.annotation)}
