"""From the plan's tables to kinds of switches and their values, in columns: a site has millions of ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables import addressing, positions
from infra.plan.tables.counts import step_name
from infra.render.network.facts import Common, PortProfile, Profile, router_id
from infra.render.network.tenants import places_of, vrf_by_place, vrf_column, vrfs_of
from infra.render.routing import switch_number
from infra.spec import rooms, tiers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.plan import Plan
    from infra.spec.tiers import ResolvedTier

MARK = "\x1f"
"""Between values of a switch in a column; no name has it (ASCII unit separator)."""
STEP_M = 5
"""Cable lengths are told to switches in steps of this many metres."""
CODES = {"host": "h", "addressed": "a", "switch": "s", "management": "m"}
_OTHERS = {code: other for other, code in CODES.items()}

ENDS = {
    "switch": pl.String, "port": pl.String, "code": pl.String, "first": pl.Boolean, "gbit": pl.Float32,
    "value": pl.String, "vrf": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch to be printed: its kind and its own values (see `facts.build`)."""

    name: str
    profile: Profile
    values: tuple[str, ...]


def common_of(plan: Plan) -> Common:
    """Collect the facts that all switches of a site share."""
    site, own = plan.site, plan.whole().own_level()
    loopbacks = own.addresses.filter(pl.col("pool") == "loopback").select("owner", "address")
    address = dict(loopbacks.iter_rows())
    by_service = {
        name: tuple(
            address[server].split("/")[0]
            for server in own.servers_in_scope["name"]
            if server in address and server.removeprefix(f"{site.name}-").startswith(name)
        )
        for name in {site.services.ntp, site.services.monitoring or site.services.ntp}
    }  # fmt: skip
    pod = plan.geometry
    hosts = pod.sus * pod.racks * max(form.capacity for form in pod.forms)
    nics = max(pod.unit.nics, 1)
    servers_in_pod = rooms.in_pod(site.servers) * (rooms.SERVER_LINKS + 1)
    return Common(
        site=site.name,
        domain=site.services.domain,
        time_servers=by_service[site.services.ntp],
        log_servers=by_service[site.services.monitoring or site.services.ntp],
        files_at=files_at(own),
        supernets=tuple(net for net in (site.addresses.loopbacks, site.addresses.links) if net),
        asn_bases={name: fabric.asn_base for name, fabric in site.fabrics.named().items()},
        routing={name: tiers.routing(fabric) for name, fabric in site.fabrics.named().items()},
        prefixes=(hosts * (nics + 1) + servers_in_pod + pod.switches_per_pod) * pod.pods,
        tenants=vrf_by_place(site),
        vrfs={name: vrfs_of(fabric) for name, fabric in site.fabrics.named().items() if fabric.tenants},
    )


def files_at(own: Plan) -> str:
    """URL that the site's first management server, or else its first server, has switches' folders at.

    Args:
        own: plan of the site's own level, which has a server at least: a declaration names a time server.
    """
    # A switch without a configuration has its management port alone: no name service, no data network.
    server = own.servers_in_scope.sort(pl.col("role") != "management", maintain_order=True)["name"][0]
    table = own.addresses.filter(pl.col("pool") == "management", pl.col("owner") == server)
    return f"http://{table['address'][0].split('/')[0]}"


def switches_of(plan: Plan, names: Sequence[str] = ()) -> Iterator[Switch]:
    """Switches of a scope that have an operating system, in the order of the plan's table.

    Args:
        plan: of a site, a pod or the site's own level.
        names: only those; by default all.
    """
    rows = plan.switches.with_row_index("row")
    if names:
        rows = rows.filter(pl.col("name").is_in(list(names)))
    every = {tier.name: tier for tier in plan.geometry.every_tier}
    addresses = _own_addresses(plan)
    gateway = gateways(plan)
    for (name,), group in rows.group_by("tier", maintain_order=True):
        tier = every[str(name)]
        if tier.model.system is not None:
            yield from _of_tier(plan, tier, group, addresses, gateway)


def _of_tier(
    plan: Plan, tier: ResolvedTier, rows: pl.DataFrame, addresses: dict[tuple[str, str], str],
    gateways: dict[str | None, str],
) -> Iterator[Switch]:  # fmt: skip
    assert tier.model.system is not None
    fabric = plan.site.fabrics.named()[tier.fabric]
    routing = tiers.routing(fabric)
    names = tiers.port_names(tier.model, tier.breakout)
    ends = _ends(plan, tier, addressed=routing in {"bgp", "static"})
    numbers = pl.DataFrame(
        {"port": names, "number": range(len(names))}, schema_overrides={"number": pl.Int32}
    )
    text = (
        ends.join(rows.select(pl.col("name").alias("switch"), "row"), on="switch", how="inner")
        .join(numbers, on="port", how="inner")
        .sort("row", "number")
        .with_columns(_signature())
        .group_by("row", maintain_order=True)
        .agg(pl.col("signature").str.join(","), pl.col("value").str.join(MARK))
    )
    wired = {row: (signature, value) for row, signature, value in text.iter_rows()}
    profiles: dict[str, Profile] = {}
    four = "." in str(plan.site.addresses.loopbacks)
    for row, name, pod in rows.select("row", "name", "pod").iter_rows():
        signature, value = wired.get(row, ("", ""))
        profile = profiles.get(signature)
        if profile is None:
            profile = profiles[signature] = Profile(
                system=tier.model.system, model=tier.model.name, fabric=tier.fabric, kind=tier.kind,
                tier=tier.name, level=tier.level, routing=routing,
                ports=_port_profiles(names, signature, tier), family="ip" if four else "ipv6",
                breakout=tier.breakout, vlan=fabric.vlan if tier.kind == "out-of-band" else None,
            )  # fmt: skip
        loopback = addresses.get((name, "loopback"), "")
        number = switch_number(loopback.split("/")[0]) if loopback else 0
        head = (
            name, loopback, loopback.split("/")[0], router_id(loopback, number),
            str(fabric.asn_base + number), addresses.get((name, "management"), ""), gateways.get(pod, ""),
        )  # fmt: skip
        yield Switch(name, profile, (*head, *value.split(MARK)) if value else head)


def _signature() -> pl.Expr:
    """Return a text that is equal for equal ports of one kind of switch."""
    first = pl.when("first").then(pl.lit("1")).otherwise(pl.lit("0"))
    return pl.format("{}:{}:{}:{}:{}", "number", "code", first, "gbit", "vrf").alias("signature")


def _port_profiles(names: Sequence[str], signature: str, tier: ResolvedTier) -> tuple[PortProfile, ...]:
    ports = {
        number: PortProfile(name, number, "free", False, tier.speed if number < tier.ports else tier.up_speed)
        for number, name in enumerate(names)
    }
    for text in signature.split(",") if signature else ():
        number, code, first, gbit, vrf = text.split(":")
        ports[int(number)] = PortProfile(
            names[int(number)], int(number), _OTHERS[code], first == "1", float(gbit), vrf
        )
    return tuple(ports.values())


def _ends(plan: Plan, tier: ResolvedTier, *, addressed: bool) -> pl.DataFrame:
    """Cables at the switches of a tier: columns as in `ENDS`."""
    links = plan.links
    if plan.site_level and len(plan.scope) < plan.geometry.pods:
        links = pl.concat([plan.whole().crossing(), links])
    links = links.filter(pl.col("fabric") == tier.fabric)
    own = pl.DataFrame({"name": plan.switches.filter(
        pl.col("tier") == tier.name)["name"]})  # fmt: skip
    step = step_name(tier.level)
    down = links.filter(pl.col("tier") == step)
    parts = [_hosts(plan, tier, down, addressed=addressed) if tier.level == 0 else _towards(down, "z", "a")]
    up = links.filter(pl.col("tier") == step_name(tier.level + 1))
    if up.height:
        parts.append(_towards(up, "a", "z"))
    return pl.concat(parts).join(own, left_on="switch", right_on="name", how="semi")


def _metres() -> pl.Expr:
    """Length of a cable as switches are told it."""
    return (pl.col("length") / STEP_M).ceil().cast(pl.Int32) * STEP_M


def _towards(links: pl.DataFrame, end: str, other: str) -> pl.DataFrame:
    return links.select(
        pl.col(end).alias("switch"), pl.col(f"{end}_port").alias("port"),
        pl.lit(CODES["switch"]).alias("code"), pl.lit(False).alias("first"), "gbit",
        pl.concat_str(other, f"{other}_port", _metres(), separator=MARK).alias("value"),
        pl.lit("").alias("vrf"),
    )  # fmt: skip


def _hosts(plan: Plan, tier: ResolvedTier, links: pl.DataFrame, *, addressed: bool) -> pl.DataFrame:
    """Ports with hosts: those of a routed fabric have addresses on both ends."""
    code = CODES["management" if tier.kind == "out-of-band" else "host"]
    plain = pl.concat_str("a", "a_port", _metres(), separator=MARK)
    if not addressed or "link" not in addressing.pools(plan.geometry):
        found = links.with_columns(
            pl.lit(code).alias("code"),
            pl.lit(False).alias("first"),
            plain.alias("value"),
        )
    else:
        ends = _host_addresses(plan, tier.kind)
        found = links.join(ends, on=["a", "a_port"], how="left", maintain_order="left").with_columns(
            pl.when(pl.col("own").is_null()).then(pl.lit(code))
            .otherwise(pl.lit(CODES["addressed"])).alias("code"),
            pl.struct("z", "a").is_first_distinct().alias("first"),
            pl.when(pl.col("own").is_null()).then(plain)
            .otherwise(pl.concat_str("a", "a_port", _metres(), "own", "gateway", "host", separator=MARK))
            .alias("value"),
        )  # fmt: skip
    own = (pl.col("z").alias("switch"), pl.col("z_port").alias("port"))
    vrf = vrf_column("a", places_of(plan.site.fabrics.named()[tier.fabric]))
    return found.select(*own, "code", "first", "gbit", "value", vrf.alias("vrf"))


def _host_addresses(plan: Plan, kind: str) -> pl.DataFrame:
    """Numbered host links: a, a_port, own (the switch's), gateway (the host's), host (its loopback)."""
    pool = addressing.pools(plan.geometry)["link"]
    names = set(positions.nic_frame(set(plan.node_frame["platform"])).filter(
        pl.col("kind") == kind)["interface"]) if plan.node_frame.height else set()  # fmt: skip
    parts = []
    if names:
        frame = addressing.host_link_offset(plan).filter(pl.col("interface").is_in(sorted(names)))
        parts.append(frame.select("name", "interface", (pl.col("pod") + 1).cast(pl.Int64).alias("block"),
                                  pl.col("offset").cast(pl.Int64)))  # fmt: skip
    rows = [
        (server["name"], nic["interface"], *addressing.server_link(plan.site, server, nic["port"]))
        for server in plan.server_frame.iter_rows(named=True)
        if server["attach"] is not None
        for nic in positions.nic_frame({server["platform"]}).iter_rows(named=True)
        if nic["kind"] == kind
    ]
    schema = {"name": pl.String, "interface": pl.String, "block": pl.Int64, "offset": pl.Int64}
    parts.append(pl.DataFrame(rows, schema=schema, orient="row"))
    frame = pl.concat(parts)
    own = pool.column(frame, pl.col("block"), pl.col("offset"))
    far = pool.column(frame, pl.col("block"), pl.col("offset") + 1)
    hosts = plan.addresses.filter(pl.col("pool") == "loopback").select(
        "owner", pl.col("address").alias("host")
    )
    if not plan.site_level and rows:
        site = plan.own_level().addresses.filter(pl.col("pool") == "loopback")
        hosts = pl.concat([hosts, site.select("owner", pl.col("address").alias("host"))])
    return frame.select(
        pl.col("name").alias("a"), pl.col("interface").alias("a_port"), own.alias("own"),
        far.str.split("/").list.first().alias("gateway"),
    ).join(hosts, left_on="a", right_on="owner", how="left", maintain_order="left")  # fmt: skip


def _own_addresses(plan: Plan) -> dict[tuple[str, str], str]:
    table = plan.addresses.filter(pl.col("pool") != "link")
    table = table.join(plan.switches.select("name"), left_on="owner", right_on="name", how="semi")
    return {
        (owner, pool): address
        for owner, pool, address in table.select("owner", "pool", "address").iter_rows()
    }


def gateways(plan: Plan) -> dict[str | None, str]:
    """Next hop of each pod's management network, and of the site's own, in its block."""
    pool = addressing.pools(plan.geometry)["management"]
    names: list[str | None] = [None, *plan.geometry.pod_names]
    last = plan.site.addresses.management_gateway == "last"
    offset = (1 << pool.shift) - 2 if last else 1
    return {name: pool.text(block, offset) for block, name in enumerate(names)}
