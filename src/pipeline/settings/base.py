"""What all settings models share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Settings(BaseModel):
    """Refuse unknown keys, freeze after validation, and take each field's docstring as its description."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=False,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )


Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
"""A name that becomes part of a path: lower-case letters, digits and underscores."""

Fraction = Annotated[float, Field(ge=0, le=1)]
"""A share of a whole, from 0 to 1."""


def parse(kind: Any, plain: Any) -> Any:
    """Turn plain data of a resolved configuration into a settings model, or a union of such models."""
    return TypeAdapter(kind).validate_python(plain)
