"""Slurm as the service that machines leave and enter: scontrol and squeue on the site's head, by ssh.

Nodes that Slurm itself took out are resumed once they are configured again.
"""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.process import run
from infra.render.clusters import is_server_of
from infra.rollout import ssh
from infra.rollout.cordon import read_cordoned_names
from infra.rollout.inventory.roster import group_name
from infra.rollout.inventory.roster_cache import roster_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from infra.rollout.nodes import Outcome, Service

AWAY_S = 300.0
"""How long a controller that does not answer is waited for: a head restarts in less."""
PAUSE_S = 2.0
SLURM_USER = "slurm"
"""SlurmUser of slurm.conf: who gives the reason where Slurm itself takes a node out."""

OUT = ("drain", "down", "fail", "inval", "not_responding")
"""In the state of a node that is out of service; `inval` (it registered with less than slurm.conf says) hides
that it is drained too."""


class Slurm:
    """See `Service`.

    Args:
        site: name of the site.
        head: machine that runs slurmctld.
        scheduled: machines that Slurm knows; the others need no draining.
        call: runs a shell command on the head → (exit code, output); for tests.
    """

    def __init__(
        self,
        site: str,
        head: str,
        scheduled: Iterable[str],
        call: Callable[[str], tuple[int, str]] | None = None,
        *,
        pause: float = PAUSE_S,
        away: float = AWAY_S,
    ) -> None:
        self.site, self.head, self.scheduled = site, head, frozenset(scheduled)
        self._call = call or self._ssh
        self.pause, self.away = pause, away

    def drain(self, hosts: Sequence[str], reason: str, limit: float, jobs: str) -> Iterator[Outcome]:
        """See `Service`."""
        ours = [host for host in hosts if host in self.scheduled]
        yield from ((host, None) for host in hosts if host not in self.scheduled)
        if not ours:
            return
        self._update(ours, f"State=DRAIN Reason={shlex.quote(reason)}")
        end = time.monotonic() + limit
        left = set(ours)
        while True:
            busy = self._busy(sorted(left))
            for host in sorted(left - set(busy)):
                yield host, None
            left = set(busy)
            if not left or time.monotonic() >= end:
                break
            time.sleep(min(self.pause, max(0.0, end - time.monotonic())))
        if left and jobs != "wait":
            numbers = sorted({job for host in left for job in busy[host]})
            verb = "scontrol requeue" if jobs == "requeue" else "scancel"
            self._run(f"sudo {verb} {','.join(numbers) if jobs == 'requeue' else ' '.join(numbers)}")
            still = self._emptied(sorted(left))
            yield from ((host, None) for host in sorted(left - set(still)))
            left = set(still)
        for host in sorted(left):
            yield host, f"jobs {', '.join(busy[host])} still ran after {limit:.0f} s; policy: {jobs}"

    def _emptied(self, hosts: Sequence[str]) -> Mapping[str, list[str]]:
        """Hosts that jobs have not left though they were told to, after a minute."""
        end = time.monotonic() + max(60.0, self.pause)
        while (busy := self._busy(hosts)) and time.monotonic() < end:
            time.sleep(self.pause)
        return busy

    def hold(self, reasons: Mapping[str, str]) -> None:
        """See `Service`."""
        for host, reason in reasons.items():
            if host in self.scheduled:
                self._update([host], f"State=DRAIN Reason={shlex.quote(reason)}")

    def resume(self, hosts: Iterable[str]) -> Iterator[Outcome]:
        """See `Service`."""
        names = list(hosts)
        ours = [host for host in names if host in self.scheduled]
        yield from ((host, None) for host in names if host not in self.scheduled)
        if not ours:
            return
        still = self.out()
        for _ in range(2):  # one that came back by itself since the look keeps no other from it
            drained = [host for host in ours if host in still]
            if not drained:
                break
            refused = self._resume(drained)
            still = self.out()
            if not refused:
                break
        for host in ours:
            yield host, f"Slurm keeps it out: {still[host]}" if host in still else None

    def _resume(self, hosts: Sequence[str]) -> bool:
        """Resume nodes that were out; whether Slurm refused one, as it does where a node is in service."""
        try:
            self._update(hosts, "State=RESUME")
        except UserError as error:
            if "Invalid node state" not in str(error):
                raise
            return True
        return False

    def out(self) -> Mapping[str, str]:
        """See `Service`: nodes that are drained, draining or down, with Slurm's reason."""
        return {name: reason for name, (reason, _) in self._out().items()}

    def taken_by_itself(self) -> Mapping[str, str]:
        """Nodes that Slurm itself took out (too few GRES, an unexpected reboot), with its reason.

        What a person or a rollout drained, by root or a name, is theirs to give back.
        """
        return {
            name: reason
            for name, (reason, who) in self._out().items()
            if name in self.scheduled and who.split("(")[0] == SLURM_USER
        }

    def _out(self) -> dict[str, tuple[str, str]]:
        """Reason, and who gave it, by node that is out of service."""
        printed = self._run("sinfo --noheader --Node --format='%N|%T|%u|%E'")
        found = {}
        for line in printed.splitlines():
            name, state, who, reason = [*line.strip().split("|", 3), "", "", ""][:4]
            if any(word in state for word in OUT):
                found[name] = (reason or state, who)
        return found

    def _busy(self, hosts: Sequence[str]) -> dict[str, list[str]]:
        """Numbers of the jobs that are on each host now; only hosts that have some."""
        if not hosts:
            return {}
        printed = self._run(
            f"squeue --noheader --states=running,completing,suspended,configuring --format='%A %N' "
            f"--nodelist={','.join(hosts)} | while read job nodes; do "
            'for node in $(scontrol show hostnames "$nodes"); do echo "$job $node"; done; done'
        )
        found: dict[str, list[str]] = {}
        wanted = set(hosts)
        for line in printed.splitlines():
            job, _, host = line.strip().partition(" ")
            if host in wanted:
                found.setdefault(host, []).append(job)
        return found

    def _update(self, hosts: Sequence[str], change: str) -> None:
        self._run(f"sudo scontrol update NodeName={','.join(hosts)} {change}")

    def _run(self, command: str) -> str:
        """Run a command on the head; a slurmctld that is away is waited for.

        Raises:
            UserError: it stays away, or refuses.
        """
        end = time.monotonic() + self.away
        while True:
            code, printed = self._call(command)
            if code == 0:
                return printed
            away = code == 255 or any(
                text in printed for text in ("Unable to contact", "Connection refused", "Socket timed out")
            )
            if not away or time.monotonic() >= end:
                raise UserError(
                    f"`{command.split('|', maxsplit=1)[0].strip()[:120]}` failed: {printed.strip()[-300:]}",
                    where=self.head,
                    hint="look at slurmctld there" if away else None,
                )
            time.sleep(self.pause)

    def _ssh(self, command: str) -> tuple[int, str]:
        done = run(["ssh", "-F", ssh.config_path(self.site), self.head, command], check=False, timeout=120)
        if done.returncode and (why := ssh.explain_refusal(self.site, self.head, done.stderr)):
            raise UserError(why, where=self.head)  # no waiting mends that
        return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr


class NoService:
    """A site without a scheduler: nothing has to be drained."""

    def drain(self, hosts: Sequence[str], reason: str, limit: float, jobs: str) -> Iterator[Outcome]:
        """See `Service`."""
        del reason, limit, jobs
        yield from ((host, None) for host in hosts)

    def hold(self, reasons: Mapping[str, str]) -> None:
        """See `Service`."""

    def resume(self, hosts: Iterable[str]) -> Iterator[Outcome]:
        """See `Service`."""
        yield from ((host, None) for host in hosts)

    def out(self) -> Mapping[str, str]:
        """See `Service`."""
        return {}


def find_service(site: str) -> Service:
    """Return Slurm on the site's head, or a service that holds no machine where the site has none.

    Raises:
        UserError: the declaration is wrong.
    """
    from infra.rollout.inventory.facts import site_at  # noqa: PLC0415 (polars is slow to import)

    declaration = paths.inventory(site) / "site.yaml"
    roster, known = roster_at(declaration), site_at(declaration)
    ssh.write_config(site, known.machines())
    slurm = known.planned.site.schedulers.slurm
    heads = [
        roster.names[row]
        for row in (roster.members("role_management") if slurm else ())
        if slurm and is_server_of(roster.names[row], site, slurm.controller)
    ]
    if not slurm or not heads:
        return NoService()
    partitions = [group_name("partition", partition.name) for partition in slurm.partitions]
    scheduled = {
        roster.names[row] for name in partitions if name in roster.groups for row in roster.members(name)
    }
    return Slurm(site, heads[0], scheduled)


def resume_repaired(site: str, say: Callable[[str], None], service: Service | None = None) -> list[str]:
    """Resume the nodes that Slurm itself took out, now that they are configured again; their names.

    A node that is still at fault is taken out again when it registers, with its reason.

    Args:
        site: its name.
        say: told of each node, with Slurm's reason.
        service: instead of the site's own.
    """
    slurm = service or find_service(site)
    if not isinstance(slurm, Slurm):
        return []
    held = set(read_cordoned_names(site))
    taken = {name: why for name, why in slurm.taken_by_itself().items() if name not in held}
    back = []
    for name, refused in slurm.resume(taken):
        back += [name] * (refused is None)
        say(
            f"{name}: {refused}"
            if refused
            else f"{name}: back in Slurm, which had taken it out: {taken[name]}"
        )
    return back
