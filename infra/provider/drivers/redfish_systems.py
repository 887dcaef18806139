"""Which of a controller's systems is the machine, and what it says about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sushy import exceptions

from infra.errors import UserError
from infra.provider.drivers import Facts, Power, Target
from infra.provider.drivers.redfish_client import PAUSE_S, Malformed, is_transient

if TYPE_CHECKING:
    from infra.provider.drivers.redfish_client import Client

_KINDS = ("GPU", "Accelerator")
_LATER = 503


def pick(target: Target, service: Any, client: Client) -> Any:
    """The machine's ComputerSystem: the declared id, else the declared UUID, else the only one.

    A controller can show more than the host: HGX and Grace trays list `HGX_Baseboard_0`, which answers 503 as
    long as the host is off. So no other system is read before the machine's own is known, and one that does
    not answer matters only if the machine's own is not found.

    Raises:
        UserError: none, or more than one, can be meant.
    """
    paths = list(client.members(systems_path(service)))
    by_id = {path.rstrip("/").rpartition("/")[2]: path for path in paths}
    if target.system is not None:
        if target.system not in by_id:
            raise UserError(
                f"the controller has no system {target.system}, it has {', '.join(by_id) or 'none'}",
                where=place(target),
                hint="correct `redfish.system` in the platform's catalog entry",
            )
        system = service.get_system(by_id[target.system])
        _check_uuid(target, [system])
        return system
    if target.uuid is not None:
        return _pick_by_uuid(target, service, client, paths)
    if len(paths) != 1:
        raise UserError(
            f"the controller has {len(paths)} systems ({', '.join(by_id) or 'none'}), "
            "which one is not declared",
            where=place(target),
            hint="declare the machine's uuid, or `redfish.system` in the platform's catalog entry",
        )
    return service.get_system(paths[0])


def _pick_by_uuid(target: Target, service: Any, client: Client, paths: list[str]) -> Any:
    read, left = [], list(paths)
    while left:
        failures: list[Exception] = []
        for path in list(left):
            try:
                with client.impatient():
                    system = service.get_system(path)
            except exceptions.AccessError:
                raise
            except exceptions.SushyError as error:
                failures.append(error)
                continue
            left.remove(path)
            if _uuid(system) == (target.uuid or "").lower():
                return system
            read.append(system)
        if left and (not any(map(is_transient, failures)) or not client.deadline.left):
            if read:
                break
            raise failures[0]
        if left:
            client.deadline.wait(PAUSE_S)
    _check_uuid(target, read)
    raise AssertionError("unreachable")


def _check_uuid(target: Target, systems: list[Any]) -> None:
    found = [_uuid(system) for system in systems]
    if target.uuid is not None and target.uuid.lower() not in found:
        raise UserError(
            f"the controller answers for {', '.join(map(str, found)) or 'no system at all'}, "
            f"but {target.uuid} is declared",
            where=place(target),
            hint="is the controller's address that of another machine?",
        )


def systems_path(service: Any) -> str:
    """Path of the collection of systems."""
    entry = service.json.get("Systems")
    found = entry.get("@odata.id") if isinstance(entry, dict) else None
    if not isinstance(found, str):
        raise Malformed(service.path, "it names no Systems")
    return found


def read_facts(target: Target, service: Any, client: Client, system: Any, *, patient: bool) -> Facts:
    """Read the facts that the machine reports.

    With `patient`, accelerators that the controller does not list yet, as after a power-on, are waited for.
    """
    count = None
    if target.count_accelerators:
        count = _count(target, service, client, system, patient=patient and power_of(system) is Power.ON)
    state = power_of(system)
    if state is None:
        raise ValueError("facts are read of a machine whose power has settled")
    return Facts(
        serial=system.serial_number or None,
        uuid=_uuid(system),
        power_state=state,
        model=system.model or None,
        manufacturer=system.manufacturer or None,
        bios=system.bios_version or None,
        accelerators=count,
    )


def _count(target: Target, service: Any, client: Client, system: Any, *, patient: bool) -> int | None:
    """Processors of type GPU or Accelerator where they are listed; None where the controller lists none."""
    listed = system.path
    if target.accelerators_at is not None:
        listed = next(
            (
                p
                for p in client.members(systems_path(service))
                if p.rstrip("/").endswith(f"/{target.accelerators_at}")
            ),
            None,
        )
    if listed is None:
        raise UserError(
            f"the controller has no system {target.accelerators_at}, where its accelerators are listed",
            where=place(target),
            hint="look at the baseboard, or correct `redfish.accelerators` in the platform's catalog entry",
        )
    try:
        if patient:
            return _processors(client, listed)
        with client.impatient():
            return _processors(client, listed)
    except exceptions.ResourceNotFoundError:
        return None
    except exceptions.HTTPError as error:
        if error.status_code == _LATER and not patient:
            return None
        raise


def _processors(client: Client, system: str) -> int | None:
    entry = client.document(system).get("Processors")
    path = entry.get("@odata.id") if isinstance(entry, dict) else None
    if not isinstance(path, str):
        return None
    found = [client.document(member).get("ProcessorType") for member in client.members(path)]
    return sum(kind in _KINDS for kind in found) or None


def power_of(system: Any) -> Power | None:
    """On or off; None while it changes (PoweringOn, PoweringOff) or is not known."""
    return {"On": Power.ON, "Off": Power.OFF}.get(power_word(system))


def power_word(system: Any) -> str:
    """The controller's own word for the power state; `unknown` without one."""
    word = system.json.get("PowerState")
    return word if isinstance(word, str) and word else "unknown"


def _uuid(system: Any) -> str | None:
    found = system.uuid
    return found.lower() if isinstance(found, str) and found else None


def place(target: Target) -> str:
    """The machine and its controller, for messages."""
    return f"{target.name} (BMC {target.url})"
