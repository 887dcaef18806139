"""A machine whose host key is another's: every way to it has to refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import paths
from infra.lab.driver import DriverError, StandIn
from infra.process import run as process
from infra.rollout import ssh
from tests.lab.world import Broken, World

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEYS = "/etc/ssh/ssh_host_ed25519_key"


def swap_key(world: World, name: str) -> None:
    """Give a machine a host key that nobody made for it."""
    world.within(
        name,
        f"cp -p {KEYS} /root/key && cp -p {KEYS}.pub /root/key.pub && rm {KEYS} {KEYS}.pub && "
        f"ssh-keygen -q -t ed25519 -N '' -f {KEYS} && systemctl restart ssh",
    )
    world.disconnect()


OUR_WAYS = ("verify lab", "configure lab", "up lab", "apply {name} base.yml -s lab --verify")
"""Our own commands that log in to machines; each must say whose key it was that answered."""


def refuse_everywhere(world: World, name: str, ours: Sequence[str] = OUR_WAYS) -> None:
    """See that no way leads to a machine whose host key is another's.

    Args:
        world: the lab.
        name: the machine.
        ours: our commands to try, with `{name}` for the machine.

    Raises:
        Broken: one let itself in, or did not say that it is the host key.
    """
    for way in ours:
        said = world.expect(*way.format(name=name).split(), code=1)
        if name not in said or "which is the key of no machine of this site" not in said:
            raise Broken(f"{way} does not say whose host key {name} showed:\n{said[-2500:]}")
    ansible = paths.ROOT / ".venv" / "bin"
    plain: dict[str, list[str | Path]] = {
        "ansible": [ansible / "ansible", "-i", "inventories/lab", name, "-m", "ping"],
        "ansible-playbook": [
            *(ansible / "ansible-playbook", "-i", "inventories/lab", "playbooks/site.yml", "-l", name)
        ],
        "ssh": ["ssh", "-F", ssh.config_path("lab"), name, "true"],
    }
    for way, words in plain.items():
        done = process(words, check=False, timeout=600, cwd=paths.ROOT)
        _require_refusal(way, name, done.stdout + done.stderr if done.returncode else None)
    with StandIn(paths.state("lab"), name) as one:
        try:
            one.execute("true")
        except DriverError as error:
            _require_refusal("the test driver", name, str(error))
        else:
            _require_refusal("the test driver", name, None)


def _require_refusal(way: str, name: str, said: str | None) -> None:
    if said is None:
        raise Broken(f"{way} let itself in to {name}, whose host key is another's")
    if "host key" not in said.lower() and "HOST IDENTIFICATION" not in said:
        raise Broken(f"{way} does not say that it is the host key of {name}:\n{said[-2500:]}")


def put_key_back(name: str) -> None:
    """Give a machine its own host key again, as a person at its console would."""
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
