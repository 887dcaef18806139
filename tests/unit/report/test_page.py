"""The report page: complete, self-contained, and true to the run."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser

import pytest

from infra.plan import machines_of
from infra.report import content, drawing, fidelity, page
from infra.report.checks import ProvedOn

pytestmark = pytest.mark.unit


class Balanced(HTMLParser):
    """Fails at a closing tag that closes nothing, or another element."""

    EMPTY = frozenset({"meta", "br", "rect", "line", "link", "input"})

    def __init__(self):
        super().__init__()
        self.open = []
        self.links = []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in {"src", "href"}]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def text(record, lab, checks):
    machines = machines_of(lab)
    report = content.build(record, lab, checks)
    return page.draw(report, racks=drawing.racks(machines), topology=drawing.topology(machines))


def test_is_well_formed_and_fetches_nothing(text):
    parser = Balanced()
    parser.feed(text)
    assert not parser.open
    assert not parser.links
    assert not re.search(r"@import|url\(|<script", text)


def test_shows_the_job_on_both_trays_and_every_machine(text, lab):
    job = re.search(r"<pre>(.*?)</pre>", text[text.index("a job runs on every tray") :], re.DOTALL)
    assert "tray-01" in job.group(1)
    assert "tray-02" in job.group(1)
    for machine in machines_of(lab):
        assert f"<td>{machine.name}</td>" in text


def test_says_what_failed_and_escapes_what_machines_say(text):
    assert "munge is &lt;inactive&gt;" in text
    assert "<inactive>" not in text
    assert re.search(r"<h1>.*failed", text, re.DOTALL)


def test_says_which_engine_acceleration_and_start(text, record):
    for words in (record.engine, record.acceleration, record.start_mode):
        assert html.escape(words).replace("&#x27;", "&#39;") in text


def test_names_what_only_hardware_proves(text):
    for item in fidelity.load().hardware_only:
        assert html.escape(item).replace("&#x27;", "&#39;") in text


def test_draws_every_machine_and_cable(lab):
    machines = machines_of(lab)
    wires = drawing.topology(machines)
    assert wires.count("<line") == 4  # both trays, head and storage to the leaf
    assert wires.count("<rect") == len(machines)
    front = drawing.racks(machines)
    assert front.count('class="frame"') == len({machine.rack for machine in machines})
    assert "HEIGHT" not in front


def test_draws_nothing_when_there_are_too_many(lab):
    many = machines_of(lab) * 20
    assert drawing.topology(many) == ""


def test_the_json_twin_holds_the_same(record, lab, checks, elsewhere):
    (elsewhere / "out" / "lab").mkdir(parents=True)
    (elsewhere / "out" / "lab" / "verify.json").write_text(
        json.dumps(
            {
                "checks": [
                    {
                        "name": c.name,
                        "machine": c.machine,
                        "outcome": c.outcome,
                        "proved_on": c.proved_on,
                        "output": c.output,
                    }
                    for c in checks.checks
                ]
            }
        )
    )
    written = page.write(record, lab)
    twin = json.loads(written.with_suffix(".json").read_text())
    assert twin["record"]["engine"] == record.engine
    assert [machine["name"] for machine in twin["machines"]] == [machine.name for machine in machines_of(lab)]
    assert twin["jobs"][0]["output"].count("tray-") == 2
    assert sum(len(row["results"]) for row in twin["checks"]) == len(checks.checks)


def test_the_fidelity_table_counts_by_check_and_kind(checks):
    rows = {(row.check, row.proved_on): row for row in fidelity.rows(checks.checks)}
    time = rows["time comes from the head node", ProvedOn.VM]
    assert (time.machines, time.passed, time.total) == (5, 5, 5)
    munge = rows["munge is running", ProvedOn.VM]
    assert (munge.machines, munge.passed, munge.total) == (1, 0, 1)
    job = rows["a job runs on every tray", ProvedOn.VM]
    assert job.machines == 0


def test_draws_the_sites_diagrams(record, lab):
    text = page.write(record, lab).read_text(encoding="utf-8")
    shown = re.findall(r"<details(?: open)?><summary>(.*?)</summary><svg", text)
    assert {"Tiers of north-south", "Wiring of scalable unit pod-01-su-01"} <= set(shown)
    assert 'class="port north-south' in text
    assert "svg .port" in text


def test_tells_who_may_reach_whom_and_why(text, lab):
    rows = re.findall(r"<tr><td>(\w+)</td><td>(\w+)</td><td><span class=\"badge \w+\">(\w+)</span>", text)
    zones = {zone.name for zone in lab.site.security.zones}
    assert {(source, target) for source, target, _ in rows} == {(a, b) for a in zones for b in zones}
    assert ("compute", "storage", "allow") in rows
    assert "no rule allows storage to reach compute" in text
