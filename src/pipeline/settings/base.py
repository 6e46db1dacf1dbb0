"""What all settings models share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


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
