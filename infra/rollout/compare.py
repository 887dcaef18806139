"""Comparison: each machine's files, rendered here, beside those on the machine.

All files of a machine are rendered on the controller from the roles' own rules. What the machine's own `stat`
and `sha256sum` must print of them is known before it is asked: a machine that has everything says so without
starting Python, which costs it several times as much. Only the others are asked what differs. Machines with
the same differences are one change, which a person looks at once. What roles do besides files (units, files
that they remove) only shows when the play runs.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.errors import UserError
from infra.render.deployment import render_files
from infra.render.facts import machine_facts
from infra.rollout import ssh
from infra.rollout.inventory.facts import site_at
from infra.rollout.push.request import PENDING
from infra.rollout.secrets import secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infra.render.deployment import Deployed
    from infra.rollout.inventory.facts import SiteOfMachines

AT_ONCE = 64
ANSWER_S = 90.0
UNREACHABLE = 255
"""What ssh exits with if it did not reach the machine."""
SHOWN = 64 * 1024
"""Bytes of a file that the machine sends for a difference; of a longer one only that it differs is said."""

REMOTE = r"""
import grp, hashlib, json, os, pwd, stat, sys
found = []
for path, folder, mode, owner, group, digest, secret in json.load(sys.stdin):
    try:
        state = os.stat(path)
    except OSError:
        found.append([path, "is missing", None])
        continue
    try:
        names = [pwd.getpwuid(state.st_uid).pw_name, grp.getgrgid(state.st_gid).gr_name]
        is_as = [format(stat.S_IMODE(state.st_mode), "04o"), *names]
    except KeyError:
        is_as = ["?", str(state.st_uid), str(state.st_gid)]
    wanted = [mode, owner, group]
    if stat.S_ISDIR(state.st_mode) != folder:
        found.append([path, "is no folder" if folder else "is a folder", None])
        continue
    data = None if folder else open(path, "rb").read()
    if data is not None and hashlib.sha256(data).hexdigest() != digest:
        shown = None if secret or len(data) > LIMIT else data.decode("utf-8", "replace")
        found.append([path, "differs", shown])
    elif is_as != wanted:
        found.append([path, "is " + " ".join(is_as) + ", not " + " ".join(wanted), None])
if os.path.exists("PENDING") and os.path.getsize("PENDING"):
    found.append(["PENDING", "names commands that are still to be run", None])
print(json.dumps(found))
""".replace("LIMIT", str(SHOWN)).replace("PENDING", PENDING)


@dataclass(frozen=True, slots=True)
class Change:
    """One file that would change: its path and how (a unified diff, or words); never a secret's content."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Machines that would change alike.

    Attributes:
        key: hash of the change.
        changes: by path.
        hosts: names.
    """

    key: str
    changes: tuple[Change, ...]
    hosts: tuple[str, ...]

    def lines(self) -> list[str]:
        """The change for a person, and whom it is for."""
        number = len(self.hosts)
        more = f" and {number - 3:,} more" if number > 3 else ""
        shown = [
            f"change {self.key} on {number:,} machine{'s' * (number != 1)}: {', '.join(self.hosts[:3])}{more}"
        ]
        for change in self.changes:
            text = change.text if "\n" in change.text else f"{change.path} {change.text}"
            shown += [f"    {line}" for line in text.splitlines()]
        return shown


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        groups: the most machines first.
        same: machines on which every file is as it shall be.
        silent: machines that could not be asked, with the reason.
    """

    groups: tuple[Group, ...]
    same: tuple[str, ...]
    silent: Mapping[str, str]


def compare(site: str, hosts: Sequence[str]) -> Comparison:
    """Compare the files of some machines with what the roles give them.

    Raises:
        UserError: a rule, a template or the declaration is wrong.
    """
    source = site_at(paths.inventory(site) / "site.yaml")
    source.values.check()
    found: dict[str, tuple[Change, ...]] = {}
    silent: dict[str, str] = {}
    wanted, wrong = {}, {}
    for host in hosts:
        try:
            wanted[host] = _files(source, host)
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
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for host, answer in pool.map(lambda host: (host, _ask(site, host, wanted[host])), hosts):
            if isinstance(answer, str):
                silent[host] = answer
            else:
                found[host] = _changes(answer, wanted[host])
    return Comparison(
        tuple(group_alike(found)), tuple(host for host, changes in found.items() if not changes), silent
    )


def _files(source: SiteOfMachines, host: str) -> dict[str, tuple[Deployed, bytes]]:
    """Files of a machine by path, with their content."""
    facts = machine_facts(source.machine(host), source.peers, source.common)
    files = {}
    for file in render_files(facts, source.whole, source.role_variables(facts)):
        content = secret(facts.site, file.secret) if file.secret else (file.text or "").encode()
        files[file.path] = (file, content)
    return files


def _ask(site: str, host: str, files: Mapping[str, tuple[Deployed, bytes]]) -> list[Any] | str:
    """Ask one machine for its differences, or say why it could not be asked."""
    script, wanted = question(files)
    try:
        done = ssh.run_on(site, host, "sudo /bin/sh -s", stdin=script, timeout=ANSWER_S)
        if done.returncode == 0 and done.stdout == wanted:
            return []
        if done.returncode != UNREACHABLE:
            request = [
                (path, file.folder, file.mode, file.owner, file.group, _digest(content), bool(file.secret))
                for path, (file, content) in files.items()
            ]
            command = f"sudo /usr/bin/python3 -S -E -c {shlex.quote(REMOTE)}"
            done = ssh.run_on(site, host, command, stdin=json.dumps(request), timeout=ANSWER_S)
        if done.returncode == 0:
            answer: list[Any] = json.loads(done.stdout)
            return answer
    except (UserError, ValueError) as error:
        return str(error)
    said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
    return ssh.explain_refusal(site, host, done.stderr) or said


def question(files: Mapping[str, tuple[Deployed, bytes]]) -> tuple[str, str]:
    """Return a script for a machine's shell, and what it prints where every file is as it shall be.

    Anything else that it prints says no more than that the machine is to be asked in full.
    """
    kinds = {
        path: "directory" if file.folder else "regular file" if content else "regular empty file"
        for path, (file, content) in files.items()
    }
    states = [
        f"{int(file.mode, 8):o} {file.owner} {file.group} {kinds[path]} {path}"
        for path, (file, _) in files.items()
    ]
    hashes = [f"{_digest(content)}  {path}" for path, (file, content) in files.items() if not file.folder]
    lines = ["export LC_ALL=C"]
    if states:
        lines.append(f"stat -L -c '%a %U %G %F %n' -- {shlex.join(files)}")
    if hashes:
        named = [path for path, (file, _) in files.items() if not file.folder]
        lines.append(f"sha256sum -- {shlex.join(named)}")
    lines.append(f"if test -s {PENDING}; then echo pending; fi")
    return "\n".join([*lines, ""]), "".join(f"{line}\n" for line in (*states, *hashes))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _changes(answer: Iterable[Any], files: Mapping[str, tuple[Deployed, bytes]]) -> tuple[Change, ...]:
    """Differences in words, by path."""
    changes = []
    for path, how, before in answer:
        text = how
        if path in files:
            file, content = files[path]
            shown = not file.secret and not file.folder
            if shown and (before is not None or how == "is missing"):
                after = content.decode(errors="replace")
                text = "\n".join(
                    difflib.unified_diff(
                        (before or "").splitlines(), after.splitlines(),
                        path if before is not None else "/dev/null", path, lineterm="", n=1,
                    )
                )  # fmt: skip
        changes.append(Change(path, text))
    return tuple(sorted(changes, key=lambda change: change.path))


def group_alike(found: Mapping[str, tuple[Change, ...]]) -> list[Group]:
    """Machines that change alike, the most first; those that do not change are in none."""
    by_change: dict[tuple[Change, ...], list[str]] = {}
    for host, changes in found.items():
        if changes:
            by_change.setdefault(changes, []).append(host)
    groups = [
        Group(hashlib.sha256(repr(changes).encode()).hexdigest()[:8], changes, tuple(hosts))
        for changes, hosts in by_change.items()
    ]
    return sorted(groups, key=lambda group: (-len(group.hosts), group.hosts[0]))
