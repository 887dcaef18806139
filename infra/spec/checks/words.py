"""Names and texts that a program on a machine would read as something else than a name or a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.spec.checks.system import SYSTEM_GROUPS
from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.site import Site

ACCOUNT = re.compile(r"[a-z][a-z0-9-]{0,30}")
"""Names that sysusers.d(5) takes: no digit first (it could be a number), at most 31 characters."""

SYSTEM_USERS = SYSTEM_GROUPS | {"sync", "nobody", "messagebus", "sshd", "statd", "gigasite"}
"""Accounts of Debian's base-passwd, packages and stand-ins; and the system's groups,
because an account brings a group of its name."""

MAX_TIME = re.compile(r"(?i)infinite|unlimited|[0-9]+(:[0-9]+){0,2}|[0-9]+-[0-9]+(:[0-9]+){0,2}")
"""Forms of slurm.conf's MaxTime: minutes, min:s, h:min:s, d-h, d-h:min, d-h:min:s."""


def word_mistakes(site: Site) -> Iterator[Mistake]:
    """Names of people, groups, partitions and clusters that mean something already; texts that end a line."""
    yield from _people(site)
    slurm = site.schedulers.slurm
    if slurm is None:
        return
    here = ("schedulers", "slurm")
    if slurm.cluster == "all":
        yield Mistake(
            (*here, "cluster"), "`all` means every cluster to Slurm's commands", "give it another name"
        )
    for index, partition in enumerate(slurm.partitions):
        loc = (*here, "partitions", index)
        if partition.name in {"default", "all"}:
            message = f"`{partition.name}` is no name of a partition: Slurm reads it as a word of its own"
            yield Mistake((*loc, "name"), message, "give it another name, for example main")
        if not MAX_TIME.fullmatch(partition.max_time):
            message = f"`{partition.max_time}` is no time that slurm.conf knows"
            yield Mistake((*loc, "max_time"), message, "write INFINITE, minutes, 12:00:00 or 7-00:00:00")


def _people(site: Site) -> Iterator[Mistake]:
    names = {user.name for user in site.users}
    for index, user in enumerate(site.users):
        loc = ("users", index)
        if user.name in SYSTEM_USERS or user.name.startswith("systemd-"):
            message = f"`{user.name}` is an account or group of the operating system"
            yield Mistake((*loc, "name"), message, "give the person another name")
        elif not ACCOUNT.fullmatch(user.name):
            message = f"`{user.name}` is no name of an account"
            yield Mistake((*loc, "name"), message, "begin with a letter, and use at most 31 characters")
        for number, group in enumerate(user.groups):
            if group in names:
                message = f"`{group}` is the own group of the person with that name"
                yield Mistake((*loc, "groups", number), message, "give the group another name")
            elif not ACCOUNT.fullmatch(group):
                message = f"`{group}` is no name of a group"
                yield Mistake(
                    (*loc, "groups", number), message, "begin with a letter, and use at most 31 characters"
                )
        for number, key in enumerate(user.public_keys):
            if len(key.splitlines()) != 1 or not key.strip():
                message = "a public key is one line"
                yield Mistake(
                    (*loc, "public_keys", number), message, "paste one line of a `.pub` file for each key"
                )
