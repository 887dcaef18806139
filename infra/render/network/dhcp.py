"""DHCP of the out-of-band network, as Kea's configuration: each cable's end gets its planned address.

MAC addresses are not known before delivery, but each cable is. So a machine is known by the port that it asks
through: the relay on its management switch writes it into option 82 (RFC 3046), and a reservation for it
has the address. Kea compares one identifier, so that is of switch and port both: `SWITCH:PORT`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.errors import UserError
from infra.plan.tables import addressing
from infra.plan.tables.counts import step_name
from infra.render.network.collecting import files_at, gateways
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.plan import Plan
    from infra.render.network.printing import Files
    from infra.spec.switch import System

FOLDER = "dhcp"
"""Folder beside those of switches; none is called so: their names begin with a pod or the site."""
MAIN = "kea-dhcp4.conf"
INSTALLED = "/etc/kea"
"""Where packages of Kea have its configuration; relative paths would begin where Kea is started."""
LEASE_S = 7200
"""Seconds, Kea's own default. Known by circuit-id, a machine waits for its predecessor's lease to end."""
FLEX_ID = {
    "library": "libdhcp_flex_id.so",
    "parameters": {
        "identifier-expression": "concat(concat(relay4[2].hex, ':'), relay4[1].hex)",
        "replace-client-id": True,
    },
}
"""Joins remote-id (the switch) and circuit-id (the port), and keeps leases by that. Free in Kea 3.0."""
OPTIONS = [{"code": 239, "name": "provisioning-url", "space": "dhcp4", "type": "string"}]
"""What Kea does not know by itself; 67 it does."""


def kea_files(plan: Plan) -> Files:
    """Print Kea's configuration for a site: the main file, and one for each management network.

    Raises:
        UserError: the site declares no out-of-band fabric.
    """
    site = plan.site
    if not plan.geometry.management_fabrics:
        raise UserError(
            f"{site.name} has no out-of-band fabric: no cable says which port has which address",
            hint="declare `fabrics.out_of_band`",
        )
    systems = _systems(plan)
    ends = reservations(plan)
    home = files_at(plan.own_level())
    networks = {
        str(network): _subnet(plan, str(network), _entries(rows, systems, home))
        for (network,), rows in ends.group_by("network", maintain_order=True)
    }
    crossed = ends.filter(pl.col("network") != pl.col("pod"))
    joined = {*crossed["network"], *crossed["pod"]}
    by_port = any(_identifier(systems.get(name)) == "flex-id" for name in ends["switch"].unique())
    main = _main(site.name, networks, joined, by_port=by_port)
    return {MAIN: main, **{f"{network}.json": text for network, text in networks.items()}}


def reservations(plan: Plan) -> pl.DataFrame:
    """Ends of out-of-band cables, pod by pod.

    Returns:
        switch and port (of the management switch), pod (that it is in), owner and interface (the other end),
        address (without prefix length), network (name of the pod or site whose block the address is in).
    """
    cables = plan.links.filter(
        pl.col("fabric").cast(pl.String).is_in(plan.geometry.management_fabrics),
        pl.col("tier") == step_name(0),
    )
    own = plan.addresses.filter(pl.col("pool") == "management").select(
        "owner", "interface", pl.col("address").str.split("/").list.first(),
        pl.col("pod").fill_null(plan.site.name).alias("network"),
    )  # fmt: skip
    ends = cables.select(
        pl.col("z").alias("switch"), pl.col("z_port").alias("port"), "pod",
        pl.col("a").alias("owner"), pl.col("a_port").alias("interface"),
    )  # fmt: skip
    return ends.join(own, on=["owner", "interface"], how="inner", maintain_order="left")


def _systems(plan: Plan) -> dict[str, System]:
    """Operating systems of switches by their names; of those alone that have one."""
    table = plan.switches.select("name", "model")
    known = {}
    for model in table["model"].unique():
        if (system := catalog.switch(model).system) is not None:
            known[model] = catalog.system(system)
    return {name: known[model] for name, model in table.iter_rows() if model in known}


def _identifier(system: System | None) -> str:
    return "flex-id" if system is not None and system.relay == "port" else "circuit-id"


def _entries(rows: pl.DataFrame, systems: Mapping[str, System], home: str) -> Iterator[dict[str, Any]]:
    for switch, port, owner, interface, address in rows.select(
        "switch", "port", "owner", "interface", "address"
    ).iter_rows():
        entry: dict[str, Any] = {
            _identifier(systems.get(switch)): f"'{switch}:{port}'",
            "ip-address": address,
            # A switch takes the name for its own; a server has controllers beside its operating system.
            "hostname": owner if owner in systems else f"{owner}-{interface}",
        }
        system = systems.get(owner)
        if system is not None and system.provisioning is not None:
            url = f"{home}/{owner}/{system.provisioning.file}"
            entry["option-data"] = [{"code": system.provisioning.option, "data": url}]
        yield entry


def _subnet(plan: Plan, network: str, entries: Iterator[dict[str, Any]]) -> str:
    """Print a management network; a reservation is a line, so that a difference names its port."""
    pool = addressing.pools(plan.geometry)["management"]
    pods = plan.geometry.pod_names
    block = pods.index(network) + 1 if network in pods else 0
    head = {
        "comment": _made_by(plan.site.name),
        # Leases refer to it: the block's number, which no other pod moves. Kea counts from 1.
        "id": block + 1,
        "subnet": f"{pool.text(block, 0)}/{pool.length}",
        "option-data": [{"name": "routers", "data": gateways(plan)[network if block else None]}],
    }
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    return f'{json.dumps(head, indent=1)[:-2]},\n "reservations": [\n{lines}\n ]\n}}\n'


def _main(site: str, networks: Iterable[str], joined: set[str], *, by_port: bool) -> str:
    """Print the main file.

    Args:
        site: its name.
        networks: names of management networks.
        joined: those that share a VLAN: what stands above pods is cabled to management switches of a pod.
        by_port: relays write the port alone as circuit-id.
    """
    content: dict[str, Any] = {
        "comment": _made_by(site),
        # Requests come from relays alone, which speak unicast.
        "interfaces-config": {"interfaces": ["*"], "dhcp-socket-type": "udp"},
        "valid-lifetime": LEASE_S,
        "host-reservation-identifiers": ["flex-id", "circuit-id"] if by_port else ["circuit-id"],
        "option-def": OPTIONS,
        "subnet4": [f"include {name}" for name in networks if name not in joined],
    }
    if by_port:
        content["hooks-libraries"] = [FLEX_ID]
    else:
        # A boot loader and the system after it are one machine, whatever client-id they send.
        content["match-client-id"] = False
    if joined:
        shared = [f"include {name}" for name in networks if name in joined]
        content["shared-networks"] = [{"name": site, "subnet4": shared}]
    text = json.dumps({"Dhcp4": content}, indent=1)
    return re.sub(r'"include ([^"]+)"', rf'<?include "{INSTALLED}/\1.json"?>', text) + "\n"


def _made_by(site: str) -> str:
    return f"Made by gigasite; made again by `gigasite render {site}`."
