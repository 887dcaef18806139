"""A switch's configuration: lines as its diff, put in place by commit-confirm, refused by line."""

from __future__ import annotations

import pytest

from infra.provider.drivers.frr import origin
from infra.provider.drivers.ssh import LOST, Done
from infra.provider.resources import network
from tests.unit.provider.conftest import Failed, Plugin, World, tray

pytestmark = pytest.mark.unit

KIND = "network:Switch"
OLD = "! templates/switches/frr/system.j2\nhostname leaf\n! templates/switches/frr/bgp.j2\nrouter bgp 1\n"
NEW = OLD.replace("router bgp 1", "router bgp 2")


class Answers:
    """A way to a switch that answers as told; what it was asked is kept."""

    def __init__(self, *answers: Done) -> None:
        self.answers, self.asked = list(answers), []

    def run(self, script: str, stdin: str, limit: float) -> Done:
        del limit
        self.asked.append((script, stdin))
        return self.answers.pop(0)


@pytest.fixture
def reach(monkeypatch):
    def answer(*answers: Done) -> Answers:
        made = Answers(*answers)
        monkeypatch.setattr(network, "ssh_to", lambda *_: made)
        return made

    return answer


def inputs_of(plugin: Plugin, text: str | None = OLD, **more) -> dict:
    given = tray(1)
    del given["slot"]
    if text is not None:
        given["configuration"] = {"frr.conf": text}
    inputs, failures = plugin.check(KIND, {"name": "leaf", **given, **more})
    assert not failures
    return inputs


def test_the_first_configuration_comes_with_the_role(plugin: Plugin, reach):
    asked = reach()
    _, state = plugin.create(KIND, inputs_of(plugin))
    assert state["configured"] == "role"
    assert not asked.asked
    _, bare = plugin.create(KIND, inputs_of(plugin, None))
    assert bare["configured"] == "none"


def test_a_changed_line_is_the_difference_and_is_confirmed_by_a_second_connection(plugin: Plugin, reach):
    id_, state = plugin.create(KIND, inputs_of(plugin))
    news = inputs_of(plugin, NEW)
    assert list(plugin.diff(KIND, state, news).detailedDiff) == ['configuration["frr.conf"]']
    asked = reach(Done(0, ""), Done(LOST, ""), Done(0, ""))
    done = plugin.update(KIND, id_, state, news)
    assert done["configured"] == "confirmed"
    assert [stdin for _, stdin in asked.asked] == [NEW, "", ""]
    assert asked.asked[1] == asked.asked[2] != asked.asked[0]


def test_other_changes_leave_the_configuration_alone(plugin: Plugin, reach):
    id_, state = plugin.create(KIND, inputs_of(plugin))
    asked = reach()
    done = plugin.update(KIND, id_, {**state, "configured": "confirmed"}, inputs_of(plugin, shutdown="force"))
    assert done["configured"] == "confirmed"
    done = plugin.update(KIND, id_, state, inputs_of(plugin, NEW, hardware="anew"))
    assert done["configured"] == "role"
    assert not asked.asked


def test_a_preview_promises_nothing_for_a_machine_that_its_role_configures(plugin: Plugin):
    id_, state = plugin.create(KIND, inputs_of(plugin))
    state = {**state, "configured": "confirmed"}

    def promised(news):
        return plugin.update(KIND, id_, state, news, preview=True)["configured"]

    assert promised(inputs_of(plugin, shutdown="force")) == "confirmed"
    assert promised(inputs_of(plugin, hardware="anew")) != "confirmed"
    assert promised(inputs_of(plugin, NEW)) != "confirmed"


def test_a_refused_line_is_named_with_its_template(plugin: Plugin, reach):
    id_, state = plugin.create(KIND, inputs_of(plugin))
    reach(Done(65, "line 4: % Unknown command: router bgp 2\n"))
    with pytest.raises(
        Failed, match=r"refuses line 4 of frr\.conf, `router bgp 2`: % Unknown command"
    ) as failed:
        plugin.update(KIND, id_, state, inputs_of(plugin, NEW))
    assert "leaf, templates/switches/frr/bgp.j2" in failed.value.message


def test_what_a_confirmed_switch_has_is_read(plugin: Plugin, world: World, reach):
    id_, state = plugin.create(KIND, inputs_of(plugin))
    asked = reach()
    _, _, seen = plugin.read(KIND, id_, state)
    assert seen["configuration"] == {"frr.conf": OLD}
    assert not asked.asked
    reach(Done(0, NEW))
    _, _, seen = plugin.read(KIND, id_, {**state, "configured": "confirmed"})
    assert list(plugin.diff(KIND, seen, inputs_of(plugin)).detailedDiff) == ['configuration["frr.conf"]']
    reach(Done(LOST, ""))
    _, _, seen = plugin.read(KIND, id_, {**state, "configured": "confirmed"})
    assert seen["configuration"] == {"frr.conf": OLD}


def test_a_file_that_no_driver_knows_is_refused(plugin: Plugin):
    given = tray(1)
    del given["slot"]
    _, failures = plugin.check(KIND, {"name": "leaf", **given, "configuration": {"config_db.json": "{}"}})
    assert list(failures) == ["configuration"]


def test_a_line_comes_from_the_template_that_is_named_above_it():
    assert origin(OLD, 2) == "templates/switches/frr/system.j2"
    assert origin(OLD, 4) == "templates/switches/frr/bgp.j2"
    assert origin("hostname leaf\n", 1) == "no template"
