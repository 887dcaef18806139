"""Names that the operating system has already: folders that are no place for data, and its own groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.services import Export, StorageTier
    from infra.spec.site import Site

SYSTEM_FOLDERS = frozenset(
    [
        "/",
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/lib",
        "/lib64",
        "/opt",
        "/proc",
        "/root",
        "/run",
        "/sbin",
        "/srv",
        "/sys",
        "/tmp",  # noqa: S108 (a name to refuse, not a file to write)
        "/usr",
        "/var",
        "/home",
        "/mnt",
        "/media",
    ]
)
"""Top folders of the Filesystem Hierarchy Standard 3.0: a mount there hides what a machine runs from."""

OWNED = ("/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/usr")
"""Of these nothing below is a place for data either."""

PLAIN = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
"""Paths that exports(5), systemd.mount(5) and mount(8) read as they are written."""

SYSTEM_GROUPS = frozenset(
    [
        "root",
        "daemon",
        "bin",
        "sys",
        "adm",
        "tty",
        "disk",
        "lp",
        "mail",
        "news",
        "uucp",
        "man",
        "proxy",
        "kmem",
        "dialout",
        "fax",
        "voice",
        "cdrom",
        "floppy",
        "tape",
        "sudo",
        "audio",
        "dip",
        "www-data",
        "backup",
        "operator",
        "list",
        "irc",
        "src",
        "shadow",
        "utmp",
        "video",
        "sasl",
        "plugdev",
        "staff",
        "games",
        "users",
        "nogroup",
        "input",
        "sgx",
        "kvm",
        "render",
        "crontab",
        "netdev",
        "wheel",
        "munge",
        "slurm",
        "frr",
        "frrvty",
    ]
)
"""Groups of Debian's base-passwd and of packages that machines have; members of some can become root."""


def system_mistakes(site: Site) -> Iterator[Mistake]:
    """Exports on folders of the system or without room, and people in the system's groups."""
    for index, tier in enumerate(site.storage.tiers):
        for number, export in enumerate(tier.exports):
            for key in ("path", "mount"):
                yield from _folder(("storage", "tiers", index, "exports", number, key), getattr(export, key))
            yield from _quotas(("storage", "tiers", index, "exports", number, "quotas"), export, site)
        yield from _room(("storage", "tiers", index), tier)
    for index, user in enumerate(site.users):
        for number, group in enumerate(user.groups):
            if group in SYSTEM_GROUPS or group.startswith("systemd-"):
                yield Mistake(
                    ("users", index, "groups", number),
                    f"`{group}` is a group of the operating system: its members get its rights",
                    "give a group of people another name",
                )


def _folder(loc: Loc, path: str) -> Iterator[Mistake]:
    plain = "/" + "/".join(part for part in path.split("/") if part not in {"", "."})
    inside = any(plain.startswith(f"{folder}/") for folder in OWNED)
    if plain in SYSTEM_FOLDERS or inside or ".." in path.split("/"):
        yield Mistake(
            loc,
            f"`{path}` is the operating system's",
            "give a folder of its own, for example /srv/shared and /shared",
        )
    elif not PLAIN.fullmatch(path):
        yield Mistake(
            loc,
            f"`{path}` is no plain path: exports and mount units read blanks, quotes, `%` and `:`",
            "use letters, digits, `_`, `-`, `.` and single slashes, for example /srv/shared",
        )


def _quotas(loc: Loc, export: Export, site: Site) -> Iterator[Mistake]:
    """Each quota is of one user, group or folder that there is, once, and within its export."""
    known = {
        "user": {user.name for user in site.users},
        "group": {group for user in site.users for group in user.groups},
    }
    seen: dict[tuple[str, str], int] = {}
    for index, quota in enumerate(export.quotas):
        here: Loc = (*loc, index)
        whose = [(kind, name) for kind in ("user", "group", "folder") if (name := getattr(quota, kind))]
        if len(whose) != 1:
            said = " and ".join(kind for kind, _ in whose) or "none of them"
            message = f"a quota is of one user, one group or one folder; this one says {said}"
            yield Mistake(here, message, "write one quota for each")
            continue
        kind, name = whose[0]
        if kind in known and name not in known[kind]:
            yield Mistake(
                (*here, kind),
                f"no {kind} `{name}` is declared",
                "declare it under `users`" + (" (`groups` of a person)" if kind == "group" else ""),
            )
        first = seen.setdefault(whose[0], index)
        if first != index:
            message = f"{kind} `{name}` has a quota here already"
            yield Mistake((*here, kind), message, f"the other is quotas[{first}]")
        if quota.limit > export.size:
            message = f"{quota.limit:,.0f} bytes are more than the export's {export.size:,.0f}"
            yield Mistake((*here, "limit"), message, "no quota is needed for all of it")
        if quota.soft is not None and quota.soft >= quota.limit:
            message = "`soft` is not below `limit`, so it says nothing"
            yield Mistake((*here, "soft"), message, "make it less, or leave it out")


def _room(loc: Loc, tier: StorageTier) -> Iterator[Mistake]:
    """Each export is a limit of its own, and together they are in the tier's capacity."""
    if tier.exports and not (tier.kind == "nfs" and tier.servers):
        message = f"nothing serves the exports of `{tier.name}`: only servers of an nfs tier export folders"
        yield Mistake((*loc, "exports"), message, "write `kind: nfs` and `servers`, or leave `exports` out")
    asked = sum(export.size for export in tier.exports)
    if tier.capacity is not None and asked > tier.capacity:
        message = f"the exports of `{tier.name}` take {asked:,.0f} bytes of {tier.capacity:,.0f}"
        yield Mistake((*loc, "exports"), message, "make them smaller, or declare more capacity")
