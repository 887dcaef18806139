"""Lossless Ethernet for RDMA: one declaration for both ends of every cable, switch and host.

RoCE v2 marks its data with one DSCP and its congestion notifications with another; the data's priority is
lossless by priority flow control, and switches mark congestion early (ECN) so that it is hardly needed.
"""

from __future__ import annotations

from dataclasses import dataclass

DATA_DSCP = (24, 26)
"""Marks of RDMA data: 26 is what NVIDIA and Cumulus Linux use, 24 what NICs send by default with CS3."""
HOST_DSCP = 26
"""Of those, what hosts are told to mark their data with."""
ECT = 0b10
"""Lowest two bits of the traffic class: switches may mark congestion instead of dropping (RFC 3168)."""
CNP_DSCP = 48
"""Mark of congestion notification packets (Cumulus Linux, RoCE)."""
DATA_PRIORITY = 3
"""Priority, traffic class and queue of RDMA data (Cumulus Linux, SONiC: 3 is lossless by default)."""
CNP_PRIORITY = 6
"""Of congestion notification packets: strict, so that they are not stuck in what they warn of."""
CLASSES = dict.fromkeys(DATA_DSCP, DATA_PRIORITY) | {CNP_DSCP: CNP_PRIORITY}
"""Priority by DSCP; of all others it is 0."""
ROUND_TRIP_US = 8
"""Microseconds across a pod and back: ECN begins at one bandwidth-delay product."""
ECN_RANGE = 4
"""ECN marks with full probability at this many bandwidth-delay products."""
ECN_PROBABILITY = 5
"""Percent at the upper threshold (SONiC's AZURE_LOSSLESS profile)."""
WATCHDOG_MS = 400
"""How long a paused queue waits before the PFC watchdog drops it, and for how long."""


@dataclass(frozen=True, slots=True)
class Roce:
    """Classes and thresholds; DSCP and priorities as numbers, thresholds in bytes, times in milliseconds."""

    data_dscp: tuple[int, ...]
    cnp_dscp: int
    data_priority: int
    cnp_priority: int
    ecn_min: int
    ecn_max: int
    ecn_probability: int
    watchdog: int
    dscp: tuple[DscpClass, ...]


@dataclass(frozen=True, slots=True)
class HostRoce:
    """Settings of a host at its end of such a cable.

    Attributes:
        links: its interfaces.
        priorities: DSCP and the priority that it has, of what is received and sent.
        data_priority: the one that is paused instead of dropped.
        traffic_class: byte of IP headers that RDMA data is sent with: DSCP and ECN bits.
    """

    links: tuple[str, ...]
    priorities: tuple[DscpClass, ...]
    data_priority: int
    traffic_class: int


@dataclass(frozen=True, slots=True)
class DscpClass:
    """A DSCP value and the traffic class that it is put in."""

    dscp: int
    traffic_class: int


def roce_of(gbit: float) -> Roce:
    """Settings of a switch with ports of this speed.

    Args:
        gbit: Gbit/s of its fastest port.
    """
    product = round(gbit * 1000 * ROUND_TRIP_US / 8)
    return Roce(
        data_dscp=DATA_DSCP,
        cnp_dscp=CNP_DSCP,
        data_priority=DATA_PRIORITY,
        cnp_priority=CNP_PRIORITY,
        ecn_min=product,
        ecn_max=product * ECN_RANGE,
        ecn_probability=ECN_PROBABILITY,
        watchdog=WATCHDOG_MS,
        dscp=tuple(DscpClass(value, CLASSES.get(value, 0)) for value in range(64)),
    )


def host_roce(links: tuple[str, ...]) -> HostRoce | None:
    """Settings of a host; None for one without links to switches that route.

    Args:
        links: its interfaces to them.
    """
    if not links:
        return None
    return HostRoce(
        links=links,
        priorities=tuple(DscpClass(value, priority) for value, priority in sorted(CLASSES.items())),
        data_priority=DATA_PRIORITY,
        traffic_class=HOST_DSCP << 2 | ECT,
    )
