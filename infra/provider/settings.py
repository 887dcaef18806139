"""The provider's configuration, as the program gives it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from infra.provider.shape import HOST_NAME, prop


class Driver(StrEnum):
    """How machines and facility devices are reached."""

    REDFISH = "redfish"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Settings:
    """Configuration of one provider instance."""

    site: str = prop(
        "site whose local state holds the credentials and the CA of the management controllers",
        pattern=HOST_NAME,
        like="a name of a-z, 0-9 and -, for example `lab`",
        replaces=True,
    )
    driver: Driver = prop(
        "`redfish` for machines that answer (real or stand-in), `simulated` for none",
        default=Driver.REDFISH,
        replaces=True,
    )
    latency: float = prop(
        "simulated driver: mean duration of one operation in seconds", default=0.05, minimum=0, maximum=3600
    )
    failure_rate: float = prop(
        "simulated driver: share of operations that fail", default=0.0, minimum=0, maximum=1
    )
    timeout: float = prop(
        "longest time to wait for one management controller to answer or one power change, in seconds",
        default=120.0,
        minimum=1,
        maximum=3600,
    )
