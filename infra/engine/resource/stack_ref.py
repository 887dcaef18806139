"""A stack's full name."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from infra.engine.errors import EngineError

ORGANIZATION: Final = "organization"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class StackRef(NamedTuple):
    """A stack's full name."""

    project: str
    stack: str

    def __str__(self) -> str:
        return f"{ORGANIZATION}/{self.project}/{self.stack}"

    @classmethod
    def parse(cls, text: str, project: str = "") -> StackRef:
        """Understand `STACK`, `organization/STACK` or `organization/PROJECT/STACK`.

        Raises:
            EngineError: it is no such name.
        """
        parts = text.split("/")
        if len(parts) > 1 and parts[0] != ORGANIZATION:
            raise EngineError(f"organization name must be '{ORGANIZATION}'")
        if len(parts) > 3:
            raise EngineError(
                f"{text!r} is not a stack's name", hint=f"write STACK or {ORGANIZATION}/PROJECT/STACK"
            )
        ref = cls(parts[1] if len(parts) == 3 else project, parts[-1])
        for word, name in zip(("project", "stack"), ref, strict=True):
            if not _NAME.fullmatch(name) or name in (".", ".."):
                hint = "use up to 100 letters, digits, hyphens, underscores and periods"
                raise EngineError(f"{name!r} is not a {word}'s name", hint=hint)
        return ref
