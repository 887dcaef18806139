"""Faults that a person puts into a running stand-in, to see what notices them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.lab.accelerator import faults
from infra.lab.accelerator.inventory import pci_address
from infra.process import run
from infra.rollout import ssh
from infra.rollout.inventory.targets import targets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from infra.plan.tables.machines import Machine
    from infra.rollout.inventory.targets import Targets

_LIMIT_S = 90
"""A login on an emulated machine takes seconds, and many when it is busy."""


def inject(name: str, words: Sequence[str], sites: Sequence[str]) -> faults.Fault:
    """Put a fault into an accelerator of a stand-in that runs, or undo those that were put there.

    Args:
        name: the machine's.
        words: the fault, for example `gpu 2 xid 79`.
        sites: names of the sites among whose machines it may be.

    Returns:
        what was done.

    Raises:
        UserError: there is no such machine or fault, or the machine does not answer.
    """
    found = _find(name, sites)
    machine = found.by_name[name]
    if machine.stand_in is None:
        raise UserError(f"{name} is no stand-in: faults are put into stand-ins alone", where=found.site)
    fault = faults.parse(list(words), machine.accelerators)
    _run(found, machine, faults.script(fault, [*map(pci_address, range(machine.accelerators))]))
    return fault


def _find(name: str, sites: Sequence[str]) -> Targets:
    made = [site for site in sites if (paths.ROOT / ".gigasite" / site / "machines" / name).is_dir()]
    if not made:
        raise UserError(
            f"no machine {name} was made here", hint="`gigasite up SITE` makes them; its report names them"
        )
    return targets(made[0])


def _run(found: Targets, machine: Machine, script: str) -> None:
    config = ssh.write_config(found.site, found.machines)
    # By standard input: no quoting of ours meets the far shell's.
    command: list[str | Path] = ["ssh", "-F", config, machine.name, "sudo", "sh", "-e"]
    done = run(command, stdin=script, timeout=_LIMIT_S, check=False)
    if done.returncode:
        why = ssh.explain_refusal(found.site, machine.name, done.stderr) or done.stderr.strip()
        raise UserError(
            f"{machine.name} did not take the fault: {why or f'exit {done.returncode}'}",
            hint="does it run? `gigasite refresh` says",
        )
