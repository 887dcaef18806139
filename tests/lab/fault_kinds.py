"""Faults of the lab as data: what puts each in, and what a person does before `up`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import paths
from infra.lab import bmc
from infra.lab import machines as domains
from infra.lab.driver import StandIn
from infra.plan.tables.machines import Role
from infra.process import run as process
from tests.lab.host_keys import put_key_back, refuse_everywhere, swap_key
from tests.lab.world import Broken, World

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: as `--only` takes it.
        strike: puts it in; says what was done, to whom.
        mend: what brings the lab back, after which `up` must find every check green.
        says: what `up` must print then, with `{}` for what was struck.
    """

    name: str
    strike: Callable[[World], str]
    mend: Callable[[World, str], object] = lambda _world, _struck: None
    says: str = ""


def _kill_up(world: World) -> str:
    seconds = world.chance.uniform(1, 40)
    started = world.lab.start("up", "lab")
    time.sleep(seconds)
    started.kill()
    started.wait()
    return f"up after {seconds:.0f} s"


def _stop_vm(world: World) -> str:
    name = world.pick()
    with StandIn(paths.state("lab"), name) as one:
        one.crash()
    return name


def _destroy_vm(world: World) -> str:
    name = world.pick()
    state = paths.state("lab")
    bmc.remove_bmc(state, name)
    domains.undefine(state, name, "lab")
    return name


def _kill_bmc(world: World) -> str:
    name = world.pick()
    found = bmc.bmc_process(paths.state("lab"), name)
    if found is not None:
        process(["kill", "-9", str(found.pid)])
    return name


def _corrupt_overlay(world: World) -> str:
    name = world.pick()
    with StandIn(paths.state("lab"), name) as one:
        one.crash()
    disk = paths.state("lab") / "machines" / name / "disk.qcow2"
    with disk.open("r+b") as file:
        file.write(b"\0" * 512)
    return name


def _replace(world: World, name: str) -> None:
    said = world.expect("up", "lab", code=1)
    if f"gigasite replace {name}" not in said or "disk.qcow2 is damaged" not in said:
        raise Broken(f"a damaged disk of {name} was not named:\n{said[-2500:]}")
    refused = world.expect("replace", name, code=1)
    if f"destroying the data of {name} needs a yes" not in refused:
        raise Broken(f"nobody was asked before {name} was made anew:\n{refused[-2500:]}")
    world.expect("replace", name, "--yes")


def _unplug(world: World) -> str:
    tray = world.pick(Role.TRAY)
    nic = next(machine for machine in world.machines if machine.name == tray).nics[0].name
    with StandIn(paths.state("lab"), tray) as one:
        one.unplug(nic)
    return f"{tray} {nic}"


def _plug(world: World, struck: str) -> None:
    tray, nic = struck.split()
    said = world.expect("verify", "lab", code=1)
    if tray not in said or "cable" not in said.lower():
        raise Broken(f"the unplugged cable of {tray} was not named:\n{said[-2500:]}")
    with StandIn(paths.state("lab"), tray) as one:
        one.plug(nic)


def _swap_key(world: World) -> str:
    name = world.pick(Role.TRAY, Role.STORAGE)
    swap_key(world, name)
    return name


def _restore_key(world: World, name: str) -> None:
    refuse_everywhere(world, name)
    put_key_back(name)
    # The rollout keeps the machine out of service until it went well there.
    world.expect("rollout", "retry", "lab", "--failed")


def _skew_clock(world: World) -> str:
    name = world.pick()
    seconds = world.chance.choice([-7200, -90, 45, 3600])
    world.within(name, f"date -s '{seconds} seconds'")
    return f"{name} by {seconds} s"


def _stop_service(world: World) -> str:
    name = world.pick()
    running = world.within(
        name,
        "systemctl list-units --type=service --state=running --plain --no-legend | cut -d' ' -f1 | "
        "grep -E '^(chrony|slurmd|slurmctld|munge|nfs-server|nfs-mountd|frr|nftables)' || true",
    ).split()
    service = world.chance.choice(sorted(running) or ["chrony.service"])
    world.within(name, f"systemctl disable --now {service}")
    return f"{service} on {name}"


def _fill_disk(world: World) -> str:
    name = world.pick(Role.TRAY, Role.STORAGE)
    world.within(
        name, "head -c 20G /dev/zero > /var/fill 2>/dev/null || true; echo > /etc/chrony/chrony.conf || true"
    )
    return name


def _empty_disk(world: World, name: str) -> None:
    said = world.expect("up", "lab", code=1)
    if name not in said or "No space left on device: '/etc/chrony/chrony.conf'" not in said:
        raise Broken(f"the full disk of {name}, or what is on it, was not named:\n{said[-2500:]}")
    world.within(name, "rm /var/fill")


def _kill_slurmctld(world: World) -> str:
    name = world.pick(Role.MANAGEMENT)
    world.within(name, "systemctl kill -s KILL slurmctld; sleep 1; systemctl stop slurmctld")
    return name


def _lose_accelerators(world: World) -> str:
    """Let a tray register with fewer accelerators than it has: Slurm itself takes it out."""
    name, head = world.pick(Role.TRAY), world.pick(Role.MANAGEMENT)
    world.within(
        name, "echo 'Name=gpu File=/dev/nvidia[0-2]' > /etc/slurm/gres.conf; systemctl restart slurmd"
    )
    with StandIn(paths.state("lab"), head) as one:
        one.wait_until_succeeds(
            f"sinfo --noheader --Node --nodes={name} --format=%T | grep -qE 'drain|inval'"
        )
    return name


def _delete_file(world: World) -> str:
    name = world.pick()
    files = ["/etc/chrony/chrony.conf", "/etc/nftables.conf"]
    if name in {machine.name for machine in world.machines if machine.role in {Role.TRAY, Role.MANAGEMENT}}:
        files += ["/etc/slurm/slurm.conf", "/etc/munge/munge.key"]
    file = world.chance.choice(files)
    world.within(name, f"rm -f {file}")
    return f"{file} on {name}"


def _garble_file(world: World) -> str:
    name = world.pick()
    world.within(name, "head -c 300 /dev/urandom > /etc/chrony/chrony.conf; systemctl restart chrony || true")
    return name


def _fill_export(world: World) -> str:
    """Write past the end of the shared folder from a client, as a person would."""
    name, server = world.pick(Role.TRAY), world.pick(Role.STORAGE)
    said = world.within(
        name,
        "fallocate -l 800M /shared/fill; head -c 2G /dev/zero 2>&1 >>/shared/fill; "
        "stat -c ' %s bytes' /shared/fill",
    )
    if "No space left on device" not in said:
        raise Broken(f"{name} wrote more to /shared than the export holds: {said}")
    free = int(world.within(server, "df --output=avail --block-size=M / | tail -1").strip().rstrip("M"))
    if free < 100:
        raise Broken(f"the full export left {free} MiB of the disk of {server}")
    return name


def _empty_export(world: World, name: str) -> None:
    said = world.expect("verify", "lab", "--limit", name, code=1)
    if name not in said or "No space left on device" not in said:
        raise Broken(f"the full export that {name} met was not named:\n{said[-2500:]}")
    world.within(name, "rm /shared/fill")


def _leave_account(world: World) -> str:
    """Let a machine have what an earlier declaration said: an account, its group and its key."""
    name = world.pick()
    world.within(
        name,
        "cd /etc && echo 'u mallory 10099 \"declared to gigasite\" /home/mallory /bin/bash' >> "
        "sysusers.d/gigasite.conf && "
        "python3 /usr/local/lib/gigasite/accounts.py /etc/sysusers.d/gigasite.conf && "
        "echo 'ssh-ed25519 AAAA mallory' > ssh/authorized_keys.d/mallory && id mallory",
    )
    return name


def _await_no_account(world: World, name: str) -> None:
    said = world.expect("verify", "lab", "--limit", name, code=1)
    if name not in said or "mallory" not in said:
        raise Broken(f"the account on {name} that nobody declares was not named:\n{said[-2500:]}")


FAULTS: tuple[Fault, ...] = (
    Fault("killed-slurmctld", _kill_slurmctld),
    Fault("drained-node", _lose_accelerators, says="{}: back in Slurm, which had taken it out: gres/gpu"),
    Fault("deleted-file", _delete_file),
    Fault("garbled-file", _garble_file),
    Fault("skewed-clock", _skew_clock),
    Fault("stopped-service", _stop_service),
    Fault("full-disk", _fill_disk, _empty_disk),
    Fault("full-export", _fill_export, _empty_export),
    Fault("removed-user", _leave_account, _await_no_account),
    Fault("swapped-host-key", _swap_key, _restore_key),
    Fault("unplugged-cable", _unplug, _plug),
    Fault("killed-up", _kill_up),
    Fault("killed-bmc", _kill_bmc),
    Fault("corrupt-overlay", _corrupt_overlay, _replace),
    Fault("stopped-vm", _stop_vm),
    Fault("destroyed-vm", _destroy_vm),
)
"""Every fault, as data; a new one is a line here and a function that puts it in. Those that take power come
last: the others need a machine that answers."""
