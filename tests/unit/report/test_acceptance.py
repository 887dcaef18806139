"""The acceptance table: no row says more than a check showed."""

from __future__ import annotations

import re

import pytest

from infra.errors import UserError
from infra.paths import ROOT
from infra.report import acceptance, checks
from infra.report.acceptance import Asked, judge

pytestmark = pytest.mark.unit

ASKED = Asked(
    ids=("A01-01", "A01-02"), asked="two things", want="vm", checks=("test_a.py::one", "test_a.py::two")
)


def run(name, outcome="passed", proved_on="vm"):
    return {"id": f"tests/verify/test_a.py::{name}[m1]", "outcome": outcome, "proved_on": proved_on}


@pytest.mark.parametrize(
    ("outcomes", "level", "evidence", "proved"),
    [
        ([], None, "test_a.py::one did not run", False),
        ([run("one")], None, "test_a.py::two did not run", False),
        ([run("one"), run("two", "skipped")], None, "test_a.py::two did not run", False),
        ([run("one"), run("one", "failed"), run("two")], None, "failed 1 of 2 times", False),
        ([run("one"), run("two", "error")], None, "failed 1 of 1 times", False),
        ([run("one"), run("two")], "vm", "passed 1 of 1", True),
        ([run("one"), run("two"), run("two")], "vm", "two passed 2 of 2; now", True),
        ([run("one"), run("two", proved_on="emulated")], "emulated", "passed", False),
        ([run("one", proved_on="real"), run("two", proved_on="real")], "real", "passed", True),
        ([run("one", proved_on="real"), run("two", proved_on="simulated")], "simulated", "passed", False),
    ],
)
def test_a_row_is_as_good_as_its_weakest_check(outcomes, level, evidence, proved):
    rows = judge([ASKED], outcomes, "now")
    assert [row.id for row in rows] == ["A01-01", "A01-02"]
    for row in rows:
        assert row.level == level
        assert evidence in row.evidence
        assert row.proved is proved


@pytest.mark.parametrize(("want", "why"), [("hardware-only", "needs the hardware"), ("vm", "no check")])
def test_a_row_without_checks_is_not_proved(want, why):
    (row,) = judge([Asked(ids=("A01-01",), asked="a thing", want=want)], [run("one")], "now")
    assert (row.level, row.proved) == (None, False)
    assert why in row.evidence


def test_ids_are_of_the_plans_form_and_stand_once():
    ids = [name for one in acceptance.load() for name in one.ids]
    assert len(set(ids)) == len(ids) > 100
    assert all(re.fullmatch(r"[A-Z]+\d\d-\d\d", name) for name in ids)


def test_every_check_that_is_named_is_there():
    for one in acceptance.load():
        for check in one.checks:
            file, _, function = check.partition("::")
            assert f"def {function}(" in (ROOT / "tests" / "verify" / file).read_text()


def test_a_site_that_was_never_verified_says_how(monkeypatch, tmp_path):
    monkeypatch.setattr(checks.paths, "out", lambda _site: tmp_path)
    with pytest.raises(UserError, match="never verified") as caught:
        acceptance.rows_of("lab")
    assert caught.value.hint == "run `gigasite verify lab`"
