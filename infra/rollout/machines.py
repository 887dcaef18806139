"""The real machines of a rollout: a push or Ansible configures them, ssh asks what they know."""

from __future__ import annotations

import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.rollout import ssh
from infra.rollout.nodes import Known
from infra.rollout.push.push import push
from infra.rollout.push.steps import plain_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from infra.rollout.configure import PlayEvent
    from infra.rollout.nodes import Outcome

APPLIED = "/var/lib/gigasite/applied"
"""File on a machine with the hash of what it was given last."""

ASK = (
    f"cat {APPLIED} 2>/dev/null || echo; cat /proc/sys/kernel/random/boot_id; "
    "ls /run/reboot-required 2>/dev/null || :"
)
WELL = "systemctl list-units --failed --no-legend --plain | grep . && exit 1 || exit 0"
"""No unit of the machine has failed; it prints those that have."""

AT_ONCE = 32
ANSWER_S = 90.0
"""How long a machine may take to answer a question; a first ssh key exchange takes over 3 s when emulated."""
BOOT_S = 600.0


class Machines:
    """See `Nodes`.

    Args:
        site: name of the site.
        playbook: below `playbooks/`.
        on_event: told of Ansible's events.
    """

    def __init__(
        self, site: str, playbook: str, on_event: Callable[[PlayEvent], None] = lambda _: None
    ) -> None:
        self.site, self.playbook, self.on_event = site, playbook, on_event

    def known(self, hosts: Sequence[str]) -> Mapping[str, Known]:
        """See `Nodes`."""
        found = {}
        for host, reason, printed in self._each(hosts, ASK, ANSWER_S):
            lines = printed.splitlines()
            if reason is None and len(lines) >= 2:
                found[host] = Known(lines[0].strip(), lines[1].strip(), len(lines) > 2)
        return found

    def apply(self, content: Mapping[str, str]) -> Iterator[Outcome]:
        """See `Nodes`; a playbook that only deploys is pushed, Ansible does others."""
        steps = plain_steps(self.site, self.playbook)
        outcomes = self._play(content) if steps is None else push(self.site, steps, content)
        good = []
        for host, reason in outcomes:
            if reason is None:
                good.append(host)
            else:
                yield host, reason
        marks = {
            host: f"sudo mkdir -p /var/lib/gigasite && echo {content[host]} | sudo tee {APPLIED}"
            for host in good
        }
        for host, reason, _ in self._all(marks, ANSWER_S):
            yield host, reason

    def _play(self, content: Mapping[str, str]) -> Iterator[Outcome]:
        """Let Ansible run the playbook."""
        from infra.rollout.configure import attempt  # noqa: PLC0415 (ansible-runner is slow to import)

        with TemporaryDirectory() as folder:
            chosen = Path(folder) / "hosts"
            chosen.write_text("".join(f"{host}\n" for host in content))
            result, error = attempt(
                self.site, limit=f"@{chosen}", playbook=self.playbook, on_event=self.on_event
            )
        failed: dict[str, str] = {
            event.host: f"{event.task}: {event.message}" for event in reversed(result.failures)
        }
        if error and not failed:  # no task ran: nothing is known of any machine
            failed = dict.fromkeys(content, error.message)
        yield from ((host, failed.get(host)) for host in content if host in failed or host in result.hosts)

    def reboot(self, hosts: Sequence[str]) -> Iterator[Outcome]:
        """See `Nodes`."""
        before = self.known(hosts)
        # The answer is lost with the machine: what counts is that it comes back from another boot.
        list(self._each(hosts, "sudo systemctl reboot", ANSWER_S))
        left = dict.fromkeys(hosts)
        end = time.monotonic() + BOOT_S
        while left and time.monotonic() < end:
            time.sleep(2)
            for host, known in self.known(list(left)).items():
                if host not in before or known.boot != before[host].boot:
                    left.pop(host)
                    yield host, None
        for host in left:
            yield host, f"it did not come back from a reboot within {BOOT_S:.0f} s"

    def prove(
        self, hosts: Sequence[str], command: str, limit: float
    ) -> Iterator[tuple[str, str | None, str]]:
        """See `Nodes`."""
        yield from self._each(hosts, command or WELL, limit)

    def _each(
        self, hosts: Sequence[str], command: str, limit: float
    ) -> Iterator[tuple[str, str | None, str]]:
        yield from self._all(dict.fromkeys(hosts, command), limit)

    def _all(self, commands: Mapping[str, str], limit: float) -> Iterator[tuple[str, str | None, str]]:
        """Run a command on each machine: name, None or why it failed, what it printed."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(lambda host: self._one(host, commands[host], limit), commands)

    def _one(self, host: str, command: str, limit: float) -> tuple[str, str | None, str]:
        try:
            done = ssh.run_on(self.site, host, f"sh -c {shlex.quote(command)}", timeout=limit)
        except UserError as error:
            return host, error.message, ""
        if done.returncode == 0:
            return host, None, done.stdout
        said = (done.stdout.strip() or done.stderr.strip() or "nothing").splitlines()[-1]
        said = ssh.explain_refusal(self.site, host, done.stderr) or said
        unreachable = "cannot be reached" if done.returncode == 255 else f"exit code {done.returncode}"
        return host, f"{unreachable}: {said}", done.stdout
