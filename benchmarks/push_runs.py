"""The runs of `gigasite bench push`: each side is a process of its own, on the same machines."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.compared import Compared, compare
from benchmarks.push_site import SITE, STEPS, Loopback, loopback
from infra.errors import UserError
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LIMIT_S = 1800.0
AGAIN = 5
"""Times that a short command is measured."""
_SAME = "nothing to do: every file is as it shall be"
PUSH = (
    "import sys; from infra.rollout.push.push import push; from infra.rollout.push.steps import plain_steps\n"
    "found = dict(push('{site}', plain_steps('{site}', 'ten.yml'), sys.argv[1:]))\n"
    "sys.exit(str(found) if set(found.values()) != {{None}} or set(found) != set(sys.argv[1:]) else 0)"
)
RUNNER = (
    "import sys; from infra.rollout.configure import attempt\n"
    "_, error = attempt('{site}', limit=sys.argv[1], playbook='ten.yml')\n"
    "sys.exit(error and str(error))"
)
NOTE = """
from infra import paths
from infra.rollout import applied
from infra.rollout.inventory.roster_cache import roster_at

roster = roster_at(paths.inventory("reference") / "site.yaml")
hosts = [roster.names[row] for row in roster.members("pod_pod_01")]
content = applied.content_of("reference", "ten.yml")
applied.note("reference", hosts, applied.what("ten.yml", content))
"""
CLI = "from infra.cli import run; run()"


def measure(count: int, pyinfra: Path | None, say: Callable[[str], None]) -> Iterator[Compared]:
    """Measure on some loopback machines, one side after the other.

    Raises:
        UserError: a run failed, or two sides left different files.
    """
    with tempfile.TemporaryDirectory(prefix="gigasite-") as name, loopback(Path(name), count) as site:
        where = f"{count} machines in an sshd on loopback, {STEPS} steps of a file each"
        hosts = ",".join(site.names)
        ansible = ["ansible-playbook", "-i", f"inventories/{SITE}", f"inventories/{SITE}/playbooks/ten.yml"]
        ansible += ["--limit", hosts]
        say("first configuration: ansible-playbook")
        site.clear()
        theirs = _timed(site, ansible)
        wanted = site.files()
        _disconnect(site)
        say("first configuration: push")
        site.clear()
        ours = _timed(site, [sys.executable, "-c", PUSH.format(site=SITE), *site.names])
        if site.files() != wanted or len(wanted) != count * STEPS:
            raise UserError("the push and Ansible left different files")
        yield compare(
            "push: first configuration, against ansible-playbook", ours, theirs, "s",
            f"{where}; new connections on both sides; the same role; {len(wanted)} byte-identical files",
        )  # fmt: skip
        # All sides have their connections now.
        say("converged: ansible-playbook, plain and by ansible-runner")
        plain = _timed(site, ansible)
        runner = _timed(site, [sys.executable, "-c", RUNNER.format(site=SITE), hosts])
        say("converged: gigasite apply --verify")
        verify = [sys.executable, "-c", CLI, "apply", hosts, "ten.yml", "-s", SITE, "--verify"]
        runs = [_timed(site, verify, expect=_SAME) for _ in range(1 + AGAIN)]
        first, quick = runs[0], median(runs[1:])
        both = f"{where}; the whole command, which compares every file; connections were there on both sides"
        yield compare(
            "push: converged, against ansible-playbook", quick, plain, "s",
            f"{both}; median of {AGAIN}; what the machines shall have was rendered by the comparison before",
        )  # fmt: skip
        yield compare(
            "push: converged, first comparison after a change, against ansible-playbook", first, plain, "s",
            f"{both}; what the machines shall have is rendered anew",
        )  # fmt: skip
        yield compare(
            "ansible-runner against plain ansible-playbook", runner, plain, "s", f"{where}; converged"
        )
        if pyinfra is not None:
            say("converged: pyinfra")
            yield _pyinfra(site, pyinfra, quick, wanted, where)
        _disconnect(site)
        say("nothing to do on a pod of 2,304 trays")
        _timed(site, [sys.executable, "-c", NOTE])
        words = ["apply", "pod_pod_01:&role_tray", "ten.yml", "-s", "reference"]
        _none = "nothing to do: their last rollout gave them the same"
        took = _timed(site, [sys.executable, "-c", CLI, *words], expect=_none)
        yield compare(
            "apply: nothing to do, by hash", took, None, "s", "2,304 trays of the reference; no connection"
        )


def _pyinfra(
    site: Loopback, program: Path, ours: float, wanted: dict[str, tuple[bytes, int]], where: str
) -> Compared:
    """Pyinfra on the converged machines: ten `files.put` of what the role's templates gave."""
    rendered = site.root / "rendered"
    lines = ["from pyinfra import host", "from pyinfra.operations import files"]
    for name, (content, _) in wanted.items():
        target = rendered / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    lines += [
        f"files.put(src=f'{rendered}/{{host.name}}/step_{step:02}.conf', mode='644', "
        f"dest=f'{site.machines}/{{host.name}}/step_{step:02}.conf')"
        for step in range(1, STEPS + 1)
    ]
    (site.root / "deploy.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = {
        "ssh_config_file": str(site.ssh_config),
        "ssh_known_hosts_file": str(site.ssh_config.parent / "ssh/known_hosts"),
    }
    (site.root / "hosts.py").write_text(
        f"machines = [(name, {data!r}) for name in {list(site.names)!r}]\n", encoding="utf-8"
    )
    theirs = _timed(site, [str(program), "-y", "hosts.py", "deploy.py"])
    if site.files() != wanted:
        raise UserError("pyinfra and Ansible left different files")
    version = run([program, "--version"]).stdout.strip()
    return compare("push: converged, against pyinfra", ours, theirs, "s", f"{where}; {version}")


def _disconnect(site: Loopback) -> None:
    """End the shared connections."""
    for name in site.names:
        subprocess.run(["ssh", "-F", site.ssh_config, "-O", "exit", name], capture_output=True, check=False)


def _timed(site: Loopback, words: Sequence[str], *, expect: str = "") -> float:
    """Seconds of a program that must end well, and print what is expected."""
    began = time.perf_counter()
    done = subprocess.run(
        words, cwd=site.root, env=site.environment(), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    took = time.perf_counter() - began
    if done.returncode or expect not in done.stdout:
        raise UserError(f"`{' '.join(words)[:120]} …` failed:\n{(done.stdout + done.stderr)[-1500:]}")
    return took
