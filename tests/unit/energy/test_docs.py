"""docs/energy.md shows what the commands in it really print."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from infra import cli, paths

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit

PAGE = paths.ROOT / "docs" / "energy.md"
BLOCK = re.compile(r"^```console\n\$ gigasite (?P<command>.*)\n(?P<output>(?:.*\n)*?)```$", re.MULTILINE)


def shown(capsys, command: str, folder: Path) -> str:
    words = [re.sub(r"^out/", f"{folder}/", word) for word in shlex.split(command)]
    assert cli.main(words) == 0
    return capsys.readouterr().out.replace(f"{folder}/", "out/")


def test_output_in_the_documentation_is_real(capsys, monkeypatch, tmp_path) -> None:
    """With GIGASITE_UPDATE=1 in the environment, write what is printed now into the page."""
    monkeypatch.chdir(paths.ROOT)
    text = PAGE.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == 2
    for block in reversed(blocks):
        output = shown(capsys, block["command"], tmp_path)
        if os.environ.get("GIGASITE_UPDATE"):
            text = text[: block.start("output")] + output + text[block.end("output") :]
        else:
            assert block["output"] == output
    if os.environ.get("GIGASITE_UPDATE"):
        PAGE.write_text(text, encoding="utf-8")
