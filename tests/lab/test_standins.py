"""Stand-ins for real: they boot, resume, lose power and cables, and go away without a trace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.errors import UserError
from infra.lab import bmc, image, machines, ports, redfish, session, template
from infra.lab.driver import CheckFailed, StandIn
from infra.lab.identity import Credential, Identity
from infra.lab.prerequisites import REQUIREMENTS
from infra.lab.spec import Start, domain_name

pytestmark = pytest.mark.lab

OWNER = "test"
LIMIT_S = 600
"""For what takes seconds here: a computer may be a hundred times busier."""


@pytest.fixture(scope="module")
def built():
    """The image; a missing prerequisite fails here and is never skipped."""
    missing = [one.name for one in REQUIREMENTS if not one.check()]
    assert not missing, f"missing: {', '.join(missing)}; run `gigasite doctor`"
    yield image.ensure_image(print)
    session.stop_daemons()  # does so only if nobody has a machine any more


@pytest.fixture
def state():
    folder = Path(tempfile.mkdtemp(prefix="gigasite-test-"))
    yield folder
    for found in machines.machines(folder):
        bmc.remove_bmc(folder, found.name)
        machines.undefine(folder, found.name, OWNER)
    shutil.rmtree(folder)


def tcp_port() -> int:
    """A free port below the kernel's own range, so that no connection takes it meanwhile."""
    for port in range(21000, 28000):
        try:
            ports.require_free(port, "tcp", "a test")
        except UserError:
            continue
        if port not in tcp_port.given:
            tcp_port.given.add(port)
            return port
    raise AssertionError("no free port")


tcp_port.given = set()


def cabled_pair(state: Path, start: Start) -> list[machines.MachineSpec]:
    """Two machines with one cable between them."""
    left, right = ports.free_udp_ports(2)
    return [
        spec(state, "one", start, machines.Cable("data0", "52:54:00:0a:00:01", left, right)),
        spec(state, "two", start, machines.Cable("data0", "52:54:00:0a:00:02", right, left)),
    ]


def spec(state: Path, name: str, start: Start, cable: machines.Cable | None = None) -> machines.MachineSpec:
    """A machine like the lab's servers, so that one template serves both; its cable may lead nowhere."""
    nic = cable or machines.Cable("data0", "52:54:00:0a:00:00", *ports.free_udp_ports(2))
    return machines.MachineSpec(
        name=name, uuid=str(uuid.uuid4()), vcpus=1, memory_mib=640, disk_gib=4, ssh_port=tcp_port(),
        nics=(nic,), state_dir=state, owner=OWNER, start=start,
    )  # fmt: skip


def make(one: machines.MachineSpec, built: image.Image) -> None:
    machines.define(one, built, progress=print)
    bmc.ensure_bmc(one.state_dir, one.name, one.uuid, tcp_port())


def processes_mentioning(text: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words and int(folder.name) != os.getpid():
            found.append(words)
    return found


def test_a_machine_gets_power_by_redfish_and_boots(built, state):
    one = spec(state, "one", Start.BOOT)
    make(one, built)
    assert machines.status(state, "one").power is machines.Power.OFF
    with StandIn(state, "one") as machine:
        assert machine.power_state() == "Off"
        machine.power("On")
        machine.wait_for_ssh()
        assert machine.started() is Start.BOOT
        assert machine.power_state() == "On"
        assert machine.succeed("hostname").strip() == "one"
        assert machine.succeed("cat /etc/machine-id").strip() == one.uuid.replace("-", "")
        assert machine.succeed("cat /sys/class/dmi/id/product_uuid").strip().lower() == one.uuid
        assert machine.succeed("systemctl --failed --no-legend").strip() == ""
        machine.wait_for_unit("ssh.service")
        machine.wait_for_open_port(22)
        machine.fail("systemctl is-active chrony.service")  # a playbook's to enable
        # Power goes and comes back: what was written and synced is still there.
        machine.succeed("echo kept >/root/note && sync")
        machine.close()
        machine.crash()
        machine.wait_for_power("Off")
        with pytest.raises(CheckFailed, match="went off"):
            machine.wait_for_ssh(5)
        machine.power("On")
    with StandIn(state, "one") as machine:
        machine.wait_for_ssh()
        assert machine.succeed("cat /root/note").strip() == "kept"


def test_two_copies_of_a_template_are_two_machines_with_a_cable(built, state):
    pair = cabled_pair(state, Start.FAST)
    for one in pair:
        make(one, built)
    with StandIn(state, "one") as left, StandIn(state, "two") as right, ThreadPoolExecutor() as pool:
        list(pool.map(lambda machine: machine.power("On"), (left, right)))
        list(pool.map(StandIn.wait_for_ssh, (left, right)))
        for machine, one in zip((left, right), pair, strict=True):
            assert machine.started() is Start.FAST
            assert machine.succeed("hostname; cat /etc/hostname").split() == [one.name, one.name]
            assert machine.succeed("cat /etc/machine-id").strip() == one.uuid.replace("-", "")
            assert machine.succeed("cat /sys/class/net/data0/address").strip() == one.nics[0].mac
            assert machine.succeed("systemctl --failed --no-legend").strip() == ""
            assert abs(float(machine.succeed("date +%s")) - time.time()) < 30
        # Restored from the same memory, they must not draw the same random numbers.
        assert left.succeed("cat /proc/sys/kernel/random/uuid") != right.succeed(
            "cat /proc/sys/kernel/random/uuid"
        )

        left.succeed("ip address add 10.9.0.0/31 dev data0 && ip link set data0 up")
        right.succeed("ip address add 10.9.0.1/31 dev data0 && ip link set data0 up")
        left.wait_until_succeeds("ping -c 1 -W 2 10.9.0.1")
        left.unplug("data0")
        left.fail("ping -c 1 -W 2 10.9.0.1")
        for machine in (left, right):  # a pulled cable is seen at both ends
            machine.wait_until_succeeds("grep -qx 0 /sys/class/net/data0/carrier")
        left.plug("data0")
        left.wait_until_succeeds("ping -c 1 -W 2 10.9.0.1")

        # A power cycle is a boot: the disk stays, the memory of the template does not come back.
        right.succeed("echo kept >/root/note && sync")
        right.close()
        right.power("ForceOff")
        right.wait_for_power("Off")
        right.power("On")
    with StandIn(state, "two") as right:
        right.wait_for_ssh()
        assert right.started() is Start.BOOT
        assert right.succeed("cat /root/note").strip() == "kept"
        assert right.succeed("hostname").strip() == "two"
        assert right.succeed("cat /sys/class/net/data0/address").strip() == pair[1].nics[0].mac


def test_a_bmc_lets_nobody_in_without_its_password(built, state):
    make(spec(state, "one", Start.BOOT), built)
    right = Identity(state).credential("one")
    for wrong in (Credential(right.username, "wrong"), Credential("admin", right.password)):
        answer = redfish.request(state, "one", "GET", "/redfish/v1/Systems", credential=wrong)
        assert answer.status == 401
    assert redfish.request(state, "one", "GET", "/redfish/v1/Systems").status == 200


def test_a_bmc_shows_its_own_machine_only(built, state):
    for name in ("one", "two"):
        make(spec(state, name, Start.BOOT), built)
    shown = {redfish.system_path(state, name) for name in ("one", "two")}
    assert len(shown) == 2
    for name in ("one", "two"):
        assert redfish.request(state, name, "GET", "/redfish/v1/Systems").body["Members@odata.count"] == 1
    other = redfish.system_path(state, "two")
    assert redfish.request(state, "one", "GET", other).status >= 400


def test_a_bmc_that_died_comes_back(built, state):
    one = spec(state, "one", Start.BOOT)
    machines.define(one, built)
    port = tcp_port()
    first = bmc.ensure_bmc(state, "one", one.uuid, port)
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    again = bmc.ensure_bmc(state, "one", one.uuid, port)
    assert again.pid != first.pid
    assert bmc.ensure_bmc(state, "one", one.uuid, port).pid == again.pid


def test_a_machine_goes_away_with_all_that_it_left(built, state):
    one = spec(state, "one", Start.FAST)
    make(one, built)
    StandIn(state, "one").power("On")
    assert processes_mentioning(str(state))
    bmc.remove_bmc(state, "one")
    assert machines.undefine(state, "one", OWNER)
    assert not machines.undefine(state, "one", OWNER)  # and again is no error
    assert machines.machines(state) == ()
    assert processes_mentioning(str(state)) == []
    left = sorted(path.name for path in state.rglob("*") if path.is_file())
    assert left == [
        "ca.key",
        "ca.pem",
        "credentials.yaml",
        "id_ed25519",
        "id_ed25519.pub",
        "identity.lock",
        "known_hosts",
    ]
    assert Identity(state).known_hosts.read_text() == ""


def test_a_machine_that_waits_for_power_leaves_no_saved_memory(built, state):
    one = spec(state, "one", Start.FAST)
    machines.define(one, built)
    domain = session.connect().lookupByName(domain_name(state, "one"))
    saved = list(Path("/var/lib/libvirt/qemu/save").glob(f"{domain.name()}.save"))
    assert saved or os.geteuid()  # an ordinary user's libvirt keeps it elsewhere
    machines.undefine(state, "one", OWNER)
    assert not any(path.exists() for path in saved)


def test_what_somebody_else_made_stays(built, state):
    one = spec(state, "one", Start.BOOT)
    machines.define(one, built)
    with pytest.raises(UserError, match="belongs to"):
        machines.undefine(state, "one", "another")
    assert machines.status(state, "one") is not None


def test_a_port_of_another_machine_is_refused_with_its_name(built, state):
    one = spec(state, "one", Start.BOOT)
    machines.define(one, built)
    clash = machines.MachineSpec(
        **{name: getattr(one, name) for name in one.__slots__} | {"name": "two", "uuid": str(uuid.uuid4())}
    )
    with pytest.raises(UserError, match=rf"tcp port {one.ssh_port} \(ssh\).* is taken by machine one"):
        machines.define(clash, built)
    assert machines.status(state, "two") is None


def test_the_uuid_of_another_machine_is_refused(built, state):
    one = spec(state, "one", Start.BOOT)
    machines.define(one, built)
    two = spec(state, "two", Start.BOOT)
    clash = machines.MachineSpec(**{name: getattr(two, name) for name in two.__slots__} | {"uuid": one.uuid})
    with pytest.raises(UserError, match=r"UUID .* is taken"):
        machines.define(clash, built)


def test_a_machine_whose_checkout_was_deleted_is_in_nobodys_way(built, state):
    """Its disk went with the folder: it could never start again, and nobody else could remove it."""
    one = spec(state, "one", Start.BOOT)
    elsewhere = Path(tempfile.mkdtemp(prefix="gigasite-test-"))
    values = {name: getattr(one, name) for name in one.__slots__}
    machines.define(machines.MachineSpec(**values | {"state_dir": elsewhere}), built)
    with pytest.raises(UserError, match="gigasite down"):
        machines.define(one, built)
    shutil.rmtree(elsewhere)
    told: list[str] = []
    machines.define(one, built, progress=told.append)
    assert any("whose checkout is gone" in line for line in told)
    assert machines.machines(elsewhere) == ()
    assert [found.name for found in machines.machines(state)] == ["one"]


@pytest.mark.parametrize("after_s", [0.05, 0.3, 0.6, 1.0])
def test_a_killed_define_is_finished_by_the_next_one(built, state, after_s):
    """Killed at several moments: the machine is made once, whole, and starts."""
    one = spec(state, "one", Start.FAST)
    machines.define(one, built)  # makes the template, if need be, at leisure
    machines.undefine(state, "one", OWNER)
    nic = one.nics[0]
    text = (
        "import sys, pathlib\n"
        "from infra.lab import image, machines\n"
        f"cable = machines.Cable({nic.name!r}, {nic.mac!r}, {nic.udp_local}, {nic.udp_remote})\n"
        f"one = machines.MachineSpec(name='one', uuid={one.uuid!r}, vcpus=1, memory_mib=640, disk_gib=4,\n"
        f"    ssh_port={one.ssh_port}, nics=(cable,), state_dir=pathlib.Path({str(state)!r}),"
        f" owner={OWNER!r})\n"
        "print('ready', flush=True)\n"
        "machines.define(one, image.ensure_image())\n"
    )
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(after_s)
        process.kill()
    made = machines.define(one, built)
    assert [found.name for found in machines.machines(state)] == ["one"]
    assert machines.define(one, built) == made
    make(one, built)
    with StandIn(state, "one") as machine:
        machine.power("On")
        assert machine.started() is Start.FAST


def test_a_killed_template_leaves_nothing_that_runs_and_is_cleaned_up(built):
    text = (
        "from infra.lab import accel, image, template\n"
        "template.ensure_template(image.ensure_image(), template.Hardware(1, 384, 4, 1), accel.Kind.TCG)\n"
    )

    def templates() -> list:
        found = session.connect().listAllDomains()
        return [domain for domain in found if domain.name().startswith("gigasite-template-")]

    before = {domain.name() for domain in templates()}
    with subprocess.Popen([sys.executable, "-c", text]) as process:
        end = time.monotonic() + LIMIT_S
        while not any(domain.isActive() for domain in templates() if domain.name() not in before):
            assert time.monotonic() < end, "it did not start"
            time.sleep(0.1)
        process.kill()
    end = time.monotonic() + LIMIT_S
    while any(domain.isActive() for domain in templates() if domain.name() not in before):
        assert time.monotonic() < end, "it still runs"
        time.sleep(0.1)
    assert list(built.folder.glob("template-*.building"))
    template._remove_orphans(session.connect(), built)
    assert {domain.name() for domain in templates()} <= before
    assert not list(built.folder.glob("template-*.building"))
