"""Put a batch of files in place: the part of `deploy` that runs on the machine, with Python's library alone.

The action plugin of the same name sends this source over the shared connection, followed by a call of
`converge`. Imports are few, and late where they are seldom needed: on an emulated machine they are most of
the time. For the same reason the request is a Python literal and the answer another: `json` would load `re`.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat

DOCUMENTATION = r"""
module: deploy
short_description: Deploys a batch of files in one step
description:
  - Renders templates on the controller and puts all files of a component in place in one step. A machine
    runs one short Python program, where a task per file starts two Ansible modules per file; on a machine
    that is busy, emulated or far away that is most of a run's time.
  - Supports check mode and diff mode. A file is written beside its target, validated, and moved into place.
options:
  files:
    description: File rules, see infra/render/deployment.py (FileRule).
    required: true
    type: list
    elements: dict
  prune:
    description: Globs; files that match one of them and are not in I(files) are removed.
    type: list
    elements: str
author: gigasite
"""


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def attributes(wanted):
    return int(wanted["mode"], 8), pwd.getpwnam(wanted["owner"]).pw_uid, grp.getgrnam(wanted["group"]).gr_gid


def same_attributes(path, wanted):
    mode, uid, gid = attributes(wanted)
    found = os.stat(path)
    return (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (mode, uid, gid)


def set_attributes(path, wanted):
    mode, uid, gid = attributes(wanted)
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def make_folder(wanted, check):
    path = wanted["path"]
    if os.path.isdir(path) and same_attributes(path, wanted):
        return False
    if not check:
        os.makedirs(path, exist_ok=True)
        set_attributes(path, wanted)
    return True


def write(wanted, content, check):
    """Write beside the target, validate, move into place; a bad file never gets its name."""
    folder = os.path.dirname(wanted["path"])
    if check and not os.path.isdir(folder):
        return
    os.makedirs(folder, exist_ok=True)
    beside = os.path.join(folder, f".gigasite-{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        if wanted["validate"]:
            import shlex
            import subprocess

            command = [word.replace("%s", beside) for word in shlex.split(wanted["validate"])]
            done = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            if done.returncode:
                output = done.stdout.replace(beside, wanted["path"]).strip()
                raise ValueError(f"{wanted['path']} would not be valid: {output}")
        if not check:
            set_attributes(beside, wanted)
            os.replace(beside, wanted["path"])
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


def deploy(wanted, check, diffs):
    """Whether the file had to change."""
    if wanted["folder"]:
        return make_folder(wanted, check)
    path = wanted["path"]
    before = read(path)
    content = wanted["content"]
    if before == content:
        if same_attributes(path, wanted):
            return False
        if not check:
            set_attributes(path, wanted)
        return True
    if not wanted["quiet"]:
        diffs.append(
            {
                "before_header": path,
                "before": (before or b"").decode(errors="replace"),
                "after_header": path,
                "after": content.decode(errors="replace"),
            }
        )
    write(wanted, content, check)
    return True


def converge(request) -> None:
    """Print the result: what changed, or what failed and what had changed before."""
    changed, diffs, check = [], [], request["check"]
    result = {"changed_paths": changed, "diff": diffs}
    try:
        for wanted in request["files"]:
            if deploy(wanted, check, diffs):
                changed.append(wanted["path"])  # noqa: PERF401 (kept up to date for the answer of a failure)
        kept = {wanted["path"] for wanted in request["files"]}
        for pattern in request["prune"]:
            import glob

            for path in sorted(set(glob.glob(pattern)) - kept):
                changed.append(path)
                if not check:
                    os.unlink(path)
    except KeyError as error:
        result.update(failed=True, msg=f"no such user or group: {error}")
    except (OSError, ValueError) as error:
        result.update(failed=True, msg=str(error))
    result["changed"] = bool(changed)
    print(repr(result))  # noqa: T201 (the answer)
