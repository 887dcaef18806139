"""The plan of a site or of some of its pods: tables, each made when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from infra.errors import UserError
from infra.plan.tables import addressing, links, positions, reach, switching
from infra.plan.tables.geometry import Geometry
from infra.plan.tables.template import Template, template_for
from infra.spec import catalog
from infra.spec.sizes import in_service

if TYPE_CHECKING:
    from infra.plan.tables.switching import TierFrame
    from infra.spec.site import Site

SWITCH_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "name": pl.String,
    "fabric": pl.String,
    "tier": pl.String,
    "level": pl.Int8,
    "model": pl.String,
    "pod": pl.String,
    "su": pl.String,
    "plane": pl.Int32,
    "set": pl.Int32,
    "rack": pl.String,
    "unit": pl.Int16,
    "ports": pl.Int32,
    "watts": pl.Float64,
}


class Plan:
    """Tables of a scope: all pods and the site's own machines, or a single pod.

    Args:
        site: the declaration.
        pods: indices of the pods in scope.
        site_level: whether what belongs to no pod (servers, core switches) is in scope.
        geometry: shared with the plan that this one is a slice of.
        phase: name of the phase that chose the pods.
    """

    def __init__(
        self,
        site: Site,
        pods: range,
        *,
        site_level: bool = True,
        geometry: Geometry | None = None,
        phase: str | None = None,
    ) -> None:
        self.site, self.scope, self.site_level, self.phase = site, pods, site_level, phase
        self.geometry = geometry or Geometry(site)

    @property
    def pods(self) -> tuple[str, ...]:
        """Names of the pods in scope."""
        return tuple(f"pod-{index + 1:02d}" for index in self.scope)

    def pod(self, name: str) -> Plan:
        """One pod's slice, computed on its own.

        Raises:
            UserError: the plan has no such pod.
        """
        _, _, number = name.partition("pod-")
        if not number.isdigit() or name != f"pod-{int(number):02d}" or int(number) - 1 not in self.scope:
            hint = f"pods are {self.pods[0]} to {self.pods[-1]}" if self.scope else "the phase has no pods"
            raise UserError(f"the plan of {self.site.name} has no pod `{name}`", hint=hint)
        index = int(number) - 1
        return Plan(
            self.site, range(index, index + 1), site_level=False, geometry=self.geometry, phase=self.phase
        )

    def alike(self) -> Plan:
        """Another plan of the same scope."""
        return Plan(
            self.site, self.scope, site_level=self.site_level, geometry=self.geometry, phase=self.phase
        )

    def own_level(self) -> Plan:
        """Scope of what belongs to no pod: servers and the switches above pods."""
        return Plan(self.site, range(0), geometry=self.geometry, phase=self.phase)

    def whole(self) -> Plan:
        """All pods of the declaration, whatever this plan's scope."""
        if self.geometry.sizes.until:
            return Plan(self.site, range(self.geometry.pods))
        if self.site_level and self.scope == range(self.geometry.pods) and self.phase is None:
            return self
        return Plan(self.site, range(self.geometry.pods), geometry=self.geometry)

    # Working frames, by index; the public tables below are views of them.

    @cached_property
    def rack_frame(self) -> pl.DataFrame:
        """Compute racks; see `positions.racks`."""
        return positions.racks(self.geometry, self.scope)

    @cached_property
    def node_frame(self) -> pl.DataFrame:
        """Trays; see `positions.nodes`."""
        return positions.nodes(self.geometry, self.rack_frame, self.scope)

    @cached_property
    def companion_frame(self) -> pl.DataFrame:
        """Other trays; see `positions.companions`."""
        return positions.companions(self.geometry, self.rack_frame)

    @cached_property
    def management_frame(self) -> pl.DataFrame:
        """Management ports; see `positions.management`."""
        return positions.management(self.geometry, self.node_frame, self.companion_frame)

    @cached_property
    def server_frame(self) -> pl.DataFrame:
        """Servers of the site, whatever the scope, and those of its pods; see `positions.servers`."""
        return positions.servers(self.geometry, self.scope)

    @property
    def servers_in_scope(self) -> pl.DataFrame:
        """Servers that the scope has: those of the site belong to no pod."""
        frame = self.server_frame
        return frame if self.site_level else frame.filter(frame["pod"].is_not_null())

    @cached_property
    def tier_frames(self) -> list[TierFrame]:
        """Switches by tier, those above the scope's pods too; see `switching.tier_frames`."""
        above = self.scope or range(self.geometry.pods)
        return switching.tier_frames(self.geometry, self.rack_frame, self.scope, above)

    @cached_property
    def managed_frame(self) -> pl.DataFrame:
        """Machines with a management port outside compute racks; see `reach.find_managed`."""
        if not self.geometry.management_fabrics:
            return pl.DataFrame(schema=reach.SCHEMA)
        return reach.find_managed(self)

    @cached_property
    def host_frame(self) -> pl.DataFrame:
        """Machines that are cabled to first tiers: trays, companions, servers, those of `find_managed`.

        Columns: name, rack_name, unit, x, y.
        """
        columns = ["name", "rack_name", "unit", "x", "y"]
        frames = [self.node_frame, self.companion_frame, self.server_frame, self.managed_frame]
        # In one piece: gathering texts from several takes six times as long.
        return pl.concat([frame.select(columns) for frame in frames], rechunk=True)

    @cached_property
    def cabinet_frame(self) -> pl.DataFrame:
        """Racks that hold no compute; see `cabinets.cabinets`."""
        from infra.plan.tables.cabinets import cabinets  # noqa: PLC0415 (as the tables below)

        return cabinets(self)

    @cached_property
    def template(self) -> Template | None:
        """The pod that this slice copies, if it has no exceptions; see `infra.plan.tables.template`."""
        return template_for(self)

    # Tables

    @cached_property
    def places(self) -> pl.DataFrame:
        """Buildings, halls, pods and scalable units: level, name, parent, racks, nodes, accelerators."""
        from infra.plan.tables.places import places  # noqa: PLC0415 (each table only costs those who ask for it)

        return places(self)

    @cached_property
    def racks(self) -> pl.DataFrame:
        """Racks: name, kind (compute, network, servers, cdu), pod, su, platform, pool, x, y (metres)."""
        if self.template:
            return self.template.table(self, "racks")
        names = [form.platform for form in self.geometry.forms]
        forms = pl.DataFrame({"form": range(len(names)), "platform": names},
                             schema={"form": pl.Int16, "platform": pl.String})  # fmt: skip
        compute = self.rack_frame.join(forms, on="form", how="left", maintain_order="left").select(
            "name",
            pl.lit("compute").alias("kind"),
            pl.col("pod_name").alias("pod"),
            pl.col("row").alias("su"),
            "platform",
            "pool",
            "x",
            "y",
        )
        others = self.cabinet_frame.select(
            "name", "kind", "pod", "su", pl.lit(None, pl.String).alias("platform"),
            pl.lit(None, pl.String).alias("pool"), "x", "y",
        )  # fmt: skip
        return pl.concat([compute, others])

    @cached_property
    def nodes(self) -> pl.DataFrame:
        """Trays and servers: name, role, pod, su, rack, slot (from 1), unit, platform, accelerators, pool."""
        if self.template:
            return self.template.table(self, "nodes")
        counts = pl.DataFrame(
            [(name, catalog.platform(name).node.accelerators) for name in self._platforms],
            schema={"platform": pl.String, "accelerators": pl.Int32}, orient="row",
        )  # fmt: skip
        trays = self.node_frame.join(counts, on="platform", how="left", maintain_order="left").select(
            "name", pl.lit("tray").alias("role"), pl.col("pod_name").alias("pod"), pl.col("row").alias("su"),
            pl.col("rack_name").alias("rack"), pl.col("slot") + 1, "unit", "platform", "accelerators", "pool",
        )  # fmt: skip
        servers = self.servers_in_scope.select(
            "name", "role", pl.col("pod_name").alias("pod"), pl.lit(None, pl.String).alias("su"),
            pl.col("rack_name").alias("rack"), pl.lit(None, pl.Int32).alias("slot"), "unit", "platform",
            pl.lit(0, pl.Int32).alias("accelerators"), pl.lit(None, pl.String).alias("pool"),
        )  # fmt: skip
        return pl.concat([trays, servers])

    @property
    def _platforms(self) -> list[str]:
        return sorted({slot.platform for form in self.geometry.forms for slot in form.slots})

    @cached_property
    def companions(self) -> pl.DataFrame:
        """NVLink switch trays, power shelves and the like: name, kind, pod, su, rack, unit."""
        if self.template:
            return self.template.table(self, "companions")
        return self.companion_frame.select(
            "name", "kind", pl.col("pod_name").alias("pod"), pl.col("row").alias("su"),
            pl.col("rack_name").alias("rack"), "unit",
        )  # fmt: skip

    @cached_property
    def nics(self) -> pl.DataFrame:
        """Data interfaces: node, interface, fabric, rail, gbit, pod."""
        if self.template:
            return self.template.table(self, "nics")
        frame = positions.nic_frame(set(self._platforms))
        rails = {name: fabric.rails for name, fabric in self.site.fabrics.named().items()}
        nodes = self.node_frame.select(
            pl.col("name").alias("node"), "platform", "pod", pl.col("pod_name"),
        )  # fmt: skip
        parts = []
        for serving, pods in self.geometry.alike(self.scope):
            # A kind that no fabric serves is its own name.
            fabric = pl.col("kind").replace(serving) if serving else pl.col("kind")
            interfaces = frame.with_columns(fabric.alias("fabric"))
            interfaces = interfaces.with_columns(
                (pl.col("nic") % pl.col("fabric").replace_strict(rails, default=1, return_dtype=pl.Int32))
                .alias("rail")
            )  # fmt: skip
            own = nodes.filter(pl.col("pod").is_between(pods.start, pods.stop, closed="left"))
            parts.append(own.join(interfaces, on="platform", how="inner", maintain_order="left_right"))
        found = (
            pl.concat(parts)
            if parts
            else nodes.clear().join(
                frame.with_columns(pl.col("kind").alias("fabric"), pl.col("nic").alias("rail")), on="platform"
            )
        )
        return found.select("node", "interface", "fabric", "rail", "gbit", pl.col("pod_name").alias("pod"))

    @cached_property
    def switches(self) -> pl.DataFrame:
        """Switches: name, fabric, tier, level, model, pod, su, plane, set, rack, unit, ports, watts."""
        if self.template:
            return self.template.table(self, "switches")
        frames = []
        for tier in self.tier_frames:
            spec = tier.tier
            if not self.site_level and spec.per not in {"rack", "scalable-unit", "pod"}:
                continue
            frames.append(
                tier.frame.select(
                    "name", pl.lit(spec.fabric).alias("fabric"), pl.lit(spec.name).alias("tier"),
                    pl.lit(spec.level, pl.Int8).alias("level"), pl.lit(spec.model.name).alias("model"),
                    switching.pod_name().alias("pod"), switching.su_name().alias("su"), "plane", "set",
                    pl.col("rack_name").alias("rack"), "unit",
                    pl.lit(spec.all_ports, pl.Int32).alias("ports"),
                    pl.lit(spec.model.power).alias("watts"),
                )
            )  # fmt: skip
        return pl.concat(frames) if frames else pl.DataFrame(schema=SWITCH_SCHEMA)

    @cached_property
    def links(self) -> pl.DataFrame:
        """Cables as `links.LINK_SCHEMA` says; a is the lower end, z the upper; length in metres."""
        return links.links(self)

    def crossing(self) -> pl.DataFrame:
        """Cables from the scope's pods to the switches above them."""
        return links.crossing(self)

    @cached_property
    def ports(self) -> pl.DataFrame:
        """Switch ports in use: switch, port, fabric, pod, peer, peer_port."""
        return links.ports(self.links)

    @cached_property
    def addresses(self) -> pl.DataFrame:
        """Addresses: pool (management, loopback, link), owner, interface, address with prefix, pod.

        Of a host link the host's end is listed; the switch's end is the even address before it.
        """
        return addressing.addresses(self)

    @cached_property
    def power(self) -> pl.DataFrame:
        """Watts of every place from site to rack; see `infra.plan.tables.power`."""
        from infra.plan.tables.power import power  # noqa: PLC0415

        return power(self)

    @cached_property
    def cooling(self) -> pl.DataFrame:
        """Heat and coolant of every place; see `infra.plan.tables.cooling`."""
        from infra.plan.tables.cooling import cooling  # noqa: PLC0415

        return cooling(self)

    @cached_property
    def storage(self) -> pl.DataFrame:
        """Storage tiers; see `infra.plan.tables.storage`."""
        from infra.plan.tables.storage import storage  # noqa: PLC0415

        return storage(self)


def plan(site: Site, phase: str | None = None) -> Plan:
    """Plan a whole site, or what is in service by the end of a phase.

    Raises:
        UserError: the site declares no such phase.
    """
    if phase is None:
        return Plan(site, range(site.layout.pods))
    known = {entry.name: entry for entry in site.phases}
    if phase not in known:
        hint = f"phases are {', '.join(known)}" if known else "it declares none"
        raise UserError(f"{site.name} has no phase `{phase}`", hint=hint)
    until = in_service(known[phase])
    return Plan(site, range(until.scope), geometry=Geometry(site, until), phase=phase)
