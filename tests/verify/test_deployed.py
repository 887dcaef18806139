"""Deployed: the files on the machine are those of the plan."""

from __future__ import annotations

import hashlib
import shlex

import pytest

from infra.render import render_files
from infra.rollout.secrets import secret

pytestmark = pytest.mark.proved_on("vm")


def test_files_are_the_plans(host, facts, site, variables):
    """Every file that its roles deploy has the plan's content, owner and mode."""
    files = render_files(facts, site, variables)
    # two commands and not four of `host.file(path)` for each file: a machine starts programs slowly
    names = " ".join(shlex.quote(file.path) for file in files)
    listed = host.run(f"stat --format '%n %a %U %G' {names}").stdout
    summed = host.run(f"sha256sum {names}").stdout
    attributes = {line.split()[0]: tuple(line.split()[1:]) for line in listed.splitlines()}
    sums = {line.split()[1]: line.split()[0] for line in summed.splitlines() if len(line.split()) == 2}
    wrong = []
    for file in files:
        if file.path not in attributes:
            wrong.append(f"{file.path} is missing")
            continue
        if attributes[file.path] != (file.mode.lstrip("0"), file.owner, file.group):
            wrong.append(f"{file.path} has {' '.join(attributes[file.path])}")
        if not file.folder:
            content = secret(site.name, file.secret) if file.secret else (file.text or "").encode()
            if sums.get(file.path) != hashlib.sha256(content).hexdigest():
                wrong.append(f"{file.path} differs from the plan")
    assert not wrong, "; ".join(wrong)
