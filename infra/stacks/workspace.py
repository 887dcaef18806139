"""The project whose stacks the verbs work on: this checkout, or one that `gigasite engine` was shown."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import paths
from infra.engine.workspace.project_file import load_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.engine.workspace.project import Project
    from infra.engine.workspace.stack_settings import StackSettings


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project and where its stacks' state is.

    Attributes:
        folder: of Pulumi.yaml.
        project: its name.
        url: the backend.
        settings_file: instead of the stack's Pulumi.STACK.yaml, or None.
        foreign: it is not this checkout: nothing of gigasite's sites, passphrases and folders is meant.
    """

    folder: Path
    project: str
    url: str
    settings_file: Path | None = None
    foreign: bool = False

    def load(self) -> Project:
        """Read the project file.

        Raises:
            EngineError: not found, or it has mistakes.
        """
        return load_project(self.folder)

    def settings(self, stack: str) -> StackSettings:
        """The settings of a stack.

        Raises:
            EngineError: they have mistakes.
        """
        return self.load().settings(stack, self.settings_file)

    def command(self, verb: str, stack: str, words: str = "") -> str:
        """How a verb on a stack is typed, for hints."""
        if self.foreign:
            return " ".join(filter(None, ("gigasite engine", verb, words, "--stack", stack)))
        return " ".join(filter(None, ("gigasite", verb, stack, words)))


_CHOSEN: ContextVar[Workspace | None] = ContextVar("workspace", default=None)


def current() -> Workspace:
    """The project that is worked on."""
    return _CHOSEN.get() or _checkout()


def _checkout() -> Workspace:
    url = os.environ.get("PULUMI_BACKEND_URL") or f"file://{paths.ROOT / '.gigasite'}"
    return Workspace(paths.ROOT, "gigasite", url)


@contextmanager
def working_on(chosen: Workspace) -> Iterator[None]:
    """Have the verbs on stacks work on a project."""
    token = _CHOSEN.set(chosen)
    try:
        yield
    finally:
        _CHOSEN.reset(token)
