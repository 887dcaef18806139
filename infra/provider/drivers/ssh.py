"""Scripts on machines of a site over ssh, as root, each by a connection of its own."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from infra import hostkeys, paths, process
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

LOST = 255
"""ssh's exit code for a connection that did not come or broke."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a script on a machine ended.

    Attributes:
        code: exit code.
        said: standard output.
        errors: standard error, which a login may add to.
    """

    code: int
    said: str
    errors: str = ""


class Reach(Protocol):
    """A way to a machine; each call is a connection of its own."""

    def run(self, script: str, stdin: str, limit: float) -> Done:
        """Run a shell script as root; code 255 if there is no connection; `limit` is in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Ssh:
    """ssh as the site's own configuration has it.

    Attributes:
        command: ssh with its options and the machine's name.
        site, name: for what is said of a refused host key.
        root: words that make a command root's.
    """

    command: Sequence[str]
    site: str
    name: str
    root: str = "sudo -n"

    def run(self, script: str, stdin: str, limit: float) -> Done:
        """See `Reach`."""
        words = [*self.command, f"{self.root} sh -c {shlex.quote(script)}"]
        try:
            done = process.run(words, check=False, stdin=stdin, timeout=limit)
        except UserError as error:
            return Done(LOST, "", str(error))
        known = paths.state(self.site) / "ssh" / "known_hosts"
        if done.returncode == LOST and (strange := hostkeys.explain(done.stderr, known, self.name)):
            raise UserError(strange, where=self.name, hint="nothing was changed")
        return Done(done.returncode, done.stdout, done.stderr)


def ssh_to(site: str, name: str) -> Ssh:
    """A machine of a site, never by a connection that is open already.

    Raises:
        UserError: no step has written the site's ssh_config yet.
    """
    config = paths.state(site) / "ssh_config"
    if not config.is_file():
        raise UserError(
            f"nothing says how {name} is reached", where=str(config), hint=f"`gigasite up {site}`"
        )
    options = ("ControlMaster=no", "ControlPath=none", "ConnectTimeout=30", "ServerAliveInterval=5",
               "ServerAliveCountMax=3")  # fmt: skip
    words = [word for option in options for word in ("-o", option)]
    return Ssh(("ssh", "-F", str(config), *words, name), site, name)
