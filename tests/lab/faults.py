"""The lab under faults: each is put in for real, and one command of a user's has to bring every check back.

    python -m tests.lab.faults --minutes 60 --seed 7        # an hour of faults at random, then down
    python -m tests.lab.faults --only stopped-vm            # some by name, each once

What happened is in out/test/faults.json, a line for each fault, and on standard output. It ends with 1 at the
first fault after which a check is not green; the lab then stays as it is, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from infra import paths, spec
from infra.lab import bmc, session
from infra.lab import machines as domains
from infra.lab.driver import DriverError, StandIn
from infra.plan import machines_of, plan
from infra.plan.tables.machines import Machine, Role
from infra.process import run as process
from infra.rollout import ssh
from tests.lab.conftest import Lab, is_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KEYS = "/etc/ssh/ssh_host_ed25519_key"


@dataclass
class World:
    """The lab that is up, and whom chance picks.

    Attributes:
        lab: the command line.
        chance: picks machines and moments.
        machines: of the plan.
    """

    lab: Lab
    chance: random.Random
    machines: tuple[Machine, ...] = field(default_factory=lambda: machines_of(plan(spec.load_site("lab"))))

    def pick(self, *roles: Role) -> str:
        """Name of a machine of one of these roles; of any without."""
        names = [machine.name for machine in self.machines if not roles or machine.role in roles]
        return self.chance.choice(sorted(names))

    def within(self, name: str, command: str) -> str:
        """Run a shell command as root on a machine."""
        with StandIn(paths.state("lab"), name) as one:
            return one.succeed(command)

    def expect(self, *words: str, code: int = 0) -> str:
        """Run a command that must end so; what it printed.

        Raises:
            Broken: it ended otherwise.
        """
        done = self.lab.run(*words)
        if done.returncode != code:
            raise Broken(f"`gigasite {' '.join(words)}` ended with {done.returncode}:\n{done.stdout[-2500:]}")
        return done.stdout

    def disconnect(self) -> None:
        """End the connections that earlier commands keep open: the next ones are new."""
        for name in (machine.name for machine in self.machines):
            process(["ssh", "-F", ssh.config_path("lab"), "-O", "exit", name], check=False, timeout=20)


class Broken(AssertionError):  # noqa: N818 (it says what happened)
    """The lab did not come back, or an error did not say what it must."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: as `--only` takes it.
        strike: puts it in; says what was done, to whom.
        mend: what brings the lab back, after which `up` must find every check green.
    """

    name: str
    strike: Callable[[World], str]
    mend: Callable[[World, str], object] = lambda _world, _struck: None


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
    world.within(
        name,
        f"cp -p {KEYS} /root/key && cp -p {KEYS}.pub /root/key.pub && rm {KEYS} {KEYS}.pub && "
        f"ssh-keygen -q -t ed25519 -N '' -f {KEYS} && systemctl restart ssh",
    )
    world.disconnect()
    return name


def refused_ways(world: World, name: str) -> dict[str, str]:
    """Every way to a machine: what each said; all must have refused it."""
    root, config = paths.ROOT, ssh.config_path("lab")
    ansible = root / ".venv" / "bin"
    said = {way: world.expect(*way.split(), code=1) for way in ("configure lab", "verify lab", "up lab")}
    plain = {
        "ansible": [ansible / "ansible", "-i", "inventories/lab", name, "-m", "ping"],
        "ansible-playbook": [
            ansible / "ansible-playbook",
            "-i",
            "inventories/lab",
            "playbooks/site.yml",
            "-l",
            name,
        ],
        "ssh": ["ssh", "-F", config, name, "true"],
    }
    for way, words in plain.items():
        done = process(words, check=False, timeout=600, cwd=root)
        if done.returncode == 0:
            raise Broken(f"{way} let itself in to {name}, whose host key is another's")
        said[way] = done.stdout + done.stderr
    with StandIn(paths.state("lab"), name) as one:
        try:
            one.execute("true")
        except DriverError as error:
            said["test driver"] = str(error)
        else:
            raise Broken(f"the test driver let itself in to {name}")
    return said


def _restore_key(world: World, name: str) -> None:
    for way, said in refused_ways(world, name).items():
        if "host key" not in said.lower() and "HOST IDENTIFICATION" not in said:
            raise Broken(f"{way} does not say that it is the host key of {name}:\n{said[-2500:]}")
    # By the machine's own key only: a person at the console puts it back.
    options = (
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "ControlPath=none",
    )
    command = (
        f"sudo sh -c 'mv /root/key {KEYS} && mv /root/key.pub {KEYS}.pub && systemctl restart ssh && "
        "stat -c %Y /etc/munge/munge.key 2>/dev/null || true'"
    )
    process(["ssh", "-F", ssh.config_path("lab"), *options, name, command], timeout=300)


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
    if name not in said or "o space left" not in said:
        raise Broken(f"the full disk of {name} was not named:\n{said[-2500:]}")
    world.within(name, "rm /var/fill")


def _kill_slurmctld(world: World) -> str:
    name = world.pick(Role.MANAGEMENT)
    world.within(name, "systemctl kill -s KILL slurmctld; sleep 1; systemctl stop slurmctld")
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


FAULTS: tuple[Fault, ...] = (
    Fault("killed-slurmctld", _kill_slurmctld),
    Fault("deleted-file", _delete_file),
    Fault("garbled-file", _garble_file),
    Fault("skewed-clock", _skew_clock),
    Fault("stopped-service", _stop_service),
    Fault("full-disk", _fill_disk, _empty_disk),
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


@dataclass(frozen=True)
class Outcome:
    """What came of one fault: to whom, seconds until every check was green again, and what failed."""

    fault: str
    struck: str
    seconds: float
    failed: str = ""


def told(outcome: Outcome) -> str:
    """One line of what came of a fault."""
    word = f"not green: {outcome.failed}" if outcome.failed else "green"
    return f"{outcome.fault:18} {outcome.struck:50} {outcome.seconds:7.1f} s  {word}"


def endure(world: World, fault: Fault) -> Outcome:
    """Put a fault in, mend it, and see every check green."""
    struck = fault.strike(world)
    began = time.monotonic()
    failed = ""
    try:
        fault.mend(world, struck)
        world.expect("up", "lab")
    except (Broken, DriverError) as error:
        failed = str(error)
    return Outcome(fault.name, struck, round(time.monotonic() - began, 1), failed)


def endure_together(world: World, faults: Sequence[Fault]) -> Outcome:
    """Put several faults in at once, mend each, and see every check green after one `up`."""
    struck = [(fault, fault.strike(world)) for fault in faults]
    began = time.monotonic()
    failed = ""
    try:
        for fault, whom in struck:
            fault.mend(world, whom)
        world.expect("up", "lab")
    except (Broken, DriverError) as error:
        failed = str(error)
    seconds = round(time.monotonic() - began, 1)
    return Outcome(
        " + ".join(fault.name for fault in faults), "; ".join(whom for _, whom in struck), seconds, failed
    )


def endure_at_random(world: World, faults: Sequence[Fault], minutes: float) -> list[Outcome]:
    """Put faults in, each as often as the others, until the time is over or one is not mended."""
    end, outcomes = time.monotonic() + minutes * 60, []
    record = paths.ROOT / "out" / "test" / "faults.json"
    while True:
        for fault in world.chance.sample(faults, len(faults)):
            if time.monotonic() >= end:
                return outcomes
            outcome = endure(world, fault)
            outcomes.append(outcome)
            with record.open("a") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
            print(told(outcome), flush=True)
            if outcome.failed:
                return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring the lab up, put faults in, and take it down if all were mended."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--only", nargs="*", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--together", action="store_true", help="those of --only at once")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    given = parser.parse_args(arguments)
    logs = paths.ROOT / "out" / "test" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    world = World(Lab(ours=not is_up(), logs=logs), random.Random(given.seed))
    print(f"seed {given.seed}", flush=True)
    world.expect("up", "lab")
    chosen = [fault for fault in FAULTS if not given.only or fault.name in given.only]
    if given.only:
        outcomes = (
            [endure_together(world, chosen)] if given.together else [endure(world, fault) for fault in chosen]
        )
        for outcome in outcomes:
            print(told(outcome))
    else:
        outcomes = endure_at_random(world, chosen, given.minutes)
    bad = [outcome for outcome in outcomes if outcome.failed]
    print(f"{len(outcomes)} faults, {len(bad)} not mended")
    if not bad and not given.keep:
        world.expect("down", "lab")
    return 1 if bad else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    with suppress(Exception):
        session.connect().close()
    sys.exit(130)
