"""Power feeds."""

from __future__ import annotations

from dataclasses import dataclass

from infra.provider.resources.facility import Device, DeviceInputs
from infra.provider.shape import prop


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedInputs(DeviceInputs):
    """What is declared of one feed."""

    capacity_kw: float = prop("rated power in kW", minimum=0)
    load_kw: float = prop("planned load in kW", default=0.0, minimum=0)
    energised: bool = prop("whether it is switched on", default=True)


class Feed(Device[FeedInputs]):
    """A power feed (busway, PDU) and its load."""

    type_name = "gigasite:power:Feed"
    doc = "A power feed of a row or a rack."
    inputs = FeedInputs
