"""Bring systemd units into the wanted state, all of a role in one step."""

from __future__ import annotations

import shlex
from typing import Any

from ansible.plugins.action import ActionBase

SCRIPT = r"""
say() { echo "changed $*"; }
try() { # verb unit
    [ "$check" = 0 ] || return 0
    systemctl "$1" "$2" && return
    echo "failed $1 $2"
    journalctl --no-pager --quiet --lines 12 --output cat --unit "$2"
    exit 1
}
if [ "$check" = 0 ] && systemctl show --property NeedDaemonReload --value $units | grep -q yes; then
    systemctl daemon-reload
fi
for unit in $started; do
    systemctl --quiet is-enabled "$unit" 2>/dev/null || { try enable "$unit" && say "$unit enabled"; }
    systemctl --quiet is-active "$unit" || { try start "$unit" && say "$unit started"; }
done
for unit in $stopped; do
    ! systemctl --quiet is-enabled "$unit" 2>/dev/null || { try disable "$unit" && say "$unit disabled"; }
    ! systemctl --quiet is-active "$unit" || { try stop "$unit" && say "$unit stopped"; }
done
for unit in $restarted; do try restart "$unit" && say "$unit restarted"; done
for unit in $reloaded; do try reload-or-restart "$unit" && say "$unit reloaded"; done
"""


class ActionModule(ActionBase):
    """`units: {started: [...], stopped: [...], restarted: [...], reloaded: [...]}`."""

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the script; each line `changed UNIT VERB` is one change."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        kinds = ("started", "stopped", "restarted", "reloaded")
        _, arguments = self.validate_argument_spec(
            argument_spec={kind: {"type": "list", "elements": "str", "default": []} for kind in kinds}
        )
        words = {kind: " ".join(arguments[kind]) for kind in kinds}
        words |= {"check": str(int(self._task.check_mode)), "units": " ".join(words.values())}
        header = "\n".join(f"{name}={shlex.quote(value)}" for name, value in words.items())
        done = self._low_level_execute_command("/bin/sh -s", in_data=f"{header}\n{SCRIPT}".encode())
        lines = done["stdout"].splitlines()
        result["changes"] = [line.removeprefix("changed ") for line in lines if line.startswith("changed ")]
        result["changed"] = bool(result["changes"])
        if done["rc"]:
            rest = [line for line in lines if not line.startswith("changed ")]
            result.update(failed=True, msg="\n".join([*rest, done["stderr"].strip()]).strip())
        return result
