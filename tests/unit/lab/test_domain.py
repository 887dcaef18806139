from __future__ import annotations

from pathlib import Path

import pytest

from infra.lab.accel import Kind
from infra.lab.domain import QEMU_NAMESPACE, Domain, domain_xml, machine_of, owner_of, parse
from infra.lab.spec import Cable, MachineSpec, domain_name

pytestmark = pytest.mark.unit

NICS = (
    Cable("data0", "52:54:00:00:00:10", 20100, 20101),
    Cable("data1", "52:54:00:00:00:11", 20102, 20103),
)


def domain(**changes) -> Domain:
    values = {
        "name": "gigasite-0-m1", "uuid": "11111111-2222-3333-4444-555555555555", "hostname": "m1",
        "owner_id": "lab@/somewhere", "memory_mib": 640, "vcpus": 1, "acceleration": Kind.TCG,
        "kernel": Path("/i/vmlinuz"), "initrd": Path("/i/initrd"), "disk": Path("/m/disk.qcow2"),
        "seed": Path("/m/seed.img"), "console": Path("/m/console.log"), "ssh_port": 20001,
        "nics": NICS, "root": True,
    }  # fmt: skip
    return Domain(**(values | changes))


def words(xml: str) -> list[str]:
    return [arg.get("value") for arg in parse(xml).iter(f"{{{QEMU_NAMESPACE}}}arg")]


def test_emulation_turns_off_the_instruction_that_qemu_emulates_wrongly():
    top = parse(domain_xml(domain()))
    assert top.get("type") == "qemu"
    feature = top.find("cpu/feature")
    assert (feature.get("name"), feature.get("policy")) == ("cx16", "disable")
    assert top.findtext("features/tcg/tb-cache") == "96"


def test_kvm_shows_the_real_processor():
    top = parse(domain_xml(domain(acceleration=Kind.KVM)))
    assert top.get("type") == "kvm"
    assert top.find("cpu").get("mode") == "host-passthrough"
    assert top.find("features/tcg") is None


def test_the_boot_override_of_redfish_needs_acpi():
    assert parse(domain_xml(domain())).find("features/acpi") is not None


def test_a_domain_says_whose_it_is_and_what_it_stands_for():
    xml = domain_xml(domain())
    assert (owner_of(xml), machine_of(xml)) == ("lab@/somewhere", "m1")


def test_a_foreign_domain_has_no_owner():
    xml = "<domain><metadata><other xmlns='urn:x'/></metadata></domain>"
    assert owner_of(xml) is None
    assert machine_of(xml) is None


def test_a_cable_sends_to_the_other_end_and_receives_at_its_own_on_loopback_only():
    cables = parse(domain_xml(domain())).findall("devices/interface")
    assert [c.get("type") for c in cables] == ["udp", "udp"]
    source = cables[0].find("source")
    assert (source.get("address"), source.get("port")) == ("127.0.0.1", "20101")
    local = source.find("local")
    assert (local.get("address"), local.get("port")) == ("127.0.0.1", "20100")
    slots = [c.find("address").get("slot") for c in cables]
    assert slots == ["0x08", "0x09"]  # the guest names them by slot


def test_management_is_closed_but_for_ssh_on_loopback():
    netdev = words(domain_xml(domain()))[1]
    assert netdev == "user,id=mgmt,restrict=on,hostfwd=tcp:127.0.0.1:20001-:22"


def test_nobody_can_reach_a_template():
    assert not any("hostfwd" in word for word in words(domain_xml(domain(ssh_port=None))))


def test_only_libvirt_as_root_is_told_to_run_qemu_as_root():
    assert parse(domain_xml(domain())).findtext("seclabel/label") == "+0:+0"
    assert parse(domain_xml(domain(root=False))).find("seclabel") is None


def test_the_kernel_knows_the_machine():
    line = parse(domain_xml(domain())).findtext("os/cmdline")
    assert "systemd.hostname=m1" in line
    assert "systemd.machine_id=11111111222233334444555555555555" in line
    assert "console=ttyS0" in line


def test_two_checkouts_name_the_same_machine_differently(tmp_path):
    names = {domain_name(tmp_path / checkout, "m1") for checkout in "ab"}
    assert len(names) == 2
    assert all(name.endswith("-m1") for name in names)


def test_an_owner_is_a_site_of_one_checkout(tmp_path):
    spec = MachineSpec("m1", "u", 1, 512, 4, 1, (), tmp_path / "lab", "lab")
    assert spec.owner_id == f"lab@{tmp_path}/lab"
