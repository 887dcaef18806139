"""The inventory is the plan: a site's declaration itself is the source (`-i inventories/lab`)."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from infra.errors import UserError
from infra.plan import plan
from infra.rollout import ssh
from infra.rollout.outputs import machine_outputs
from infra.rollout.targets import Targets, group_name, targets_of
from infra.spec import load

DOCUMENTATION = r"""
name: gigasite
short_description: Machines of a gigasite declaration
description:
  - Takes C(inventories/SITE/site.yaml) as its source and asks the plan for the machines, and the stacks'
    state for what is known since they exist (serial numbers).
  - Groups are C(role_ROLE), C(site_SITE), C(pod_POD), C(su_SU), C(rack_RACK), with underscores for dashes.
  - Host variables are C(machine) (facts) and C(made) (what the stacks know); C(site) is a variable of the
    site's group.
  - The environment variable C(GIGASITE_POD) keeps it to the site level and one pod, which big sites need.
options: {}
author: gigasite
"""


class InventoryModule(BaseInventoryPlugin):
    """`site.yaml` → hosts, groups and facts."""

    NAME = "gigasite"

    def verify_file(self, path: str) -> bool:
        """Whether the source is a declaration."""
        return bool(super().verify_file(path)) and Path(path).name == "site.yaml"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:  # noqa: FBT001, FBT002
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache)
        try:
            self._fill(found_targets(Path(path)))
        except UserError as error:
            raise AnsibleParserError(str(error)) from error

    def _fill(self, found: Targets) -> None:
        config = ssh.write_config(found.site, found.machines)
        made = machine_outputs(found.site)
        site_group = group_name("site", found.site)
        self.inventory.add_group(site_group)
        common = {
            "site": asdict(found.facts),
            "ansible_user": ssh.USER,
            "ansible_ssh_private_key_file": str(ssh.paths.state(found.site) / "ssh" / "id_ed25519"),
            # The connection's settings are in the file; they are named here because Ansible looks for them.
            "ansible_ssh_common_args": f"-F '{config}' -o ControlMaster=auto -o ControlPersist={ssh.PERSIST} "
            f"-o ControlPath='{ssh.control_folder(found.site)}/%C'",
        }
        for name, value in common.items():
            self.inventory.set_variable(site_group, name, value)
        for machine in found.machines:
            self.inventory.add_host(machine.name, port=machine.stand_in.ssh_port if machine.stand_in else 22)
            self.inventory.set_variable(machine.name, "ansible_host", machine.name)
            self.inventory.set_variable(machine.name, "machine", asdict(found.facts_of(machine)))
            self.inventory.set_variable(machine.name, "made", made.get(machine.name, {}))
            for group in found.groups_of(machine):
                self.inventory.add_group(group)
                self.inventory.add_host(machine.name, group=group)


def found_targets(path: Path) -> Targets:
    """The machines of a declaration, wherever it lies."""
    return targets_of(plan(load(path)), os.environ.get("GIGASITE_POD") or None)
