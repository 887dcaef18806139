"""Loading of one file of one type, such as a catalog entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from infra.errors import Problems
from infra.spec import document, wording

if TYPE_CHECKING:
    from pathlib import Path

Model = TypeVar("Model", bound=BaseModel)


def load_part(path: Path, model: type[Model]) -> Model:
    """Load a file of one type.

    Raises:
        Problems: with all mistakes.
    """
    source = document.read(path)
    try:
        part = model.model_validate(source.value)
    except ValidationError as error:
        raise Problems(source.problems + wording.problems(error, source, model)) from error
    if source.problems:
        raise Problems(source.problems)
    return part
