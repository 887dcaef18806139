"""Deployed: the files on the machine are those of the plan."""

from __future__ import annotations

import hashlib

import pytest

from infra.render import deployed_files
from infra.rollout.secrets import secret

pytestmark = pytest.mark.proved_on("vm")


def test_files_are_the_plans(shell, facts, site):
    """Every file that its roles deploy has the plan's content, owner and mode."""
    wanted = {file.path: file for file in deployed_files(facts, site)}
    names = " ".join(wanted)
    listed = shell.run(
        "stat --format '%n %a %U %G' " + names + "; sha256sum " + names + " 2>/dev/null"
    ).stdout
    sums, attributes = {}, {}
    for line in listed.splitlines():
        words = line.split()
        if len(words) == 4:
            attributes[words[0]] = (words[1].zfill(4), words[2], words[3])
        else:
            sums[words[1]] = words[0]
    wrong = []
    for path, file in wanted.items():
        if path not in attributes:
            wrong.append(f"{path} is missing")
            continue
        if attributes[path] != (file.mode, file.owner, file.group):
            wrong.append(f"{path} has {' '.join(attributes[path])}")
        if not file.folder:
            content = secret(site.name, file.secret) if file.secret else (file.text or "").encode()
            if sums.get(path) != hashlib.sha256(content).hexdigest():
                wrong.append(f"{path} differs from the plan")
    assert not wrong, "; ".join(wrong)
