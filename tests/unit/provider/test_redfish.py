"""The Redfish driver against a real Redfish service (sushy-tools with its fake systems) over verified TLS."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import subprocess
import sys
import threading
import time

import pytest

from infra import paths
from infra.errors import UserError
from infra.lab.identity import Identity, ensure_identity
from infra.provider.drivers import BootDevice, Power, Target
from infra.provider.drivers.credentials import look_up
from infra.provider.drivers.redfish import Redfish
from infra.provider.settings import Settings

pytestmark = pytest.mark.unit

UUID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
NAME = "tray-01"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A BMC for two systems: (identity, port)."""
    state = tmp_path_factory.mktemp("state")
    identity = ensure_identity(state, [NAME])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = state / "bmc.conf"
    tls = identity.tls(NAME)
    systems = [
        {"uuid": uuid, "name": name, "power_state": "Off", "nics": []}
        for uuid, name in ((UUID, "a"), (OTHER, "b"))
    ]
    settings = {
        "SUSHY_EMULATOR_FAKE_DRIVER": True,
        "SUSHY_EMULATOR_FAKE_SYSTEMS": systems,
        "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1",
        "SUSHY_EMULATOR_LISTEN_PORT": port,
        "SUSHY_EMULATOR_SSL_CERT": str(tls.certificate),
        "SUSHY_EMULATOR_SSL_KEY": str(tls.key),
        "SUSHY_EMULATOR_AUTH_FILE": str(identity.htpasswd(NAME)),
        "SUSHY_EMULATOR_STATE_DIR": str(state),
        "GIGASITE_SERIAL": "S-1",
        "GIGASITE_MODEL": "stand-in",
    }
    config.write_text("".join(f"{key} = {value!r}\n" for key, value in settings.items()))
    log = (state / "bmc.log").open("wb")
    # Its systems take 1 to 11 s at random to change power; a tenth is enough to be waited for.
    code = (
        "import sys, random; random.randint = lambda *_: 0.1\n"
        "from infra.lab import emulator; sys.exit(emulator.emulator.main())"
    )
    command = [sys.executable, "-c", code, "--config", config]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    end = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None, (state / "bmc.log").read_text()
        assert time.monotonic() < end
        time.sleep(0.1)
    yield identity, port
    process.terminate()
    process.wait(20)
    log.close()


@pytest.fixture
def identity(service, monkeypatch) -> Identity:
    monkeypatch.setattr(paths, "state", lambda _site="": service[0].state)
    monkeypatch.setattr(paths, "ROOT", service[0].state)
    return service[0]


@pytest.fixture
def driver(identity) -> Redfish:
    return Redfish(Settings(site="lab"))


@pytest.fixture
def target(service) -> Target:
    return Target(NAME, "127.0.0.1", service[1], NAME, UUID, limit=20)


def test_power_goes_on_and_off_and_is_seen(driver, target):
    async def go():
        assert (await driver.power(target, Power.ON)).power_state is Power.ON
        found = await driver.inspect(target)
        assert (found.uuid, found.serial, found.model) == (UUID, "S-1", "stand-in")
        assert (await driver.power(target, Power.ON)).power_state is Power.ON
        # The other system behind the same service is not touched.
        assert (await driver.inspect(dataclasses.replace(target, uuid=OTHER))).power_state is Power.OFF
        assert (await driver.power(target, Power.OFF, graceful=False)).power_state is Power.OFF
        assert (await driver.power(target, Power.ON)).power_state is Power.ON
        assert (await driver.power(target, Power.OFF, graceful=True)).power_state is Power.OFF

    asyncio.run(go())


def test_the_next_boot_is_from_the_network(driver, target):
    asyncio.run(driver.set_boot_override(target, BootDevice.NETWORK))
    with driver._machine(target) as (_service, _client, system):
        assert system.boot.target.value == "Pxe"


def test_a_refused_password_names_the_machine_and_the_credential_and_no_secret(driver, target, identity):
    secret = identity.credential(NAME).password
    file = identity.state / "credentials.yaml"
    right = file.read_text()
    file.write_text(right.replace(secret, "wrong-password"))
    try:
        with pytest.raises(UserError) as raised:
            asyncio.run(driver.inspect(target))
    finally:
        file.write_text(right)
    text = str(raised.value)
    assert (
        f"{NAME} (BMC https://127.0.0.1:{target.port}): the controller refused the credential `{NAME}`"
        in text
    )
    assert "wrong-password" not in text
    assert secret not in text


def test_a_controller_with_a_foreign_certificate_is_not_trusted(driver, target, tmp_path, monkeypatch):
    stranger = ensure_identity(tmp_path, [NAME])
    monkeypatch.setattr(paths, "state", lambda _site="": stranger.state)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    with pytest.raises(UserError, match="certificate is not signed by the site's ca"):
        asyncio.run(driver.inspect(target))


def test_a_controller_of_another_machine_is_refused(driver, target):
    wrong = dataclasses.replace(target, uuid="33333333-3333-4333-8333-333333333333")
    with pytest.raises(UserError, match="but 33333333-3333-4333-8333-333333333333 is declared"):
        asyncio.run(driver.inspect(wrong))


def test_several_systems_need_a_uuid(driver, target):
    with pytest.raises(UserError, match="has 2 systems"):
        asyncio.run(driver.inspect(dataclasses.replace(target, uuid=None)))


def test_a_controller_that_is_not_there_is_waited_for_and_then_named(driver, target):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gone = dataclasses.replace(target, port=port, limit=0.1)
    with pytest.raises(
        UserError, match=r"tray-01 \(BMC https://127.0.0.1:\d+\): the controller did not answer"
    ):
        asyncio.run(driver.inspect(gone))


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (None, 0o600, "there is no file of credentials"),
        ("{}", 0o600, "has no credential named `tray-01`"),
        ("tray-01: {username: a, password: 'b", 0o600, "is not valid YAML"),
        ("tray-01: {username: a, password: b}", 0o644, "others can read the credentials"),
    ],
)
def test_credentials_that_cannot_be_used_are_explained(tmp_path, monkeypatch, content, mode, message):
    monkeypatch.setattr(paths, "state", lambda _site="": tmp_path)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    if content is not None:
        (tmp_path / "credentials.yaml").write_text(content)
        (tmp_path / "credentials.yaml").chmod(mode)
    with pytest.raises(UserError, match=message) as raised:
        look_up("lab", NAME)
    assert str(raised.value).startswith("credentials.yaml: ")


@pytest.mark.parametrize("password", ["12e34567", "2026_0101", "0x1f", "no", "null", "1.10"])
def test_a_password_that_looks_like_a_number_is_taken_as_it_is_written(tmp_path, monkeypatch, password):
    monkeypatch.setattr(paths, "state", lambda _site="": tmp_path)
    (tmp_path / "credentials.yaml").write_text(f"tray-01: {{username: 007, password: {password}}}")
    (tmp_path / "credentials.yaml").chmod(0o600)
    found = look_up("lab", NAME)
    assert (found.username, found.password) == ("007", password)


def test_a_credential_does_not_show_its_password(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "state", lambda _site="": tmp_path)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "credentials.yaml").write_text("tray-01: {username: a, password: hunter2}")
    (tmp_path / "credentials.yaml").chmod(0o600)
    found = look_up("lab", NAME)
    assert found.password == "hunter2"
    assert "hunter2" not in f"{found} {found!r}"


def test_an_interrupt_ends_the_waiting(identity, target):
    cancelled = threading.Event()
    cancelled.set()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gone = dataclasses.replace(target, port=port, limit=600)
    with pytest.raises(UserError, match="interrupted while waiting for it"):
        asyncio.run(Redfish(Settings(site="lab"), cancelled).inspect(gone))
