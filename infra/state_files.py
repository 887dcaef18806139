"""Reading what earlier commands left in .gigasite and out: a damaged file is one line that names it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from infra.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")


def read_text(file: Path, hint: str) -> str | None:
    """A file's text; None if it is not there.

    Raises:
        UserError: it cannot be read as text; with the hint.
    """
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise damage_error(file, "it is no text", hint) from error
    except OSError as error:
        raise damage_error(file, error.strerror or "it cannot be read", hint) from error


def parse_object(text: str | bytes, file: Path, hint: str) -> dict[str, Any]:
    """The JSON object that a text is.

    Raises:
        UserError: it is no JSON, or no object.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damage_error(file, f"it is no JSON ({error})", hint) from error
    if not isinstance(found, dict):
        raise damage_error(file, f"an object was expected, not {json.dumps(found)[:40]}", hint)
    return found


def read_object(file: Path, hint: str) -> dict[str, Any] | None:
    """A file's JSON object; None if it is not there.

    Raises:
        UserError: it is damaged; with the hint.
    """
    text = read_text(file, hint)
    return None if text is None else parse_object(text, file, hint)


def read_words(file: Path, hint: str) -> dict[str, str]:
    """A file's JSON object of texts; empty if it is not there.

    Raises:
        UserError: it is damaged; with the hint.
    """
    found = read_object(file, hint) or {}
    for key, value in found.items():
        if not isinstance(value, str):
            raise damage_error(file, f"a text was expected at {key}, not {json.dumps(value)[:40]}", hint)
    return found


def read_model(kind: type[M], file: Path, what: str, hint: str) -> M | None:
    """A file's JSON as a pydantic model; None if it is not there.

    Args:
        kind: the model.
        file: where it lies.
        what: its name in words, for the message.
        hint: what to do if it is damaged.

    Raises:
        UserError: it is damaged, or of another version.
    """
    text = read_text(file, hint)
    try:
        return None if text is None else kind.model_validate_json(text)
    except ValueError as error:  # pydantic's is one, and pydantic takes long to import
        raise damage_error(file, f"it is no {what} of this version", hint) from error


def damage_error(file: Path, why: str, hint: str) -> UserError:
    """The error of a file that is not as it was written."""
    return UserError(f"this file is damaged: {why}", where=str(file), hint=hint)
