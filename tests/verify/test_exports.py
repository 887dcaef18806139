"""Exports: each is a file system of its own, as large as declared, so that nobody can write more."""

from __future__ import annotations

import pytest

KINDS = {"user": "-u", "group": "-g", "project": "-P"}
COLUMNS = (3, 4, 7, 8)
"""Of repquota's CSV, after the name: soft and hard limit in KiB, then of files."""

pytestmark = [pytest.mark.proved_on("vm"), pytest.mark.role("storage")]


def quotas_set(facts, site):
    """For each export with quotas: whether they are in force, then its table for each kind of quota."""
    return tuple(
        command
        for export in facts.exports
        if export.quotas
        for command in (
            f"quotaon -pugP {export.path} || true",
            *(f"repquota -v {option} -O csv {export.path}" for option in KINDS.values()),
        )
    )


def test_size(host, facts):
    """Each export has a file system of its own, and it is as large as declared."""
    for export in facts.exports:
        point = host.mount_point(export.path)
        assert point.exists, f"{export.path} has no file system of its own, so no limit"
        assert point.filesystem == "ext4"
        assert host.file(export.image).size == export.size
        blocks, size = map(
            int, host.check_output(f"stat --file-system --format '%b %S' {export.path}").split()
        )
        # what ext4 itself takes (its tables, its journal) is in the declared size
        assert 0.9 * export.size - (64 << 20) < blocks * size <= export.size


@pytest.mark.asks.with_args(quotas_set)
def test_quotas(shell, facts):
    """Quotas are counted and enforced on each export that has some, as they are declared and no others."""
    limited = [export for export in facts.exports if export.quotas]
    if not limited:
        pytest.skip("no quota is declared")
    commands = iter(quotas_set(facts, None))
    for export in limited:
        said = shell.out(next(commands))
        assert said.count(" is on") == len(KINDS), said
        assert "(accounting)" not in said, "it counts, and refuses nothing"
        for kind in KINDS:
            found = {}
            for line in shell.out(next(commands)).splitlines()[1:]:
                name, *words = line.split(",")
                limits = tuple(int(words[column]) for column in COLUMNS)
                if any(limits):
                    found[name.lstrip("#")] = limits
            assert found == {
                quota.who: (quota.soft, quota.limit, 0, quota.files)
                for quota in export.quotas
                if quota.kind == kind
            }


def test_no_delegations(host):
    """It promises no client that nobody else changes a file: one that was cut off would read what is old."""
    assert host.sysctl("fs.leases-enable") == 0
