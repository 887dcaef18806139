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
from infra.render.deployment import Deployed, component_files, component_paths, component_units
from infra.roles import RoleSpec, role_specs
from infra.rollout.inventory.facts import site_at
from infra.rollout.secrets import secret

ASK = """
import sys
from pathlib import Path
from infra.rollout.inventory.facts import site_at
source, pod, name = sys.argv[1:]
site = site_at(Path(source), pod or None)
print(repr({"machine": site.machine_variables(name), "site": site.site_mapping(name)}))
"""

REMOTE = Path(__file__).parent.parent / "modules" / "deploy.py"


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
            chosen = self.chosen(spec, [str(name) for name in arguments["components"]], variables)
            request = self.request(spec, chosen, facts)
        except UserError as error:
            raise AnsibleActionFail(str(error)) from error
        source = f"{REMOTE.read_text()}\n\nconverge({request!r})\n"
        # -S -E: the machine's site packages are not needed and cost start-up time
        done = self._low_level_execute_command(
            f"{variables.get('ansible_python_interpreter', '/usr/bin/python3')} -S -E -",
            in_data=source.encode(),
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

    def request(self, spec: RoleSpec, chosen: list[str], facts: dict[str, Any]) -> dict[str, Any]:
        """What the machine's part is asked to do."""
        has = facts["machine"]["applied"].get(self.role, ())
        site = facts["site"]["name"]
        components = [spec.components[name] for name in chosen if name in has]
        prune = [pattern for one in components for pattern in one.prune]
        return {
            "files": [wire(file, site) for one in components for file in component_files(one, facts)],
            "prune": prune,
            "keep": all_paths(facts) if prune else [],
            "units": list(dict.fromkeys(unit for one in components for unit in component_units(one, facts))),
            "check": bool(self._task.check_mode),
            "pending": "/run/gigasite-pending",
        }


def all_paths(facts: dict[str, Any]) -> list[str]:
    """Paths of all files that the machine's roles deploy, whichever of them run now."""
    specs = role_specs(facts["site"]["name"])
    return [
        path
        for role, names in facts["machine"]["applied"].items()
        for name in names
        for path in component_paths(specs[role].components[name], facts)
    ]


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


def wire(file: Deployed, site: str) -> dict[str, Any]:
    """A file as the machine's part takes it."""
    content = secret(site, file.secret) if file.secret else (file.text or "").encode()
    return {
        "path": file.path,
        "folder": file.folder,
        "mode": file.mode,
        "owner": file.owner,
        "group": file.group,
        "validate": file.validate,
        "apply": file.apply,
        "quiet": file.secret is not None,
        "content": content,
    }
