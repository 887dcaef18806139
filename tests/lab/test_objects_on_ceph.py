"""Users, buckets and quotas on a real Ceph Object Gateway, in a network namespace: no machine is booted."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pulumi
import pytest

from infra.components import program
from infra.components.storage_tier import StorageTierArgs, declare_objects
from infra.engine import ImportSpec
from infra.errors import UserError
from infra.provider.drivers.rgw import ObjectServer
from infra.provider.resources import objects
from infra.spec.services import Bucket, BucketUser, ObjectQuota
from tests.unit.components.test_stacks import counts, stacks  # noqa: F401 (a fixture)
from tests.unit.provider.conftest import Failed, plugin, serve, world  # noqa: F401 (fixtures)

sys.path.insert(0, str(Path(__file__).parent))

import ceph_cluster

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace with Ceph needs root"),
    pytest.mark.skipif(
        not all(map(shutil.which, ("ceph-mon", "ceph-osd", "radosgw", "s3cmd"))),
        reason="Ceph is not installed",
    ),
]

USER, BUCKET = "storage:BucketUser", "storage:Bucket"
MIB = 1 << 20
LIMIT_S = 60
"""From nothing to a gateway that answers; 3 s here."""
SECRET = "4dabf18193072939515e22adb298388d"
"""Pulumi's mark of a secret on the wire."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with ceph_cluster.running(tmp_path_factory.mktemp("ceph")) as it:
        print(f"a gateway after {it.seconds:.1f} s, {it.memory_mib:.0f} MiB")
        yield it


@pytest.fixture
def ceph(cluster, monkeypatch):
    monkeypatch.setattr(objects, "ssh_to", lambda *_: cluster)
    cluster.away = False
    cluster.asked.clear()
    return cluster


class Session:
    """s3cmd with a user's keys."""

    def __init__(self, cluster, state: dict) -> None:
        self.cluster, self.config = cluster, cluster.folder / f"{state['access_key']}.s3cfg"
        host = ceph_cluster.ENDPOINT.partition("//")[2]
        lines = ["[default]", f"host_base = {host}", f"host_bucket = {host}", "use_https = False"]
        lines += [f"{key} = {state[key]}" for key in ("access_key", "secret_key")]
        self.config.write_text("\n".join(lines) + "\n")

    def __call__(self, *words: str):
        return self.cluster.call("s3cmd", f"--config={self.config}", "--quiet", *words)

    def put(self, name: str, size: int) -> str:
        """Upload so many bytes; the error, or nothing."""
        file = self.cluster.folder / "upload"
        file.write_bytes(os.urandom(size))
        done = self("put", str(file), f"s3://{name}")
        return done.stderr.strip() if done.returncode else ""


def made(plugin, kind: str, **inputs) -> tuple[str, dict]:  # noqa: F811
    return plugin.create(kind, checked(plugin, kind, **inputs))


def checked(plugin, kind: str, **inputs) -> dict:  # noqa: F811
    found, failures = plugin.check(kind, {"server": "objects", **inputs})
    assert not failures
    return found


def opened(state: dict) -> dict:
    """A state with its secrets in clear."""
    return {
        key: one["value"] if isinstance(one, dict) and SECRET in one else one for key, one in state.items()
    }


def test_a_user_a_bucket_and_a_quota_from_first_to_last(plugin, ceph):  # noqa: F811
    assert ceph.seconds < LIMIT_S
    user_id, state = made(plugin, USER, name="ada", display="Ada", max_buckets=2)
    assert {"access_key", "secret_key"} == {key for key, one in state.items() if isinstance(one, dict)}, (
        "secrets"
    )
    user = opened(state)
    assert user["applied"] == "live"
    session = Session(ceph, user)

    inputs = {"name": "checkpoints", "owner": "ada", "limit": MIB, "versioning": True}
    id_, state = made(plugin, BUCKET, **inputs)
    assert (id_, state["applied"]) == ("lab/objects/checkpoints", "live")
    assert session.put("checkpoints/first", 700_000) == ""
    assert "QuotaExceeded" in session.put("checkpoints/second", 700_000)

    # raised, it takes more at once
    raised = checked(plugin, BUCKET, **{**inputs, "limit": 4 * MIB, "objects": 10})
    assert sorted(plugin.diff(BUCKET, state, raised).detailedDiff) == ["limit", "objects"]
    state = plugin.update(BUCKET, id_, state, raised)
    assert session.put("checkpoints/second", 700_000) == ""

    # lowered, not below what is used: a preview says so with the figures
    for preview in (True, False):
        with pytest.raises(
            Failed, match="checkpoints holds 1,400,832 bytes, and a quota of 1,048,576 is declared"
        ):
            plugin.update(BUCKET, id_, state, checked(plugin, BUCKET, **inputs), preview=preview)
    with pytest.raises(Failed, match="holds 2 objects, and a quota of 1 is declared"):
        plugin.update(BUCKET, id_, state, checked(plugin, BUCKET, **{**inputs, "limit": None, "objects": 1}))
    with pytest.raises(Failed, match="ada holds 1,400,832 bytes, and a quota of 1 is declared"):
        plugin.update(USER, user_id, user, checked(plugin, USER, name="ada", limit=1))
    state = plugin.update(BUCKET, id_, state, checked(plugin, BUCKET, **{**inputs, "limit": 2 * MIB}))
    assert "QuotaExceeded" in session.put("checkpoints/third", 700_000)

    # a refresh sees what somebody else changed
    assert plugin.read(BUCKET, id_, state)[2] == state
    assert opened(plugin.read(USER, user_id, user)[2]) == user
    bucket = ("--bucket=checkpoints", "--quota-scope=bucket")
    ceph.tell("radosgw-admin", "quota", "set", *bucket, f"--max-size={9 * MIB}")
    assert plugin.read(BUCKET, id_, state)[1]["limit"] == 9 * MIB
    ceph.tell("radosgw-admin", "quota", "disable", *bucket)
    assert "limit" not in plugin.read(BUCKET, id_, state)[1]

    # what holds something goes by force alone, with its old versions
    assert session("del", "s3://checkpoints/first").returncode == 0
    with pytest.raises(Failed, match=r"checkpoints holds 2 objects of 1,400,832 bytes, old versions"):
        plugin.delete(BUCKET, id_, state)
    with pytest.raises(Failed, match="ada has 1 bucket: checkpoints"):
        plugin.delete(USER, user_id, user)
    plugin.delete(BUCKET, id_, {**state, "force_delete": True})
    assert plugin.read(BUCKET, id_, state)[0] == ""
    plugin.delete(BUCKET, id_, state)
    plugin.delete(USER, user_id, user)
    assert plugin.read(USER, user_id, user)[0] == ""
    assert not any(user["secret_key"] in text for asked in ceph.asked for text in asked)


def test_what_somebody_else_made_is_imported_and_never_taken_over(plugin, ceph):  # noqa: F811
    given = ("--uid=eve", "--display-name=Eve", "--access-key=EVE", "--secret-key=secret")
    ceph.tell("radosgw-admin", "user", "create", *given)
    with pytest.raises(Failed, match="user eve is there already, and was not made by this site, import it"):
        made(plugin, USER, name="eve")
    _, inputs, state = plugin.read(USER, "lab/objects/eve", {})
    assert inputs == checked(plugin, USER, name="eve", display="Eve")
    eve = opened(state)
    assert eve["secret_key"] == "secret"

    session = Session(ceph, eve)
    assert session("mb", "s3://spoils").returncode == 0
    with pytest.raises(Failed, match="bucket spoils is there already"):
        made(plugin, BUCKET, name="spoils", owner="eve")
    _, inputs, state = plugin.read(BUCKET, "lab/objects/spoils", {})
    assert inputs == checked(plugin, BUCKET, name="spoils", owner="eve")
    assert plugin.read(BUCKET, "lab/objects/nothing", {})[0] == ""

    # another owner gets it with all that is in it
    assert session.put("spoils/ring", 1000) == ""
    ada_id, state_of_ada = made(plugin, USER, name="ada")
    state = plugin.update(
        BUCKET, "lab/objects/spoils", state, checked(plugin, BUCKET, name="spoils", owner="ada")
    )
    mine = Session(ceph, opened(state_of_ada))
    assert mine("get", "s3://spoils/ring", str(ceph.folder / "ring")).returncode == 0
    assert "AccessDenied" in session.put("spoils/ring", 1000)
    plugin.delete(USER, ada_id, {**opened(state_of_ada), "force_delete": True})
    assert plugin.read(BUCKET, "lab/objects/spoils", state)[0] == ""
    plugin.delete(USER, "lab/objects/eve", eve)


def test_a_run_that_was_cut_off_takes_its_own_for_its_own(plugin, ceph):  # noqa: F811
    first = opened(made(plugin, USER, name="ada")[1])
    id_, again = made(plugin, USER, name="ada", limit=MIB)
    assert opened(again)["access_key"] == first["access_key"]
    plugin.delete(USER, id_, again)


def test_a_server_that_is_away_keeps_the_new_waiting_and_the_old_as_it_was(plugin, ceph):  # noqa: F811
    ceph.away = True
    id_, state = made(plugin, USER, name="ada")
    assert state["applied"] == "waiting"
    assert plugin.read(USER, id_, state)[2] == state
    news = checked(plugin, USER, name="ada")
    assert list(plugin.diff(USER, state, news).detailedDiff) == ["applied"], "the next run goes on with it"
    ceph.away = False
    state = opened(plugin.update(USER, id_, state, news))
    assert state["applied"] == "live"
    assert not plugin.diff(USER, state, news).detailedDiff

    ceph.away = True
    assert opened(plugin.read(USER, id_, state)[2]) == state
    with pytest.raises(Failed, match="objects: does not answer, so nothing was changed"):
        plugin.delete(USER, id_, state)
    ceph.away = False
    plugin.delete(USER, id_, state)


def test_a_ceph_that_stands_still_is_told_and_nothing_waits_for_minutes(ceph):
    server, began = ObjectServer("objects", ceph), time.monotonic()
    with ceph.frozen(), pytest.raises(UserError, match="objects: Ceph does not answer"):
        server.ask("read_user", {"name": "ada"}, 5)
    assert time.monotonic() - began < 10
    assert server.ask("read_user", {"name": "ada"}, 60) is None


def test_mistakes_of_a_declaration_are_said_by_the_cluster(plugin, ceph):  # noqa: F811
    with pytest.raises(Failed, match="there is no user bob"):
        made(plugin, BUCKET, name="lost", owner="bob")
    id_, state = made(plugin, USER, name="ada")
    with pytest.raises(Failed, match="no gateway answers at http://127"):
        made(plugin, BUCKET, name="lost", owner="ada", endpoint="http://127.0.0.1:1")
    plugin.delete(USER, id_, state)


class Site:
    """What a site declares of an object tier."""

    def __init__(self) -> None:
        self.user = {"name": "ada", "max_buckets": 3}
        self.more: list[dict] = []
        self.bucket = {"name": "checkpoints", "owner": "ada", "quota": ObjectQuota(limit="1 MiB")}

    def declare(self, _whole, opts, *, simulated) -> None:
        del simulated
        buckets = [Bucket(**one) for one in (self.bucket, *self.more)]
        tier = StorageTierArgs(servers=(), users=[BucketUser(**self.user)], buckets=buckets)
        declare_objects("lab-objects", "objects", tier, pulumi.ResourceOptions(provider=opts.providers[0]))


def test_what_pulumi_up_makes_holds(stacks, ceph, monkeypatch):  # noqa: F811
    site = Site()
    monkeypatch.setattr(program, "_declare_site", site.declare)

    def run(operation: str, **options):
        return stacks(operation, "lab", driver="redfish", **options)

    def state() -> str:
        return (stacks.folder / ".pulumi/stacks/gigasite/lab.json").read_text()

    assert run("up").exit_code == 0, stacks.errors
    found = json.loads(ceph.tell("radosgw-admin", "user", "info", "--uid=ada"))
    keys = found["keys"][0]
    assert keys["secret_key"] not in state(), "a key lies in clear in the state"
    assert '"secret_key"' in state()
    session = Session(ceph, keys)
    assert session.put("checkpoints/a", 700_000) == ""
    assert "QuotaExceeded" in session.put("checkpoints/b", 700_000)
    assert counts(run("preview")) == {"same": 4}

    site.bucket["quota"] = ObjectQuota(limit="2 MiB")
    assert counts(run("up"))["update"] == 1
    assert session.put("checkpoints/b", 700_000) == ""
    site.bucket["quota"] = ObjectQuota(limit="1 MiB")
    assert run("preview").exit_code != 0
    assert any("a quota is not set below what is used" in error for error in stacks.errors), stacks.errors

    site.bucket["quota"] = ObjectQuota(limit="2 MiB")
    ceph.tell("radosgw-admin", "quota", "disable", "--bucket=checkpoints", "--quota-scope=bucket")
    assert counts(run("up", refresh=True))["update"] == 1, "a refresh sees that somebody lifted it"
    assert "QuotaExceeded" in session.put("checkpoints/c", 1_000_000)

    # what somebody made by hand is refused until it is imported
    assert session("mb", "s3://weights").returncode == 0
    site.more = [{"name": "weights", "owner": "ada"}]
    assert run("up").exit_code != 0
    assert any("bucket weights is there already" in error for error in stacks.errors), stacks.errors
    spec = ImportSpec(
        "gigasite:storage:Bucket", "lab-objects-weights", "lab/objects/weights", protect=False,
        provider="urn:pulumi:lab::gigasite::pulumi:providers:gigasite::lab",
    )  # fmt: skip
    assert run("import", imports=(spec,)).exit_code == 0, stacks.errors
    assert counts(run("up")) == {"same": 5}

    assert run("destroy").exit_code != 0
    assert any("checkpoints holds 2 objects" in error for error in stacks.errors), stacks.errors
    site.bucket["force_delete"] = True
    assert run("up").exit_code == 0
    assert run("destroy").exit_code == 0, stacks.errors
    assert json.loads(ceph.tell("radosgw-admin", "user", "list")) == []
