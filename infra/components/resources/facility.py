"""The package's module `facility`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceArgs:
    """Inputs of every facility device.

    Attributes:
        name: name of the device, unique in the site; a change replaces the resource.
    """

    name: pulumi.Input[str]
