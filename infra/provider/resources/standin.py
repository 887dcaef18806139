"""Stand-ins: a virtual machine with an emulated management controller in place of a real computer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from infra.provider.differences import Change
from infra.provider.differences import Kind as ChangeKind
from infra.provider.properties import UNKNOWN, has_unknown
from infra.provider.resources.resource_type import (
    CreateResult,
    Output,
    ReadResult,
    ResourceType,
    Runtime,
    flag,
    text,
)
from infra.provider.resources.standin_inputs import StandInInputs
from infra.provider.validation import Failure, build

if TYPE_CHECKING:
    from collections.abc import Mapping


class StandIn(ResourceType[StandInInputs]):
    """A stand-in, made through libvirt and powered off: it gets power only through its controller."""

    type_name = "gigasite:standin:Machine"
    doc = (
        "A virtual machine with an emulated management controller, in place of a computer. It is made "
        "powered off; what stands for the computer itself powers it on by Redfish."
    )
    inputs = StandInInputs
    outputs: ClassVar[Mapping[str, Output]] = {
        "definition": text("changes when the machine was defined anew, so that it must be converged again"),
        "bmc_url": text("base URL of its Redfish service"),
        "ssh": Output(
            {"type": "object", "properties": {"address": {"type": "string"}, "port": {"type": "integer"}}},
            "where its ssh is reached from this host: address, port",
        ),
        "started": text("how it came up, or, while it is off, how it will the first time: `fast` or `boot`"),
        "bmc_running": flag("whether the controller's process runs"),
        "simulated": flag("always false: it is a virtual machine"),
    }
    # Its ports and its name are taken until it is gone.
    delete_before_replace = True

    def check(self, inputs: Mapping[str, Any], failures: list[Failure]) -> None:
        """No port twice."""
        seen: dict[tuple[str, int], str] = {}
        emulator = inputs.get("bmc")
        ports = [("tcp", "ssh_port", inputs.get("ssh_port"))]
        if isinstance(emulator, dict):
            ports.append(("tcp", "bmc.port", emulator.get("port")))
        nics = inputs.get("nics")
        for index, nic in enumerate(nics if isinstance(nics, list) else []):
            if isinstance(nic, dict):
                ports.append(("udp", f"nics[{index}].local", nic.get("local")))
        for protocol, path, port in ports:
            if not isinstance(port, int):
                continue
            other = seen.setdefault((protocol, port), path)
            if other != path:
                failures.append(Failure(path, f"{protocol} port {port} is that of {other} already"))

    def apply_defaults(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The image that machines are made from now: when its recipe changes, machines are made anew."""
        if inputs.get("image"):
            return inputs
        from infra.provider.drivers.libvirt import current_image  # noqa: PLC0415 (only stand-ins need it)

        return {**inputs, "image": current_image()}

    def drift(self, state: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Change]:
        """A controller that does not run is started again."""
        del inputs
        return {} if state.get("bmc_running", True) else {"bmc": Change(ChangeKind.UPDATE, drift=True)}

    def preview(
        self, inputs: Mapping[str, Any], state: Mapping[str, Any] | None, changed: Mapping[str, Change]
    ) -> dict[str, Any]:
        """All but the definition and the way of starting is declared."""
        old = dict(state or {})
        same = bool(state) and not any(_defines(path) for path in changed)
        emulator, port = inputs.get("bmc", UNKNOWN), inputs.get("ssh_port", UNKNOWN)
        return {
            "definition": old.get("definition", UNKNOWN) if same else UNKNOWN,
            "bmc_url": UNKNOWN if has_unknown(emulator) else f"https://127.0.0.1:{emulator['port']}",
            "ssh": {"address": "127.0.0.1", "port": port},
            "started": old.get("started", UNKNOWN),
            "bmc_running": True,
            "simulated": False,
        }

    def identify(self, runtime: Runtime, inputs: StandInInputs) -> str:
        """The UUID: libvirt has no two domains with one."""
        del runtime
        return inputs.uuid

    async def create(self, runtime: Runtime, inputs: StandInInputs, limit: float) -> CreateResult:
        """Define it, or adopt it if we defined it before; start its controller."""
        del limit
        from infra.provider.drivers.libvirt import define  # noqa: PLC0415

        return CreateResult(_outputs(inputs, await define(runtime.settings.site, inputs)))

    async def update(
        self,
        runtime: Runtime,
        inputs: StandInInputs,
        state: Mapping[str, Any],
        changed: Mapping[str, Change],
        limit: float,
    ) -> CreateResult:
        """Define it anew, powered off if it runs; or only see to its controller."""
        del state, limit
        from infra.provider.drivers.libvirt import define  # noqa: PLC0415

        anew = any(_defines(path) for path in changed)
        return CreateResult(_outputs(inputs, await define(runtime.settings.site, inputs, anew=anew)))

    async def read(
        self, runtime: Runtime, resource_id: str, state: Mapping[str, Any], limit: float
    ) -> ReadResult | None:
        """Whether the domain is there and its controller runs."""
        del limit
        from infra.provider.drivers.libvirt import look  # noqa: PLC0415

        if not state:
            return None
        declared = build(StandInInputs, state)
        facts = await look(runtime.settings.site, declared)
        if facts is None or declared.uuid != resource_id:
            return None
        hint = f"make it anew: `gigasite replace {declared.name}`"
        faults = (f"{declared.name}: {facts.fault}, {hint}",) if facts.fault else ()
        return ReadResult(declared.plain(), _outputs(declared, facts), faults)

    async def delete(
        self, runtime: Runtime, inputs: StandInInputs, state: Mapping[str, Any], limit: float
    ) -> None:
        """Remove domain, disk and controller, if they are ours."""
        del state, limit
        from infra.provider.drivers.libvirt import remove  # noqa: PLC0415

        await remove(runtime.settings.site, inputs)


def _defines(path: str) -> bool:
    """Whether a change of this property defines the domain anew."""
    return not path.startswith("bmc")


def _outputs(inputs: StandInInputs, facts: Any) -> dict[str, Any]:
    return {
        "definition": facts.definition,
        "bmc_url": f"https://127.0.0.1:{inputs.bmc.port}",
        "ssh": {"address": "127.0.0.1", "port": inputs.ssh_port},
        "started": facts.started,
        "bmc_running": facts.bmc_running,
        "simulated": False,
    }
