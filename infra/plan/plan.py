"""The plan of a site or of some of its pods: tables, each made when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.errors import UserError
from infra.plan import addressing, cabling, positions, switching
from infra.plan.counts import step_name
from infra.plan.geometry import Geometry
from infra.plan.template import Template, template_for
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.findings import Finding
    from infra.plan.switching import TierFrame
    from infra.spec.site import Site
    from infra.spec.tiers import ResolvedTier

FABRICS = pl.Enum(["east-west", "north-south", "out-of-band"])
STEPS = pl.Enum([step_name(level) for level in range(8)])

LINK_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "fabric": FABRICS,
    "tier": STEPS,
    "pod": pl.String,
    "rail": pl.Int16,
    "plane": pl.Int16,
    "gbit": pl.Float32,
    "a": pl.String,
    "a_port": pl.String,
    "a_rack": pl.String,
    "a_unit": pl.Int16,
    "z": pl.String,
    "z_port": pl.String,
    "z_rack": pl.String,
    "z_unit": pl.Int16,
    "length": pl.Float32,
}
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
        """What belongs to no pod: servers and the switches above pods."""
        return Plan(self.site, range(0), geometry=self.geometry, phase=self.phase)

    def whole(self) -> Plan:
        """All pods of the declaration, whatever this plan's scope."""
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
        """Servers: name, group, role, platform, attach (pod index), index, rack_name, unit, x, y."""
        rows: list[tuple[Any, ...]] = []
        unit = 1
        for server in self.site.servers:
            height = catalog.platform(server.platform).node.height
            for index in range(server.count):
                tail = "" if server.count == 1 else f"-{index + 1:02d}"
                rack, free = divmod(unit - 1, self.site.layout.rack_height // height * height)
                rows.append(
                    (
                        f"{self.site.name}-{server.name}{tail}",
                        server.name,
                        server.role,
                        server.platform,
                        int(server.attach[4:]) - 1 if server.attach else None,
                        len(rows),
                        f"{self.site.name}-servers-{rack + 1:02d}",
                        free + 1,
                        rack * self.site.layout.distances.rack_pitch,
                        -self.site.layout.distances.row_pitch,
                    )
                )
                unit += height
        schema = {
            "name": pl.String,
            "group": pl.String,
            "role": pl.String,
            "platform": pl.String,
            "attach": pl.Int32,
            "index": pl.Int32,
            "rack_name": pl.String,
            "unit": pl.Int16,
            "x": pl.Float64,
            "y": pl.Float64,
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    @cached_property
    def tier_frames(self) -> list[TierFrame]:
        """Switches by tier, those above the scope's pods too; see `switching.tier_frames`."""
        above = self.scope or range(self.geometry.pods)
        return switching.tier_frames(self.geometry, self.rack_frame, self.scope, above)

    @cached_property
    def host_frame(self) -> pl.DataFrame:
        """What is cabled to first tiers: trays, companions, servers; name, rack_name, unit, x, y."""
        columns = ["name", "rack_name", "unit", "x", "y"]
        frames = [self.node_frame, self.companion_frame, self.server_frame]
        # In one piece: gathering texts from several takes six times as long.
        return pl.concat([frame.select(columns) for frame in frames], rechunk=True)

    @cached_property
    def template(self) -> Template | None:
        """What this slice is a copy of, if it is a pod without exceptions; see `infra.plan.template`."""
        return template_for(self)

    # Tables

    @cached_property
    def places(self) -> pl.DataFrame:
        """Buildings, halls, pods and scalable units: level, name, parent, racks, nodes, accelerators."""
        from infra.plan.places import places  # noqa: PLC0415 (each table only costs those who ask for it)

        return places(self)

    @cached_property
    def racks(self) -> pl.DataFrame:
        """Racks: name, kind (compute, network, servers), pod, su, platform, pool, x, y (metres)."""
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
        frames = [compute]
        for tier in self.tier_frames:
            if tier.tier.per == "rack" or not (self.site_level or tier.tier.per in {"pod", "scalable-unit"}):
                continue
            frames.append(
                tier.frame.select(
                    pl.col("rack_name").alias("name"),
                    pl.lit("network").alias("kind"),
                    _pod_name().alias("pod"),
                    _su_name().alias("su"),
                    pl.lit(None, pl.String).alias("platform"),
                    pl.lit(None, pl.String).alias("pool"),
                    "x",
                    "y",
                ).unique("name", maintain_order=True)
            )
        if self.site_level:
            frames.append(
                self.server_frame.select(
                    pl.col("rack_name").alias("name"), pl.lit("servers").alias("kind"),
                    *(pl.lit(None, pl.String).alias(column) for column in ("pod", "su", "platform", "pool")),
                    "x", "y",
                )
            )  # fmt: skip
        return pl.concat(frames).unique("name", keep="first", maintain_order=True)

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
        if not self.site_level:
            return trays
        servers = self.server_frame.select(
            "name", "role", pl.lit(None, pl.String).alias("pod"), pl.lit(None, pl.String).alias("su"),
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
        frame = frame.with_columns(
            (pl.col("nic") % pl.col("fabric").replace_strict(rails, default=1, return_dtype=pl.Int32)).alias(
                "rail"
            )
        )
        return self.node_frame.select(
            pl.col("name").alias("node"), "platform", pl.col("pod_name").alias("pod")
        ).join(frame, on="platform", how="inner", maintain_order="left_right").select(
            "node", "interface", "fabric", "rail", "gbit", "pod"
        )  # fmt: skip

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
                    _pod_name().alias("pod"), _su_name().alias("su"), "plane", "set",
                    pl.col("rack_name").alias("rack"), "unit", pl.lit(spec.ports, pl.Int32).alias("ports"),
                    pl.lit(spec.model.power).alias("watts"),
                )
            )  # fmt: skip
        return pl.concat(frames) if frames else pl.DataFrame(schema=SWITCH_SCHEMA)

    @cached_property
    def links(self) -> pl.DataFrame:
        """Cables, with the columns of `LINK_SCHEMA`; a is the lower end, z the upper; length in metres."""
        if self.template:
            return self.template.links(self)
        frames = [part for _, part in self.link_parts()]
        return pl.concat(frames) if frames else self.no_links()

    @staticmethod
    def no_links() -> pl.DataFrame:
        """The cables of a site without fabrics."""
        return pl.DataFrame(schema=LINK_SCHEMA)

    def link_parts(self) -> Iterator[tuple[ResolvedTier, pl.DataFrame]]:
        """Cables by the tier that they go up to."""
        frames = {(frame.tier.fabric, frame.tier.level): frame for frame in self.tier_frames}
        for fabric in self.geometry.tiers.values():
            tiers = [frames[tier.fabric, tier.level] for tier in fabric]
            host = cabling.host_links(self.geometry, tiers[0], self._ends(tiers[0]), self.scope)
            yield fabric[0], self.named(host, tiers[0], None)
            for lower, upper in pairwise(tiers):
                if self.site_level or lower.tier.per in switching.INSIDE:
                    links = cabling.uplinks(self.geometry, lower, upper, self.scope)
                    yield upper.tier, self.named(links, upper, lower)

    def crossing(self) -> pl.DataFrame:
        """Cables from the scope's pods to the switches above them."""
        frames = {(frame.tier.fabric, frame.tier.level): frame for frame in self.tier_frames}
        parts = [self.no_links()]
        for fabric in self.geometry.tiers.values():
            for below, above in pairwise(fabric):
                if below.per in switching.INSIDE and above.per not in switching.INSIDE:
                    lower, upper = frames[below.fabric, below.level], frames[above.fabric, above.level]
                    links = cabling.uplinks(self.geometry, lower, upper, self.scope)
                    parts.append(self.named(links, upper, lower))
        return pl.concat(parts)

    def _ends(self, tier: TierFrame) -> pl.DataFrame:
        if tier.tier.fabric == "out-of-band":
            return cabling.management_ends(tier.tier, self.management_frame)
        ends = cabling.nic_ends(self.geometry, tier.tier, self.node_frame, self.scope)
        servers = self._server_ends(tier)
        return pl.concat([ends, servers.cast(ends.schema)]) if servers.height else ends

    def _server_ends(self, tier: TierFrame) -> pl.DataFrame:
        """Ports of servers follow those of all trays of the pod's first block."""
        spec = tier.tier
        used: dict[int, int] = {}
        rows = []
        first = self.node_frame.height + self.companion_frame.height
        for server in self.server_frame.iter_rows(named=True):
            pod = server["attach"]
            if pod is None:
                continue
            base = used.setdefault(pod, self.geometry.width(spec, pod, 0))
            mine = positions.nic_frame({server["platform"]}).filter(pl.col("fabric") == spec.fabric)
            for nic in mine.iter_rows(named=True):
                rail, lane = nic["nic"] % spec.sets, nic["nic"] // spec.sets
                if pod in self.scope:
                    rows.append((pod, 0, 0, base + lane, rail, nic["nic"], nic["gbit"],
                                 first + server["index"], nic["interface"]))  # fmt: skip
            used[pod] += -(-mine.height // spec.sets)
        schema = {"pod": pl.Int32, "su": pl.Int32, "rack": pl.Int32, "position": pl.Int32, "rail": pl.Int32,
                  "nic": pl.Int32, "gbit": pl.Float64, "a": pl.Int32, "a_port": pl.String}  # fmt: skip
        return pl.DataFrame(rows, schema=schema, orient="row")

    def named(self, links: pl.DataFrame, upper: TierFrame, lower: TierFrame | None) -> pl.DataFrame:
        """Links by index → links with names, places and lengths."""
        ends = ["name", "rack_name", "unit", "x", "y"]
        below = self.host_frame if lower is None else lower.frame.select(ends)
        a = below.select(pl.all().gather(links["a"]))
        z = upper.frame.select(ends).select(pl.all().gather(links["z"]))
        a_port = links["a_port"] if lower is None else _ports(lower, links["a_index"])
        pods = pl.Series(self.geometry.pod_names, dtype=pl.String)
        return links.select(
            pl.lit(upper.tier.fabric).cast(FABRICS).alias("fabric"),
            pl.lit(step_name(upper.tier.level)).cast(STEPS).alias("tier"),
            pods.gather(links["pod"].cast(pl.UInt32)).alias("pod"),
            pl.col("rail").cast(pl.Int16),
            pl.col("plane").cast(pl.Int16),
            "gbit",
            a["name"].alias("a"),
            a_port.alias("a_port"),
            a["rack_name"].alias("a_rack"),
            a["unit"].alias("a_unit"),
            z["name"].alias("z"),
            _ports(upper, links["z_index"]).alias("z_port"),
            z["rack_name"].alias("z_rack"),
            z["unit"].alias("z_unit"),
            cabling.lengths(a, z, self.geometry).alias("length"),
        )

    @cached_property
    def ports(self) -> pl.DataFrame:
        """Switch ports in use: switch, port, fabric, pod, peer, peer_port."""
        links = self.links
        # Both ends of a cable between switches are ports. Cables come step by step, so the parts are slices
        # of the links' own columns: two and a half million rows cost no copy.
        up, down = [links.clear().select(_port("z", "a"))], []
        start = 0
        for run in links.select(pl.col("tier").rle()).unnest("tier").iter_rows(named=True):
            part = links.slice(start, run["len"])
            up.append(part.select(_port("z", "a")))
            if run["value"] != "host_leaf":
                down.append(part.select(_port("a", "z")))
            start += run["len"]
        return pl.concat([*up, *down], rechunk=False)

    @cached_property
    def addresses(self) -> pl.DataFrame:
        """Addresses: pool (management, loopback, link), owner, interface, address with prefix, pod.

        Of a host link the host's end is listed; the switch's end is the even address before it.
        """
        return addressing.addresses(self)

    @cached_property
    def power(self) -> pl.DataFrame:
        """Watts of every place from site to rack; see `infra.plan.power`."""
        from infra.plan.power import power  # noqa: PLC0415

        return power(self)

    @cached_property
    def cooling(self) -> pl.DataFrame:
        """Heat and coolant of every place; see `infra.plan.cooling`."""
        from infra.plan.cooling import cooling  # noqa: PLC0415

        return cooling(self)

    @cached_property
    def storage(self) -> pl.DataFrame:
        """Storage tiers; see `infra.plan.storage`."""
        from infra.plan.storage import storage  # noqa: PLC0415

        return storage(self)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What admission and the announcement's comparison found, errors first."""
        from infra.plan.findings import findings  # noqa: PLC0415

        return findings(self)

    def summary(self) -> dict[str, Any]:
        """The plan's figures as one JSON object."""
        from infra.plan.summary import summary  # noqa: PLC0415

        return summary(self)


def _port(end: str, other: str) -> list[pl.Expr]:
    """Columns of a switch port from one end of a cable."""
    return [
        pl.col(end).alias("switch"), pl.col(f"{end}_port").alias("port"), pl.col("fabric"), pl.col("pod"),
        pl.col(other).alias("peer"), pl.col(f"{other}_port").alias("peer_port"),
    ]  # fmt: skip


def _pod_name() -> pl.Expr:
    return pl.when(pl.col("pod").is_not_null()).then(pl.format("pod-{}", positions.two("pod")))


def _su_name() -> pl.Expr:
    text = pl.format("pod-{}-su-{}", positions.two("pod"), positions.two("su"))
    return pl.when(pl.col("su").is_not_null()).then(text)


def port_names(tier: TierFrame) -> pl.Series:
    """Names of a switch's logical ports by index."""
    model, split = tier.tier.model, tier.tier.breakout
    plain = [model.port_name.format(number + model.first_port) for number in range(model.ports)]
    if split == 1:
        return pl.Series(plain)
    return pl.Series([f"{name}s{part}" for name in plain for part in range(split)])


def _ports(tier: TierFrame, index: pl.Series) -> pl.Series:
    return port_names(tier).gather(index)


def plan(site: Site, phase: str | None = None) -> Plan:
    """Plan a whole site, or what is in service by the end of a phase.

    Raises:
        UserError: the site declares no such phase.
    """
    pods = site.layout.pods
    if phase is not None:
        known = {entry.name: entry for entry in site.phases}
        if phase not in known:
            hint = f"phases are {', '.join(known)}" if known else "it declares none"
            raise UserError(f"{site.name} has no phase `{phase}`", hint=hint)
        pods = known[phase].pods
    return Plan(site, range(pods), phase=phase)
