"""Shards of a batch on several workers: nothing is lost and nothing is done twice, whoever is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import dask
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra import paths
from infra.errors import Problems
from infra.rollout import rollouts
from infra.rollout.crews.shards import cut
from infra.rollout.policy import load_policy
from tests.waiting import until

from .test_kill import TRAYS, begin, controller, resume

pytestmark = pytest.mark.unit


def test_a_machine_stays_in_its_shard_whatever_is_left():
    places = {f"a{number}": "pod-a" for number in range(5)} | {"b0": "pod-b"}
    shard_of = cut(places, [("a0", "a1", "a2", "b0"), ("a3", "a4")], 2)
    assert shard_of == {
        "a0": "1-pod-a-1", "a1": "1-pod-a-1", "a2": "1-pod-a-2", "b0": "1-pod-b-1",
        "a3": "2-pod-a-1", "a4": "2-pod-a-1",
    }  # fmt: skip


def all_once(fleet):
    found = fleet.open().rows()
    assert len(found) == TRAYS
    assert {row["applies"] for row in found.values()} == {1}
    assert {row["reboots"] for row in found.values()} == {1}
    assert {row["out"] for row in found.values()} == {""}
    plan = rollouts.read("reference")
    assert rollouts.state_of("reference", plan.id)[0] == "done"
    assert sum(wave["done"] for wave in rollouts.ledger_of(plan).counts().values()) == TRAYS


SHARDED = {"reboot": True, "canaries": 2, "shards": {"machines": 12, "workers": 3}}


def in_child(work, plan):
    """Work in a process of its own: dask's threads do not live on in what is forked later."""
    process = controller(work, plan)
    process.join(300)
    assert process.exitcode == 0


def test_shards_inside_the_controllers_process(fleet, lay_out):
    fleet.options = {"latency": 0.02, "at_once": 10, "reboots": True}

    def watched(plan):
        heard, here = set(), psutil.Process()

        def look(_):
            heard.update(
                link.laddr.ip for link in here.net_connections() if link.status == psutil.CONN_LISTEN
            )

        rollouts.begin(plan, look)
        assert heard <= {"127.0.0.1"}, "nothing listens beyond loopback"
        assert not [thread for thread in threading.enumerate() if "Dask-Default-Threads" in thread.name]

    in_child(watched, lay_out(**SHARDED))
    all_once(fleet)


def test_failed_machines_begin_anew_only_when_that_is_asked(fleet, lay_out):
    fleet.options = {"reboots": True}
    plan = lay_out(**{**SHARDED, "canaries": 0, "failures": "50%"})
    machines = fleet.open()
    machines.add(plan.hosts)
    broken = plan.hosts[3]
    machines.break_(broken, "prove")
    in_child(begin, plan)
    machines.break_(broken, "")
    in_child(resume, plan)
    assert machines.rows()[broken]["out"] != ""
    in_child(lambda _: rollouts.go_on("reference", lambda _: None, retry=True), plan)
    assert machines.rows()[broken]["out"] == ""
    assert {row["applies"] for name, row in machines.rows().items() if name != broken} == {1}


@pytest.fixture
def certificates(tmp_path):
    """Settings of dask with which all sides speak TLS and know each other by one CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shards")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, private = tmp_path / "node.pem", tmp_path / "node.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    settings = {"CA_FILE": pem}
    for side in ("SCHEDULER", "WORKER", "CLIENT"):
        settings |= {f"{side}__CERT": pem, f"{side}__KEY": private}
    return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(path) for name, path in settings.items()}


class Cluster:
    """A scheduler and workers in processes of their own, which can be killed and started again."""

    def __init__(self, folder, environment):
        self.folder = folder
        self.environment = {
            **os.environ, **environment,
            "DASK_DISTRIBUTED__SCHEDULER__LOCKS__LEASE_TIMEOUT": "3s",
            "DASK_DISTRIBUTED__SCHEDULER__LOCKS__LEASE_VALIDATION_INTERVAL": "1s",
        }  # fmt: skip
        self.address, self.workers = "", []
        self.start_scheduler()

    def start_scheduler(self):
        port = self.address.rpartition(":")[2] or "0"
        file = self.folder / f"scheduler-{time.monotonic_ns()}.json"
        self.scheduler = self._spawn(
            "scheduler", "--host", "127.0.0.1", "--port", port, "--protocol", "tls", "--no-dashboard",
            "--no-jupyter", "--scheduler-file", file,
        )  # fmt: skip
        until(lambda: file.exists() or self.scheduler.poll() is not None, 300)
        self.address = json.loads(file.read_text())["address"]

    def start_worker(self):
        self.workers.append(
            self._spawn(
                "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                "--local-directory", self.folder, "--death-timeout", "60", "--memory-limit", "0",
            )
        )  # fmt: skip

    def _spawn(self, *words):
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *map(str, words)], cwd=self.folder, env=self.environment,
                stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip


@pytest.fixture
def cluster(tmp_path, certificates, monkeypatch):
    found = Cluster(tmp_path, certificates)
    # What a coordinator reads from its environment when it starts.
    tls = dask.config.collect_env({**certificates})["distributed"]["comm"]["tls"]
    with dask.config.set({"distributed.comm.tls": tls}):
        yield found
    for process in (found.scheduler, *found.workers):
        process.kill()
        process.wait()


def applied(fleet):
    return sum(row["applies"] for row in fleet.open().rows().values())


@pytest.mark.parametrize("killed", ["worker", "scheduler", "coordinator"])
def test_whoever_is_killed_no_machine_is_lost_and_none_is_done_twice(fleet, lay_out, cluster, killed):
    fleet.options = {"latency": 0.1, "at_once": 10, "reboots": True}
    for _ in range(2):
        cluster.start_worker()
    plan = lay_out(
        reboot=True, canaries=0, waves={"shape": "fixed", "size": TRAYS},
        shards={"machines": 12, "scheduler": cluster.address},
    )  # fmt: skip
    process = controller(begin, plan)
    try:
        until(lambda: (fleet.home / "fleet.sqlite").exists() and applied(fleet) > 20, 300)
        assert applied(fleet) < TRAYS
        if killed == "worker":
            cluster.workers[0].kill()
        elif killed == "scheduler":
            cluster.scheduler.kill()
            cluster.scheduler.wait()
            cluster.start_scheduler()
            for _ in range(2):
                cluster.start_worker()
        else:
            process.kill()
            process.join()
            process = controller(resume, plan)
        process.join(300)
        assert process.exitcode == 0
    finally:
        process.kill()
    all_once(fleet)


def test_a_scheduler_without_tls_is_accepted_on_loopback_only(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "inventory", lambda _: tmp_path)
    (tmp_path / "rollout.yaml").write_text("shards: {scheduler: 'tcp://head:8786'}\n")
    with pytest.raises(Problems) as caught:
        load_policy("x")
    assert "rollout.yaml:1" in str(caught.value)
    assert "tls://head:8786" in str(caught.value)
