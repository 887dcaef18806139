"""Settings that the Pulumi CLI keeps in PULUMI_HOME: the selected stack of a project, the backend.

Both engines read and write the same files, so a stack that one selected is the other's too.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from infra.engine.backend import files
from infra.engine.errors import EngineError


def pulumi_home() -> Path:
    """The folder: PULUMI_HOME, else `~/.pulumi`."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")


def current_backend() -> str:
    """The backend of the last `pulumi login`; empty without one."""
    return str(_read(pulumi_home() / "credentials.json").get("current") or "")


def read_selected_stack(name: str, file: Path, backend: str) -> str:
    """The stack that `stack select` chose for a project in a backend; empty if none.

    Args:
        name: the project.
        file: its project file.
        backend: the backend's URL, as it was given.
    """
    settings = _read(_settings_file(name, file))
    return str((settings.get("stacks") or {}).get(backend) or settings.get("stack") or "")


def select_stack(name: str, file: Path, backend: str, stack: str) -> None:
    """Choose a stack for a project in a backend; an empty one chooses none. See `selected_stack`.

    Raises:
        EngineError: the file cannot be read or written.
    """
    kept = _settings_file(name, file)
    settings = _read(kept)
    stacks = dict(settings.get("stacks") or {})
    if stack:
        stacks[backend] = stack
    else:
        stacks.pop(backend, None)
        settings.pop("stack", None)
    settings.pop("stacks", None)
    if stacks:
        settings["stacks"] = stacks
    if settings:
        files.write(kept, json.dumps(settings, indent=4).encode())
    else:
        kept.unlink(missing_ok=True)


def _settings_file(name: str, file: Path) -> Path:
    """As the CLI names it, by the SHA-1 of the project file's path (pkg/workspace/workspace.go)."""
    digest = hashlib.sha1(str(file).encode(), usedforsecurity=False).hexdigest()
    return pulumi_home() / "workspaces" / f"{name}-{digest}-workspace.json"


def _read(file: Path) -> dict[str, Any]:
    content = files.read(file)
    try:
        found = json.loads(content) if content else {}
    except ValueError as error:
        raise EngineError(f"cannot understand {file}: {error}", hint="move it away") from error
    return found if isinstance(found, dict) else {}
