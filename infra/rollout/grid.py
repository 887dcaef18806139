"""The grid guard of a site, where power rises: what a preview says of its gates, what a rollout obeys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError

if TYPE_CHECKING:
    from infra.energy.guard import Gate
    from infra.spec import Site


def gates(site: Site) -> tuple[Gate, ...]:
    """The gates of a site as they stand now, by the newest grid data in its state; none without a guard."""
    if site.energy is None or site.energy.guard is None:
        return ()
    from infra.energy.grid_data import gates_now  # noqa: PLC0415
    from infra.energy.site_model import guard_of  # noqa: PLC0415 (polars is slow to import)

    return gates_now(guard_of(site), paths.ROOT / ".gigasite" / site.name / "grid", datetime.now(UTC))


def gates_of(name: str) -> tuple[Gate, ...]:
    """The gates of a site by its name; none if its declaration is gone and only its stacks are left."""
    from infra.spec import load_site  # noqa: PLC0415 (pydantic is slow to import)

    declared = (paths.inventory(name) / "site.yaml").exists()
    return gates(load_site(name)) if declared else ()


def words(gate: Gate) -> str:
    """One gate as a line."""
    state = "closed" if gate.holds else "open"
    until = f", opens at {gate.opens_at:%Y-%m-%d %H:%M} UTC" if gate.holds and gate.opens_at else ""
    return f"grid gate {gate.name}: {state} ({gate.reason}){until}"


def obey(site: Site, what: str) -> None:
    """Let power rise, or say why not.

    Args:
        site: its guard is asked.
        what: what would rise, for the message.

    Raises:
        UserError: a gate holds.
    """
    if held := [gate for gate in gates(site) if gate.holds]:
        raise UserError(
            f"the grid guard keeps {what} off: {'; '.join(words(gate) for gate in held)}",
            where=f"inventories/{site.name}/site.yaml: $.energy.guard",
            hint=f"put newer grid data into .gigasite/{site.name}/grid, or wait until it opens",
            done=f"What was made before stays; `gigasite up {site.name}` goes on from here.",
        )
