"""Run the playbooks over a site's machines by ansible-runner; a failure is one clear error."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.errors import UserError
from infra.paths import ROOT
from infra.rollout import ssh, work
from infra.rollout.inventory.variables import check_variables
from infra.rollout.playbooks import find_playbook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KEPT_RUNS = 5
"""Folders of earlier runs that are kept below .gigasite/SITE/runner/artifacts."""

HARMLESS = re.compile(
    r"HOME|PATH|USER|LOGNAME|SHELL|TERM|LANG|TZ|TMPDIR|VIRTUAL_ENV|SSH_AUTH_SOCK|(ANSIBLE|AWX|RUNNER|LC|XDG|GIGASITE)_\w*|PYTHON\w*"
)
"""Environment variables that Ansible may see."""


NO_WORK = frozenset({"validate_argument_spec", "include_role", "include_tasks", "meta"})
"""Actions that do nothing to a machine themselves: judging a role's arguments, and leading to other tasks."""


@dataclass(frozen=True, slots=True)
class PlayEvent:
    """Something happened on the way.

    Attributes:
        kind: `play`, `task`, `ok`, `changed`, `failed`, `unreachable`, `skipped` or `warning`.
        play: name of the play.
        task: name of the task; empty for a play.
        host: machine, or empty for a play, a task's start or a warning.
        message: what failed, changed or is warned of.
        seconds: how long the task took on that machine, 0 for others.
    """

    kind: str
    play: str = ""
    task: str = ""
    host: str = ""
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class HostResult:
    """Result of one machine: task counts."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class PlayResult:
    """How a run ended.

    Attributes:
        hosts: by machine name.
        failures: events of failed tasks and machines out of reach.
        seconds: wall-clock time.
        seconds_by_play: where it went.
        artifacts: folder with Ansible's own output (`stdout`) and events.
        tasks: tasks that were carried out, over all machines, but those of `NO_WORK`.
    """

    hosts: Mapping[str, HostResult]
    failures: tuple[PlayEvent, ...]
    seconds: float
    seconds_by_play: tuple[tuple[str, float], ...]
    artifacts: Path
    tasks: int = 0

    @property
    def changed(self) -> int:
        """Tasks that changed something, over all machines."""
        return sum(host.changed for host in self.hosts.values())

    @property
    def summary(self) -> str:
        """One line for a person."""
        what = f"{self.changed} changes" if self.changed else "nothing to change"
        return f"{len(self.hosts)} machines, {what}"


@dataclass
class _Watch:
    """Turns ansible-runner's events into ours and keeps what the result needs."""

    site: str
    on_event: Callable[[PlayEvent], object]
    failures: list[PlayEvent] = field(default_factory=list)
    stats: dict[str, dict[str, int]] = field(default_factory=dict)
    plays: list[tuple[str, float]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    tasks: int = 0

    def __call__(self, event: Mapping[str, Any]) -> bool:
        """Take one event; True keeps it in the artifacts."""
        kind, data = event.get("event", ""), event.get("event_data") or {}
        names = {
            "play": data.get("play") or "",
            "task": data.get("task") or "",
            "host": data.get("host") or "",
        }
        if kind == "playbook_on_play_start":
            self.plays.append((names["play"] or data.get("name", ""), time.monotonic()))
            self.on_event(PlayEvent("play", play=self.plays[-1][0]))
        elif kind in {"playbook_on_task_start", "playbook_on_handler_task_start"}:
            self.on_event(PlayEvent("task", play=names["play"], task=names["task"]))
        elif kind in {"runner_on_ok", "runner_on_skipped", "runner_on_failed", "runner_on_unreachable"}:
            self._on_result(kind.removeprefix("runner_on_"), data, names)
        elif kind == "playbook_on_stats":
            self.stats = {
                key: data.get(key) or {} for key in ("ok", "changed", "failures", "dark", "skipped")
            }
        elif kind in {"warning", "error", "verbose"} and "ERROR" in str(event.get("stdout", "")):
            self.warnings.append(str(event["stdout"]).strip())
        return True

    def _on_result(self, kind: str, data: Mapping[str, Any], names: Mapping[str, str]) -> None:
        result = data.get("res") or {}
        if kind != "skipped" and str(data.get("task_action", "")).rpartition(".")[2] not in NO_WORK:
            self.tasks += 1
        if kind == "ok" and result.get("changed"):
            kind = "changed"
        message = ""
        if kind == "failed" and data.get("ignore_errors"):
            kind = "ok"
        if kind in {"failed", "unreachable"}:
            message = str(
                result.get("msg") or result.get("stderr") or result.get("stdout") or "no message"
            ).strip()
            message = ssh.explain_refusal(self.site, names["host"], message) or message
        elif kind == "changed":
            message = ", ".join(map(str, result.get("changes") or ()))
        event = PlayEvent(kind, message=message, seconds=round(float(data.get("duration") or 0), 2), **names)
        if kind in {"failed", "unreachable"}:
            self.failures.append(event)
        self.on_event(event)

    def hosts(self) -> dict[str, HostResult]:
        """Counts by machine."""
        names = sorted({host for counts in self.stats.values() for host in counts})
        keys = {
            "ok": "ok",
            "changed": "changed",
            "failures": "failed",
            "dark": "unreachable",
            "skipped": "skipped",
        }
        return {
            name: HostResult(**{ours: int(self.stats[key].get(name, 0)) for key, ours in keys.items()})
            for name in names
        }


def configure(
    site: str,
    *,
    limit: str | None = None,
    tags: Sequence[str] = (),
    check: bool = False,
    on_event: Callable[[PlayEvent], None] = lambda _: None,
    inventory: Path | None = None,
    playbook: str = "site.yml",
) -> PlayResult:
    """Bring the machines of a site to their declared configuration; see `attempt`.

    Raises:
        UserError: there was nothing to do, a task failed, a machine could not be reached, or the playbook
            is wrong. It names the machine, the task and how to go on.
        KeyboardInterrupt: after Ansible was told to stop and has ended.
    """
    if inventory is None:
        work.require(site, limit, tags, find_playbook(site, playbook))
    result, error = attempt(
        site, limit=limit, tags=tags, check=check, on_event=on_event, inventory=inventory, playbook=playbook
    )
    if error:
        raise error
    if not result.tasks:
        raise work.none_done(site, limit, tags, _short(result.artifacts / "stdout"))
    return result


def attempt(
    site: str,
    *,
    limit: str | None = None,
    tags: Sequence[str] = (),
    check: bool = False,
    on_event: Callable[[PlayEvent], None] = lambda _: None,
    inventory: Path | None = None,
    playbook: str = "site.yml",
) -> tuple[PlayResult, UserError | None]:
    """Run a playbook and say what came of it, failures too.

    Args:
        site: name of the site.
        limit: Ansible's pattern of machines and groups, for example `rack_pod_01_su_01_rack_01`.
        tags: only these parts: `validate`, `base`, `fabric`, `time`, `storage`, `slurm`.
        check: change nothing; say what would change.
        on_event: told of each event as it comes, from this thread.
        inventory: another source than `inventories/SITE`.
        playbook: below `playbooks/` or the site's own.

    Returns:
        what was done, and the error of a failed task, a machine out of reach or a wrong playbook.

    Raises:
        UserError: group_vars or host_vars of the site are wrong.
        KeyboardInterrupt: after Ansible was told to stop and has ended.
    """
    if inventory is None:
        check_variables(site)
    from ansible_runner.interface import init_runner  # noqa: PLC0415 (slow to import)

    folder = _runner_folder(site)
    events: Queue[PlayEvent] = Queue()
    watch = _Watch(site, events.put)
    stop = _Stop()
    began = time.monotonic()
    runner = init_runner(  # type: ignore[no-untyped-call]
        private_data_dir=str(folder),
        project_dir=str(ROOT),
        playbook=str(find_playbook(site, playbook)),
        inventory=str(inventory or paths.inventory(site)),
        limit=limit or None,
        tags=",".join(tags) or None,
        cmdline="--check --diff" if check else None,
        envvars=_environment(),
        event_handler=watch,
        cancel_callback=stop.asked,
        rotate_artifacts=KEPT_RUNS,
        quiet=True,
        suppress_env_files=True,
    )
    # If we are killed, Ansible must not go on alone.
    if shutil.which("setpriv"):
        runner.config.command = ["setpriv", "--pdeathsig", "TERM", *runner.config.command]
    # The artifacts show the environment: a passphrase that happens to be in ours must not be in it.
    runner.config.env = {name: value for name, value in runner.config.env.items() if HARMLESS.fullmatch(name)}
    thread = Thread(target=runner.run, name="ansible-runner", daemon=True)
    thread.start()
    try:
        while thread.is_alive() or not events.empty():
            with suppress(Empty):
                on_event(events.get(timeout=0.1))
    except BaseException:
        stop.wanted = True
        thread.join()
        raise
    ended = time.monotonic()
    artifacts = Path(runner.config.artifact_dir)
    result = PlayResult(
        watch.hosts(),
        tuple(watch.failures),
        ended - began,
        _spans(watch.plays, ended),
        artifacts,
        watch.tasks,
    )
    if runner.status != "successful" or watch.failures:
        return result, _error(site, result, watch, artifacts, limit)
    return result, None


@dataclass
class _Stop:
    """Stop signal that ansible-runner polls while the playbook runs."""

    wanted: bool = False

    def asked(self) -> bool:
        return self.wanted


def _runner_folder(site: str) -> Path:
    folder = paths.state(site) / "runner"
    folder.mkdir(mode=0o700, exist_ok=True)
    # ansible-runner leaves what it was called with here; each call brings its own
    shutil.rmtree(folder / "env", ignore_errors=True)
    return folder


def _environment() -> dict[str, str]:
    """Our configuration and our Python, whatever folder or PATH we were called with."""
    return {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
    }


def _spans(plays: Sequence[tuple[str, float]], ended: float) -> tuple[tuple[str, float], ...]:
    ends = [*(began for _, began in plays[1:]), ended][: len(plays)]
    return tuple((name, round(end - began, 1)) for (name, began), end in zip(plays, ends, strict=True))


def _error(site: str, result: PlayResult, watch: _Watch, artifacts: Path, limit: str | None) -> UserError:
    resume = f"gigasite up {site} --step configure"
    if not result.failures:
        text = "\n".join(watch.warnings) or _tail(artifacts / "stdout")
        return UserError(
            f"Ansible stopped before its first task ended:\n{text}",
            where=f"site {site}",
            done=f"Go on with: {resume}" + (f" --limit {limit}" if limit else ""),
        )
    first = result.failures[0]
    machines = sorted({event.host for event in result.failures})
    done = [name for name in result.hosts if name not in machines]
    lines = [f"{event.host}: {event.task}: {event.message}" for event in result.failures[1:4]]
    if len(result.failures) > 4:
        lines.append(f"and {len(result.failures) - 4} more")
    lines.append(f"Configured without a failure: {', '.join(done) or 'none'}.")
    lines.append(f"Go on with: {resume} --limit {','.join(machines)}")
    reason = "cannot be reached" if first.kind == "unreachable" else "failed"
    return UserError(
        f"task {first.task!r} {reason}: {first.message}",
        where=first.host,
        hint=f"Ansible's output is in {_short(artifacts / 'stdout')}",
        done="\n".join(lines),
    )


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _tail(path: Path, lines: int = 12) -> str:
    return "\n".join(path.read_text(errors="replace").strip().splitlines()[-lines:]) if path.exists() else ""
