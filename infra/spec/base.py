"""Base of all parts of a declaration: frozen, no unknown keys, names that are host names."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from infra.spec.docstrings import describe_properties


class Part(BaseModel):
    """A part of a declaration; unknown keys are mistakes, and nothing changes after loading."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, json_schema_extra=describe_properties
    )


Name = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", examples=["pod-01"], title="name")
]
"""Lower-case letters, digits and hyphens: it becomes part of host names (RFC 1123)."""

MOST = 1_000_000
"""More of one thing at one place than any site has: a slip of the keyboard, not a plan."""

Count = Annotated[int, Field(ge=1, le=MOST, strict=True, examples=[1])]
"""A number of things, at least one."""

Whole = Annotated[int, Field(ge=0, le=MOST, strict=True, examples=[0])]
"""A number of things, perhaps none."""

Share = Annotated[float, Field(ge=0, le=1, examples=[0.87])]
"""A part of one."""

Factor = Annotated[float, Field(gt=0, le=1, examples=[0.95])]
"""A part of one, and not nothing."""
