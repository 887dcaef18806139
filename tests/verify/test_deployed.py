"""Deployed: the files on the machine are those of the plan."""

from __future__ import annotations

import hashlib

import pytest

from infra.render import deployed_files
from infra.rollout.secrets import secret

pytestmark = pytest.mark.proved_on("vm")


def listings(facts, site):
    """Asks for the attributes and the sums of all files that the machine's roles deploy."""
    names = " ".join(file.path for file in deployed_files(facts, site))
    return f"stat --format '%n %a %U %G' {names} 2>/dev/null", f"sha256sum {names} 2>/dev/null"


@pytest.mark.asks.with_args(listings)
def test_files_are_the_plans(shell, facts, site):
    """Every file that its roles deploy has the plan's content, owner and mode."""
    listed, summed = (shell.run(command).text for command in listings(facts, site))
    attributes = {line.split()[0]: tuple(line.split()[1:]) for line in listed.splitlines()}
    sums = {line.split()[1]: line.split()[0] for line in summed.splitlines()}
    wrong = []
    for file in deployed_files(facts, site):
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
