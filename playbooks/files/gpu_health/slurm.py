"""Tell Slurm of a node's health: drain it with the reason, and resume it only if it was drained from here."""

from __future__ import annotations

import os
import subprocess

OWN = "gpu_health: "
"""What the reasons begin with that this program gives."""
ANSWER_S = 20
"""Slurm kills a health check after 60 s: two commands and the checks fit."""
MOST = 200
"""Characters of a reason: `sinfo -R` shows it in one line."""
OUT = ("drain", "down", "fail")


class SlurmError(Exception):
    """Slurm did not answer, or refused; says which command and why."""


def tell(state: str, reason: str) -> str:
    """Drain or resume this node where that has to be done, and say what was done.

    A node that somebody else drained stays theirs, and one whose health cannot be told stays as it is.

    Args:
        state: `healthy`, `unhealthy` or `unknown`.
        reason: what is wrong.

    Raises:
        SlurmError: see there.
    """
    node = os.environ.get("SLURMD_NODENAME") or os.uname().nodename
    now, why = look_up(node)
    out = any(word in now for word in OUT)
    ours = why.startswith(OWN)
    wanted = f"{OWN}{reason}"[:MOST]
    if state == "unhealthy" and (not out or (ours and why != wanted)):
        _run("scontrol", "update", f"NodeName={node}", "State=DRAIN", f"Reason={wanted}")
        return f"drained: {wanted}"
    if state == "healthy" and ours and "drain" in now:
        _run("scontrol", "update", f"NodeName={node}", "State=RESUME")
        return f"resumed: it was {why}"
    return f"left as it is: {now}{f' ({why})' if out else ''}"


def look_up(node: str) -> tuple[str, str]:
    """Return a node's state and reason, `none` without one."""
    said = _run("sinfo", "--noheader", "--Node", f"--nodes={node}", "--format=%T|%E")
    if not said:
        raise SlurmError(f"Slurm knows no node {node}")
    now, _, why = said.splitlines()[0].partition("|")
    return now.strip(), why.strip()


def _run(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(f"{words[0]}: {error}") from error
    if done.returncode:
        raise SlurmError(f"{words[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()
