"""A program in the engine's process has its own output; whoever shows the run keeps the terminal."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from infra.engine.program.program_environment import IN_PROGRAM, program_environment

pytestmark = pytest.mark.unit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_of_the_program_are_told_and_those_of_others_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    before = (Path.cwd(), sys.stdout, list(sys.path))
    with program_environment(tmp_path / "main.py", tmp_path, lambda line, _: told.append(line)):
        assert Path.cwd() == tmp_path
        print("of the engine")
        token = IN_PROGRAM.set(True)
        print("of the program")
        print("without an end", end="")
        with pytest.raises(AttributeError):
            _ = sys.stdout.rich_proxied_file  # type: ignore[attr-defined]
        IN_PROGRAM.reset(token)
    assert told == ["of the program", "without an end"]
    assert capsys.readouterr().out == "of the engine\n"
    assert (Path.cwd(), sys.stdout, list(sys.path)) == before


def test_a_live_display_goes_on_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")  # a dumb one shows nothing live
    monkeypatch.setattr(sys, "stdout", terminal)
    words = ["before"]
    with (
        Live(
            console=Console(force_terminal=True), get_renderable=lambda: words[0], auto_refresh=False
        ) as live,
        program_environment(tmp_path / "main.py", tmp_path, lambda *_: None),
    ):
        words[0] = "meanwhile"
        refreshing = threading.Thread(target=live.refresh, daemon=True)
        refreshing.start()
        refreshing.join(10)
        assert not refreshing.is_alive()
        assert "meanwhile" in terminal.getvalue()
