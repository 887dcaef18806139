"""Addresses by arithmetic: each pool gives block 0 to the site's own machines and block p to pod p."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.plan.tables import positions
from infra.spec import rooms, seats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.tables.geometry import Geometry
    from infra.plan.tables.tables import Tables
    from infra.spec.site import Site

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
        family = socket.AF_INET if self.bits == 32 else socket.AF_INET6
        # The C library's form is the canonical one (RFC 5952), at a tenth of what ipaddress takes.
        return socket.inet_ntop(family, number.to_bytes(self.bits // 8, "big"))

    def column(self, frame: pl.DataFrame, block: pl.Expr, offset: pl.Expr) -> pl.Series:
        """Addresses with prefix length for the rows of a frame."""
        if not frame.height:
            return pl.Series([], dtype=pl.String)
        both = frame.select(block.cast(pl.Int64).alias("block"), offset.cast(pl.Int64).alias("offset"))
        text = self._column4() if self.bits == 32 else self._column6(both)
        return both.select(text.alias("address"))["address"]

    def _column4(self) -> pl.Expr:
        number = pl.lit(self.base, pl.Int64) + pl.col("block") * (1 << self.shift) + pl.col("offset")
        pairs = pl.lit(_octet_pairs())
        return pl.format(
            "{}.{}/" + str(self.length), pairs.gather(number // 65536), pairs.gather(number % 65536)
        )

    def _column6(self, both: pl.DataFrame) -> pl.Expr:
        # All but the last two groups of an address follow from its block, of which there are few: they are
        # written by Python, which also knows where `::` goes (RFC 5952), for the three forms that a tail can
        # have: nothing, the last group alone, both groups.
        first, last = (int(both["block"].min()), int(both["block"].max()))  # type: ignore[arg-type]
        blocks = [self.base + (block << self.shift) for block in range(first, last + 1)]
        forms = [(0, 0), (1, 1), (0x10001, 3)]
        heads = [_v6((block >> 32 << 32) + tail)[: -cut or None] for block in blocks for tail, cut in forms]
        block = pl.col("block") - first
        low = pl.lit(pl.Series([block & 0xFFFFFFFF for block in blocks], dtype=pl.Int64)).gather(block)
        low += pl.col("offset")
        form = (low > 0).cast(pl.Int64) + (low >= 65536).cast(pl.Int64)
        return pl.concat_str(
            pl.lit(pl.Series(heads)).gather(block * len(forms) + form),
            pl.lit(_upper_groups()).gather(low // 65536),
            pl.lit(_last_groups(self.length)).gather(pl.when(low > 0).then(low % 65536).otherwise(65536)),
        )


def _v6(number: int) -> str:
    return str(ipaddress.IPv6Address(number))


@cache
def _octet_pairs() -> pl.Series:
    """Texts of two octets, by their number."""
    return pl.Series([f"{number >> 8}.{number & 255}" for number in range(65536)])


@cache
def _upper_groups() -> pl.Series:
    """Texts of the last group but one with its colon, by its number; a zero there is in the head's `::`."""
    return pl.Series(["", *(f"{number:x}:" for number in range(1, 65536))])


@cache
def _last_groups(length: int) -> pl.Series:
    """Texts of the last group with the prefix length, by its number; the last text has no group."""
    return pl.Series([*(f"{number:x}/{length}" for number in range(65536)), f"/{length}"])


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


def addresses(plan: Tables) -> pl.DataFrame:
    """See `Plan.addresses`."""
    geometry = plan.geometry
    table = pools(geometry)
    frames = [_management(plan, table["management"]), _loopbacks(plan, table["loopback"])]
    frames += _switches(plan, "loopback", table["loopback"], "lo", 1)
    frames += _switches(plan, "management", table["management"], "mgmt0", 2)
    frames.append(_coolers(plan, table["management"]))
    if "link" in table:
        frames.append(_links(plan, table["link"]))
    frames.append(_servers(plan, table))
    return pl.concat(frames)


def management_addresses(plan: Tables) -> dict[str, str]:
    """Find a slice's management addresses by name: `Machine.management_address` of real hardware.

    A machine with one port there has its controller's; one without a port is missing.
    """
    frame = addresses(plan)
    own = (pl.col("pool") == "management") & pl.col("interface").is_in(["mgmt0", "mgmt1"])
    frame = frame.filter(own).sort("interface").unique("owner", keep="last")  # mgmt1 beats mgmt0
    return dict(zip(frame["owner"], frame["address"].str.split("/").list.first(), strict=True))


def _table(
    plan: Tables, pool: str, frame: pl.DataFrame, interface: pl.Expr, address: pl.Series
) -> pl.DataFrame:
    names = pl.lit(pl.Series(plan.geometry.pod_names, dtype=pl.String))
    return frame.select(
        pl.lit(pool).alias("pool"), pl.col("name").alias("owner"), interface.alias("interface"),
        address.alias("address"), names.gather(pl.col("pod").cast(pl.UInt32)).alias("pod"),
    )  # fmt: skip


def _management(plan: Tables, pool: Pool) -> pl.DataFrame:
    frame, room = plan.management_frame, seats.switch_room(plan.site)
    address = pool.column(frame, pl.col("pod") + 1, pl.col("first_port") + pl.col("position") + room + 2)
    return _table(plan, "management", frame, pl.col("interface"), address)


def _loopbacks(plan: Tables, pool: Pool) -> pl.DataFrame:
    frame = plan.node_frame
    address = pool.column(frame, pl.col("pod") + 1, pl.col("node") + seats.switch_room(plan.site))
    return _table(plan, "loopback", frame, pl.lit("lo"), address)


def _switches(plan: Tables, name: str, pool: Pool, interface: str, first: int) -> list[pl.DataFrame]:
    """One address for each switch: those in pods before the pod's nodes, those above in the site's block."""
    frames, offset, geometry = [], pl.lit(first, pl.Int32), plan.geometry
    units, racks = (column(pl.col("pod")) for column in (geometry.sizes.units, geometry.sizes.racks))
    sizes = {"rack": units * racks, "scalable-unit": units, "pod": pl.lit(1, pl.Int32)}
    own = {"rack": pl.col("su") * racks + pl.col("block") % geometry.racks, "scalable-unit": pl.col("su")}
    above, _ = seats.site_seats(plan.site)
    for tier in plan.tier_frames:
        spec = tier.tier
        if spec.per in sizes:
            index = own.get(spec.per, pl.lit(0, pl.Int32)) * spec.per_block + pl.col("ordinal") + offset
            address = pool.column(tier.frame, pl.col("pod") + 1, index)
            offset += sizes[spec.per] * spec.per_block
        elif plan.site_level:
            seat = above[spec.fabric, spec.level]
            index = pl.col("block") * seat.stride + pl.col("ordinal") + seat.first
            address = pool.column(tier.frame, pl.lit(0), index)
        else:
            continue
        frames.append(_table(plan, name, tier.frame, pl.lit(interface), address))
    return frames


def host_link_offset(plan: Tables) -> pl.DataFrame:
    """Numbered host ends: pod, name, interface, offset of the switch's end (the host's is one more)."""
    platforms = set(plan.node_frame["platform"].unique())
    interfaces = positions.nic_frame(platforms)
    frame = plan.node_frame.select("pod", "name", "first_nic", "platform").join(
        interfaces, on="platform", how="inner", maintain_order="left_right"
    )
    return frame.select(
        "pod", "name", "interface", ((pl.col("first_nic") + pl.col("port")) * 2).alias("offset")
    )


def _coolers(plan: Tables, pool: Pool) -> pl.DataFrame:
    """CDUs have the last addresses of their pod's block, counted down, so that no node more moves them."""
    frame = plan.cabinet_frame.filter(pl.col("kind") == "cdu")
    su, number = (pl.col("name").str.extract(form).cast(pl.Int32) - 1 for form in (r"-su-(\d+)", r"(\d+)$"))
    each = pl.col("name").count().over("su").cast(pl.Int32)
    frame = frame.select("name", pl.col("index").alias("pod"), (su * each + number).alias("own"))
    # The last is broadcast, the one before it may be the gateway's.
    last = (1 << pool.shift) - (2 if plan.site.addresses.management_gateway == "first" else 3)
    address = pool.column(frame, pl.col("pod") + 1, pl.lit(last) - pl.col("own"))
    return _table(plan, "management", frame, pl.lit("mgmt0"), address)


def _links(plan: Tables, pool: Pool) -> pl.DataFrame:
    frame = host_link_offset(plan)
    address = pool.column(frame, pl.col("pod") + 1, pl.col("offset") + 1)
    return _table(plan, "link", frame, pl.col("interface"), address)


def _servers(plan: Tables, table: dict[str, Pool]) -> pl.DataFrame:
    """Addresses of servers: those of the site begin its own block, a pod's end the room of its switches."""
    rows: list[tuple[str, str, str, str, str | None]] = []
    management, loopback = table["management"], table["loopback"]
    room = seats.switch_room(plan.site)
    for server in plan.servers_in_scope.iter_rows(named=True):
        index, name, pod = server["place"], server["name"], server["pod_name"]
        block, own = (0, index + 1) if pod is None else (server["pod"] + 1, room - 1 - server["number"])
        host = own + (1 if pod is None else 2)
        rows.append(("management", name, "mgmt0", f"{management.text(block, host)}/{management.length}", pod))
        rows.append(("loopback", name, "lo", f"{loopback.text(block, own)}/{loopback.length}", pod))
        if "link" in table:
            for nic in positions.nic_frame({server["platform"]}).iter_rows(named=True):
                near, offset = server_link(plan.site, server, nic["port"])
                text = table["link"].text(near, offset + 1)
                rows.append(("link", name, nic["interface"], f"{text}/{table['link'].length}", pod))
    schema = dict.fromkeys(("pool", "owner", "interface", "address", "pod"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def server_link(site: Site, server: Mapping[str, Any], port: int) -> tuple[int, int]:
    """Block of the link pool, and offset in it, of the switch's end of a server's link.

    Servers of the site begin its own block; trays begin a pod, whose servers are counted backwards from its
    end, or from that of its first 2^32 addresses.

    Args:
        site: the declaration, with a link pool.
        server: its row; see `positions.servers`.
        port: index of the interface.
    """
    if server["pod"] is None:
        return 0, (server["place"] * rooms.SERVER_LINKS + port) * 2
    bits = ipaddress.ip_network(str(site.addresses.links)).max_prefixlen - site.addresses.link_pod
    own = server["number"] * rooms.SERVER_LINKS + port
    return server["pod"] + 1, (1 << min(bits, 32)) - 2 * (own + 1)
