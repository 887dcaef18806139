"""Progress of a pipeline for a person: a live table on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self, TextIO

from infra.report.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rich.console import Console, RenderableType
    from rich.live import Live

_SIGNS = {
    Outcome.DONE: ("green", "✓"),
    Outcome.FAILED: ("red", "✗"),
    Outcome.INTERRUPTED: ("yellow", "!"),
    Outcome.SKIPPED: ("dim", "-"),
}


def console(*, json: bool = False) -> Console:
    """Where progress goes: standard output, or standard error when that is for data."""
    from rich.console import Console  # noqa: PLC0415 (slow to import, not needed for --help)

    # Into a file or a pipe, tables are as wide as they need: nobody looks at 80 columns there.
    wide = None if (sys.stderr if json else sys.stdout).isatty() else 200
    return Console(stderr=json, highlight=False, soft_wrap=True, width=wide)


def duration(seconds: float) -> str:
    """`7.4 s` or `3 min 12 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


class Progress:
    """Shows the steps of one run.

    Args:
        titles: (name, title) of each step, in order.
        json: keep standard output free for data.
    """

    def __init__(self, titles: Sequence[tuple[str, str]], *, json: bool = False) -> None:
        self._titles = dict(titles)
        self._console = console(json=json)
        self._live: Live | None = None
        self._done: dict[str, tuple[Outcome, float, str]] = {}
        self._current: str | None = None
        self._began = time.monotonic()
        self._message = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            from rich.live import Live  # noqa: PLC0415 (only on a terminal)

            self._live = Live(
                console=self._console, get_renderable=self._table, refresh_per_second=4, redirect_stderr=False
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def start(self, name: str) -> None:
        """A step starts."""
        self._current, self._began, self._message = name, time.monotonic(), ""
        if not self._live:
            self._console.print(f"==> {self._titles[name]}", markup=False)

    def say(self, text: str, *, brief: bool = False) -> None:
        """Report what the step is doing now; if brief, only where the next text replaces it."""
        self._message = text
        if not self._live and not brief:
            self._console.print(
                f"    {time.monotonic() - self._began:6.1f} s  {text}", markup=False, overflow="ignore"
            )

    def line(self, text: str) -> None:
        """A line that stays, above the live table."""
        self._console.print(text, markup=False)

    def finish(self, name: str, outcome: Outcome, seconds: float, summary: str) -> None:
        """A step ends."""
        self._done[name] = outcome, seconds, summary
        self._current = None
        if not self._live:
            sign = "" if outcome is Outcome.DONE else f"{outcome}: "
            self._console.print(f"    {duration(seconds)}: {sign}{summary}", markup=False)

    def confirm(self, question: str) -> bool:
        """Ask; anything but yes is no."""
        if self._live:
            self._live.stop()
        try:
            return self._console.input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
        except EOFError:
            return False
        finally:
            if self._live:
                self._live.start()

    def _table(self) -> RenderableType:
        from rich.spinner import Spinner  # noqa: PLC0415 (only on a terminal)
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for name, title in self._titles.items():
            if name in self._done:
                outcome, seconds, summary = self._done[name]
                style, sign = _SIGNS[outcome]
                table.add_row(Text(sign, style), Text(title), Text(duration(seconds)), Text(summary))
            elif name == self._current:
                passed = duration(time.monotonic() - self._began)
                table.add_row(Spinner("dots"), Text(title, "bold"), Text(passed), Text(self._message, "cyan"))
            else:
                table.add_row(Text(" "), Text(title, "dim"), Text(""), Text(""))
        return table


def interactive(stream: TextIO = sys.stdin) -> bool:
    """Whether there is a person to ask."""
    return stream.isatty() and sys.stderr.isatty()
