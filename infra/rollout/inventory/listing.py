"""Variables of a big site in a listing: how each machine is reached, and expressions for what is large.

`ansible-inventory --list` holds the variables of all machines, a copy of them and their text at the same
time. An expression is Ansible's own way to say a value that is made when somebody needs it.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from ansible.template import trust_as_template

from infra.errors import UserError
from infra.process import run

if TYPE_CHECKING:
    from pathlib import Path

VALUES = 1000
"""Machines of which a listing shows all values: ansible-inventory takes half a megabyte for each."""
LARGE = ("machine", "made", "site")


def expression(code: str, before: str = "") -> str:
    """Return a template that Ansible may work out, after some words."""
    return trust_as_template(f"{before}{{{{ {code} }}}}")


def expressions(source: Path) -> dict[str, str]:
    """Return an expression for each large variable: the same for all machines, so a group can have it.

    Args:
        source: the declaration.
    """
    return {name: expression(f"lookup('gigasite', '{name}', source={str(source)!r})") for name in LARGE}


def ask(question: str, source: str, *words: str) -> dict[str, Any]:
    """Return the answer of `answers` to a question, from a program of its own.

    A lookup runs in a fork of the playbook, where polars would wait for threads that are not there; a listing
    has no room for the plan of a big site.

    Args:
        question: `variables` or `addresses`.
        source: the declaration.
        words: the machine's name, for `variables`.

    Raises:
        UserError: the declaration is wrong or has no such machine.
    """
    program = [sys.executable, "-m", "infra.rollout.inventory.answers", question, source, *words]
    done = run(program, check=False)
    if done.returncode:
        raise UserError(done.stderr.strip())
    found: dict[str, Any] = json.loads(done.stdout)
    return found
