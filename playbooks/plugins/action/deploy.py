"""Render files of a role's components on the controller and send them to the machine in one step."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from infra.errors import UserError
from infra.process import run
from infra.roles import RoleSpec, role_specs
from infra.roles.variables import role_variables
from infra.rollout.inventory.facts import site_at
from infra.rollout.inventory.variables import accept_values
from infra.rollout.push.request import program, request_of

ASK = """
import sys
from pathlib import Path
from infra.rollout.inventory.facts import site_at
source, pod, name = sys.argv[1:]
site = site_at(Path(source), pod or None)
print(repr({"machine": site.machine_variables(name), "site": site.site_mapping(name)}))
"""


class ActionModule(ActionBase):
    """`deploy: {components: [...]}` in a role; the module says what the arguments mean."""

    _supports_check_mode = True
    _supports_diff = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send what the role's components give for this host; return changes and differences."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={"components": {"type": "list", "elements": "str", "required": True}}
        )
        variables = task_vars or {}
        if self._task._role is None:  # noqa: SLF001
            raise AnsibleActionFail("`deploy` brings components of a role: use it in a role's tasks")
        try:
            facts = known(variables)
            spec = self.spec(facts["site"]["name"])
            facts |= self.values(facts["site"]["name"], variables)
            chosen = self.chosen(spec, [str(name) for name in arguments["components"]], variables)
            request = request_of(self.role, chosen, facts, check=bool(self._task.check_mode))
        except UserError as error:
            raise AnsibleActionFail(str(error)) from error
        # -S -E: the machine's site packages are not needed and cost start-up time
        done = self._low_level_execute_command(
            f"{variables.get('ansible_python_interpreter', '/usr/bin/python3')} -S -E -",
            in_data=program(request).encode(),
        )
        try:
            answer = ast.literal_eval(done["stdout"])
        except (ValueError, SyntaxError) as error:
            raise AnsibleActionFail(
                f"the machine gave no result: {(done['stderr'] or done['stdout'])[-2000:]}"
            ) from error
        result.update(answer)
        if not self._task.diff:
            result.pop("diff", None)
        return result

    @property
    def role(self) -> str:
        """Name of the role that the task is in."""
        return str(self._task._role.get_name())  # noqa: SLF001 (Ansible has no other way to it)

    def spec(self, site: str) -> RoleSpec:
        """The role's data."""
        specs = role_specs(site)
        if self.role not in specs:
            raise UserError(
                f"the role {self.role} has no data file",
                where=f"roles/{self.role}/role.yaml",
                hint="see docs/howto-role.md",
            )
        return specs[self.role]

    def values(self, site: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Values of the role's variables on this host, wherever Ansible has them from."""
        names = [name for name in role_variables(site)[self.role].defaults if name in variables]
        given = {name: self._templar.template(variables[name]) for name in names}
        return accept_values(site, self.role, given)

    def chosen(self, spec: RoleSpec, names: list[str], variables: dict[str, Any]) -> list[str]:
        """Components of the task that the run's tags leave: all of them, unless a tag names some."""
        if strange := [name for name in names if name not in spec.components]:
            raise UserError(
                f"the role {self.role} has no component {', '.join(map(repr, strange))}",
                hint=f"its role.yaml has {', '.join(spec.components) or 'none'}",
            )
        asked = set(map(str, variables.get("ansible_run_tags") or ["all"]))
        others = {*map(str, self._task.tags), "all", "always", "tagged"} - set(names)
        return names if asked & others else [name for name in names if name in asked]


def known(variables: dict[str, Any]) -> dict[str, Any]:
    """What templates know, from the plan itself: the variable `site` has no list of a site's machines."""
    source, pod = str(variables["inventory_file"]), os.environ.get("GIGASITE_POD") or None
    name = str(variables["inventory_hostname"])
    site = site_at(Path(source), pod)
    if "whole" in vars(site):  # the inventory made it before it forked this worker
        return {"machine": site.machine_variables(name), "site": site.site_mapping(name)}
    # polars would wait for ever in a fork, whose threads are not there: a program of its own asks it.
    done = run([sys.executable, "-c", ASK, source, pod or "", name])
    found: dict[str, Any] = ast.literal_eval(done.stdout)
    return found
