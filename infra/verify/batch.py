"""A testinfra backend that asks a machine many commands in one login and answers from what it said.

A login costs a machine more than most commands do: 0.1 s to 3 s. testinfra's own backends take one for each
command, or one round trip of a shared connection.
"""

from __future__ import annotations

import secrets
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

from testinfra.backend.ssh import SshBackend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testinfra.backend.base import CommandResult

GUESS = b"0\n"
"""What a command is taken to print, with exit status 0, until the machine has been asked: most ways to read
an answer (a number, JSON, a checksum) go on with it, so that a rehearsal sees more commands."""


SSH_FAILED = 255
"""Exit status of ssh itself (ssh(1))."""


class Silent(Exception):  # noqa: N818 (an answer that is none)
    """The machine does not answer; its text says why."""


class BatchBackend(SshBackend):
    """Run commands as root on one machine by ssh, many in one login.

    Attributes:
        answers: what was said, by command; a command is asked once until `forget`.
        wanted: commands that a rehearsal would have asked; None while nothing is rehearsed.
        away: why the machine does not answer, if it does not.
        used: commands that were run, in order, answered or not.
        logins: how often the machine was logged in to.
    """

    NAME = "ssh"

    def __init__(self, hostspec: str, **settings: Any) -> None:
        super().__init__(hostspec, **settings)
        self.answers: dict[str, CommandResult] = {}
        self.wanted: dict[str, None] | None = None
        self.away: str | None = None
        self.used: list[str] = []
        self.logins = 0

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:  # noqa: ARG002 (of the base)
        """Return what a command says.

        Raises:
            Silent: the machine does not answer.
        """
        text = self.quote(command, *args)
        self.used.append(text)
        if text not in self.answers and self.wanted is not None:
            self.wanted[text] = None
            return self.result(0, self.encode(text), GUESS, b"")
        self.ask([text])
        if text not in self.answers:
            raise Silent(self.away)
        return self.answers[text]

    def ask(self, commands: Iterable[str]) -> None:
        """Run the commands that were not asked yet in one login, and keep what they say."""
        asked = [command for command in dict.fromkeys(commands) if command not in self.answers]
        if not asked or self.away is not None:
            return
        mark = secrets.token_hex(8)
        self.logins += 1
        # On standard input: a command line has 128 KiB (execve(2), MAX_ARG_STRLEN).
        shell = "sudo /bin/sh -s" if self.sudo else "/bin/sh -s"
        words, values = self._build_ssh_command(shell)
        done = subprocess.run(
            shlex.split(self.quote(" ".join(words), *values)),
            input=_script(asked, mark).encode(),
            capture_output=True,
            check=False,
        )
        if done.returncode == SSH_FAILED:
            self.away = done.stderr.decode(errors="replace").strip()
            return
        for command, (status, said, errors) in zip(asked, _parts(done.stdout, mark), strict=True):
            self.answers[command] = self.result(status, self.encode(command), said, errors)

    def forget(self, commands: Iterable[str]) -> None:
        """Ask commands again the next time."""
        for command in commands:
            self.answers.pop(command, None)


def _script(commands: Iterable[str], mark: str) -> str:
    """Shell text that prints for each command: its output, the mark and its status, its errors."""
    end = f"printf '\\n{mark} %s\\n' $?; [ -s $e ] && cat $e; echo {mark}"
    lines = [f"(eval {shlex.quote(command)}) 2>$e </dev/null; {end}" for command in commands]
    return "\n".join(["e=$(mktemp)", *lines, "rm $e"])


def _parts(output: bytes, mark: str) -> Iterable[tuple[int, bytes, bytes]]:
    """Status, output and errors of each command."""
    rest = output
    while rest:
        said, _, rest = rest.partition(f"\n{mark} ".encode())
        status, _, rest = rest.partition(b"\n")
        errors, _, rest = rest.partition(f"{mark}\n".encode())
        yield int(status), said, errors
