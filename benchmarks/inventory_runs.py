"""The inventory plugin beside the same inventory as YAML, and a pod's play beside one on a plain list."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.compared import compare
from infra import paths
from infra.errors import UserError
from infra.rollout.inventory.roster import group_name
from infra.rollout.inventory.roster_cache import roster_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.compared import Compared
    from infra.rollout.inventory.roster import Roster

LIMIT_S = 1800.0
READ = (
    "import sys; from ansible.inventory.manager import InventoryManager as M;"
    "from ansible.parsing.dataloader import DataLoader as L; m = M(L(), sources=[sys.argv[1]]);"
    "print(len(list(m.hosts)), sum(1 for _ in m.groups))"
)
LISTINGS = {
    "--list --export": "variables of the site's group once",
    "--list": "all variables beside each machine",
}
PEAK = "peak resident; the goal is 1 GB"
# A process begins with the peak of the one that starts it (execve keeps it), which must therefore be small.
ALONE = """
import os, sys
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, used = os.wait4(child, 0)
print(used.ru_maxrss)
sys.exit(1 if status else 0)
"""
PLAY = "- hosts: {pattern}\n  gather_facts: false\n  tasks: []\n"


def measure(site: str, *, listing: bool, say: Callable[[str], None]) -> Iterator[Compared]:
    """Measure on a site; each side in a process of its own, the second of two runs.

    Args:
        site: name of the site.
        listing: also `ansible-inventory --list` of all machines, with and without `--export`: minutes.
        say: told what runs.
    """
    declaration = paths.inventory(site) / "site.yaml"
    roster = roster_at(declaration)
    pod = next((name for name in roster.pods.labels), None)
    if pod is None:
        raise UserError(f"site {site} has no pod", hint="use another site")
    pattern = group_name("pod", pod)
    rows = roster.members(pattern)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "hosts.yaml"
        written.write_text(_yaml(roster, rows))
        say(f"reading {len(roster.names):,} machines by the plugin")
        ours, _ = _second(_python(READ, declaration))
        say(f"reading {len(rows):,} machines of {pod} from YAML")
        theirs, _ = _timed(_python(READ, written), {"ANSIBLE_INVENTORY_ENABLED": "yaml"})
        scale = len(roster.names) / len(rows)
        yield compare(
            "read the inventory", ours, theirs * scale, "s",
            f"{len(roster.names):,} machines, {len(roster.groups):,} groups; YAML: names, groups, ports of "
            f"{len(rows):,} machines in {theirs:.1f} s, times {scale:.1f}; the plugin's roster was kept",
        )  # fmt: skip
        plain = Path(folder) / "hosts.ini"
        plain.write_text(f"[{pattern}]\n" + "\n".join(roster.names[row] for row in rows) + "\n")
        play = Path(folder) / "play.yml"
        play.write_text(PLAY.format(pattern=pattern))
        say(f"a play on {pod}, twice on each side")
        own, _ = _second(_tool("ansible-playbook", "-i", declaration.parent, play))
        empty, _ = _second(_tool("ansible-playbook", "-i", plain, play), {"ANSIBLE_INVENTORY_ENABLED": "ini"})
        yield compare(
            "a play without tasks on one pod", own, empty, "s",
            f"{len(rows):,} machines; theirs is a plain list of the same names, without groups and variables",
        )  # fmt: skip
        if listing:
            for words, shown in LISTINGS.items():
                say(f"{words} of all machines")
                took, memory = _timed(_tool("ansible-inventory", "-i", declaration.parent, *words.split()))
                machines = f"{len(roster.names):,} machines, {shown}"
                yield compare(f"{words} of all: time", took, None, "s", machines)
                yield compare(f"{words} of all: memory", memory, None, "GB", f"the same run; {PEAK}")


def _yaml(roster: Roster, rows: Sequence[int]) -> str:
    """Machines and their groups as a YAML inventory."""
    groups: dict[str, list[str]] = {}
    lines = ["all:", "  hosts:"]
    for row in rows:
        lines.append(f"    {roster.names[row]}: {{ansible_host: {roster.names[row]}, ansible_port: 22}}")
        for group in roster.groups_of(row):
            groups.setdefault(group, []).append(roster.names[row])
    lines.append("  children:")
    for group, names in groups.items():
        lines += [f"    {group}:", "      hosts:", *(f"        {name}:" for name in names)]
    return "\n".join(lines) + "\n"


def _python(code: str, source: Path) -> list[str]:
    return [sys.executable, "-c", code, str(source)]


def _tool(name: str, *words: str | Path) -> list[str]:
    return [str(Path(sys.executable).parent / name), *map(str, words)]


def _second(command: list[str], extra: dict[str, str] | None = None) -> tuple[float, float]:
    _timed(command, extra)
    return _timed(command, extra)


def _timed(command: list[str], extra: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds and peak GB of a process; GB of the largest one, if it starts others."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(paths.ROOT / "ansible.cfg"), **(extra or {})}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", ALONE, *command], cwd=paths.ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        peak, said = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"`{' '.join(command[:3])} …` did not end within {LIMIT_S:.0f} s") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise UserError(f"`{' '.join(command[:3])} …` failed:\n{said[-1000:]}")
    return time.perf_counter() - began, int(peak) * 1024 / 1e9
