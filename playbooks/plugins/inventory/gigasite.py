"""The inventory is the plan: a site's declaration itself is the source (`-i inventories/lab`)."""

from __future__ import annotations

import ctypes
import os
import signal
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import constants, context
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from infra.errors import UserError
from infra.rollout import ssh
from infra.rollout.inventory.inventory import Untemplated, adopt
from infra.rollout.inventory.listing import VALUES, ask, expression, expressions
from infra.rollout.inventory.observed import Observed
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.inventory.variables import SiteVariables
from infra.rollout.tags import check_skipped, check_tags

if TYPE_CHECKING:
    from infra.rollout.inventory.facts import SiteOfMachines
    from infra.rollout.inventory.roster import Roster

DOCUMENTATION = r"""
name: gigasite
short_description: Machines of a gigasite declaration
description:
  - Takes C(inventories/SITE/site.yaml) as its source and asks the plan for the machines, and the stacks'
    state for what is known since they exist (serial numbers).
  - Each Ansible role has a group of its name (C(base), C(slurm)), by C(playbooks/roles/ROLE/role.yaml).
  - Other groups are C(role_ROLE), C(site_SITE), C(building_NAME), C(hall_NAME), C(pod_POD), C(su_SU),
    C(rack_RACK), C(platform_NAME), C(leaf_pair_NAME), C(feed_SU), C(cdu_SU), C(nvlink_RACK), C(phase_NAME),
    C(pool_NAME), C(partition_NAME), with underscores for dashes, C(cordoned), C(health_ok), C(health_failed),
    C(health_unknown) (by the latest verification), and
    C(other_roles) (machines with a role that no playbook names).
  - Host variables are C(machine) (facts) and C(made) (what the stacks know), made when the host is asked for;
    C(site) is a variable of the site's group.
  - C(ansible-inventory --list) of more than 1,000 machines shows C(machine), C(made) and C(site) as
    expressions (C(ansible-doc -t lookup gigasite)); C(--host) shows the values. With C(--export) the
    variables of the site's group are there once, which a site of 100,000 machines needs.
  - The environment variable C(GIGASITE_POD) keeps it to the site level and one pod.
options: {}
author: gigasite
"""


def find_own_roles(folder: Path) -> None:
    """Let Ansible find a site's own roles, wherever the playbook lies."""
    if folder.is_dir() and str(folder) not in constants.DEFAULT_ROLES_PATH:
        constants.DEFAULT_ROLES_PATH.append(str(folder))


def _end_with_parent() -> None:
    """In a worker: end, with what it started, when the playbook's process ends, however that comes about."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG of prctl(2)
    if os.getppid() != PLAYBOOK:
        os.kill(os.getpid(), signal.SIGTERM)


PLAYBOOK = os.getpid()
# Workers lead sessions of their own: what ends the playbook (Ctrl-C, a killed runner) does not reach them.
os.register_at_fork(after_in_child=_end_with_parent)


class InventoryModule(BaseInventoryPlugin):
    """`site.yaml` → hosts, groups and facts."""

    NAME = "gigasite"

    def verify_file(self, path: str) -> bool:
        """Whether the source is a declaration."""
        return bool(super().verify_file(path)) and Path(path).name == "site.yaml"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:  # noqa: FBT001, FBT002
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache)
        source = Path(path)
        pod = os.environ.get("GIGASITE_POD") or None
        try:
            roster = roster_at(source, pod)
            find_own_roles(source.parent / "roles")
            variables = _Variables(source, pod, roster)
            if pod is None:  # of one pod not all names are known
                SiteVariables(roster.site, roster).check()
            asked = context.CLIARGS
            if asked.get("tags"):
                check_tags(asked["tags"], map(Path, asked.get("args") or ()), source.parent)
            if asked.get("skip_tags"):
                check_skipped(asked["skip_tags"], source.parent.name)
            listing = bool(asked.get("list") or asked.get("graph"))
            of_host, of_site = variables.of_host, variables.of_site
            if listing and variables.large:
                once = bool(asked.get("export"))
                if asked.get("list") and not (once or variables.named):
                    what = f"a listing of {len(roster.names):,} machines takes half the memory with --export"
                    self.display.warning(what)
                of_host = partial(variables.listed_of_host, once=once)
                of_site = partial(variables.listed_of_site, once=once)
            # The wrapper around it would look at each variable when it is set; ours are made later.
            real = getattr(inventory, "__wrapped__", inventory)
            adopt(real, roster, of_host, of_site, Observed(roster), listing=listing)
        except UserError as error:
            raise AnsibleParserError(str(error)) from error


class _Variables:
    """Variables of a declaration's hosts, made when they are asked for."""

    def __init__(self, source: Path, pod: str | None, roster: Roster) -> None:
        self.source, self.pod, self.roster = source, pod, roster
        self.named = len(roster.names) <= ssh.NAMED
        self._made: dict[str, Any] | None = None

    @property
    def site(self) -> SiteOfMachines:
        from infra.rollout.inventory.facts import site_at  # noqa: PLC0415 (polars is slow to import, and a play may need none)

        return site_at(self.source, self.pod)

    def of_site(self) -> dict[str, Any]:
        """Variables that all machines have."""
        if self.named:
            # Now, and not in the workers: in a fork polars waits for threads that are not there.
            _ = self.site.whole
        return {"site": self.site.site_variables(), **self._shared()}

    @property
    def large(self) -> bool:
        """Whether a listing has no room for all values."""
        if len(self.roster.names) <= VALUES:
            return False
        from infra.spec import load  # noqa: PLC0415 (a play needs it not)

        return load(self.source).stand_ins is None  # which have ports of their own

    def listed_of_site(self, *, once: bool) -> dict[str, Any]:
        """Variables that all machines have, for a listing of very many.

        Args:
            once: the listing has the variables of a group once, and not beside each machine.
        """
        address = {"ansible_host": expression("inventory_hostname")} if self.named else {}
        if not self.named:
            address["ansible_ssh_extra_args"] = expression("inventory_hostname", "-o HostKeyAlias=")
        if once and not self.named:
            address["ansible_host"] = expression("management_addresses[inventory_hostname]")
            address["management_addresses"] = self.addresses
        return {**self._shared(), **address, "ansible_port": 22, **expressions(self.source)}

    def _shared(self) -> dict[str, Any]:
        """Small variables that all machines have."""
        from infra.roles.plays import GROUP as OTHERS  # noqa: PLC0415
        from infra.roles.plays import other_roles  # noqa: PLC0415

        site = self.roster.site
        config = ssh.write_config(site, self.site.machines() if self.named else ())
        return {
            OTHERS: list(other_roles(site)),
            "ansible_user": ssh.USER,
            # Variables, since they beat the environment: ansible-runner's own has the first one off.
            "ansible_host_key_checking": True,
            "ansible_ssh_args": "",
            "ansible_ssh_private_key_file": str(ssh.paths.state(site) / "ssh" / "id_ed25519"),
            # The connection's settings are in the file. Some are named here because Ansible looks for them,
            # those of host keys because words of the environment (ANSIBLE_SSH_EXTRA_ARGS) beat the file.
            "ansible_ssh_common_args": f"-F '{config}' -o ControlMaster=auto -o ControlPersist={ssh.PERSIST} "
            f"-o ControlPath='{ssh.control_folder(site)}/%C' -o StrictHostKeyChecking=yes "
            f"-o UserKnownHostsFile='{ssh.paths.state(site) / 'ssh' / 'known_hosts'}'",
        }

    def listed_of_host(self, name: str, *, once: bool) -> dict[str, Any]:
        """Return what such a listing says of one machine itself."""
        return {} if self.named or once else {"ansible_host": self.addresses[name]}

    @cached_property
    def addresses(self) -> dict[str, str]:
        """Management address of each machine, or its name."""
        found = ask("addresses", str(self.source))
        return {name: Untemplated(found.get(name, name)) for name in self.roster.names}

    def of_host(self, name: str) -> dict[str, Any]:
        """Variables of one machine."""
        if self._made is None:
            from infra.rollout.outputs import machine_outputs  # noqa: PLC0415

            self._made = dict(machine_outputs(self.roster.site))
        machine = self.site.machine(name)
        reached = {"ansible_host": name}
        if not self.named and machine.stand_in is None:
            reached = {
                "ansible_host": machine.management_address,
                "ansible_ssh_extra_args": f"-o HostKeyAlias={name}",
            }
        return {
            **reached,
            "ansible_port": machine.stand_in.ssh_port if machine.stand_in else 22,
            "inventory_file": str(self.source),
            "inventory_dir": str(self.source.parent),
            "machine": self.site.machine_variables(name),
            "made": self._made.get(name, {}),
        }
