"""Names that the operating system has already: folders that are no place for data, and its own groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    """Exports and mounts on folders of the system, and people in its groups."""
    for index, tier in enumerate(site.storage.tiers):
        for number, export in enumerate(tier.exports):
            for key in ("path", "mount"):
                path = getattr(export, key)
                plain = "/" + "/".join(part for part in path.split("/") if part not in {"", "."})
                inside = any(plain.startswith(f"{folder}/") for folder in OWNED)
                if plain in SYSTEM_FOLDERS or inside or ".." in path.split("/"):
                    yield Mistake(
                        ("storage", "tiers", index, "exports", number, key),
                        f"`{path}` is the operating system's",
                        "give a folder of its own, for example /srv/shared and /shared",
                    )
    for index, user in enumerate(site.users):
        for number, group in enumerate(user.groups):
            if group in SYSTEM_GROUPS or group.startswith("systemd-"):
                yield Mistake(
                    ("users", index, "groups", number),
                    f"`{group}` is a group of the operating system: its members get its rights",
                    "give a group of people another name",
                )
