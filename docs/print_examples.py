"""Print the examples of README.md and docs/examples.md, and draw the diagrams of docs/images, again.

`python docs/print_examples.py` does both.

A block that begins with `$ gigasite …` holds what the command prints on a terminal of 112 columns; a last
line `…` keeps it cut where it was cut.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/examples.md")
DIAGRAMS = ("tiers-east-west", "rows-pod-01", "unit-pod-01-su-01", "rack-pod-01-su-01-rack-01")
"""Of the reference site, in docs/images."""
BLOCK = re.compile(r"^```\n\$ (gigasite .*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Return command line and shown output of each example, in order."""
    return [
        (command, shown.rstrip("\n"))
        for page in PAGES
        for command, shown in BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    ]


def print_on_terminal(command: str) -> str:
    """Return what a command line prints on a terminal, without colours; `#` begins a comment."""
    words = [str(Path(sys.executable).with_name("gigasite")), *shlex.split(command, comments=True)[1:]]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "112"}
    with tempfile.TemporaryDirectory() as folder:
        _write_one_row(Path(folder))
        with subprocess.Popen(words, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
            os.close(theirs)
            parts = []
            with contextlib.suppress(OSError):  # the terminal's other end is closed
                while part := os.read(ours, 65536):
                    parts.append(part)
    os.close(ours)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", b"".join(parts).decode())
    return "\n".join(line.rstrip() for line in plain.splitlines()).strip("\n")


def cut_like(shown: str, printed: str) -> str:
    """Return what is printed, cut after as many lines as an example shows if that ends in `…`."""
    if not shown.endswith("…"):
        return printed
    return "\n".join([*printed.split("\n")[: shown.count("\n")], "…"])


def diagrams() -> dict[str, str]:
    """Return the text of each diagram of docs/images by its file name."""
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.report.diagrams.collection import draw  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    drawn = dict(draw(plan(load_site("reference"))))
    return {f"{name}.svg": drawn[name].document() for name in DIAGRAMS}


def _write_one_row(folder: Path) -> None:
    """Write one-row.yaml, the reference site with one row of another platform, which `diff` compares."""
    exception = "exceptions:\n  - {at: pod-01-su-01, rack: {platform: gb200-nvl72}, reason: an earlier row}\n"
    declared = (ROOT / "inventories" / "reference" / "site.yaml").read_text(encoding="utf-8")
    (folder / "one-row.yaml").write_text(declared.replace("exceptions:\n", exception, 1), encoding="utf-8")


def main() -> None:
    """Write each page again with what its commands print now, and each diagram."""
    for name, text in diagrams().items():
        (ROOT / "docs" / "images" / name).write_text(text, encoding="utf-8")
    for name in PAGES:
        page = ROOT / name
        text = BLOCK.sub(
            lambda block: (
                f"```\n$ {block[1]}\n{cut_like(block[2].rstrip(), print_on_terminal(block[1]))}\n```"
            ),
            page.read_text(encoding="utf-8"),
        )
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
