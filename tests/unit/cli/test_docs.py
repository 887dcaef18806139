"""Documents that cannot rot: links lead somewhere, every page is listed, every verb that is named exists."""

from __future__ import annotations

import re

import pytest

from docs import print_examples
from infra import paths
from infra.cli import verbs
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


@pytest.mark.parametrize(
    ("command", "shown"), print_examples.examples(), ids=[command for command, _ in print_examples.examples()]
)
def test_a_page_shows_what_a_terminal_shows(command, shown):
    printed = print_examples.print_on_terminal(command)
    assert print_examples.cut_like(shown, printed) == shown


def test_the_fidelity_page_names_all_that_only_hardware_proves():
    page = (ROOT / "docs" / "fidelity.md").read_text()
    for item in fidelity.load().hardware_only:
        assert f"- {item}" in page


def test_every_module_of_the_engine_that_is_named_exists():
    text = (ROOT / "docs" / "engine-design.md").read_text()
    table = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = {name for cell in table for name in re.findall(r"`(\w+)`", cell)}
    named |= set(re.findall(r"\(`(\w+)`\)", text))
    modules = {file.stem for file in (ROOT / "infra" / "engine").rglob("*.py")}
    assert len(named) > 30
    assert named <= modules
