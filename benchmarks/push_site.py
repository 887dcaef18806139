"""A site of loopback machines in a checkout of its own: one role of ten steps, and an sshd that they share.

Each machine has a folder in place of its root. The product's own roles are not in this checkout: they would
configure the computer that the benchmark runs on.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.local_sshd import serve
from infra import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE, STEPS, PORT_BASE, LIMIT = "loopback", 10, 29000, 200

DECLARATION = """\
name: {site}
layout:
  pods: 1
  scalable_units_per_pod: 1
  racks_per_scalable_unit: {racks}
  rack: {{trays: [{{platform: lab-tray, slots: [1, 2, 3, 4]}}]}}
fabrics: {{north_south: {{tiers: [{{name: leaf, switch: frr-vm, per: rack, count: 1}}]}}}}
servers: [{{name: head, role: management, platform: lab-vm, attach: pod-01}}]
services: {{domain: loopback.internal, ntp: head}}
addresses:
  {{management: 10.0.0.0/16, management_pod: 20, loopbacks: 10.255.0.0/20, loopback_pod: 24,
   links: 10.64.0.0/16, link_pod: 24}}
stand_ins: {{port_base: {port_base}, limit: {limit}}}
"""
TEMPLATE = """\
# Step {number}: made by gigasite
name = {{{{ machine.name }}}}
uuid = {{{{ machine.uuid }}}}
site = {{{{ site.name }}}}
{{% for link in machine.links %}}
link = {{{{ link.name }}}} {{{{ link.mac }}}}
{{% endfor %}}
{filler}
"""


@dataclass(frozen=True, slots=True)
class Loopback:
    """The site.

    Attributes:
        root: its checkout.
        machines: folder with one of each machine, in place of its root.
        names: of the machines.
    """

    root: Path
    machines: Path
    names: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """Environment of programs that run on the checkout."""
        return {
            **os.environ,
            "PYTHONPATH": str(self.root),
            "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
            "GIGASITE_SSH_USER": "root",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }

    @property
    def ssh_config(self) -> Path:
        """How the machines are reached."""
        return self.root / ".gigasite" / SITE / "ssh_config"

    def clear(self) -> None:
        """Let the machines have nothing again."""
        shutil.rmtree(self.machines, ignore_errors=True)
        self.machines.mkdir()

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Content and mode of every file of the machines."""
        return {
            str(path.relative_to(self.machines)): (path.read_bytes(), path.stat().st_mode & 0o7777)
            for path in sorted(self.machines.rglob("*"))
            if path.is_file()
        }


@contextmanager
def loopback(folder: Path, count: int) -> Iterator[Loopback]:
    """Make the site and serve ssh for it; all is gone afterwards.

    Args:
        folder: empty.
        count: machines, at most 64.
    """
    root, racks = folder / "checkout", -(-count // 4)
    root.mkdir()
    skip = shutil.ignore_patterns("roles")
    for name in ("infra", "templates", "playbooks"):
        shutil.copytree(paths.ROOT / name, root / name, ignore=skip if name == "playbooks" else None)
    (root / "playbooks" / "roles").mkdir()
    for own in (root / "playbooks").glob("*.yml"):
        own.unlink()
    shutil.copy(paths.ROOT / "ansible.cfg", root)
    inventory = root / "inventories" / SITE
    inventory.mkdir(parents=True)
    shutil.copytree(paths.ROOT / "inventories" / "reference", root / "inventories" / "reference")
    (inventory / "site.yaml").write_text(
        DECLARATION.format(site=SITE, racks=racks, port_base=PORT_BASE, limit=LIMIT), encoding="utf-8"
    )
    machines = folder / "machines"
    (root / "inventories" / "reference" / "playbooks").mkdir()
    (root / "inventories" / "reference" / "playbooks" / "ten.yml").write_text("[]\n", encoding="utf-8")
    _role(inventory, machines)
    (folder / "sshd").mkdir()
    ports = range(PORT_BASE + LIMIT, PORT_BASE + LIMIT + racks * 4)
    with serve(folder / "sshd", ports, _sudo(folder)):
        state = root / ".gigasite" / SITE / "ssh"
        state.mkdir(parents=True, mode=0o700)
        state.parent.parent.chmod(0o700)
        state.parent.chmod(0o700)
        shutil.copy(folder / "sshd" / "user", state / "id_ed25519")
        key = (folder / "sshd" / "host.pub").read_text(encoding="utf-8")
        (state / "known_hosts").write_text(f"* {key}", encoding="utf-8")
        names = (
            f"pod-01-su-01-rack-{rack:02}-tray-{tray:02}"
            for rack in range(1, racks + 1)
            for tray in range(1, 5)
        )
        yield Loopback(root, machines, tuple(names)[:count])


def _role(inventory: Path, machines: Path) -> None:
    """One role of ten components, deployed in ten tasks, and its playbook."""
    role = inventory / "roles" / "ten"
    (role / "tasks").mkdir(parents=True)
    (role / "templates" / "etc").mkdir(parents=True)
    components, tasks = [], []
    for number in range(1, STEPS + 1):
        name = f"step_{number:02}"
        (role / "templates" / "etc" / f"{name}.conf.j2").write_text(
            TEMPLATE.format(number=number, filler=f"setting = {number}\n" * 40), encoding="utf-8"
        )
        components.append(
            f"  {name}:\n    files:\n      - src: etc/{name}.conf.j2\n"
            f"        path: {machines}/{{machine.name}}/{name}.conf\n"
        )
        tasks.append(f"- name: Step {number}\n  deploy: {{components: [{name}]}}\n")
    summary = "summary: Ten steps\nmachines: {roles: [tray]}\n"
    (role / "role.yaml").write_text(summary + "components:\n" + "".join(components), encoding="utf-8")
    (role / "README.md").write_text("# ten\n\nTen steps for a benchmark.\n", encoding="utf-8")
    (role / "tasks" / "main.yml").write_text("---\n" + "".join(tasks), encoding="utf-8")
    (inventory / "playbooks").mkdir()
    (inventory / "playbooks" / "ten.yml").write_text(
        "---\n- name: Ten steps\n  hosts: ten\n  roles:\n    - role: ten\n", encoding="utf-8"
    )


def _sudo(folder: Path) -> str:
    """PATH of logins, with a sudo that runs what follows its options: root needs no other."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "sudo").write_text(
        '#!/bin/sh\nwhile :; do case "$1" in -u) shift 2 ;; -*) shift ;; *) break ;; esac; done\nexec "$@"\n',
        encoding="utf-8",
    )
    (tools / "sudo").chmod(0o755)
    return f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin"
