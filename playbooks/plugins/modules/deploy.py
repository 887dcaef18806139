"""Bring a role's files and units into the declared state: the part that runs on the machine.

The action plugin of the same name sends this source over the connection, followed by a call of `converge`.
It uses Python's library alone, and little of it: on an emulated machine imports are most of the time. For the
same reason the request is a Python literal and the answer another (`json` would load `re`), and programs are
started without `subprocess`.
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import stat

DOCUMENTATION = r"""
module: deploy
short_description: Brings components of a role into the declared state in one step
description:
  - Renders templates on the controller, puts all files in place, runs the commands that make changed files
    count and has the units enabled and active, all in one round trip. A task per file and handler would start
    Ansible's modules some forty times per machine; on machines that are busy, emulated or far away that is
    most of a run's time.
  - A file is written beside its target, validated, and moved into place.
  - What must be done because of a changed file is written down on the machine before the file changes. If the
    run is cut off, or the command fails, the next run does it, although the file is then as declared.
    Handlers would be forgotten.
  - Supports check mode and diff mode. Secrets are in neither the arguments, the result nor the difference.
options:
  components:
    description:
      - Names of components in the role's C(role.yaml), which says their files, drop-ins, units and what is
        pruned.
      - Give the task the same names as tags; a run with C(--tags) then does only the components that it
        names. A tag of the play or the role does all of them.
    type: list
    elements: str
    required: true
author: gigasite
"""


def run(words, *, quiet=False):
    """Run a program; its exit status and its output with its errors."""
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    actions += [(os.POSIX_SPAWN_DUP2, writer, 1)]
    actions += [
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0) if quiet else (os.POSIX_SPAWN_DUP2, writer, 2)
    ]
    child = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        output = pipe.read().decode(errors="replace")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output


def shell(command):
    status, output = run(["/bin/sh", "-c", command])
    if status:
        raise ValueError(f"`{command}` failed with exit code {status}: {output.strip()[-2000:]}")


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


class Pending:
    """Commands to be run because of changed files, in a file until they are done, as `FILE<TAB>COMMAND`.

    What a file needed and did not get is what it needs by today's role: a command that could not be done
    is not tried again once its role has another. The file lies in /run: a restart does the commands' work.
    """

    def __init__(self, path, files, check):
        self.path, self.check = path, check
        self.commands, self.others = [], []
        needs = {wanted["path"]: wanted["apply"] for wanted in files}
        for line in (read(path) or b"").decode().splitlines():
            file, _, command = line.partition("\t")
            if not command:  # of a version that did not say which file
                self.queue(file)
            elif file in needs:
                self.queue(needs[file])
            elif os.path.exists(file):  # another part of the machine's roles does it
                self.others.append(line)

    def queue(self, command):
        if command and command not in self.commands:
            self.commands.append(command)

    def add(self, file, command):
        if not command:
            return
        self.queue(command)
        if not self.check:
            with open(self.path, "a") as lines:
                lines.write(f"{file}\t{command}\n")

    def work_off(self, changed):
        for command in self.commands:
            changed.append(command)
            if not self.check:
                shell(command)
        if self.check or not os.path.exists(self.path):
            return
        if self.others:
            with open(self.path, "w") as lines:
                lines.writelines(f"{line}\n" for line in self.others)
        else:
            os.unlink(self.path)


def make_folder(wanted, check):
    path = wanted["path"]
    if os.path.isdir(path) and same_attributes(path, wanted):
        return False
    if not check:
        os.makedirs(path, exist_ok=True)
        set_attributes(path, wanted)
    return True


def write(wanted, check, pending):
    """Write beside the target, validate, move into place; a bad file never gets its name."""
    folder = os.path.dirname(wanted["path"])
    if check and not os.path.isdir(folder):
        return
    os.makedirs(folder, exist_ok=True)
    beside = os.path.join(folder, f".gigasite-{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(wanted["content"])
        if wanted["validate"]:
            status, output = run([word.replace("%s", beside) for word in wanted["validate"].split()])
            if status:
                output = output.replace(beside, wanted["path"]).strip()[-2000:]
                raise ValueError(f"{wanted['path']} would not be valid: {output}")
        pending.add(wanted["path"], wanted["apply"])
        if not check:
            set_attributes(beside, wanted)
            os.replace(beside, wanted["path"])
    except OSError as error:  # a full disk: the write itself does not say of which file
        raise OSError(error.errno, error.strerror, error.filename or wanted["path"]) from error
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


def put(wanted, check, diffs, pending):
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
    write(wanted, check, pending)
    return True


def start(units, check, changed):
    """Have units enabled and active, each by one call for all: systemd reads every unit again in it."""
    _, output = run(
        ["systemctl", "show", "--property=Id,ActiveState,UnitFileState,NeedDaemonReload", *units], quiet=True
    )
    found = [
        dict(line.split("=", 1) for line in block.splitlines()) for block in output.split("\n\n") if block
    ]
    pairs = list(zip(units, found, strict=True))
    disabled = [unit for unit, state in pairs if state["UnitFileState"] != "enabled"]
    stopped = [unit for unit, state in pairs if state["ActiveState"] != "active"]
    changed += [f"enable {unit}" for unit in disabled] + [f"start {unit}" for unit in stopped]
    if check:
        return
    # A unit's script of the same name in /etc/init.d counts for nothing here, and to enable it too costs two
    # more readings of all units.
    os.environ["SYSTEMCTL_SKIP_SYSV"] = "1"
    if disabled:
        systemctl("enable", disabled)
    elif any(state["NeedDaemonReload"] == "yes" for state in found):
        shell("systemctl daemon-reload")
    if stopped:
        systemctl("start", stopped)


def systemctl(verb, units):
    """Enable or start units; the error has the journal of each that is not active."""
    status, output = run(["systemctl", verb, *units])
    if not status:
        return
    told, journals = units, ""
    if verb == "start":
        told = [unit for unit in units if run(["systemctl", "is-active", "--quiet", unit])[0]]
        for unit in told:
            journals += run(
                ["journalctl", "--no-pager", "--quiet", "--lines=12", "--output=cat", "--unit", unit]
            )[1]
    raise ValueError(f"cannot {verb} {', '.join(told)}: {output.strip()}\n{journals.strip()}")


def remove(request, changed, pending):
    """Remove files that match and are not declared, and do what the other files of their kind need."""
    import glob

    check = request["check"]
    kept = dict.fromkeys(request["keep"])
    kept.update((wanted["path"], wanted["apply"]) for wanted in request["files"])
    for pattern in request["prune"]:
        there = glob.glob(pattern)
        for path in sorted(set(there) - set(kept)):
            changed.append(f"remove {path}")
            for other in sorted(set(there) & set(kept)):
                pending.add(other, kept[other])
            if not check:
                os.unlink(path)


def converge(request):
    """Print the result: what changed, or what failed and what had changed before; whether it went well."""
    changed, diffs, check, lock = [], [], request["check"], None
    result = {"changes": changed, "diff": diffs}
    try:
        # Another run may still be at work here, for example one whose controller was killed.
        lock = os.open(f"{request['pending']}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        pending = Pending(request["pending"], request["files"], check)
        for wanted in request["files"]:
            if put(wanted, check, diffs, pending):
                changed.append(wanted["path"])  # noqa: PERF401 (kept up to date for the answer of a failure)
        if request["prune"]:
            remove(request, changed, pending)
        pending.work_off(changed)
        if request["units"]:
            start(request["units"], check, changed)
    except KeyError as error:
        result.update(failed=True, msg=f"no such user or group: {error}")
    except (OSError, ValueError) as error:
        result.update(failed=True, msg=str(error))
    finally:
        if lock is not None:  # another request of the same program waits for it
            os.close(lock)
    result["changed"] = bool(changed)
    print(repr(result))  # noqa: T201 (the answer)
    return "failed" not in result
