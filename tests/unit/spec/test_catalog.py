"""Catalog files: every one reads, and every number in it has a source."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from infra.spec import catalog

pytestmark = pytest.mark.unit

FILES = sorted(catalog.CATALOG.glob("*/*.yaml"))


def numbers(value, path=()):
    """Paths of all quantities and counts."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in {"sources", "firmware", "title", "name"}:
                yield from numbers(part, (*path, str(key)))
    elif isinstance(value, list):
        for part in value:
            yield from numbers(part, path)
    elif (isinstance(value, (int, float)) and not isinstance(value, bool)) or str(value)[:1].isdigit():
        yield ".".join(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_number_has_a_source(path):
    value = YAML(typ="safe", pure=True).load(path)
    sources = value["sources"]
    convention = {
        "first_port",
        "port_name",
        "port_step",
    }  # how the operating system counts, not a measurement
    for place in set(numbers(value)) - convention:
        if (
            path.parent.name == "platforms"
            and place in {"rack.liquid_share", "rack.flow"}
            and "rack" in sources
        ):
            continue
        assert any(place == source or place.startswith(f"{source}.") for source in sources), place
    assert all(len(text) >= 4 for text in sources.values())


@pytest.mark.parametrize(
    "kind", ["platforms", "switches", "systems", "cables", "optics", "coolers", "interfaces"]
)
def test_names_are_file_names(kind):
    reader = {
        "platforms": catalog.platform,
        "switches": catalog.switch,
        "systems": catalog.system,
        "coolers": catalog.cooler,
        "interfaces": catalog.interface,
    }.get(kind)
    for name in catalog.names(kind):
        entry = reader(name) if reader else getattr(catalog, kind)()[name]
        assert entry.name == name


def test_cables_name_known_optics_and_reach_on():
    cables, optics = catalog.cables(), catalog.optics()
    for cable in cables.values():
        assert cable.optic is None or cable.optic in optics
    speeds = {catalog.switch(name).speed for name in catalog.names("switches")} | {100.0}
    for speed in speeds:
        assert any(cable.speed >= speed for cable in cables.values())


def test_the_named_platforms_are_there():
    assert {"gb300-nvl72", "gb200-nvl72", "hgx-b300", "mi355x", "lab-vm"} <= set(catalog.names("platforms"))
    for name in catalog.names("platforms"):
        node = catalog.platform(name)
        assert node.node.power.total * node.rack.nodes <= node.rack.power * 1.0001
