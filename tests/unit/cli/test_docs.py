"""Documents that cannot rot: links lead somewhere, every page is listed, every verb that is named exists."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import subprocess

import pytest

from infra import paths
from infra.cli import verbs
from infra.cli.test import BIN
from infra.report import fidelity

pytestmark = pytest.mark.unit

ROOT = paths.ROOT
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_page_is_listed():
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"]({page.name})" in index, page.name


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_verb_that_is_named_exists(page):
    named = re.findall(r"(?:^|[`/\s])gigasite ([a-z]+)\b(?=[ `\n])", page.read_text(), re.MULTILINE)
    prose = {"joins", "works", "makes", "therefore", "does", "says", "is"}
    assert {verb for verb in named if verb not in prose} <= set(verbs.available())


BLOCK = re.compile(r"^```\n\$ (gigasite .*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (shlex.split(command, comments=True)[1:], shown.rstrip("\n"))
    for command, shown in BLOCK.findall((ROOT / "README.md").read_text())
]
"""Commands of the README, with what they print there; `…` ends what is cut short."""


def _on_terminal(words, folder):
    """What a command prints on a terminal of 112 columns."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "112"}
    with subprocess.Popen(words, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        parts = []
        with contextlib.suppress(OSError):  # the terminal's other end is closed
            while part := os.read(ours, 65536):
                parts.append(part)
    os.close(ours)
    return b"".join(parts).decode()


@pytest.mark.parametrize(("words", "shown"), EXAMPLES, ids=[" ".join(words) for words, _ in EXAMPLES])
def test_the_readme_shows_what_a_terminal_shows(words, shown, tmp_path):
    exception = "exceptions:\n  - {at: pod-01-su-01, rack: {platform: gb200-nvl72}, reason: an earlier row}\n"
    declared = (ROOT / "inventories" / "reference" / "site.yaml").read_text()
    (tmp_path / "one-row.yaml").write_text(declared.replace("exceptions:\n", exception, 1))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", _on_terminal([str(BIN / "gigasite"), *words], tmp_path))
    printed = "\n".join(line.rstrip() for line in plain.splitlines()).strip("\n")
    if shown.endswith("…"):
        shown = shown.removesuffix("…")
        printed = printed[: len(shown)]
    assert printed == shown


def test_the_fidelity_page_names_all_that_only_hardware_proves():
    page = (ROOT / "docs" / "fidelity.md").read_text()
    for item in fidelity.load().hardware_only:
        assert f"- {item}" in page
