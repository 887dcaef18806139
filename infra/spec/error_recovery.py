"""Recovery from validation errors, as in a parser: the checks after the types run too."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from infra.spec import schema_walk
from infra.spec.validation_messages import locate

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from infra.spec.document import Loc

Model = TypeVar("Model", bound=BaseModel)


MOST = 500
"""Mistakes beyond which nothing else is looked for: those are enough to mend first."""


def recover(value: Any, model: type[Model], error: ValidationError) -> tuple[Model | None, set[Loc]]:
    """Return the declaration with each wrong value replaced by its type's example or left out.

    Returns:
        It, and the locations that were replaced (what follows from them is not to be trusted); or None.
    """
    if error.error_count() > MOST:
        return None, set()
    value = copy.deepcopy(value) if isinstance(value, dict) else {}
    replaced: set[Loc] = set()
    for _ in range(6):  # a wrong mapping may hide wrong values in it
        for detail in error.errors(include_url=False):
            loc = locate(detail["loc"], value)
            replaced.add(loc)
            _mend(value, loc, detail, model)
        try:
            return model.model_validate(value), replaced
        except ValidationError as again:
            error = again
    return None, replaced


def _mend(value: Any, loc: Loc, detail: ErrorDetails, model: type[BaseModel]) -> None:
    if not loc:
        return
    for step in loc[:-1]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return
    last = loc[-1]
    good = None if detail["type"] == "extra_forbidden" else schema_walk.minimal(model, loc)
    if isinstance(value, dict) and isinstance(last, str):
        if good is None:
            value.pop(last, None)
        else:
            value[last] = good
    elif isinstance(value, list) and isinstance(last, int) and last < len(value):
        value[last] = good
