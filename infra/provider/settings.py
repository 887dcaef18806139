"""The provider's configuration, as the program gives it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from infra.provider.inputs import REPLACES, InputModel, Name


class Driver(StrEnum):
    """How machines and facility devices are reached."""

    REDFISH = "redfish"
    SIMULATED = "simulated"


class Settings(InputModel):
    """Configuration of one provider instance."""

    site: Annotated[Name, REPLACES] = Field(
        description="site whose local state holds the credentials and the CA of the management controllers",
        examples=["lab"],
    )
    driver: Annotated[Driver, REPLACES] = Field(
        default=Driver.REDFISH,
        description="`redfish` for machines that answer (real or stand-in), `simulated` for none",
    )
    latency: float = Field(
        default=0.05,
        ge=0,
        le=3600,
        description="simulated driver: mean duration of one operation in seconds",
    )
    failure_rate: float = Field(
        default=0.0, ge=0, le=1, description="simulated driver: share of operations that fail"
    )
    timeout: float = Field(
        default=120.0,
        ge=1,
        le=3600,
        description="longest time to wait for one management controller to answer or one power change, in "
        "seconds",
    )
