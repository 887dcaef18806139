"""Neighbours that a site's machines hear by LLDP, and the cables that the plan has between these machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.render.network.cabling import End
from infra.render.network.lldp import read_neighbors
from infra.rollout import ssh
from infra.verify.batch import BatchBackend
from infra.verify.hosts import CONNECT_S
from infra.verify.rehearsal import ask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.plan.tables.machines import Machine
    from infra.render.facts import MachineFacts
    from infra.render.network.cabling import Seen
    from infra.rollout.inventory.targets import Targets

COMMAND = "lldpcli -f json show neighbors details"
"""What a machine is asked (lldpcli(8))."""


def runs_lldp(facts: MachineFacts) -> bool:
    """Return whether a machine runs the daemon that is asked."""
    return bool(facts.links) and "lldp" in facts.applied.get("base", ())


def cables_among(machines: Iterable[Machine]) -> list[tuple[End, End, float]]:
    """List the cables with both ends at some machines, and the Gbit/s of each; hosts' ends first."""
    own = list(machines)
    names = {machine.name for machine in own}
    # A host's cable is told from the host's side, as the plan's table has it.
    own.sort(key=lambda machine: machine.role == "switch")
    found: dict[End, tuple[End, End, float]] = {}
    for machine in own:
        for nic in machine.nics:
            end = End(machine.name, nic.name)
            if nic.peer and nic.peer[0] in names and end not in found:
                found[End(*nic.peer)] = (end, End(*nic.peer), nic.gbit)
    return list(found.values())


def read_answer(text: str, name: str) -> list[Seen]:
    """Read what a machine answered.

    Raises:
        Problems: it is something else.
    """
    return read_neighbors(text, name, f"{name}: {COMMAND}")


def ask_neighbors(targets: Targets) -> list[Seen]:
    """Ask all machines that run the daemon, each in one login, all at the same time.

    Raises:
        UserError: one does not answer, or its daemon does not.
        Problems: an answer is something else.
    """
    config = ssh.write_config(targets.site, targets.machines)
    asked = [machine.name for machine in targets.machines if runs_lldp(targets.facts_of(machine))]
    if not asked:
        raise UserError(f"no machine of {targets.site} runs LLDP by our roles", hint="give a file instead")
    backends = [
        BatchBackend(name, ssh_config=str(config), controlpersist=0, timeout=CONNECT_S, sudo=True)
        for name in asked
    ]
    ask(dict.fromkeys(backends, (COMMAND,)))
    silent = [f"  {backend.hostname}: {_fault(backend)}" for backend in backends if _fault(backend)]
    if silent:
        raise UserError(
            "machines do not tell their neighbours:\n" + "\n".join(silent),
            hint=f"see that they run: `gigasite up {targets.site}`",
        )
    return [
        entry
        for backend in backends
        for entry in read_answer(backend.answers[COMMAND].stdout, backend.hostname)
    ]


def _fault(backend: BatchBackend) -> str:
    if COMMAND not in backend.answers:
        return backend.away or "no answer"
    said = backend.answers[COMMAND]
    return said.stderr.strip() or f"exit {said.rc}" if said.rc else ""
