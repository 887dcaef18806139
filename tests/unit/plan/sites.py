"""Random sites for property tests: small enough to expand, odd enough to find what arithmetic forgets."""

from __future__ import annotations

from hypothesis import strategies as st

from infra.spec import catalog
from infra.spec.site import Site

PLATFORMS = ("gb300-nvl72", "gb200-nvl72", "hgx-b300", "mi355x", "lab-vm")
SLOTS = {"gb300-nvl72": 18, "gb200-nvl72": 18, "hgx-b300": 4, "mi355x": 8, "lab-vm": 4}


@st.composite
def racks(draw):
    platform = draw(st.sampled_from(PLATFORMS))
    power = draw(st.sampled_from(["rated", "share", "30 kW"]))
    if draw(st.booleans()):
        return {"platform": platform, "power": power}
    most = SLOTS[platform]
    slots = draw(st.lists(st.integers(1, most), min_size=1, max_size=most, unique=True))
    split = draw(st.integers(0, len(slots) - 1))
    trays = [{"platform": platform, "slots": sorted(slots[split:])}]
    if split:
        trays.append({"platform": "lab-vm", "slots": sorted(slots[:split])})
    return {"trays": trays, "power": power}


def tiers(draw, name, switch, breakout):
    depth = draw(st.integers(1, 3))
    levels = [draw(st.sampled_from(["scalable-unit", "pod"]))]
    levels += [draw(st.sampled_from(["pod", "hall", "site"])) for _ in range(depth - 1)]
    order = ["rack", "scalable-unit", "pod", "hall", "building", "site"]
    levels.sort(key=order.index)
    result = []
    for index, level in enumerate(levels):
        last = index == depth - 1
        up = 0 if last else draw(st.integers(1, 12)) * breakout
        result.append({"name": f"{name}{index}", "switch": switch, "per": level, "up": up})
        if index:
            grouped = draw(st.sampled_from(["one", "index", "rail"]))
            if grouped == "index":
                result[-1]["groups"] = draw(st.integers(1, 3))
            elif grouped == "rail" and index == 1:
                result[-1] |= {"groups": "rails", "group_by": "rail"}
    return result


def least_nics(rack, fabric):
    """NICs on a fabric of the node that has the fewest."""
    platforms = {part["platform"] for part in (rack, *rack.get("trays", ())) if "platform" in part}
    counts = [sum(g.count for g in catalog.platform(p).node.nics if g.fabric == fabric) for p in platforms]
    return min((count for count in counts if count), default=0)


def exceptions_in(draw, layout):
    """Exceptions, one for each place, whose empty slots the layout's rack has."""
    pods, units = layout["pods"], layout["scalable_units_per_pod"]
    exceptions = sizes_in(draw, layout)
    units = min([units, *(entry.get("scalable_units", units) for entry in exceptions)])
    own = layout["rack"]
    there = [slot for part in own.get("trays", ()) for slot in part["slots"]]
    there = there or list(range(1, SLOTS[own["platform"]] + 1))
    for _ in range(draw(st.integers(0, 3))):
        pod, unit = draw(st.integers(1, pods)), draw(st.integers(1, units))
        kind = draw(st.sampled_from(["rack", "missing", "pool"]))
        place = f"pod-{pod:02d}-su-{unit:02d}"
        at = f"{place}-rack-01" if kind == "missing" else place
        if any(entry["at"] == at for entry in exceptions):
            continue
        if kind == "rack":
            exceptions.append({"at": place, "rack": draw(racks()), "reason": "drawn"})
        elif kind == "missing":
            slots = draw(st.lists(st.sampled_from(there), min_size=1, max_size=3, unique=True))
            exceptions.append({"at": at, "missing": slots, "reason": "drawn"})
        else:
            exceptions.append({"at": place, "pool": "spare", "reason": "drawn"})
    return exceptions


def sizes_in(draw, layout):
    """A pod or a hall of another size, with a coolant loop of its own, and a short row."""
    if not draw(st.booleans()):
        return []
    pod = draw(st.integers(1, layout["pods"]))
    hall = (pod - 1) // layout["pods_per_hall"] + 1
    own = {"at": draw(st.sampled_from([f"pod-{pod:02d}", f"hall-{hall:02d}"])), "reason": "drawn"}
    own["scalable_units"] = draw(st.integers(1, 4))
    if draw(st.booleans()):
        own["cooling"] = {"supply": "30 °C", "cooler": "cdu-1350", "coolers_per_row": draw(st.integers(1, 3))}
    if "racks_per_scalable_unit" not in layout:
        return [own]
    own["racks"] = draw(st.integers(1, 4))
    if draw(st.booleans()):
        own["rack"] = draw(racks())
    if own["racks"] == 1 or draw(st.booleans()):
        return [own]
    return [own, {"at": f"pod-{pod:02d}-su-01", "racks": own["racks"] - 1, "reason": "drawn"}]


def split_between_pods(draw, layout, fabric):
    """The fabric in the first pods, and another of its kind in the others; each begins with a hall."""
    hall = layout["pods_per_hall"] * layout["halls_per_building"]
    starts = [pod for pod in range(2, layout["pods"] + 1) if (pod - 1) % hall == 0]
    if not starts:
        return {}
    start = draw(st.sampled_from(starts))
    other = {**fabric, "kind": "east-west", "pods": f"{start}-{layout['pods']}"}
    other["tiers"] = [tier | {"name": f"o{tier['name']}"} for tier in fabric["tiers"]]
    return {"east_west": fabric | {"pods": f"1-{start - 1}"}, "other": other}


def management_tiers(draw):
    own = [{"name": "oob", "switch": "oob-48x1g", "per": draw(st.sampled_from(["rack", "scalable-unit"]))}]
    if draw(st.booleans()):
        own[0]["up"] = draw(st.integers(1, 4))
        per = draw(st.sampled_from(["pod", "site"]))
        own.append({"name": "oob-agg", "switch": "eth-32x100g", "per": per})
    return own


@st.composite
def sites(draw):
    pods = draw(st.integers(1, 4))
    units = draw(st.integers(1, 3))
    layout = {
        "pods": pods,
        "pods_per_hall": draw(st.integers(1, 2)),
        "halls_per_building": draw(st.integers(1, 2)),
        "scalable_units_per_pod": units,
        "rack": draw(racks()),
    }
    count = draw(st.integers(1, 3))
    in_nodes = draw(st.booleans())
    if in_nodes:
        layout["nodes_per_scalable_unit"] = draw(st.integers(1, 12))
    else:
        layout["racks_per_scalable_unit"] = count
    fabrics = {}
    for key, name, switch in (("east_west", "ew", "q3400"), ("north_south", "ns", "ns-128x400g")):
        if draw(st.booleans()):
            most = least_nics(layout["rack"], key.replace("_", "-")) or 4
            rails, breakout = draw(st.integers(1, min(most, 4))), draw(st.sampled_from([1, 2]))
            fabric = {"rails": rails, "planes": draw(st.sampled_from([1, 2])), "breakout": breakout}
            fabric["tiers"] = tiers(draw, name, switch, breakout)
            for tier in fabric["tiers"]:
                if tier.get("groups") == "rails":
                    tier["groups"] = rails
            fabrics[key] = fabric
    if "east_west" in fabrics and pods > 1 and draw(st.booleans()):
        fabrics |= split_between_pods(draw, layout, fabrics["east_west"])
    if draw(st.booleans()):
        fabrics["out_of_band"] = {"tiers": management_tiers(draw)}
    exceptions = exceptions_in(draw, layout)
    servers = [
        {
            "name": f"server{index}",
            "role": draw(st.sampled_from(["storage", "management"])),
            "platform": "server-1u",
            "count": draw(st.integers(1, 3)),
            **({"attach": "pod-01"} if draw(st.booleans()) else {}),
        }
        for index in range(draw(st.integers(1, 2)))
    ]
    if draw(st.booleans()):
        servers.append({"name": "store", "role": "storage", "platform": "storage-2u24", "per": "pod",
                        "count": draw(st.integers(1, 5))})  # fmt: skip
        north = fabrics.get("north_south")
        if north and len(north["tiers"]) > 1 and draw(st.booleans()):
            up = draw(st.integers(1, 12))
            leaf = {"name": "store-leaf", "switch": "ns-128x400g", "servers": ["store"], "up": up}
            north["leaves"] = [leaf]
    v6 = draw(st.booleans())
    return Site.model_validate(
        {
            "name": "drawn",
            "grid": {
                "operator": "x",
                "power": "5 MW",
                "circuits": [{"name": "a", "voltage": "20 kV", "capacity": "6 MW", "current_limit": "300 A"}],
            },
            "energy": {"pue": 1.2, "location_intensity": "20 g/kWh", "source": "drawn"},
            "cooling": {"supply": "40 °C", "cooler": "cdu-1350", "coolers_per_row": draw(st.integers(1, 2))},
            "layout": layout,
            "exceptions": exceptions,
            "fabrics": fabrics,
            "servers": servers,
            "storage": {"power": "10 kW", "tiers": [{"name": "scratch", "kind": "local"}]},
            "services": {"domain": "drawn.internal", "ntp": "server0", "power": "5 kW"},
            "addresses": {
                "management": "10.0.0.0/8",
                "management_pod": 16,
                "loopbacks": "fd00:1::/32" if v6 else "172.16.0.0/12",
                "loopback_pod": 48 if v6 else 20,
                "links": "fd00:2::/32" if v6 else "100.64.0.0/10",
                "link_pod": 48 if v6 else 18,
            },
        }
    )
