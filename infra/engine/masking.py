"""Secrets of the configuration in what people and logs get to see: `[secret]` in their place.

Values that are marked secret are masked by whoever shows them. This is for the others: text that a program
prints, logs or raises, errors that quote a value, and inputs that lost their mark in the program.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

from infra.engine.events import StepMetadata
from infra.engine.resource.values import (
    Archive,
    Asset,
    Value,
    transform,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.engine.events import Event
    from infra.engine.resource.state import ResourceState

MASK: Final = "[secret]"
_SHORTEST: Final = 3
"""Shorter secrets would be found everywhere; the CLI's limit."""
_SHORTEST_LINE: Final = 8
"""Of one line of a secret of several, as programs print them; most lines of a key file are longer."""


class SecretFilter:
    """Replaces secrets in text, however it quotes them.

    Args:
        secrets: their values in the clear.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first: what is left of one that holds another would be readable.
        words = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, words))) if words else None

    def text(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def event(self, event: Event) -> Event:
        """The event without the secrets; its URNs and ids stay, as in the CLI."""
        if self._pattern is None:
            return event
        changes: dict[str, Any] = {}
        for field in fields(event):
            value = getattr(event, field.name)
            if isinstance(value, StepMetadata):
                changes[field.name] = replace(value, old=self._state(value.old), new=self._state(value.new))
            elif isinstance(value, dict) and field.name in ("before", "after"):
                changes[field.name] = self.value(value)
            elif field.name in ("message", "prefix", "error"):
                changes[field.name] = self.text(value)
        return replace(event, **changes) if changes else event

    def value(self, value: Value) -> Value:
        """The value without the secrets in its strings."""
        return transform(value, self._leaf) if self._pattern else value

    def _leaf(self, value: Value) -> Value:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Asset) and value.text is not None:
            return replace(value, text=self.text(value.text))
        if isinstance(value, Archive) and value.assets is not None:
            return replace(value, assets={key: self._leaf(item) for key, item in value.assets.items()})
        return value

    def _state(self, state: ResourceState | None) -> ResourceState | None:
        if state is None:
            return None
        return state.copy(
            inputs=self.value(state.inputs),
            outputs=self.value(state.outputs),
            init_errors=[self.text(error) for error in state.init_errors],
        )


def _forms(secret: str) -> Iterator[str]:
    """The forms in which a secret stands in text; none of what is too short, or is no secret by itself."""
    lines = [line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE]
    for text in (secret, *lines):
        if len(text) < _SHORTEST or text.lower() in ("true", "false"):
            continue
        yield text
        inner = json.dumps(text, ensure_ascii=False)[1:-1]
        yield inner
        yield inner.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")  # as Go does
        yield json.dumps(text)[1:-1]
        for quoted in (repr, ascii):
            yield quoted(text)[1:-1]
            yield quoted(text + "\"'")[1:-4]  # in a text that has both kinds of quotes
