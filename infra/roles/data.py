"""Types of `role.yaml`, the data file of a role's folder."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from infra.spec.base import Part

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", examples=["time_client"])]
"""Name of a role or a component: also an Ansible group or tag."""

Fact = Annotated[str, Field(pattern=r"^(machine|site)(\.[a-z_]+)+$", examples=["machine.firewall"])]
"""Dotted name of a fact of the machine or its site (infra/render/facts.py)."""

Path = Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+)*(=\S+)?$", examples=["schedulers.slurm"])]
"""Dotted keys of a data file, and the value wanted there; without one, anything but nothing will do. All
members of a list are looked at."""


class Machines(Part):
    """Which machines a role, or a component of it, is for: those that meet every line."""

    roles: tuple[Literal["tray", "storage", "management", "switch"], ...] = ()
    """Machine roles; any without a line."""
    platform: Path | None = None
    """A part of its platform's (or switch model's) catalog entry, for example
    `node.accelerator.interface=nvml`."""
    declared: Path | None = None
    """A part of site.yaml that must be there, for example `schedulers.slurm`."""
    named_by: Path | None = None
    """A part of site.yaml that names servers: only those servers, for example `services.monitoring`."""


class FileRule(Part):
    """A file that a component deploys."""

    src: str | None = None
    """Template below `templates/`."""
    copy_: Annotated[str | None, Field(alias="copy", examples=["gpu_health/*.py"])] = None
    """Glob of plain files below `playbooks/files/` (a site's own role: also its `files/`), put into the
    folder `path`."""
    path: str | None = None
    """Target path; by default the template's own. `{each.name}` and the like stand for facts."""
    each: Fact | None = None
    """A list of facts: one file for each element, which templates see as `each`."""
    only: Fact | None = None
    """A fact that must be there and not empty, else the file is not deployed."""
    secret: str | None = None
    """Name of a secret of the site (`infra.rollout.secrets`) that is the content."""
    folder: bool = False
    """It is a folder."""
    mode: Annotated[str, Field(pattern=r"^[0-7]{4}$", examples=["0644"])] = "0644"
    owner: str = "root"
    group: str = "root"
    validate_: Annotated[str | None, Field(alias="validate", pattern="%s")] = None
    """Command that must succeed on the new file, given as `%s`, before it is put in place."""
    apply: str | None = None
    """Shell command that makes a changed file count; each is run once, after all files are in place."""

    @model_validator(mode="after")
    def _has_content_and_place(self) -> FileRule:
        sources = [bool(self.src), bool(self.copy_), bool(self.secret), self.folder]
        if sum(sources) != 1:
            raise PydanticCustomError(
                "content", "{message}|{hint}",
                {"message": "a file needs one of `src`, `copy`, `secret` and `folder: true`",
                 "hint": "`src` is a template below templates/"},
            )  # fmt: skip
        if not (self.src or self.path):
            raise PydanticCustomError(
                "path", "{message}|{hint}",
                {"message": "the file has no `path`", "hint": "only a template says its path itself"},
            )  # fmt: skip
        return self


class Unit(Part):
    """A systemd unit that is enabled and active."""

    name: str
    """`{each.unit}` and the like stand for facts."""
    each: Fact | None = None
    """A list of facts: one unit for each element."""
    only: Fact | None = None
    """A fact that must be there and not empty."""

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_type(self) -> Unit:
        if not self.each and not self.name.endswith(UNIT_TYPES):
            raise PydanticCustomError(
                "unit", "{message}|{hint}",
                {"message": f"{self.name!r} has no unit type", "hint": f"for example {self.name}.service"},
            )  # fmt: skip
        return self


UNIT_TYPES = (".service", ".socket", ".timer", ".mount", ".path", ".target", ".swap", ".automount", ".slice")
"""Suffixes of unit names (systemd.unit(5))."""

DropIn = Annotated[
    str,
    Field(
        pattern=r"^etc/systemd/system/[^/]+\.d/[^/]+\.conf\.j2$",
        examples=["etc/systemd/system/slurmd.service.d/10-gigasite.conf.j2"],
    ),
]
"""Template of a drop-in of a unit; systemd reads it and restarts the unit if that runs."""


class Component(Part):
    """Files and units that belong together; its name is a tag of the role's task."""

    machines: Machines = Machines()
    """Those of the role's machines that have it; all without a line."""
    only: Fact | None = None
    """A fact that must be there and not empty, else the machine does not have the component."""
    files: tuple[FileRule, ...] = ()
    drop_ins: tuple[DropIn, ...] = ()
    prune: tuple[Annotated[str, Field(pattern=r"^/.*\*", examples=["/etc/sysctl.d/*-gigasite*"])], ...] = ()
    """Globs: files that match and that no role deploys on the machine are removed."""
    units: tuple[Unit, ...] = ()

    @property
    def rules(self) -> tuple[FileRule, ...]:
        """Its files, drop-ins among them."""
        return self.files + tuple(_drop_in_rule(src) for src in self.drop_ins)


def _drop_in_rule(src: str) -> FileRule:
    unit = src.split("/")[-2].removesuffix(".d")
    return FileRule(src=src, apply=f"systemctl daemon-reload && systemctl try-restart {unit}")


class FidelityRow(Part):
    """Stand-in for a part that the role configures: what it proves and what it does not."""

    part: str
    by: str
    kind: Literal["real", "vm", "emulated", "simulated", "hardware-only"]
    proves: str
    not_: Annotated[str, Field(alias="not")] = ""


class RoleSpec(Part):
    """One role: everything that playbooks, image, checks and the fidelity table need to know of it."""

    summary: str
    """Purpose, in one line."""
    machines: Machines = Machines()
    packages: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$", examples=["chrony"])], ...] = ()
    """Debian packages that its machines have from their image; playbooks install nothing."""
    components: dict[Word, Component] = Field(default_factory=dict)
    """In the order in which they are deployed."""
    fidelity: tuple[FidelityRow, ...] = ()
    """Rows of the fidelity table."""
    hardware_only: tuple[str, ...] = ()
    """Claims that only the hardware can prove."""
