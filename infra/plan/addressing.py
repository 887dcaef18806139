"""Addresses by arithmetic: each pool gives block 0 to the site's own machines and block p to pod p."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.plan import positions
from infra.spec import tiers

if TYPE_CHECKING:
    from infra.plan.geometry import Geometry
    from infra.plan.plan import Plan

RESERVED = 3
"""In each management block: network, gateway and broadcast address; hosts start after the first two."""


@dataclass(frozen=True, slots=True)
class Pool:
    """One supernet cut into equal blocks.

    Attributes:
        base: first address as a number.
        bits: 32 or 128.
        shift: log2 of a block's size.
        length: prefix length written with an address.
    """

    base: int
    bits: int
    shift: int
    length: int

    def text(self, block: int, offset: int) -> str:
        """One address, without prefix length."""
        number = self.base + (block << self.shift) + offset
        return str(ipaddress.IPv4Address(number) if self.bits == 32 else ipaddress.IPv6Address(number))

    def column(self, block: pl.Expr, offset: pl.Expr) -> pl.Expr:
        """Addresses with prefix length, from columns of block and offset."""
        if self.bits == 32:
            number = (
                pl.lit(self.base, pl.Int64) + block.cast(pl.Int64) * (1 << self.shift) + offset.cast(pl.Int64)
            )
            octets = [(number // (1 << step) % 256).cast(pl.String) for step in (24, 16, 8, 0)]
            return pl.format("{}.{}.{}.{}/" + str(self.length), *octets)
        return self._column6(block.cast(pl.Int64), offset.cast(pl.Int64))

    def _column6(self, block: pl.Expr, offset: pl.Expr) -> pl.Expr:
        # An IPv6 address is eight groups of 16 bits. The bits of block and offset never overlap (the base is
        # a multiple of all blocks), so each group is a sum of three parts, looked up as hexadecimal.
        # The form is the canonical one (RFC 5952) but for runs of zero groups, which stay written.
        parts = []
        for group in range(8):
            low = (7 - group) * 16
            value = (
                pl.lit((self.base >> low) & 0xFFFF, pl.Int64)
                + _bits(offset, low)
                + _bits(block, low - self.shift)
            )
            parts.append(value)
        return pl.format("{}:{}:{}:{}:{}:{}:{}:{}/" + str(self.length), *(_hex(part) for part in parts))


def _bits(value: pl.Expr, low: int) -> pl.Expr:
    """16 bits of `value` from bit `low`; for negative `low`, its lowest bits moved up within the group."""
    if low >= 62:
        return pl.lit(0, pl.Int64)
    if low >= 0:
        return value // (1 << low) % 65536
    if low <= -16:
        return pl.lit(0, pl.Int64)
    return value * (1 << -low) % 65536


def _hex(value: pl.Expr) -> pl.Expr:
    return pl.lit(_HEX).gather(value) if isinstance(value, pl.Expr) else value


_HEX = pl.Series([f"{number:x}" for number in range(65536)])


def pools(geometry: Geometry) -> dict[str, Pool]:
    """The site's pools by name; `link` is missing where host links are unnumbered."""
    declared = geometry.site.addresses
    result = {}
    for name, text, prefix in (
        ("management", declared.management, declared.management_pod),
        ("loopback", declared.loopbacks, declared.loopback_pod),
        ("link", declared.links, declared.link_pod),
    ):
        if text is None:
            continue
        network = ipaddress.ip_network(text)
        bits = network.max_prefixlen
        # A management address is one of its pod's network; a loopback stands alone, a link has two.
        length = {"management": prefix, "loopback": bits, "link": bits - 1}[name]
        result[name] = Pool(int(network.network_address), bits, bits - prefix, length)
    return result


def addresses(plan: Plan) -> pl.DataFrame:
    """See `Plan.addresses`."""
    geometry = plan.geometry
    table = pools(geometry)
    frames = [_management(plan, table["management"]), _loopbacks(plan, table["loopback"])]
    frames += _switch_loopbacks(plan, table["loopback"])
    if "link" in table:
        frames.append(_links(plan, table["link"]))
    if plan.site_level:
        frames.append(_servers(plan, table))
    return pl.concat(frames)


def _table(
    pool: str, frame: pl.DataFrame, owner: pl.Expr, interface: pl.Expr, address: pl.Expr
) -> pl.DataFrame:
    return frame.select(
        pl.lit(pool).alias("pool"), owner.alias("owner"), interface.alias("interface"),
        address.alias("address"), pl.format("pod-{}", positions.two("pod")).alias("pod"),
    )  # fmt: skip


def _management(plan: Plan, pool: Pool) -> pl.DataFrame:
    geometry = plan.geometry
    ports = positions.management_frame(geometry)
    frame = plan.rack_frame.join(ports, on="form", how="inner", maintain_order="left_right")
    tail = pl.coalesce(pl.format("tray-{}", positions.two("slot")), "text")
    frame = frame.with_columns(pl.format("{}-{}", "name", tail).alias("owner"))
    frame = frame.filter(pl.col("slot").is_null() | pl.col("owner").is_in(plan.node_frame["name"].implode()))
    address = pool.column(pl.col("pod") + 1, pl.col("first_port") + pl.col("position") + 2)
    return _table("management", frame, pl.col("owner"), pl.col("interface"), address)


def _loopbacks(plan: Plan, pool: Pool) -> pl.DataFrame:
    address = pool.column(pl.col("pod") + 1, pl.col("node") + tiers.switch_room(plan.site))
    return _table("loopback", plan.node_frame, pl.col("name"), pl.lit("lo"), address)


def _switch_loopbacks(plan: Plan, pool: Pool) -> list[pl.DataFrame]:
    frames, offset, own = [], 1, 1
    for tier in plan.tier_frames:
        spec = tier.tier
        if spec.per in {"rack", "scalable-unit", "pod"}:
            size = {
                "rack": plan.geometry.sus * plan.geometry.racks,
                "scalable-unit": plan.geometry.sus,
                "pod": 1,
            }[spec.per]
            index = pl.col("block") % size * spec.per_block + pl.col("ordinal") + offset
            address = pool.column(pl.col("pod") + 1, index)
            frames.append(_table("loopback", tier.frame, pl.col("name"), pl.lit("lo"), address))
            offset += size * spec.per_block
        elif plan.site_level:
            index = pl.col("block") * spec.per_block + pl.col("ordinal") + own + 1024
            address = pool.column(pl.lit(0), index)
            frame = _table("loopback", tier.frame, pl.col("name"), pl.lit("lo"), address)
            frames.append(frame.with_columns(pl.lit(None, pl.String).alias("pod")))
            own += 4096
    return frames


def host_link_offset(plan: Plan) -> pl.DataFrame:
    """Numbered host ends: pod, name, interface, offset of the switch's end (the host's is one more)."""
    platforms = set(plan.node_frame["platform"].unique())
    interfaces = positions.nic_frame(platforms)
    frame = plan.node_frame.select("pod", "name", "first_nic", "platform").join(
        interfaces, on="platform", how="inner", maintain_order="left_right"
    )
    return frame.select(
        "pod", "name", "interface", ((pl.col("first_nic") + pl.col("port")) * 2).alias("offset")
    )


def _links(plan: Plan, pool: Pool) -> pl.DataFrame:
    frame = host_link_offset(plan)
    address = pool.column(pl.col("pod") + 1, pl.col("offset") + 1)
    return _table("link", frame, pl.col("name"), pl.col("interface"), address)


def _servers(plan: Plan, table: dict[str, Pool]) -> pl.DataFrame:
    rows: list[tuple[str, str, str, str, str | None]] = []
    for server in plan.server_frame.iter_rows(named=True):
        index, name = server["index"], server["name"]
        management, loopback = table["management"], table["loopback"]
        rows.append(
            ("management", name, "mgmt0", f"{management.text(0, index + 2)}/{management.length}", None)
        )
        rows.append(("loopback", name, "lo", f"{loopback.text(0, index + 1)}/{loopback.length}", None))
        if "link" in table:
            for nic in positions.nic_frame({server["platform"]}).iter_rows(named=True):
                text = table["link"].text(0, server_link_offset(index, nic["port"]) + 1)
                rows.append(("link", name, nic["interface"], f"{text}/{table['link'].length}", None))
    schema = dict.fromkeys(("pool", "owner", "interface", "address", "pod"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def server_link_offset(server: int, port: int) -> int:
    """Offset in the site's link block of the switch's end of a server's link; a server has room for eight."""
    return (server * 8 + port) * 2
