"""The public suite itself, run from a checkout of it over our configuration, and what it found by test id."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from infra import paths, yamltext
from infra.acceptance.site_nodes import SiteNodes
from infra.errors import UserError
from infra.files import write_whole
from infra.report.acceptance import Case, Results, results_of, results_path
from infra.rollout import ssh

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FOLDER = paths.ROOT / "integrations" / "ai-cloud-validation"
SUITES = tuple(sorted(file.stem for file in (FOLDER / "config").glob("*.yaml")))


def run_suites(
    site: str, checkout: Path, suites: Sequence[str] | None = None, machine: str | None = None
) -> Path:
    """Run the suite's checks against a site that is up, and write what they found.

    Args:
        site: name of the site.
        checkout: of the suite, with its `isvctl` installed in its `.venv` or on PATH.
        suites: of ours, by the names of their files in `config`; None for all.
        machine: tray that the steps of one node are about; the first without it.

    Returns:
        The file of the results.

    Raises:
        UserError: there is no such checkout, or `isvctl` did not run.
    """
    program = checkout / ".venv" / "bin" / "isvctl"
    if not (checkout / "isvctl" / "configs" / "suites").is_dir():
        raise UserError("is no checkout of the AI Cloud Validation suite", where=str(checkout))
    if unknown := sorted(set(suites or ()) - set(SUITES)):
        raise UserError(f"there is no suite {unknown[0]}", hint=f"one of {', '.join(SUITES)}")
    nodes = SiteNodes(site, machine)
    environment = {
        **os.environ,
        "PATH": f"{FOLDER / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "GIGASITE_SITE": site,
        "GIGASITE_MACHINE": nodes.node.name,
        "GIGASITE_HEAD": nodes.head.name,
        "GIGASITE_SSH_CONFIG": str(ssh.config_path(site)),
    }
    out = paths.out(site)
    before = results_of(site)
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    ours = suites or SUITES
    # A run of one suite leaves what the others found.
    found = [case for case in (before.cases if before else ()) if case.suite not in ours]
    for suite in ours:
        report = out / f"acceptance-{suite}.xml"
        report.unlink(missing_ok=True)
        words = [
            str(program) if program.exists() else "isvctl", "test", "run", "-f",
            str(FOLDER / "config" / f"{suite}.yaml"), "--junitxml", str(report), "--no-upload",
            "--no-user-config", "-C", str(checkout),
        ]  # fmt: skip
        try:
            subprocess.run(words, cwd=checkout, env=environment, check=False)
        except FileNotFoundError as error:
            raise UserError(
                "isvctl is not installed", hint=f"install it into {checkout / '.venv'} or put it on PATH"
            ) from error
        if not report.exists():
            raise UserError(f"isvctl left no report of {suite}", where=str(checkout))
        ids = dict(_ids(checkout / "isvctl" / "configs" / "suites" / f"{suite}.yaml"))
        ids |= dict(_ids(FOLDER / "config" / f"{suite}.yaml"))
        found += cases(report, ids, suite, when)
    file = results_path(site)
    write_whole(file, Results(when=when, cases=tuple(found)).model_dump_json(indent=1))
    return file


def cases(report: Path, ids: dict[str, str], suite: str, when: str) -> Iterator[Case]:
    """Read a JUnit report: each check that has a test id.

    Args:
        report: what `isvctl --junitxml` wrote.
        ids: test id by check.
        suite: name, for the evidence.
        when: when it ran, for people.
    """
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 (made by the suite on this machine)
        name = str(case.get("name", "")).partition("[")[2].rstrip("]") or str(case.get("name", ""))
        if (test_id := ids.get(name, "N/A")) == "N/A":
            continue
        outcome, message = "passed", ""
        for kind in ("failure", "error", "skipped"):
            if (told := case.find(kind)) is not None:
                outcome = "failed" if kind != "skipped" else "skipped"
                message = str(told.get("message") or "")[:300]
        yield Case(id=test_id, check=name, outcome=outcome, message=message, suite=suite, when=when)


def _ids(file: Path) -> Iterator[tuple[str, str]]:
    """Test id by check of one of the suite's files, or of ours where that gives a check an id."""
    for group in yamltext.load(file)["tests"].get("validations", {}).values():
        for name, check in group.get("checks", {}).items():
            if test_id := (check or {}).get("test_id"):
                yield name, str(test_id)
