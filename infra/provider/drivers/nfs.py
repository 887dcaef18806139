"""Exports and quotas of a server of shared folders, over ssh: grown and set while they are in use.

The role `storage_server` lays out a server: its programs and lists are used here too, so that what a resource
changes is what the role would have brought, and its next run finds nothing to do.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from infra.errors import UserError
from infra.provider.drivers.ssh import LOST

if TYPE_CHECKING:
    from infra.provider.drivers.ssh import Done, Reach

_BARE, _UNKNOWN, _HELD = 69, 70, 71

_COMMON = """\
set -u
exports=/etc/gigasite/exports; quotas=/etc/gigasite/quotas; programs=/usr/local/lib/gigasite
[ -e "$exports" ] && [ -e "$quotas" ] || exit 69
line() { awk -v path="$path" '$1 == path' "$exports"; }
image() { line | awk '{ print $2 }'; }
# the role's own run holds the same lock
exec 9>/run/gigasite-pending.lock
"""

_READ = """\
grep '^/' "$exports" | while read -r path image bytes counted; do
    [ -e "$image" ] && echo "export $path $(stat --format %s "$image")"
    [ -n "$counted" ] || continue
    for kind in user:-u group:-g project:-P; do
        repquota -v "${kind#*:}" -O csv "$path" | awk -F , -v of="$path ${kind%:*}" \\
            'NR > 1 && $5 + $6 + $10 > 0 { sub(/^#/, "", $1); print "quota", of, $1, $5, $6, $10 }'
    done
done
"""

_GROW = """\
flock 9
[ -n "$(line)" ] || exit 70
awk -v path="$path" -v bytes="$bytes" '$1 == path { $3 = bytes } { print }' "$exports" >"$exports.new"
sh "$programs/exports.sh" "$exports.new" && cat "$exports.new" >"$exports"
code=$?; rm -f "$exports.new"; exit "$code"
"""

_REMOVE = """\
flock 9
[ -n "$(line)" ] || exit 0
held=$(find "$path" -mindepth 1 -not -path "$path/lost+found" -print -quit)
[ -z "$held" ] || [ "$force" = yes ] || exit 71
unit=$(systemd-escape --path --suffix=mount "$path"); image=$(image)
awk -v path="$path" '$1 != path' /etc/exports.d/gigasite.exports >/run/gigasite-exports
cat /run/gigasite-exports >/etc/exports.d/gigasite.exports
exportfs -r && systemctl disable --now "$unit" || exit 1
rm -f "/etc/systemd/system/$unit" "$image"
for list in "$quotas" "$exports"; do
    awk -v path="$path" '$1 != path' "$list" >"$list.new" && cat "$list.new" >"$list"
    rm -f "$list.new"
done
systemctl daemon-reload
rmdir "$path" 2>/dev/null
exit 0
"""

_QUOTA = """\
flock 9
[ "$(line | awk '{ print $4 }')" = quotas ] || { [ -z "$limits" ] && exit 0; exit 70; }
awk -v path="$path" -v kind="$kind" -v who="$who" -v limits="$limits" '
    $1 == path && $2 == kind && $3 == who { if (limits != "") print path, kind, who, limits; seen = 1; next }
    { print }
    END { if (!seen && limits != "") print path, kind, who, limits }' "$quotas" >"$quotas.new"
python3 "$programs/quotas.py" "$quotas.new" "$exports" && cat "$quotas.new" >"$quotas"
code=$?; rm -f "$quotas.new"; exit "$code"
"""


class Whose(NamedTuple):
    """Owner of a quota.

    Attributes:
        path: of the export.
        kind: `user`, `group` or `project`.
        who: name of the user or group, or number of the project.
    """

    path: str
    kind: str
    who: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a quota.

    Attributes:
        soft: KiB; 0 for none.
        hard: KiB; 0 for none.
        files: most files and folders; 0 for no limit.
    """

    soft: int
    hard: int
    files: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Exports and quotas of a server.

    Attributes:
        exports: path → bytes of its file system.
        quotas: limits by what they are for.
    """

    exports: dict[str, int]
    quotas: dict[Whose, Limits]


@dataclass(frozen=True, slots=True)
class NfsServer:
    """A server of shared folders.

    Attributes:
        name: in the plan.
        reach: the way to it.
    """

    name: str
    reach: Reach

    def read(self, limit: float) -> Layout | None:
        """Return what it has; None if it does not answer, or was never configured; `limit` is in seconds."""
        done = self._run(_READ, limit, {})
        if done.code != 0:
            return None
        found = Layout({}, {})
        for word, path, *rest in (line.split() for line in done.said.splitlines()):
            if word == "export":
                found.exports[path] = int(rest[0])
            else:
                kind, who, *limits = rest
                found.quotas[Whose(path, kind, who)] = Limits(*map(int, limits))
        return found

    def grow(self, path: str, size: int, limit: float) -> bool:
        """Make an export as large as that, in bytes; False if the server does not have it yet, or is away.

        Raises:
            UserError: it is larger, or there is no room for it.
        """
        return self._change(_GROW, limit, {"path": path, "bytes": str(size)})

    def remove(self, path: str, limit: float, *, force: bool) -> None:
        """Remove an export and all that is in it; nothing if it is gone, or the server is away.

        Raises:
            UserError: it holds files and `force` is not said, or is still in use.
        """
        self._change(_REMOVE, limit, {"path": path, "force": "yes" if force else "no"})

    def limit_to(self, whose: Whose, limits: Limits, folder: str | None, limit: float) -> bool:
        """Set a quota; False if the export is not there yet or counts for nobody yet, or the server is away.

        Args:
            whose: what it is for.
            limits: what is set.
            folder: a project's.
            limit: seconds.

        Raises:
            UserError: there is no such user or group.
        """
        words = f"{limits.soft} {limits.hard} {limits.files} {folder or '-'}"
        return self._change(_QUOTA, limit, {**whose._asdict(), "limits": words})

    def lift(self, whose: Whose, limit: float) -> None:
        """Lift a quota; nothing if there is none, or the server is away."""
        self._change(_QUOTA, limit, {**whose._asdict(), "limits": ""})

    def _change(self, script: str, limit: float, words: dict[str, str]) -> bool:
        done = self._run(script, limit, words)
        if done.code in {_BARE, _UNKNOWN, LOST}:
            return False
        if done.code == _HELD:
            raise UserError(
                f"{words['path']} holds files",
                where=self.name,
                hint="move them away, or set `force_delete` first and apply that: then they are lost",
            )
        if done.code:
            said = (done.errors.strip() or done.said.strip() or f"exit code {done.code}").splitlines()[-1]
            raise UserError(said, where=f"{self.name}:{words['path']}", hint="nothing else was changed")
        return True

    def _run(self, script: str, limit: float, words: dict[str, str]) -> Done:
        known = "".join(f"{name}={shlex.quote(value)}\n" for name, value in words.items())
        return self.reach.run(f"{known}{_COMMON}{script}", "", limit)
