"""Steps of the shared filesystem: locks that hold between two trays, and root that is nobody there."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from infra.acceptance.node import Node
from infra.errors import UserError
from infra.plan import Role

if TYPE_CHECKING:
    from infra.acceptance.site_nodes import SiteNodes

HOLD_S = 120
NOBODY = 65534
QUOTA_USER, QUOTA_GROUP, QUOTA_PROJECT = 64991, 64992, 64993
"""Numbers that nobody has: declarations end at 59999, Debian begins its own at 65000 (Policy 9.2.2)."""
GRACE = 6
"""Column of repquota's CSV: how long more than the soft limit is still taken."""
QUOTA_FOLDER = ".gigasite-acceptance-quota"


def lock(site: SiteNodes) -> dict[str, Any]:
    """Take locks on one file from two trays: two shared ones go together, an exclusive one stands alone."""
    first, second = _two_trays(site)
    _, mount = _export(site)
    options = first.ask(f"findmnt --noheadings --output=OPTIONS {shlex.quote(mount)}")
    file = f"{mount}/.gigasite-acceptance-lock"
    with_locks = "nolock" not in options and "local_lock=none" in options
    try:
        shared = _held(first, file, "--shared") and _try(second, file, "--shared")
        both = not _try(second, file, "--exclusive")
        _let_go(first, file)
        exclusive = _held(first, file, "--exclusive")
        contended = not _try(second, file, "--exclusive") and not _try(second, file, "--shared")
        _let_go(first, file)
        free = _try(second, file, "--exclusive")
    finally:
        _let_go(first, file)
        first.ask(f"rm -f {file}")
    return {
        "tests": {
            "mounted_with_flock": {"passed": with_locks, "message": options.strip()},
            "flock_exclusive": {"passed": exclusive and free},
            "flock_shared": {"passed": shared},
            "flock_contention": {"passed": contended and both},
        }
    }


def _held(node: Node, file: str, kind: str) -> bool:
    """Take a lock on a tray and keep it in a process of its own; whether it has it."""
    unit = _unit(file)
    node.ask(
        f"systemd-run --quiet --unit={unit} flock --nonblock {kind} {file} sleep {HOLD_S}; "
        f"for i in 1 2 3 4 5 6 7 8 9 10; do pgrep -fx 'sleep {HOLD_S}' >/dev/null && break; sleep 1; done"
    )
    return node.ask(f"systemctl is-active {unit} || true").strip() == "active"


def _let_go(node: Node, file: str) -> None:
    node.ask(
        f"systemctl stop {_unit(file)} 2>/dev/null; systemctl reset-failed {_unit(file)} 2>/dev/null; true"
    )


def _unit(file: str) -> str:
    return file.rsplit("/", 1)[-1].lstrip(".")


def _try(node: Node, file: str, kind: str) -> bool:
    said = node.ask(f"flock --nonblock --conflict-exit-code=9 {kind} {file} true; echo $?")
    if (code := said.strip()) not in {"0", "9"}:
        raise UserError(f"flock ended with {code}", where=node.name)
    return code == "0"


def squash_root(site: SiteNodes) -> dict[str, Any]:
    """Export the filesystem with and without root squash while it is mounted; see whose root's files are."""
    client, _ = _two_trays(site)
    server, (path, mount) = _server(site), _export(site)
    folder = ".gigasite-acceptance-squash"
    lines = [line for line in _exports(server) if line[0] == path]
    if not lines:
        raise UserError(f"does not export {path}", where=server.name)
    server.ask(f"mkdir -p {path}/{folder} && chmod 1777 {path}/{folder}")
    owners = {}
    try:
        for word in ("root_squash", "no_root_squash"):
            for _, peer, options in lines:
                kept = ",".join(one for one in options.split(",") if not one.endswith("root_squash"))
                # -i: without it the others are read from their files again
                server.ask(f"exportfs -i -o {shlex.quote(f'{kept},{word}')} {peer}:{path}")
            made = f"{folder}/{word}"
            client.ask(f"rm -f {mount}/{made}; echo x > {mount}/{made}")
            set_now = all(word in options.split(",") for one, _, options in _exports(server) if one == path)
            owners[word] = int(server.ask(f"stat --format=%u {path}/{made}")) if set_now else -1
    finally:
        # What the role deployed holds again.
        server.ask(f"exportfs -r; rm -rf {path}/{folder}")
    return {
        "tests": {
            "enable_root_squash": {"passed": owners["root_squash"] >= 0},
            "root_squashed": {"passed": owners["root_squash"] == NOBODY},
            "disable_root_squash": {"passed": owners["no_root_squash"] >= 0},
            "root_unsquashed": {"passed": owners["no_root_squash"] == 0},
        }
    }


def enforce_quotas(site: SiteNodes) -> dict[str, Any]:
    """Limit a user, a group and a folder that nobody uses, write from a tray, and see what is taken."""
    client, _ = _two_trays(site)
    server, (path, mount) = _server(site), _export(site)
    if not any(quotas for one, quotas in _quotas(site) if one == path):
        raise UserError(f"declares no quota of {path}, so its file system counts nobody", where=site.site)
    inside, folder = f"{path}/{QUOTA_FOLDER}", f"{mount}/{QUOTA_FOLDER}"
    limits = {"-u": QUOTA_USER, "-g": QUOTA_GROUP, "-P": QUOTA_PROJECT}
    server.ask(
        f"rm -rf {inside}; mkdir {inside} && install -d -m 1777 {inside}/own {inside}/project && "
        f"chattr +P -p {QUOTA_PROJECT} {inside}/project && "
        + " && ".join(f"setquota {kind} {who} 1024 4096 0 0 {path}" for kind, who in limits.items())
    )
    try:
        soft = _write(client, f"{folder}/own/soft", QUOTA_USER, NOBODY, mib=2)
        grace = server.ask(f"repquota -v -u -O csv {path} | grep '^#{QUOTA_USER},'").split(",")
        over = {
            "uid": _write(client, f"{folder}/own/user", QUOTA_USER, NOBODY, mib=8),
            "gid": _write(client, f"{folder}/own/group", NOBODY, QUOTA_GROUP, mib=8),
            "project": _write(client, f"{folder}/project/file", NOBODY, NOBODY, mib=8),
        }
        held = int(server.ask(f"du --summarize --block-size=1024 {inside} | cut -f 1"))
    finally:
        lifted = "; ".join(f"setquota {kind} {who} 0 0 0 0 {path}" for kind, who in limits.items())
        server.ask(f"rm -rf {inside}; {lifted}")
    refused = {kind: "Disk quota exceeded" in said for kind, said in over.items()}
    return {
        "tests": {
            **{
                f"{kind}_quota_enforced": {"passed": refused[kind], "message": said}
                for kind, said in over.items()
            },
            "soft_quota_grace": {"passed": not soft and grace[GRACE].strip() not in {"", "0"}},
            "hard_quota_blocks": {"passed": all(refused.values()) and held <= 3 * 4096 + 64},
        }
    }


def _write(node: Node, file: str, user: int, group: int, mib: int) -> str:
    """Write a file as somebody; what was said where it was not taken."""
    return node.ask(
        f"setpriv --reuid {user} --regid {group} --clear-groups "
        f"dd if=/dev/zero of={file} bs=1M count={mib} conv=fsync status=none 2>&1 || true"
    ).strip()


def _quotas(site: SiteNodes) -> list[tuple[str, int]]:
    """Return path and number of quotas of each export."""
    return [(str(one.path), len(one.quotas)) for tier in site.plan.site.storage.tiers for one in tier.exports]


def _exports(server: Node) -> list[tuple[str, str, str]]:
    """Return path, client and options of what the kernel exports."""
    found = []
    for line in server.ask("exportfs -s").splitlines():
        path, _, rest = line.partition(" ")
        peer, _, options = rest.strip().rstrip(")").partition("(")
        found.append((path, peer, options))
    return found


def _export(site: SiteNodes) -> tuple[str, str]:
    """Return path on the server and mount point of the first export."""
    storage = site.plan.site.storage
    for tier in storage.tiers if storage else ():
        for export in tier.exports:
            return str(export.path), str(export.mount)
    raise UserError("declares no filesystem that is mounted", where=site.site)


def _server(site: SiteNodes) -> Node:
    return Node(next(one for one in site.machines if one.role is Role.STORAGE))


def _two_trays(site: SiteNodes) -> tuple[Node, Node]:
    if len(site.trays) < 2:
        raise UserError("has fewer than two trays", where=site.site)
    first = site.node
    return first, next(one for one in site.trays if one.name != first.name)
