"""Expected files of machines: path, mode, owners and hash of each, rendered once.

To render is most of what a comparison costs the controller. The result is kept in the site's state, by
machine, under the hash of everything that it follows from: code, templates, roles, the declaration with what
lies beside it, secrets. No content is kept.
"""

from __future__ import annotations

import errno
import hashlib
import marshal
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from infra import paths
from infra.errors import UserError
from infra.files import write_whole
from infra.rollout.inventory.observed import HEALTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.rollout.inventory.facts import SiteOfMachines

FORMAT = 1
"""Of the kept files; another number renders anew."""
KINDS = ("group_vars", "host_vars")
MARKS = (b"{{", b"{%", b"{#")
PENDING = "/run/gigasite-pending"
"""File on a machine with the commands that are still to be run because of changed files."""


class Expected(NamedTuple):
    """A file or folder as it must be on a machine.

    Attributes:
        digest: SHA-256 of its content.
        empty: it has no content.
        secret: its content is never shown.
    """

    path: str
    folder: bool
    mode: str
    owner: str
    group: str
    digest: str
    empty: bool
    secret: bool


def expected_files(site: str, hosts: Sequence[str]) -> dict[str, tuple[Expected, ...]]:
    """Return the files that some machines shall have.

    Raises:
        UserError: a rule, a template or the declaration is wrong.
    """
    key = _key(site)
    folder = paths.state(site) / "expected" / key
    found = {host: kept for host in hosts if key and (kept := _read(folder / host)) is not None}
    if missing := [host for host in hosts if host not in found]:
        made = {host: _expect(files) for host, files in rendered_files(site, missing).items()}
        if key and _key(site) == key:  # nobody changed anything meanwhile
            _keep(folder, made)
        found |= made
    return found


def rendered_files(site: str, hosts: Sequence[str]) -> dict[str, dict[str, tuple[Expected, bytes]]]:
    """Render the files of some machines: by machine and path, with their content.

    Raises:
        UserError: a rule, a template or the declaration is wrong.
    """
    from infra.rollout.inventory.facts import site_at  # noqa: PLC0415 (polars and all types of the declaration)

    source = site_at(paths.inventory(site) / "site.yaml")
    source.values.check()
    found, wrong = {}, {}
    for host in hosts:
        try:
            found[host] = _render(source, host)
        except UserError as error:
            wrong[host] = error
    if wrong:
        first = next(iter(wrong.values()))
        alike = [host for host, error in wrong.items() if str(error) == str(first)]
        more = f" and {len(alike) - 3:,} more" if len(alike) > 3 else ""
        others = len(wrong) - len(alike)
        raise UserError(
            f"{first.message} (for {', '.join(alike[:3])}{more})", where=first.where, hint=first.hint,
            done=f"{others:,} machines have another such mistake." if others else None,
        )  # fmt: skip
    return found


def _render(source: SiteOfMachines, host: str) -> dict[str, tuple[Expected, bytes]]:
    from infra.render.deployment import render_files  # noqa: PLC0415 (as above)
    from infra.render.facts import machine_facts  # noqa: PLC0415
    from infra.rollout.secrets import secret  # noqa: PLC0415

    facts = machine_facts(source.machine(host), source.peers, source.common)
    files = {}
    for file in render_files(facts, source.whole, source.role_variables(facts)):
        content = secret(facts.site, file.secret) if file.secret else (file.text or "").encode()
        digest = hashlib.sha256(content).hexdigest()
        expected = Expected(
            file.path, file.folder, file.mode, file.owner, file.group, digest, not content, bool(file.secret)
        )
        files[file.path] = (expected, content)
    return files


def _expect(files: Mapping[str, tuple[Expected, bytes]]) -> tuple[Expected, ...]:
    return tuple(expected for expected, _ in files.values())


def _read(kept: Path) -> tuple[Expected, ...] | None:
    """Read the kept files of a machine; None if there are none, or they are damaged."""
    try:
        return tuple(Expected(*each) for each in marshal.loads(kept.read_bytes()))  # noqa: S302 (our own, mode 0700)
    except (OSError, EOFError, ValueError, TypeError):
        return None


def _keep(folder: Path, made: Mapping[str, tuple[Expected, ...]]) -> None:
    for old in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    for host, files in made.items():
        write_whole(folder / host, marshal.dumps([tuple(file) for file in files]))


def _key(site: str) -> str:
    """Hash of everything that the files of a site's machines follow from; "" if there is more than files."""
    digest = hashlib.sha256(f"{FORMAT}\0{sys.version}\0".encode())
    own, started = paths.inventory(site), _process_start()
    places = [*(paths.ROOT / name for name in ("infra", "templates", "playbooks", "requirements.txt")), own]
    try:
        for place in (*places, paths.state(site) / "secrets"):
            for path in _files_below(place):
                content = path.read_bytes()
                if path.stat().st_ctime >= started:
                    return ""  # this process may have read what was there before
                if place == own and _sees_more(path.relative_to(own), content):
                    return ""
                digest.update(f"{path}\0{len(content)}\0".encode())
                digest.update(content)
    except OSError:  # a link to nowhere
        return ""
    return digest.hexdigest()[:24]


def _process_start() -> float:
    """Seconds since the epoch, rounded down."""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])  # proc(5): starttime
    return booted + ticks / os.sysconf("SC_CLK_TCK") - 1


def _files_below(place: Path) -> Iterator[Path]:
    """Files below a folder, or the file itself.

    Raises:
        OSError: a folder is a link: what is behind it is not walked.
    """
    if place.is_file():
        yield place
    for folder, inner, files in os.walk(place):
        inner[:] = sorted(name for name in inner if name != "__pycache__")
        for name in inner:
            if os.path.islink(os.path.join(folder, name)):  # noqa: PTH114, PTH118 (a thousand files in few ms)
                raise OSError(errno.ELOOP, "is a link", name)
        yield from (Path(folder, name) for name in sorted(files))


def _sees_more(path: Path, content: bytes) -> bool:
    """Return whether variables follow from more than their file: from templates, or from what was seen."""
    kind, of = (*path.parts, "")[:2]
    seen = kind == "group_vars" and of.partition(".")[0] in {"cordoned", *HEALTH}
    return seen or (kind in KINDS and any(mark in content for mark in MARKS))
