"""The Redfish driver against controllers as real trays have them, over verified TLS."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time

import pytest

from infra import paths
from infra.errors import UserError
from infra.lab.identity import ensure_identity
from infra.provider.drivers import BootDevice, Power, Target
from infra.provider.drivers.redfish import Redfish
from infra.provider.resources.machines import BmcInputs, MachineInputs, converge_all
from infra.provider.resources.resource_type import Runtime
from infra.provider.settings import Settings
from tests.unit.provider.redfish_mock import BOARD, HOST, ROOT, Controller

pytestmark = pytest.mark.unit

NAMES = ("tray-01", "tray-02", "tray-03")
UUID = Controller.uuid


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    return ensure_identity(tmp_path_factory.mktemp("state"), NAMES)


@pytest.fixture
def serve(identity, monkeypatch):
    """Serve controllers; gives each one's Target."""
    monkeypatch.setattr(paths, "state", lambda _site="": identity.state)
    monkeypatch.setattr(paths, "ROOT", identity.state)
    servers = []

    def start(tray: Controller, name: str = "tray-01", **changes) -> Target:
        servers.append(tray.serve(identity, name))
        given = {"system": HOST, "accelerators_at": BOARD, "limit": 4.0, **changes}
        return Target(name, "127.0.0.1", tray.port, name, **given)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def driver():
    return Redfish(Settings(site="lab"))


def power(driver, target, state, **changes):
    return asyncio.run(driver.power(target, state, **changes))


def inspect(driver, target):
    return asyncio.run(driver.inspect(target))


@pytest.mark.parametrize("by", [{"system": HOST}, {"system": None, "uuid": UUID}])
def test_a_host_that_is_off_is_found_though_its_baseboard_answers_503(driver, serve, by):
    target = serve(Controller(), count_accelerators=True, **by)
    started = time.monotonic()
    found = inspect(driver, target)
    assert (found.power_state, found.uuid, found.accelerators) == (Power.OFF, UUID, None)
    assert time.monotonic() - started < 2  # 503 of another system is not waited for


def test_a_declared_system_is_read_before_any_other(driver, serve):
    tray = Controller()
    inspect(driver, serve(tray))
    assert ("GET", f"{ROOT}/Systems/{BOARD}") not in tray.asked


def test_accelerators_are_counted_where_they_are_listed_once_the_baseboard_is_up(driver, serve):
    tray = Controller(board_ready=0.5, page=2)
    found = power(driver, serve(tray, count_accelerators=True), Power.ON)
    assert (found.power_state, found.accelerators) == (Power.ON, 4)


def test_a_baseboard_that_stays_away_is_told(driver, serve):
    tray = Controller(board_ready=100)
    with pytest.raises(
        UserError, match=r"tray-01 .*answered 503 to GET /redfish/v1/Systems/HGX_Baseboard_0 for"
    ):
        power(driver, serve(tray, count_accelerators=True, limit=1.0), Power.ON)


def test_a_system_that_is_not_there_is_named_with_those_that_are(driver, serve):
    with pytest.raises(UserError, match="has no system DGX, it has HGX_Baseboard_0, System_0"):
        inspect(driver, serve(Controller(), system="DGX"))


def test_another_machines_uuid_is_refused_though_one_system_is_silent(driver, serve):
    wrong = "33333333-3333-4333-8333-333333333333"
    with pytest.raises(UserError, match=f"answers for {UUID}, but {wrong} is declared"):
        inspect(driver, serve(Controller(), system=None, uuid=wrong, limit=1.0))


TRANSIENT = {
    "503 while the session is opened": Controller(busy={("POST", f"{ROOT}/SessionService"): 2}),
    "503 to the reset": Controller(busy={("POST", f"{ROOT}/Systems"): 2}),
    "503 while polling": Controller(moves=0.5, busy={("GET", f"{ROOT}/Systems/{HOST}"): 4}),
    "503 everywhere": Controller(busy={("GET", ROOT): 3, ("POST", ROOT): 2}),
    "PoweringOn": Controller(moves=1.0),
    "On swallowed once": Controller(swallow=1),
    "409 twice": Controller(conflict=2),
    "ForceOn without On": Controller(allowed=("ForceOn", "ForceOff")),
    "collections in pages": Controller(page=1),
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_what_passes_is_waited_for(driver, serve, fault):
    tray = TRANSIENT[fault]
    assert power(driver, serve(tray), Power.ON).power_state is Power.ON
    assert tray.state() == "On"


def test_a_machine_that_is_still_powering_off_is_powered_on_after(driver, serve):
    tray = Controller(power="On", moves=0.5)
    target = serve(tray)
    tray.move("Off")
    assert power(driver, target, Power.ON).power_state is Power.ON
    assert tray.resets == ["On"]  # nothing was asked while it moved


def test_inspecting_waits_while_the_power_changes(driver, serve):
    tray = Controller(moves=0.5)
    target = serve(tray)
    tray.move("On")
    assert inspect(driver, target).power_state is Power.ON


def test_a_power_state_that_stays_in_between_is_told(driver, serve):
    tray = Controller(moves=100)
    target = serve(tray, limit=1.0)
    tray.move("On")
    with pytest.raises(UserError, match="its power state is still PoweringOn after 1 s"):
        inspect(driver, target)


def test_no_operation_is_no_error(driver, serve):
    """The machine came on by itself between the look and the request."""
    tray = Controller(idle_word="NoOperation")
    target = serve(tray)
    reset = tray.reset
    tray.reset = lambda kind: (setattr(tray, "power", "On"), reset(kind))[1]
    assert power(driver, target, Power.ON).power_state is Power.ON


def test_a_shutdown_that_the_system_ignores_is_forced(driver, serve):
    tray = Controller(power="On")
    reset = tray.reset
    tray.reset = lambda kind: (
        (tray.resets.append(kind), (204, {}))[1] if kind == "GracefulShutdown" else reset(kind)
    )
    assert power(driver, serve(tray, limit=6.0), Power.OFF).power_state is Power.OFF
    assert tray.resets == ["GracefulShutdown", "ForceOff"]


def test_a_controller_that_takes_neither_is_told_what_it_takes(driver, serve):
    with pytest.raises(UserError, match="takes none of On, ForceOn, only ForceRestart"):
        power(driver, serve(Controller(allowed=("ForceRestart",))), Power.ON)


HOST_PATH = f"{ROOT}/Systems/{HOST}"
BROKEN = {
    "HTML with 200": ({f"{ROOT}/Systems": (200, b"<html>login</html>")}, "/Systems: the answer is HTML"),
    "Members is no list": ({f"{ROOT}/Systems": (200, b'{"Members": {"a": 1}}')}, "are a dict, not a list"),
    "a member without a path": ({f"{ROOT}/Systems": (200, b'{"Members": [1]}')}, "a member has no @odata.id"),
    "cut JSON": ({HOST_PATH: (200, b'{"Id": "Sys')}, f"/Systems/{HOST}: the answer is no whole JSON"),
    "a list": ({HOST_PATH: (200, b"[]")}, "no JSON object"),
    "empty": ({HOST_PATH: (200, b"")}, "the answer is empty"),
    "deep JSON": ({HOST_PATH: (200, b"[" * 100_000)}, "no whole JSON"),
    "wrong shapes": ({HOST_PATH: (200, b'{"Id": 1, "Boot": 3, "Actions": [], "PowerState": "On"}')},
                     "has not the shape that Redfish gives it"),
    "an error that is a list": ({HOST_PATH: (500, b"[1]")}, "has not the shape|failed"),
    "another host's page": ({f"{ROOT}/Systems": (200, b'{"Members": [], "Members@odata.nextLink": "https://a.test/"}')},
                            "points to another host"),
    "a page that leads to itself": (
        {f"{ROOT}/Systems": (200, f'{{"Members": [], "Members@odata.nextLink": "{ROOT}/Systems"}}'.encode())},
        "has no system System_0"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_bad_controller_is_one_trays_error_and_never_its_racks(driver, serve, identity, fault):
    raw, message = BROKEN[fault]
    trays = [Controller(raw=raw), Controller(power="On"), Controller()]
    targets = [serve(tray, name) for tray, name in zip(trays, NAMES, strict=True)]
    runtime = Runtime(Settings(site="lab"), machines=driver, facility=driver)
    inputs = {
        t.name: MachineInputs(
            platform="gb300-nvl72",
            bmc=BmcInputs(
                address=t.address, port=t.port, credential=t.credential, system=HOST, accelerators_at=BOARD
            ),
        )
        for t in targets
    }
    records, faults = asyncio.run(converge_all(runtime, inputs, 3.0))
    assert set(faults) == {"tray-01"}
    assert faults["tray-01"].startswith("tray-01 (BMC https://127.0.0.1:")
    assert re.search(message, faults["tray-01"]), faults["tray-01"]
    assert [records[name]["power_state"] for name in NAMES] == ["unknown", "on", "on"]


def test_sessions_only_and_each_is_given_back(driver, serve):
    tray = Controller()
    target = serve(tray)
    for _ in range(3):
        inspect(driver, target)
    tray.moves = 100
    with pytest.raises(UserError, match="did not power on"):
        power(driver, dataclasses.replace(target, limit=2.0), Power.ON)
    assert (tray.basic, tray.tokens) == (0, set())
    assert tray.opened == 4


def test_a_session_that_the_controller_forgot_is_opened_again(driver, serve):
    tray = Controller(moves=0.5)
    target = serve(tray)
    reset = tray.reset
    tray.reset = lambda kind: (tray.tokens.clear(), reset(kind))[1]
    assert power(driver, target, Power.ON).power_state is Power.ON
    assert tray.basic == 0


@pytest.mark.parametrize(
    "path", [ROOT, f"{ROOT}/SessionService/Sessions", f"{ROOT}/Systems", f"{ROOT}/Systems/{HOST}"]
)
def test_a_silent_controller_costs_no_more_than_the_limit(driver, serve, path):
    target = serve(Controller(silent=(path,)), limit=1.5)
    started = time.monotonic()
    with pytest.raises(UserError, match="did not answer within 2 s"):
        inspect(driver, target)
    assert time.monotonic() - started < 1.5 + 1.5  # and some for a busy machine


def test_an_answer_that_drips_costs_no_more_than_the_limit(driver, serve):
    target = serve(Controller(drip=f"{ROOT}/Systems/{HOST}"), limit=1.5)
    started = time.monotonic()
    with pytest.raises(UserError, match="did not answer within 2 s"):
        inspect(driver, target)
    assert time.monotonic() - started < 1.5 + 1.5


@pytest.mark.parametrize("in_body", [True, False])
@pytest.mark.parametrize("weak", [True, False])
@pytest.mark.parametrize("moves", [0, 1])
def test_the_boot_device_is_set_with_the_etag_of_the_moment(driver, serve, in_body, weak, moves):
    tray = Controller(etag_in_body=in_body, weak=weak, etag_moves=moves)
    asyncio.run(driver.set_boot_override(serve(tray), BootDevice.NETWORK))
    assert tray.boot == {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}
