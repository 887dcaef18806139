"""Render a role's files on the controller and send them to the machine in one step."""

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
from infra.render.deployment import Deployed, component_files
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
    """`deploy: {files: [...], prune: [...], units: [...]}`; the module says what the arguments mean."""

    _supports_check_mode = True
    _supports_diff = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send what the rules give for this host; return changes and differences."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given, arguments = self.validate_argument_spec(
            argument_spec={
                "files": {"type": "list", "elements": "dict", "default": []},
                "prune": {"type": "list", "elements": "str", "default": []},
                "units": {"type": "list", "elements": "str", "default": []},
            }
        )
        del given
        variables = task_vars or {}
        facts = known(variables)
        try:
            files = [wire(file, facts["site"]["name"]) for file in component_files(arguments["files"], facts)]
        except UserError as error:
            raise AnsibleActionFail(str(error)) from error
        request = {
            "files": files,
            "prune": plain(arguments["prune"]),
            "units": plain(arguments["units"]),
            "check": bool(self._task.check_mode),
            "pending": "/run/gigasite-pending",
        }
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


def plain(value: Any) -> Any:
    """Ansible's tagged values as ordinary ones, which Jinja and JSON take without surprises."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    return int(value) if isinstance(value, int) else str(value)
