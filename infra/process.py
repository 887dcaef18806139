"""The one way to run another program."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def run(
    command: Sequence[str | Path],
    *,
    check: bool = True,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
    hint: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with its output captured as text.

    Args:
        command: program and arguments; never given to a shell.
        check: raise if it fails.
        cwd: the folder it runs in.
        env: the whole environment, or None for ours.
        stdin: text for its standard input; without it, standard input is empty.
        timeout: seconds.
        hint: what the user can do when it fails.

    Raises:
        UserError: the program is missing, failed (with its last lines) or ran over its time.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(  # noqa: PLW1510 (judged below, with the output)
            words,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=cwd,
            env=env,
            timeout=timeout,
            input=stdin if stdin is not None else "",
        )
    except FileNotFoundError as error:
        raise UserError(f"{words[0]} is not installed", hint=hint or "run `gigasite doctor`") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"`{shlex.join(words)}` took more than {timeout:.0f} s", hint=hint) from error
    if check and done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise UserError(f"`{shlex.join(words)}` failed with exit code {done.returncode}:\n{tail}", hint=hint)
    return done


def stream(
    command: Sequence[str | Path],
    say: Callable[[str], None],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> int:
    """Run a program to its end and hand on its output line by line, as it comes.

    Args:
        command: program and arguments; never given to a shell.
        say: told each line of its standard output and error, without the line end.
        cwd: the folder it runs in.
        env: the whole environment, or None for ours.

    Returns:
        its exit code.

    Raises:
        UserError: the program is missing.
    """
    words = [str(word) for word in command]
    # If we are killed, it must not go on alone.
    tied = ["setpriv", "--pdeathsig", "TERM", *words] if shutil.which("setpriv") else words
    if shutil.which(words[0]) is None:
        raise UserError(f"{words[0]} is not installed", hint="run `gigasite doctor`")
    try:
        process = subprocess.Popen(
            tied, cwd=cwd, env=env, text=True, errors="replace", bufsize=1,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UserError(f"{words[0]} is not installed", hint="run `gigasite doctor`") from error
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                say(line.rstrip("\n"))
        except BaseException:
            process.terminate()
            raise
    return process.returncode
