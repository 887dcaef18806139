"""A site's own cluster: dask's programs as the rendered units start them carry a rollout out, by TLS."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra import paths
from infra.errors import UserError
from infra.paths import ROOT
from infra.plan import findings, plan
from infra.render import render_files, unit_names
from infra.rollout import secrets
from infra.rollout.crews import site_cluster
from infra.rollout.crews.choice import _world
from infra.rollout.crews.site_cluster import scheduler_of, security_for
from infra.rollout.inventory.targets import targets_of
from infra.spec import load_text
from tests.waiting import until

from .test_kill import resume
from .test_shards import all_once, in_child

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit

LAB = (ROOT / "inventories" / "lab" / "site.yaml").read_text()
DECLARED = LAB.replace(
    "  monitoring: head\n", "  monitoring: head\n  rollout: {scheduler: head, workers: crew}\n"
).replace("servers:\n", "servers:\n  - {name: crew, role: management, platform: lab-vm, count: 2}\n", 1)
HEAD, WORKERS = "lab-head", ("lab-crew", "lab-crew-02")
SCHEDULER_UNIT, WORKER_UNIT = "gigasite-rollout-scheduler.service", "gigasite-rollout-worker.service"
PAGES = ("", "status", "info/main/workers.html", "metrics", "json/counts.json", "health", "api/v1")
SANDBOX = "gigasite-rollout-.service.d/10-gigasite.conf"


class Authority:
    """A CA that writes its certificate, one of its own, and the key of that into a folder."""

    def __init__(self):
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), _name("rollouts")
        self.certificate = self._sign(self.name, self.key, ca=True)

    def issue(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / "ca.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        own = self._sign(_name("member"), key, ca=False)
        (folder / "cert.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))
        (folder / "key.pem").touch(mode=0o600)
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return folder

    def _sign(self, name, key, *, ca):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )  # fmt: skip


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@pytest.fixture(scope="module")
def declared():
    return targets_of(plan(load_text(DECLARED)))


def here(text):
    """The same with each loopback of the site's as one of this machine's."""
    return text.replace("10.255.", "127.86.")


def facts_of(declared, name):
    return next(declared.facts_of(machine) for machine in declared.machines if machine.name == name)


@pytest.fixture
def laid_out(declared, tmp_path):
    """Writes a machine's units as they are on it, of a checkout and certificates in the test's folder."""
    checkout = tmp_path / "checkout"
    (checkout / ".gigasite" / "lab" / "ssh").mkdir(parents=True)
    (checkout / ".venv").symlink_to(sys.prefix)
    pki = Authority().issue(tmp_path / "pki")
    variables = {
        "rollout_cluster_checkout": str(checkout), "rollout_cluster_ca": str(pki / "ca.pem"),
        "rollout_cluster_certificate": str(pki / "cert.pem"), "rollout_cluster_key": str(pki / "key.pem"),
    }  # fmt: skip

    def write(name):
        folder = tmp_path / name
        for file in render_files(facts_of(declared, name), declared.facts, variables):
            if file.path.startswith("/etc/systemd/system/gigasite-rollout-"):
                path = folder / file.path.removeprefix("/etc/systemd/system/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(here(file.text))
        return folder

    write.checkout, write.pki = checkout, pki
    return write


@dataclass
class Unit:
    """What systemd would start: the command with its environment, specifiers filled in."""

    folder: Path
    name: str
    settings: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self):
        for path in (self.folder / self.name, self.folder / SANDBOX):
            for line in path.read_text().splitlines():
                key, found, value = line.partition("=")
                if found and not line.startswith("#"):
                    self.settings.setdefault(key, []).append(value)

    def start(self, log):
        credentials, runtime = self.folder / "credentials", self.folder / "run"
        for folder in (credentials, runtime / self.name.removesuffix(".service")):
            folder.mkdir(parents=True, exist_ok=True)
        for entry in self.settings["LoadCredential"]:
            name, _, source = entry.partition(":")
            shutil.copy(source, credentials / name)
        (command,) = self.settings["ExecStart"]
        command = command.replace("%t", str(runtime)).replace("%N", self.name.removesuffix(".service"))
        environment = dict(
            entry.replace("%d", str(credentials)).split("=", 1) for entry in self.settings["Environment"]
        )
        return subprocess.Popen(
            shlex.split(command), cwd=self.settings["WorkingDirectory"][0],
            env={"PATH": os.defpath, "HOME": str(self.folder), **environment},
            stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip


def test_units_are_on_the_servers_that_the_declaration_names(declared):
    found = {
        machine.name: [
            unit for unit in unit_names(declared.facts_of(machine), declared.facts) if "rollout" in unit
        ]
        for machine in declared.machines
    }
    assert {name: units for name, units in found.items() if units} == {
        HEAD: [SCHEDULER_UNIT], **{name: [WORKER_UNIT] for name in WORKERS}
    }  # fmt: skip


def test_one_server_can_be_all_of_it():
    text = LAB.replace("  dns: head\n", "  dns: head\n  rollout: {scheduler: head, workers: head}\n")
    found = targets_of(plan(load_text(text)))
    units = unit_names(facts_of(found, HEAD), found.facts)
    assert {SCHEDULER_UNIT, WORKER_UNIT} <= set(units)
    assert blocked(text) == []


def test_only_the_first_server_has_the_scheduler():
    text = DECLARED.replace("{scheduler: head, workers: crew}", "{scheduler: crew, workers: crew}")
    found = targets_of(plan(load_text(text)))
    having = [name for name in WORKERS if SCHEDULER_UNIT in unit_names(facts_of(found, name), found.facts)]
    assert having == [WORKERS[0]]
    assert found.facts.rollout.scheduler == WORKERS[0]


def test_addresses_of_version_6_are_in_brackets():
    text = DECLARED.replace("10.255.0.0/20", "fd00:1::/32").replace("loopback_pod: 24", "loopback_pod: 48")
    text = text.replace("links: 10.64.0.0/16", "links: fd00:2::/32").replace("link_pod: 24", "link_pod: 48")
    found = targets_of(plan(load_text(text)))
    assert found.facts.rollout.address.startswith("tls://[fd00:1:")
    assert found.facts.rollout.address.endswith("]:8786")
    assert facts_of(found, WORKERS[0]).rollout.host.startswith("tls://[fd00:1:")


def blocked(text):
    return [one.message for one in findings(plan(load_text(text))) if one.id == "rollout-blocked"]


def test_zones_that_keep_workers_from_the_scheduler_are_told():
    reach, results = blocked(DECLARED)
    assert "workers on `crew` cannot reach the scheduler on `head`" in reach
    assert "gets no results of workers on `crew`" in results
    rule = "{source: management, target: management, ports: [%s], reason: rollouts}"
    allowed = DECLARED.replace("  allow:\n", f"  allow:\n    - {rule % 'tcp/8786, tcp/8788'}\n")
    assert blocked(allowed) == []
    (left,) = blocked(DECLARED.replace("  allow:\n", f"  allow:\n    - {rule % 'tcp/8786'}\n"))
    assert left == results
    assert blocked(LAB) == []


@pytest.mark.parametrize("name", [HEAD, WORKERS[0]])
def test_systemd_takes_the_units(laid_out, name):
    folder = laid_out(name)
    unit = SCHEDULER_UNIT if name == HEAD else WORKER_UNIT
    verify = ["systemd-analyze", "verify", "--man=no"]
    done = subprocess.run([*verify, folder / unit], capture_output=True, text=True, check=False)
    # of other units of this machine it may say much
    assert (done.returncode, [line for line in done.stderr.splitlines() if "rollout" in line]) == (0, [])
    sandbox = folder / SANDBOX
    sandbox.write_text(sandbox.read_text().replace("ProtectSystem=strict", "ProtectSystem=strickt"))
    done = subprocess.run([*verify, folder / unit], capture_output=True, text=True, check=False)
    assert "strickt" in done.stderr, "the drop-in is read as well"


@pytest.fixture
def cluster(laid_out, tmp_path):
    """A scheduler and two workers, as the units start them, ended with the test."""
    running = []
    with (tmp_path / "cluster.log").open("ab") as log:
        running.append(Unit(laid_out(HEAD), SCHEDULER_UNIT).start(log))
        running += [Unit(laid_out(name), WORKER_UNIT).start(log) for name in WORKERS]
    try:
        until(lambda: (tmp_path / "cluster.log").read_text().count("Registered to:") >= len(WORKERS), 300)
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def listening(process):
    return {
        (link.laddr.ip, link.laddr.port)
        for link in psutil.Process(process.pid).net_connections()
        if link.status == psutil.CONN_LISTEN
    }


def page(port, path):
    """Status of a page of dask's."""
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code


def knock(address, ca, certificate=None):
    """What a member says to who speaks TLS with this certificate; an error where it refuses."""
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with socket.create_connection(address, timeout=20) as raw, context.wrap_socket(raw) as speaking:
        return speaking.recv(1)


def refused(why):
    def controller(plan):
        with pytest.raises(UserError, match=why):
            resume(plan)

    return controller


def test_a_rollout_goes_through_the_rendered_cluster(  # noqa: PLR0917 (fixtures)
    declared, fleet, lay_out, cluster, laid_out, tmp_path
):  # fmt: skip
    fleet.options = {"latency": 0.02, "at_once": 10, "reboots": True}
    address = here(declared.facts.rollout.address)
    plan = lay_out(reboot=True, canaries=2, shards={"machines": 12, "scheduler": address})
    tls = paths.state(plan.site) / site_cluster.FOLDER
    in_child(refused("a file is missing that the scheduler of rollouts asks for"), plan)
    Authority().issue(tls)  # whose CA has the same name
    in_child(refused("do not trust each other"), plan)
    shutil.copy(laid_out.pki / "ca.pem", tls)
    in_child(refused("do not trust each other"), plan)
    for file in laid_out.pki.iterdir():
        shutil.copy(file, tls)
    in_child(resume, plan)
    all_once(fleet)
    log = (tmp_path / "cluster.log").read_text()
    assert "PRIVATE KEY" not in log

    scheduler, *workers = cluster
    hosts = {name: here(facts_of(declared, name).loopback) for name in (HEAD, *WORKERS)}
    members = [(hosts[HEAD], 8786), *((hosts[name], 8788) for name in WORKERS)]
    for process, member in zip((scheduler, *workers), members, strict=True):
        found = listening(process)
        assert member in found
        pages = found - {member}
        assert {ip for ip, _ in pages} <= {"127.0.0.1"}
        for _, port in pages:
            assert {path: page(port, path) for path in PAGES} == dict.fromkeys(PAGES, 404)
    stranger = Authority().issue(tmp_path / "stranger")
    for member in members:
        assert knock(member, laid_out.pki / "ca.pem", laid_out.pki), "its own are let in"
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
            knock(member, laid_out.pki / "ca.pem")
        with pytest.raises(ssl.SSLError, match=r"(?i)decrypt.error"):
            knock(member, laid_out.pki / "ca.pem", stranger)


def test_a_key_that_others_may_read_is_refused(home):
    folder = Authority().issue(paths.state("lab") / site_cluster.FOLDER)
    assert security_for("lab").require_encryption
    (folder / "key.pem").chmod(0o640)
    with pytest.raises(UserError, match="others can read the key"):
        security_for("lab")


def test_the_address_is_the_plans_where_a_wave_is_larger_than_a_shard(
    declared, lay_out, tmp_path, monkeypatch
):
    class Known:
        common = declared.facts

    monkeypatch.setattr(site_cluster, "site_at", lambda _: Known)

    def address(*, simulated=False, **shards):
        drawn = lay_out(canaries=2, shards=shards)
        return scheduler_of(drawn.model_copy(update={"simulated": simulated}))

    files = render_files(facts_of(declared, HEAD), declared.facts)
    (unit,) = [file.text for file in files if file.path.endswith(SCHEDULER_UNIT)]
    assert address(machines=12) == declared.facts.rollout.address
    assert f"--host {address(machines=12)} " in unit
    assert address(machines=40) == "", "waves of 40 machines are one shard each: no cluster is needed"
    assert address(machines=12, simulated=True) == "", "simulated machines are the controller's"
    assert address(machines=12, scheduler="") == "", "the policy keeps them inside the controller"
    assert address(machines=12, scheduler="tls://other:1") == "tls://other:1"


def test_secrets_of_two_controllers_are_compared_and_made_on_one_alone(home, lay_out):
    plan = lay_out()
    with pytest.raises(UserError, match="secrets are not those of the rollout"):
        _world(plan, None, secrets.digest("lab"), plan.hosts)
    mine = secrets.digest("lab")
    assert mine == secrets.digest("lab") == secrets.digest("lab", make=False)
    assert secrets.digest(plan.site, make=False) != mine
    assert not (paths.state(plan.site) / "secrets" / "munge.key").exists()


@pytest.mark.parametrize("name", ["reference", "reference-hgx"])
def test_shipped_sites_let_workers_reach_the_scheduler(name):
    text = (ROOT / "inventories" / name / "site.yaml").read_text()
    assert "\n  rollout: {" in text
    assert blocked(text) == []
