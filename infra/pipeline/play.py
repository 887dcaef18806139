"""Runs the playbooks and tells of them as lines; shared by `up` and `configure`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.rollout.configure import PlayEvent, PlayResult


def play(
    site: str,
    say: Callable[[str], None],
    log: Callable[[str], None],
    *,
    limit: str | None = None,
    tags: Sequence[str] = (),
    check: bool = False,
) -> PlayResult:
    """Configure a site's machines.

    Args:
        site: its name.
        say: told what a person wants to see: plays, tasks, changes and failures.
        log: told everything else.
        limit: machines and groups.
        tags: parts.
        check: change nothing.
    """
    from infra.rollout.configure import configure  # noqa: PLC0415 (Ansible is slow to import)

    def on_event(event: PlayEvent) -> None:
        match event.kind:
            case "play":
                say(f"{event.play}")
            case "task":
                log(f"  {event.task}")
            case "changed" | "failed" | "unreachable" | "warning":
                say(
                    f"{event.kind}: {event.host}: {event.task}"
                    + (f": {event.message}" if event.message else "")
                )
            case _:
                log(f"    {event.kind}: {event.host} ({event.seconds:.1f} s)")

    return configure(site, limit=limit, tags=tags, check=check, on_event=on_event)
