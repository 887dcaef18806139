"""Monitoring: machines of the plan are read, in time and whole, alerts are issued, and none fires."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict

import pytest

from infra.verify.dashboards import queries

pytestmark = [
    pytest.mark.proved_on("vm"),
    pytest.mark.role("management"),
    pytest.mark.usefixtures("collects"),
]

# no answer yet is no failure as long as the service runs
ASK = "curl -fsSG -m 20 http://127.0.0.1:9090/api/v1/{} {} 2>&1 || systemctl is-active prometheus"
TARGETS = ASK.format("targets", "-d state=active")
ALERTS = (
    "curl -fsS -m 20 http://127.0.0.1:9093/api/v2/alerts 2>&1 || systemctl is-active prometheus-alertmanager"
)
ROLES = ("tray", "storage", "management", "switch")
OLDEST_S = 120
"""Age of a metric that buyers of an AI cloud still take (OBS05 of NVIDIA's AI Cloud Validation suite)."""


@pytest.fixture
def collects(machine, site):
    """Skips a server that collects no metrics."""
    if machine.name not in site.monitors:
        pytest.skip("it is no monitoring server")


@pytest.fixture
def read(shell, site, found):
    """Names of machines of a role in scope that this server reads: of several, each has its share."""

    def names(*roles):
        hosts = {host.name for host in site.hosts if host.metrics and host.role in roles}
        hosts &= found.by_name.keys()
        return hosts if len(site.monitors) == 1 else hosts & _states(shell.out(TARGETS)).keys()

    return names


@pytest.fixture
def series(shell):
    """Value of each series of an expression, by the labels that are named, once it has what is wanted."""

    def ask(expression, labels, wanted, true=lambda _: True):
        command = ASK.format("query", f"--data-urlencode {shlex.quote(f'query={expression}')}")
        text = shell.wait(command, lambda text: _enough(_values(text, labels), wanted, true))
        return _values(text, labels)

    return ask


def _enough(values, wanted, true):
    return wanted <= values.keys() and all(true(values[key]) for key in wanted)


def _values(text, labels):
    """Of one label the keys are its values, of several tuples of them."""
    results = json.loads(text)["data"]["result"] if text.startswith("{") else []
    keyed = {tuple(one["metric"].get(label, "") for label in labels): one for one in results}
    return {key if len(key) > 1 else key[0]: float(one["value"][1]) for key, one in keyed.items()}


@pytest.mark.asks(TARGETS)
def test_every_machine_is_read(shell, site, read):
    """It reads the metrics of every machine of the plan, of switches those that are ordinary machines."""
    wanted = read(*ROLES)
    # a machine that has just come back is read again within seconds
    states = _states(shell.wait(TARGETS, lambda text: not _unread(_states(text), wanted)))
    assert not _unread(states, wanted)
    if len(site.monitors) == 1:
        assert states.keys() == {host.name for host in site.hosts if host.metrics}


def _states(text):
    """What each machine's last reading was."""
    targets = json.loads(text)["data"]["activeTargets"] if text.startswith("{") else []
    return {
        one["labels"]["instance"]: one["lastError"] or one["health"]
        for one in targets
        if one["labels"]["job"] == "machines"
    }


def _unread(states, wanted):
    return {name: states.get(name, "unknown") for name in wanted if states.get(name) != "up"}


def test_metrics_are_fresh(series, read):
    """What machines tell, and their health checks, is two minutes old at most."""
    for expression, roles in (
        ('time() - timestamp(up{job="machines"})', ROLES),
        ("time() - node_textfile_mtime_seconds", ("tray",)),
    ):
        wanted = read(*roles)
        ages = series(expression, ["instance"], wanted, lambda age: age <= OLDEST_S)
        assert {name: ages.get(name) for name in wanted if ages.get(name, OLDEST_S + 1) > OLDEST_S} == {}


def test_planned_power_stands_beside_metrics(series, read, found):
    """The power that the plan gives each rack's trays is a series of its own."""
    planned = defaultdict(float)
    for name in read("tray"):
        machine = found.by_name[name]
        planned[machine.rack] += found.facts_of(machine).health.power_w
    told = series("gigasite:rack_planned_power:watts", ["rack"], planned.keys())
    assert {rack: told.get(rack) for rack in planned} == pytest.approx(planned)


def test_adapters_tell_traffic(series, read, found):
    """Every data interface of every machine tells the bytes that it received and sent."""
    machines = [found.by_name[name] for name in read(*ROLES)]
    ways = [f"node_network_{way}_bytes_total" for way in ("receive", "transmit")]
    wanted = {
        (machine.name, nic.name, way)
        for machine in machines
        for nic in machine.nics
        if nic.peer
        for way in ways
    }
    told = series(_any_of(ways), ["instance", "device", "__name__"], wanted, lambda sent: sent > 0)
    assert {port for port in wanted if not told.get(port)} == set()


def _any_of(metrics):
    """Series of several metrics in one answer: each costs a busy server seconds."""
    return f'{{__name__=~"{"|".join(metrics)}"}}'


def test_storage_tells_capacity(series, site, read):
    """Every shared folder's server tells what it holds, what is free, and no more than is declared."""
    servers = read("storage", "management")
    sizes = {(mount.server, mount.export): mount.size for mount in site.mounts if mount.server in servers}
    if not sizes:
        pytest.skip("it reads no server of a shared folder")
    whole = series("node_filesystem_size_bytes", ["instance", "mountpoint"], sizes.keys())
    free = series("node_filesystem_avail_bytes", ["instance", "mountpoint"], sizes.keys())
    for key, size in sizes.items():
        assert 0 < free[key] <= whole[key] <= size


def test_storage_tells_performance(series, site, read):
    """Every server of a shared folder tells bytes, operations and seconds of its disks and of NFS."""
    servers = {mount.server for mount in site.mounts} & read("storage", "management")
    if not servers:
        pytest.skip("it reads no server of a shared folder")
    metrics = (
        "node_disk_read_bytes_total",
        "node_disk_written_bytes_total",
        "node_disk_reads_completed_total",
        "node_disk_writes_completed_total",
        "node_disk_read_time_seconds_total",
        "node_disk_write_time_seconds_total",
        "node_nfsd_disk_bytes_read_total",
        "node_nfsd_requests_total",
    )
    wanted = {(server, metric) for server in servers for metric in metrics}
    told = series(f"max by (instance, __name__) ({_any_of(metrics)})", ["instance", "__name__"], wanted)
    assert wanted <= told.keys(), wanted - told.keys()


def test_slurm_tells_its_nodes(series, site):
    """Slurm's controller tells the state of each of its nodes."""
    if site.slurm is None:
        pytest.skip("the site declares no Slurm")
    wanted = {site.slurm.controller: len(site.slurm.nodes)}
    told = series("sum by (instance) (slurm_nodes)", ["instance"], wanted.keys())
    assert {name: told.get(name) for name in wanted} == wanted


def test_dashboards_have_data(shell, read, found, site):
    """Every panel of the dashboards has series to show."""
    trays = [found.by_name[name] for name in read("tray")]
    if not any(found.facts_of(tray).health.accelerators for tray in trays):
        pytest.skip("it reads no tray that tells accelerators")
    asked = {
        f"{one.board} {one.panel}": one.expression.replace("$rack", ".+")
        for one in queries()
        if site.slurm or "slurm_" not in one.expression
    }
    whole = " or ".join(
        f'label_replace(count({expression}), "panel", "{panel}", "", "")'
        for panel, expression in asked.items()
    )
    command = ASK.format("query", f"--data-urlencode {shlex.quote(f'query={whole}')}")
    text = shell.wait(command, lambda text: asked.keys() <= _values(text, ["panel"]).keys())
    assert asked.keys() - _values(text, ["panel"]).keys() == set()


@pytest.mark.asks(ALERTS)
def test_alerts_are_issued(shell):
    """An alert that always fires comes from the rules to Alertmanager."""
    text = shell.wait(ALERTS, lambda text: "Watchdog" in _firing(text))
    assert "Watchdog" in _firing(text)


@pytest.mark.asks(ALERTS)
def test_no_alert_fires(shell):
    """No other alert fires."""
    text = shell.wait(ALERTS, lambda text: _firing(text).keys() == {"Watchdog"})
    assert _firing(text).keys() == {"Watchdog"}, _firing(text)


def _firing(text):
    """What each kind of alert says that has come to Alertmanager."""
    said = defaultdict(list)
    for one in json.loads(text) if text.startswith("[") else []:
        said[one["labels"]["alertname"]].append(one["annotations"]["summary"])
    return said
