"""Find the key a person meant."""

import difflib
from collections.abc import Iterable
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
    """Return the keys allowed at a place below a model, given as pydantic's error location.

    A part of the location is a field, the discriminator of a union (`phantom`), or a name of the
    user's own (`mae_demo`), which leads nowhere new.
    """
    models = {root}
    for part in map(str, location):
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        chosen = {model for model in models if part in _discriminators(model)}
        if fields:
            models = {model for field in fields for model in _models_in(field.annotation)}
        elif chosen:
            models = chosen
    return {name for model in models for name in model.model_fields}


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {model for argument in get_args(annotation) for model in _models_in(argument)}


def _discriminators(model: type[BaseModel]) -> set[str]:
    fields = (model.model_fields[name] for name in ("kind", "format") if name in model.model_fields)
    return {str(value) for field in fields for value in get_args(field.annotation)}
