"""Accelerators: each tray has those of its platform, they are well, and Slurm gives them to jobs.

The questions go to `nvidia-smi`, so they are the same for a driver's own library and for the stand-ins'.
"""

from __future__ import annotations

import csv
import re
import shlex

import pytest

from infra.lab.accelerator.inventory import accelerator_uuid
from infra.spec import catalog

pytestmark = pytest.mark.proved_on("emulated")

FIELDS = (
    "index", "name", "uuid", "pci.bus_id", "memory.total", "power.limit", "temperature.gpu", "clocks.max.sm",
    "clocks.current.sm", "clocks_throttle_reasons.active", "clocks_throttle_reasons.hw_thermal_slowdown",
    "ecc.errors.uncorrected.volatile.total", "retired_pages.pending", "persistence_mode",
)  # fmt: skip
# A lost accelerator makes the command fail; its lines say which.
QUERY = f"nvidia-smi --query-gpu={','.join(FIELDS)} --format=csv,noheader,nounits || true"
LINKS = "nvidia-smi nvlink -s || true"
IDLE, STUCK_SHARE = 0x1, 0.5
"""Of the reasons for a low clock: it rests. Without any reason, half of the highest clock is a fault."""


def platform_of(machine):
    """What its platform says of each of its accelerators; skips where nothing can be asked."""
    each = catalog.platform(machine.platform).node.accelerator if machine.accelerators else None
    if each is None:
        pytest.skip("its platform has no accelerators")
    if each.interface != "nvml":
        pytest.skip(f"its accelerators are read by {each.interface}, of which nothing is emulated")
    return each


@pytest.fixture
def gpus(machine, shell):
    """What each accelerator says, by field."""
    platform_of(machine)
    return [
        dict(zip(FIELDS, (word.strip() for word in line), strict=False))
        for line in csv.reader(shell.out(QUERY).splitlines())
    ]


@pytest.mark.role("tray")
@pytest.mark.asks(QUERY)
def test_accelerators_are_there(machine, gpus):
    """It has the accelerators of its platform."""
    each = platform_of(machine)
    assert [gpu["index"] for gpu in gpus] == [str(index) for index in range(machine.accelerators)]
    lost = [gpu["index"] for gpu in gpus if gpu.get("uuid", "[")[0] == "["]
    assert not lost, f"no answer from gpu {', '.join(lost)}: {gpus[int(lost[0])].get('name')}"
    for key in ("uuid", "pci.bus_id"):
        assert len({gpu[key] for gpu in gpus}) == len(gpus)
    if machine.stand_in:
        assert {gpu["name"] for gpu in gpus} == {each.model}
        assert [gpu["uuid"] for gpu in gpus] == [
            accelerator_uuid(machine.uuid, index) for index in range(machine.accelerators)
        ]
    for gpu in gpus:
        assert abs(float(gpu["memory.total"]) * 2**20 / each.memory - 1) < 0.05
        assert float(gpu["power.limit"]) <= each.power


@pytest.mark.role("tray")
@pytest.mark.asks(QUERY)
def test_accelerators_have_the_planned_limit(facts, gpus):
    """Each accelerator stays set up between jobs and may draw what the plan gives it."""
    told = {(gpu["index"], gpu.get("persistence_mode"), gpu.get("power.limit")) for gpu in gpus}
    limit = f"{facts.accelerator.power_w:.2f}"
    assert told == {(str(index), "Enabled", limit) for index in range(facts.accelerator.count)}


@pytest.mark.role("tray")
@pytest.mark.asks(QUERY)
def test_accelerators_are_well(gpus):
    """No accelerator is lost, hot, slow without a reason, or has uncorrected memory errors."""
    wrong = [f"gpu {gpu['index']}: {fault}" for gpu in gpus for fault in _faults(gpu)]
    assert not wrong, "; ".join(wrong)


def _faults(gpu):
    if gpu.get("uuid", "[")[0] == "[":
        yield str(gpu.get("name"))
        return
    if gpu["clocks_throttle_reasons.hw_thermal_slowdown"] == "Active":
        yield f"{gpu['temperature.gpu']} °C, it slows itself down"
    if gpu["ecc.errors.uncorrected.volatile.total"] not in {"0", "[N/A]"}:
        yield f"{gpu['ecc.errors.uncorrected.volatile.total']} uncorrected memory errors"
    if gpu["retired_pages.pending"] == "Yes":
        yield "a page waits for retirement"
    reasons = int(gpu["clocks_throttle_reasons.active"], 16)
    clock, highest = float(gpu["clocks.current.sm"]), float(gpu["clocks.max.sm"])
    if reasons == 0 and clock < STUCK_SHARE * highest:
        yield f"its clock is {clock:.0f} MHz of {highest:.0f} MHz, without a reason"


@pytest.mark.role("tray")
@pytest.mark.asks(LINKS)
def test_nvlinks_are_up(machine, shell):
    """Every NVLink of its accelerators is up."""
    each = platform_of(machine)
    if not each.links:
        pytest.skip("its accelerators have no NVLink")
    blocks = re.split(r"(?m)^GPU \d+: .*\n?", shell.out(LINKS))[1:]
    up = [len(re.findall(r"Link \d+: [0-9.]+ GB/s", block)) for block in blocks]
    assert up == [each.links] * machine.accelerators


@pytest.fixture(scope="session")
def cluster(site, found):
    """Facts of the cluster; skips where its nodes have no accelerators that slurmd finds."""
    if site.slurm is None:
        pytest.skip("the site declares no Slurm")
    if not any("AutoDetect=nvml" in line.source for line in site.slurm.gres):
        pytest.skip("the cluster has no accelerators that are read by NVML")
    return site.slurm


def run_job(shell_on, cluster, site, words):
    """What a job prints that a user runs on the cluster, and the command."""
    command = f"srun --time=5 --label {words}"
    text = shell_on(cluster.controller).out(
        f"cd / && timeout 150 runuser --user {site.users[0].name} -- {command}"
    )
    return command, text


def test_slurm_knows_accelerators(shell_on, cluster, found):
    """Slurm's nodes have as many accelerators as their trays."""
    lines = shell_on(cluster.controller).out("sinfo --noheader --Node --format '%N|%G'").splitlines()
    counts = {}
    for line in lines:
        name, gres = line.split("|")
        counts[name] = sum(map(int, re.findall(r"gpu(?::[^:(),]+)?:(\d+)", gres)))
    wanted = {one.name: one.accelerators for one in found.machines if one.accelerators}
    assert {name: counts.get(name) for name in wanted} == wanted


def test_job_gets_all_accelerators(shell_on, cluster, site, found, say):
    """A job over two trays gets all accelerators of both."""
    trays = [one for one in found.machines if one.accelerators][:2]
    count = min(one.accelerators for one in trays)
    names = ",".join(one.name for one in trays)
    words = f"-N{len(trays)} --gres=gpu:{count} --nodelist={names} nvidia-smi -L"
    command, text = run_job(shell_on, cluster, site, words)
    assert len(re.findall(r"(?m)^\d+: GPU \d+: ", text)) == count * len(trays)
    assert len(set(re.findall(r"UUID: (\S+)\)", text))) == count * len(trays)
    lines = sorted(text.splitlines())
    say(f"$ {command.replace(' --time=5 --label', '')}\n" + "\n".join(lines))


def test_job_is_kept_to_its_accelerators(shell_on, cluster, site):
    """A job that asks for one accelerator sees one, and may not open the others."""
    devices = catalog.interface("nvml").devices  # of which `nvidia-smi` tells
    tries = f"for n in {devices}; do (: <$n) 2>&1 | grep -o 'not permitted'; done | wc -l"
    step = f"nvidia-smi -L; echo closed $({tries})"
    _, text = run_job(shell_on, cluster, site, f"--gres=gpu:1 bash -c {shlex.quote(step)}")
    node = min(each.gpus for each in cluster.nodes)
    assert len(re.findall(r"GPU \d+: ", text)) == 1, text
    assert f"closed {node - 1}" in text, text
