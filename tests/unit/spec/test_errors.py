"""One negative case per kind of mistake and per admission rule: `tests/errors/NAME/{site.yaml,expected.txt}`.

A new case needs only its site.yaml: with GIGASITE_UPDATE=1 in the environment this writes what it gives
now; read it before committing.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.errors import Problems
from infra.plan import findings, plan
from infra.plan.admission.admission import RULES
from infra.spec import load

pytestmark = pytest.mark.unit

ERRORS = Path(__file__).resolve().parents[2] / "errors"
CASES = sorted(path.parent.name for path in ERRORS.glob("*/site.yaml"))


def outcome(name: str) -> str:
    try:
        site = load(ERRORS / name / "site.yaml")
    except Problems as problems:
        return f"{problems}\n"
    found = [finding for finding in findings(plan(site)) if finding.severity != "info"]
    return "".join(f"{f.severity} {f.id}: {f.message} [{f.path}]\n" for f in found)


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    expected = ERRORS / name / "expected.txt"
    text = outcome(name)
    if os.environ.get("GIGASITE_UPDATE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
    assert text, "a negative case has something to say"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_has_its_case(rule):
    texts = [(ERRORS / name / "expected.txt").read_text(encoding="utf-8") for name in CASES]
    assert any(f" {rule.id}: " in text for text in texts)
