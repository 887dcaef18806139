"""Loading of one file of one type, such as a catalog entry, and of folders of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from infra.errors import Problem, Problems
from infra.spec import document, validation_messages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.spec.document import Document

Model = TypeVar("Model", bound=BaseModel)


def load_part(path: Path, model: type[Model]) -> Model:
    """Load a file of one type.

    Raises:
        Problems: with all mistakes.
    """
    return check_part(document.read(path), model)


def check_part(source: Document, model: type[Model]) -> Model:
    """Check a parsed file of one type; see `load_part`."""
    try:
        part = model.model_validate(source.value)
    except ValidationError as error:
        raise Problems(source.problems + validation_messages.problems(error, source, model)) from error
    if source.problems:
        raise Problems(source.problems)
    return part


def load_folder(
    folder: Path, models: Mapping[str, type[Model]]
) -> tuple[dict[tuple[str, str], Model], list[Problem]]:
    """Load `folder/KIND/NAME.yaml` of each kind.

    Returns:
        Entries by kind and name, and all mistakes of those that have some.
    """
    entries: dict[tuple[str, str], Model] = {}
    problems: list[Problem] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        kind, file = path.parent.name, document.display(path)
        if path.parent.parent != folder or path.suffix != ".yaml" or kind not in models:
            hint = f"a file is KIND/NAME.yaml of {', '.join(models)}"
            problems.append(Problem(file, 1, "$", "is no entry of a catalog", hint))
            continue
        try:
            source = document.read(path)
            entry = check_part(source, models[kind])
        except Problems as found:
            problems += found.problems
            continue
        name = getattr(entry, "name", None)
        if name != path.stem:
            problems.append(
                source.problem(("name",), f"is `{name}`, but the file is {path.name}", "give both one name")
            )
        else:
            entries[kind, path.stem] = entry
    return entries, problems
