"""A program of BOX_COUNT resources in racks (components) of 20; some take something from the one before."""

from __future__ import annotations

import os

import pulumi

RACK = 20


class Rack(pulumi.ComponentResource):
    """A component."""

    def __init__(self, name: str) -> None:
        super().__init__("box:index:Rack", name)


class Item(pulumi.CustomResource):
    """A resource."""

    def __init__(self, name: str, props: dict[str, object], opts: pulumi.ResourceOptions) -> None:
        super().__init__("box:index:Item", name, {"serial": None, **props}, opts)


rack: Rack | None = None
before: Item | None = None
for number in range(int(os.environ.get("BOX_COUNT", "10"))):
    if number % RACK == 0:
        if rack is not None:
            rack.register_outputs({})
        rack, before = Rack(f"rack-{number // RACK}"), None
    props: dict[str, object] = {
        "size": number % 7,
        "tags": {"rack": f"rack-{number // RACK}", "tray": number % RACK},
        "change": os.environ.get("BOX_CHANGE", ""),
        "site": os.environ.get("BOX_SITE", ""),
        "zone": os.environ.get("BOX_ZONE", ""),
    }
    if before is not None and number % 4 == 3:
        props["after"] = before.serial  # type: ignore[attr-defined]
    before = Item(f"item-{number}", props, pulumi.ResourceOptions(parent=rack))
if rack is not None:
    rack.register_outputs({})
pulumi.export("count", int(os.environ.get("BOX_COUNT", "10")))
