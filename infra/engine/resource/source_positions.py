"""Where in the program a resource was asked for, relative to the project."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path


def _position(message: Any, project_dir: Path) -> str:
    """Where in the program, relative to the project."""
    file = _file(message.uri, project_dir) if message.uri else ""
    if not file:
        return ""
    column = f",{message.column}" if message.column else ""
    return f"{file}#{message.line}{column}"


@functools.lru_cache(maxsize=1024)
def _file(uri: str, project_dir: Path) -> str:
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if parts.scheme != "file" or not os.path.isabs(path):  # noqa: PTH117 (text in, text out)
        return ""
    return f"project:///{os.path.relpath(path, project_dir)}"


def positions(request: Any, project_dir: Path) -> str:
    """The source position of a request."""
    return _position(request.sourcePosition, project_dir) if request.HasField("sourcePosition") else ""


def trace(request: Any, project_dir: Path) -> list[str]:
    """The stack trace of a request: the frames of the project's own files; the others name the SDK and us."""
    if not request.HasField("stackTrace"):
        return []
    found = (_position(frame.pc, project_dir) for frame in request.stackTrace.frames)
    return [place for place in found if place and "/../" not in place and "/site-packages/" not in place]
