"""Machines of other checkouts on this computer: what they hold, and those whose checkout is gone."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import UserError
from infra.lab import ports
from infra.lab.domain import machine_of, owner_of, parse
from infra.lab.session import libvirt, remove_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.lab.spec import MachineSpec


def require_free(connection: Any, spec: MachineSpec, progress: Callable[[str], None]) -> None:
    """See that no other machine holds the UUID or a port of one that is to be made or powered on.

    A holder whose checkout was deleted, and its disk with it, can never start again and is removed.

    Args:
        connection: to libvirt.
        spec: the machine.
        progress: told what is removed.

    Raises:
        UserError: another one holds it.
    """
    wanted = {("tcp", spec.ssh_port): "ssh"}
    wanted |= {("udp", nic.udp_local): f"the cable of {nic.name}" for nic in spec.nics}
    for other in connection.listAllDomains():
        try:
            xml = other.XMLDesc()
            same = other.UUIDString() == spec.uuid.lower()
        except libvirt.libvirtError:  # removed by another command meanwhile
            continue
        holder = owner_of(xml)
        clash = sorted(set(wanted) & set(ports_of(xml))) if holder else []
        if other.name() == spec.domain_name or not (same or clash):
            continue
        if holder and _is_lost(holder):
            progress(f"{spec.name}: removing {other.name()}, whose checkout is gone")
            with suppress(libvirt.libvirtError):  # another machine's definition has just done it
                remove_domain(other)
        elif same:
            raise UserError(
                f"UUID {spec.uuid} is taken by machine {other.name()} of {holder or 'somebody else'}",
                where=spec.name,
                hint="remove that machine first (`gigasite down` in the checkout that made it)",
            )
        else:
            names = ", ".join(
                f"{protocol} port {port} ({wanted[protocol, port]})" for protocol, port in clash
            )
            raise UserError(
                f"{names} on 127.0.0.1 is taken by machine {machine_of(xml)} of {holder}",
                where=spec.name,
                hint="remove that one, or set another port_base under stand_ins in site.yaml",
            )
    for (protocol, port), purpose in wanted.items():
        ports.require_free(port, protocol, f"{purpose} of {spec.name}")


def ports_of(xml: str) -> Iterator[tuple[str, int]]:
    """Return protocol and port of each port of this computer that a domain takes."""
    top = parse(xml)
    for local in top.iterfind("devices/interface[@type='udp']/source/local"):
        yield "udp", int(local.get("port", "0"))
    for port in re.findall(r"hostfwd=tcp:127\.0\.0\.1:(\d+)-", xml):
        yield "tcp", int(port)


def _is_lost(holder: str) -> bool:
    """Whether the state directory in an owner's mark, `NAME@FOLDER`, is there no more."""
    _, at, folder = holder.partition("@")
    return bool(at) and not Path(folder).exists()
