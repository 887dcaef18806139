"""Power feeds."""

from __future__ import annotations

from pydantic import Field

from infra.provider.resources.facility import Device, DeviceInputs


class FeedInputs(DeviceInputs):
    """Declared inputs of one feed."""

    capacity_kw: float = Field(ge=0, description="rated power in kW")
    load_kw: float = Field(default=0.0, ge=0, description="planned load in kW")
    energised: bool = Field(default=True, description="whether it is switched on")


class Feed(Device[FeedInputs]):
    """A power feed (busway, PDU) and its load."""

    type_name = "gigasite:power:Feed"
    doc = "A power feed of a row or a rack."
    inputs = FeedInputs
