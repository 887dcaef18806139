"""Prerequisites of stand-ins, as data: `doctor` shows them, `up` and `test` install them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Debian keeps administrators' programs off an ordinary user's PATH.
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"


def program(name: str) -> Path | None:
    """Where a program lies, also among the administrators' programs; None if it is not installed."""
    found = shutil.which(name) or shutil.which(name, path=_SYSTEM)
    return Path(found) if found else None


def _program(name: str) -> Callable[[], bool]:
    return lambda: program(name) is not None


def _file(*patterns: str) -> Callable[[], bool]:
    return lambda: any(any(Path("/").glob(pattern)) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that the system must bring.

    Attributes:
        name: a program or file.
        check: whether it is here; looks only, changes nothing.
        needed_by: what does not work without it.
        apt: the Debian package that brings it.
    """

    name: str
    check: Callable[[], bool] = field(repr=False, compare=False)
    needed_by: str
    apt: str


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement("qemu-system-x86_64", _program("qemu-system-x86_64"), "stand-in machines", "qemu-system-x86"),
    Requirement("qemu-img", _program("qemu-img"), "disks of stand-ins", "qemu-utils"),
    Requirement("libvirtd", _program("libvirtd"), "stand-in machines", "libvirt-daemon"),
    Requirement(
        "libvirt's QEMU driver",
        _file(
            "usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so",
            "usr/lib64/libvirt/connection-driver/*qemu*",
        ),
        "stand-in machines",
        "libvirt-daemon-driver-qemu",
    ),
    # Brings what a libvirt that runs as root needs: its QEMU user and /etc/libvirt/qemu.conf.
    Requirement(
        "libvirt's system configuration",
        lambda: os.geteuid() != 0 or _file("etc/libvirt/qemu.conf")(),
        "stand-in machines",
        "libvirt-daemon-system",
    ),
    Requirement("virsh", _program("virsh"), "looking at stand-ins by hand", "libvirt-clients"),
    Requirement("mmdebstrap", _program("mmdebstrap"), "the stand-ins' image", "mmdebstrap"),
    Requirement(
        "Debian's archive keys",
        _file("usr/share/keyrings/debian-archive-keyring.gpg"),
        "the stand-ins' image",
        "debian-archive-keyring",
    ),
    Requirement(
        "newuidmap",
        lambda: os.geteuid() == 0 or program("newuidmap") is not None,
        "the stand-ins' image, built by an ordinary user",
        "uidmap",
    ),
    Requirement("mke2fs", _program("mke2fs"), "the stand-ins' image", "e2fsprogs"),
    Requirement("gcc", _program("gcc"), "the stand-ins' accelerators", "gcc"),
    Requirement("C headers", _file("usr/include/stdio.h"), "the stand-ins' accelerators", "libc6-dev"),
    Requirement("ssh", _program("ssh"), "Ansible and the checks", "openssh-client"),
    Requirement("ssh-keygen", _program("ssh-keygen"), "keys of the stand-ins", "openssh-client"),
)
"""Everything beyond Python and the packages of requirements.txt, in the order it is needed."""

CHECKERS: tuple[Requirement, ...] = (
    Requirement("vtysh", _program("vtysh"), "tests of the rendered frr.conf", "frr"),
    Requirement(
        "frr-reload.py",
        _file("usr/lib/frr/frr-reload.py"),
        "tests of switches that take their configuration by commit-confirm",
        "frr-pythontools",
    ),
    Requirement("sshd", _program("sshd"), "tests of checks and of switches over ssh", "openssh-server"),
    Requirement("chronyd", _program("chronyd"), "tests of the rendered chrony.conf", "chrony"),
    Requirement("nft", _program("nft"), "tests of the rendered nftables.conf", "nftables"),
    Requirement(
        "kea-dhcp4", _program("kea-dhcp4"), "tests of DHCP for the out-of-band network", "kea-dhcp4-server"
    ),
    Requirement("unbound", _program("unbound"), "tests of names", "unbound"),
    Requirement("lldpd", _program("lldpd"), "tests of cabling by LLDP in network namespaces", "lldpd"),
    Requirement("opensm", _program("opensm"), "proofs of InfiniBand fabrics", "opensm"),
    Requirement("ibsim", _program("ibsim"), "proofs of InfiniBand fabrics", "ibsim-utils"),
    Requirement(
        "ibnetdiscover", _program("ibnetdiscover"), "proofs of InfiniBand fabrics", "infiniband-diags"
    ),
    Requirement("munged", _program("munged"), "tests of the health check under Slurm", "munge"),
    Requirement("slurmctld", _program("slurmctld"), "tests of the health check under Slurm", "slurmctld"),
    Requirement("slurmd", _program("slurmd"), "tests of the health check under Slurm", "slurmd"),
    Requirement("scontrol", _program("scontrol"), "tests of the rendered slurm.conf", "slurm-client"),
    Requirement(
        "promtool", _program("promtool"), "tests of the rendered rules and their alerts", "prometheus"
    ),
    Requirement(
        "amtool", _program("amtool"), "tests of the rendered alertmanager.yml", "prometheus-alertmanager"
    ),
    Requirement("ceph-mon", _program("ceph-mon"), "tests of buckets and their quotas on Ceph", "ceph-mon"),
    Requirement("ceph-osd", _program("ceph-osd"), "tests of buckets and their quotas on Ceph", "ceph-osd"),
    Requirement("radosgw", _program("radosgw"), "tests of buckets and their quotas on Ceph", "radosgw"),
    Requirement("s3cmd", _program("s3cmd"), "tests of buckets and their quotas on Ceph", "s3cmd"),
    Requirement("rsyslogd", _program("rsyslogd"), "tests of the rendered rsyslog.conf", "rsyslog"),
    Requirement("logrotate", _program("logrotate"), "tests of the rendered rotation of logs", "logrotate"),
)
"""Programs that read the rendered configuration in the tests; their services never run here."""
