"""Configuration of a switch that runs FRR, over ssh, by commit-confirm.

A new configuration first runs beside the one that the switch starts with, which stays in its file. A timer on
the switch goes back to that file. Only a connection made anew, through the new configuration, stops the timer
and puts the new text into the file. So a switch that nobody reaches any more, whose controller died, or that
restarts meanwhile, has what it had.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.provider.drivers.ssh import LOST

if TYPE_CHECKING:
    from infra.provider.drivers.ssh import Done, Reach

FILE = "frr.conf"
WINDOW_S = 120
"""Seconds that a new configuration has to let the controller in; an emulated switch takes ten to reload."""
PAUSE_S = 1.0
"""Between attempts to connect."""

_SAME, _REFUSED, _FAILED, _BUSY, _BARE = 64, 65, 66, 75, 69
_LINE = re.compile(r"^line ([0-9]+): (.*)$", re.MULTILINE)
_PART = re.compile(r"^! (templates/\S+)$")

_COMMON = """\
set -u
run=/run/gigasite-switch$socket; file=$folder/frr.conf; next=$run/next.$token
reload() {
    touch "$1/vtysh.conf"
    /usr/lib/frr/frr-reload.py --reload ${socket:+--vty_socket "$socket"} --confdir "$1" "$1/frr.conf"
}
"""
# frr-reload.py writes what runs into `frr.conf` of its folder, unless that is the file that it was given.

_STAGE = """\
umask 077; mkdir -p "$run"
[ -s "$file" ] || exit 69
for other in "$run"/pending.*; do [ -e "$other" ] && exit 75; done
mkdir "$next" && cat >"$next/frr.conf"
# a connection that broke, or a full disk, leaves a part that may be a configuration too
[ "$(sha256sum <"$next/frr.conf")" = "$digest  -" ] || { rm -r "$next"; echo "only a part arrived"; exit 66; }
cmp -s "$next/frr.conf" "$file" && { rm -r "$next"; exit 64; }
said=$(vtysh -C -f "$next/frr.conf" 2>&1) || { echo "$said"; rm -r "$next"; exit 65; }
: >"$run/pending.$token"
setsid sh -c "$(cat <<END
$common
sleep $window
mv $run/pending.$token $run/back.$token && reload $folder
rm -rf $run/*.$token
END
)" >/dev/null 2>&1 </dev/null &
setsid sh -c "$(cat <<END
$common
reload $next; echo \\$? >$run/code.$token; mv $run/code.$token $run/applied.$token
END
)" >"$run/said.$token" 2>&1 </dev/null &
until [ -e "$run/applied.$token" ] || [ ! -e "$run/pending.$token" ]; do sleep 0.2; done
[ "$(cat "$run/applied.$token")" = 0 ] && exit 0
mv "$run/pending.$token" "$run/back.$token" && { cat "$run/said.$token"; reload "$folder" >/dev/null 2>&1; }
exit 66
"""

_CONFIRM = """\
until [ -e "$run/applied.$token" ] || [ ! -e "$run/pending.$token" ]; do sleep 0.2; done
[ "$(cat "$run/applied.$token" 2>/dev/null)" = 0 ] || exit 66
[ -e "$run/kept.$token" ] && cmp -s "$next/frr.conf" "$file" && exit 0
cp "$next/frr.conf" "$file.$token" && chown --reference="$file" "$file.$token" &&
chmod --reference="$file" "$file.$token" && sync "$file.$token" || { rm -f "$file.$token"; exit 66; }
[ -e "$run/kept.$token" ] || mv "$run/pending.$token" "$run/kept.$token" || { rm -f "$file.$token"; exit 66; }
mv "$file.$token" "$file"
"""
# The timer runs until the file is whole on the disk; all of it can be done again if the answer was lost.


@dataclass(frozen=True, slots=True)
class FrrSwitch:
    """A switch that runs FRR.

    Attributes:
        name: in the plan.
        reach: the way to it.
        folder: where its configuration lies.
        socket: folder of its daemons' sockets; empty for FRR's own.
        window: seconds until it goes back by itself.
    """

    name: str
    reach: Reach
    folder: str = "/etc/frr"
    socket: str = ""
    window: int = WINDOW_S
    token: str = field(default_factory=lambda: secrets.token_hex(4))

    def read(self, limit: float) -> str | None:
        """The configuration that it starts with; None if it does not answer; `limit` is in seconds."""
        done = self.reach.run(f"cat {self.folder}/{FILE}", "", limit)
        return done.said if done.code == 0 else None

    def apply(self, text: str) -> bool:
        """Put a configuration in place and keep it once a new connection has come through.

        Returns:
            False if it has it already.

        Raises:
            UserError: it refuses a line, or does not come back: then it goes back by itself. Or it waits for
                the end of another change, or has no configuration yet.
        """
        end = time.monotonic() + self.window
        done = self.reach.run(self._script(_STAGE, text), text, self.window)
        if done.code == _SAME:
            return False
        if done.code not in {0, LOST}:
            raise self._told(done, text)
        while time.monotonic() < end:
            left = max(end - time.monotonic(), PAUSE_S)
            done = self.reach.run(self._script(_CONFIRM, text), "", left)
            if done.code == 0:
                return True
            if done.code != LOST:
                raise self._told(done, text)
            time.sleep(PAUSE_S)
        raise UserError(
            f"it did not answer within {self.window} s after its new configuration was put in place; "
            "it returns to the former one by itself",
            where=self.name,
            hint="read what changed: the way to the switch is among it",
        )

    def _script(self, part: str, text: str) -> str:
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = {"socket": self.socket, "folder": self.folder, "token": self.token, "window": self.window,
                 "digest": digest}  # fmt: skip
        words = "\n".join(f"{name}={shlex.quote(str(value))}" for name, value in known.items())
        common = f"{words}\n{_COMMON}"
        return f"{common}\ncommon={shlex.quote(common)}\n{part}"

    def _told(self, done: Done, text: str) -> UserError:
        if done.code == _BARE:
            return UserError(
                "it has no configuration yet", where=self.name, hint="`gigasite up --step configure`"
            )
        if done.code == _BUSY:
            return UserError(
                "another change waits there for its confirmation", where=self.name,
                hint=f"it ends by itself within {WINDOW_S} s: try again then",
            )  # fmt: skip
        found = _LINE.search(done.said)
        if found is None:
            said = f"{done.said}\n{done.errors}".strip().splitlines()
            return UserError(
                f"it did not take its configuration and keeps the former one: {' '.join(said[-3:])}",
                where=self.name,
            )
        number = int(found[1])
        lines = text.splitlines()
        line = lines[number - 1].strip() if number <= len(lines) else ""
        return UserError(
            f"it refuses line {number} of {FILE}, `{line}`: {found[2]}; it keeps the former configuration",
            where=f"{self.name}, {origin(text, number)}",
            hint=f"`gigasite render` prints the file; its facts come from {FACTS}",
        )


FACTS = "infra/render/network/facts.py"


def origin(text: str, number: int) -> str:
    """The template that a line comes from: the file names it above each part."""
    above = (_PART.match(line) for line in reversed(text.splitlines()[:number]))
    return next((found[1] for found in above if found), "no template")
