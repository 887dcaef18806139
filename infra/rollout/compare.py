"""Comparison: each machine's files, rendered here, beside those on the machine.

What a machine shall have is rendered on the controller from the roles' own rules (`push.expected`). So it is
known what its own `stat` and `sha256sum` must print before it is asked, and one that has everything says so
without starting Python, which costs it several times as much. Only the others are asked what differs. Those
with the same differences are one change, which a person looks at once. What roles do besides files (units,
files that they remove) only shows when the play runs.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.errors import UserError
from infra.rollout import ssh
from infra.rollout.push.expected import PENDING, expected_files, rendered_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infra.rollout.push.expected import Expected

AT_ONCE = 64
ANSWER_S = 90.0
UNREACHABLE = 255
"""What ssh exits with if it did not reach the machine."""
SHOWN = 64 * 1024
"""Bytes of a file that the machine sends for a difference; of a longer one only that it differs is said."""

REMOTE = r"""
import grp, hashlib, json, os, pwd, stat, sys
found = []
for path, folder, mode, owner, group, digest, _, secret in json.load(sys.stdin):
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
    wanted = expected_files(site, hosts)
    answers: dict[str, list[Any]] = {}
    silent: dict[str, str] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for host, answer in pool.map(lambda host: (host, _ask(site, host, wanted[host])), hosts):
            if isinstance(answer, str):
                silent[host] = answer
            else:
                answers[host] = answer
    differ = [host for host, answer in answers.items() if answer]
    contents = rendered_files(site, differ) if differ else {}
    found = {host: _changes(answer, contents.get(host, {})) for host, answer in answers.items()}
    return Comparison(
        tuple(group_alike(found)), tuple(host for host, changes in found.items() if not changes), silent
    )


def _ask(site: str, host: str, files: Sequence[Expected]) -> list[Any] | str:
    """Ask one machine for its differences, or say why it could not be asked."""
    script, wanted = question(files)
    try:
        done = ssh.run_on(site, host, "sudo /bin/sh -s", stdin=script, timeout=ANSWER_S)
        if done.returncode == 0 and done.stdout == wanted:
            return []
        if done.returncode != UNREACHABLE:
            command = f"sudo /usr/bin/python3 -S -E -c {shlex.quote(REMOTE)}"
            done = ssh.run_on(site, host, command, stdin=json.dumps(files), timeout=ANSWER_S)
        if done.returncode == 0:
            answer: list[Any] = json.loads(done.stdout)
            return answer
    except (UserError, ValueError) as error:
        return str(error)
    said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
    return ssh.explain_refusal(site, host, done.stderr) or said


def question(files: Sequence[Expected]) -> tuple[str, str]:
    """Return a script for a machine's shell, and what it prints where every file is as it shall be.

    Anything else that it prints says no more than that the machine is to be asked in full.
    """
    plain = [file for file in files if not file.folder]
    script, wanted = ["export LC_ALL=C"], []
    if files:
        script.append(f"stat -L -c '%a %U %G %F %n' -- {shlex.join(file.path for file in files)}")
    for file in files:
        kind = "directory" if file.folder else "regular empty file" if file.empty else "regular file"
        wanted.append(f"{int(file.mode, 8):o} {file.owner} {file.group} {kind} {file.path}")
    if plain:
        script.append(f"sha256sum -- {shlex.join(file.path for file in plain)}")
        wanted += [f"{file.digest}  {file.path}" for file in plain]
    script.append(f"if test -s {PENDING}; then echo pending; fi")
    return "".join(f"{line}\n" for line in script), "".join(f"{line}\n" for line in wanted)


def _changes(answer: Iterable[Any], files: Mapping[str, tuple[Expected, bytes]]) -> tuple[Change, ...]:
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
