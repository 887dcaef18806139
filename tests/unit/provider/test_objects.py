"""Users and buckets without a Ceph: inputs, servers that are not there, refusals, and keys that stay secret.

What Ceph does with them is in tests/lab/test_objects_on_ceph.py.
"""

from __future__ import annotations

import json

import pytest

from infra import paths
from infra.provider.drivers.rgw_actions import BARE
from infra.provider.drivers.ssh import LOST, Done
from infra.provider.resources import objects
from infra.provider.resources.resource_type import Runtime
from tests.unit.provider.conftest import Failed

pytestmark = pytest.mark.unit

USER, BUCKET = "storage:BucketUser", "storage:Bucket"
KEYS = {"access_key": "A", "secret_key": "hush"}
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


class Server:
    """Answers every script in the same way, and keeps what it was asked."""

    def __init__(self, said: object = None, code: int = 0) -> None:
        self.said, self.code, self.asked = said, code, []

    def run(self, script: str, stdin: str, _limit: float) -> Done:
        self.asked.append((script, stdin))
        return Done(self.code, json.dumps(self.said), "sh: no\n")


@pytest.fixture
def answer(monkeypatch):
    """Have the server answer so."""

    def be(said: object = None, code: int = 0) -> Server:
        server = Server(said, code)
        monkeypatch.setattr(objects, "ssh_to", lambda *_: server)
        return server

    return be


def user(plugin, **more) -> dict:
    inputs, failures = plugin.check(USER, {"server": "s3", "name": "ada", **more})
    assert not failures
    return inputs


def test_keys_are_marked_secret_in_every_answer(plugin, answer):
    answer({"found": KEYS})
    id_, state = plugin.create(USER, user(plugin))
    secret = {**SECRET, "value": "hush"}
    assert (state["applied"], state["secret_key"]) == ("live", secret)
    assert plugin.update(USER, id_, state, user(plugin, limit=9))["secret_key"] == secret

    answer({"refused": "Ceph does not answer", "hint": ""})
    with pytest.raises(Failed, match="s3: Ceph does not answer") as failed:
        plugin.read(USER, id_, {**state, "secret_key": "hush"})
    assert dict(failed.value.partial.properties["secret_key"])["value"] == "hush", (
        "it is kept, and as a secret"
    )


def test_the_request_and_the_program_go_by_standard_input(plugin, answer):
    server = answer({"found": KEYS})
    plugin.create(USER, user(plugin))
    ((script, stdin),) = server.asked
    assert script == "exec python3 -"
    compile(stdin, "program", "exec")
    assert "'name': 'ada'" in stdin


@pytest.mark.parametrize("code", [LOST, BARE])
def test_what_cannot_be_made_yet_waits_and_the_next_run_makes_it(plugin, answer, code):
    answer(code=code)
    id_, state = plugin.create(USER, user(plugin))
    assert state["applied"] == "waiting"
    assert list(plugin.diff(USER, state, user(plugin)).detailedDiff) == ["applied"]
    server = answer({"found": KEYS})
    assert plugin.update(USER, id_, state, user(plugin))["applied"] == "live"
    assert "'new': True" in server.asked[0][1]


def test_before_any_step_says_how_machines_are_reached_all_wait(plugin, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "state", lambda _site="": tmp_path)
    id_, state = plugin.create(USER, user(plugin))
    assert state["applied"] == "waiting"
    plugin.delete(USER, id_, state)


def test_an_answer_that_is_none_is_told_by_its_last_line(plugin, answer):
    server = answer(code=1)
    server.run = lambda *_: Done(1, "", "bash: line 1\nsh: python3: not found\n")
    with pytest.raises(Failed, match="s3: sh: python3: not found"):
        plugin.create(USER, user(plugin))


def test_simulated_machines_have_no_ceph(serve, world):
    plugin = serve(lambda settings: Runtime(settings, machines=world, facility=world))
    plugin.configure(site="lab", driver="simulated")
    id_, state = plugin.create(USER, user(plugin))
    assert state["applied"] == "simulated"
    assert plugin.read(USER, id_, state)[2] == state
    plugin.delete(USER, id_, state)


@pytest.mark.parametrize("name", ["ab", "Weights", "a..b", ".ab", "ab-", "a" * 64, "a_b"])
def test_names_that_s3_refuses_are_refused(plugin, name):
    _, failures = plugin.check(BUCKET, {"server": "s3", "name": name, "owner": "ada"})
    assert list(failures) == ["name"]


@pytest.mark.parametrize("name", ["abc", "a-b", "team.weights-2", "0" * 63])
def test_names_that_s3_takes_are_taken(plugin, name):
    assert not plugin.check(BUCKET, {"server": "s3", "name": name, "owner": "ada"})[1]


def test_mistakes_are_told_by_property(plugin):
    given = {"server": "s3", "name": "abc", "owner": "A b", "limit": 0, "endpoint": "s3.example"}
    assert sorted(plugin.check(BUCKET, given)[1]) == ["endpoint", "limit", "owner"]
