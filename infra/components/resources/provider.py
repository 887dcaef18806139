"""The package's module `provider`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.components.arguments import properties


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderArgs:
    """Configuration of one provider instance.

    Attributes:
        site: site whose local state holds the credentials and the CA of the management controllers; a change
            replaces the resource.
        driver: `redfish` for machines that answer (real or stand-in), `simulated` for none (redfish,
            simulated); a change replaces the resource.
        latency: simulated driver: mean duration of one operation in seconds.
        failure_rate: simulated driver: share of operations that fail.
        timeout: longest time to wait for one management controller to answer or one power change, in seconds.
    """

    site: pulumi.Input[str]
    driver: pulumi.Input[str] | None = None
    latency: pulumi.Input[float] | None = None
    failure_rate: pulumi.Input[float] | None = None
    timeout: pulumi.Input[float] | None = None


class Provider(pulumi.ProviderResource):
    """The provider `gigasite`, configured for one site."""

    def __init__(self, name: str, args: ProviderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite", name, properties(args), opts)
