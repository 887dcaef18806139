"""Displays of a run: a live tree, lines as things happen, or JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, TextIO

from infra.engine.display.event_json import EventStream, PreviewDigest
from infra.engine.display.line_display import Display
from infra.engine.options import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.engine.events import Event
    from infra.engine.options import Result

__all__ = ["Display", "JsonDisplay", "display_for"]


class JsonDisplay:
    """As the CLI: one JSON document at the end of a preview; of everything else JSON lines as they come."""

    def __init__(self, operation: Operation, out: TextIO) -> None:
        self._out = out
        self._digest = PreviewDigest() if operation is Operation.PREVIEW else None
        self._stream = EventStream(out)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        (self._digest or self._stream)(event)

    def abort(self) -> None:
        """Nothing of the terminal was taken."""

    def close(self, result: Result) -> None:
        """Print the document, if it is one."""
        del result
        if self._digest:
            print(json.dumps(self._digest.document(), indent=4), file=self._out, flush=True)


def display_for(
    operation: Operation, stack: str, *, as_json: bool = False, show_differences: bool = False,
    show_same: bool = False, out: TextIO | None = None,
) -> Display | JsonDisplay:  # fmt: skip
    """The display that suits where it is shown: a live tree on a terminal, plain lines elsewhere."""
    out = out or sys.stdout
    if as_json:
        return JsonDisplay(operation, out)
    kind: Callable[..., Display] = Display
    if out.isatty():
        from infra.engine.display.tree_display import TreeDisplay  # noqa: PLC0415 (rich takes 0.1 s to import)

        kind = TreeDisplay
    return kind(operation, stack, out, show_differences=show_differences, show_same=show_same)
