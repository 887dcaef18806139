"""The accelerator stand-in: our libnvidia-ml.so.1 read by NVIDIA's Python binding and by our nvidia-smi."""

from __future__ import annotations

import ctypes.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from stand_in import MACHINE, READER, TRAY, Tray

from infra.errors import UserError
from infra.lab.accelerator import build, faults
from infra.lab.accelerator.inventory import (
    CUDA,
    DRIVER,
    PATH,
    Accelerators,
    accelerator_uuid,
    domain_uuid,
    inventory_text,
)

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed"),
]

SLURM_NAMES = {
    # What Debian 13's gpu_nvml.so (slurm-wlm-nvml-plugin 24.11.5-2) leaves undefined: `nm -D`.
    "nvmlDeviceGetApplicationsClock",
    "nvmlDeviceGetAttributes_v2",
    "nvmlDeviceGetComputeInstanceId",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetCpuAffinity",
    "nvmlDeviceGetGpuInstanceId",
    "nvmlDeviceGetGraphicsRunningProcesses_v3",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetMaxMigDeviceCount",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetMinorNumber",
    "nvmlDeviceGetName",
    "nvmlDeviceGetNvLinkRemotePciInfo_v2",
    "nvmlDeviceGetNvLinkState",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetProcessUtilization",
    "nvmlDeviceGetSupportedGraphicsClocks",
    "nvmlDeviceGetSupportedMemoryClocks",
    "nvmlDeviceGetUUID",
    "nvmlDeviceResetApplicationsClocks",
    "nvmlDeviceSetApplicationsClocks",
    "nvmlErrorString",
    "nvmlInit_v2",
    "nvmlShutdown",
    "nvmlSystemGetDriverVersion",
    "nvmlSystemGetNVMLVersion",
}


def test_the_library_has_every_name_that_slurm_needs_and_no_private_one(built):
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", built / build.LIBRARY], capture_output=True, text=True, check=True
    )
    names = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert names >= SLURM_NAMES
    assert len(SLURM_NAMES) == 28
    assert all(re.fullmatch(r"nvml[A-Z]\w+", name) for name in names), names


def check_any_library(found):
    """What must hold of any healthy machine's library, ours or NVIDIA's."""
    gpus = found["gpus"]
    assert gpus
    assert [gpu["index"] for gpu in gpus] == list(range(len(gpus)))
    assert re.fullmatch(r"[0-9.]+", found["driver"])
    assert found["cuda"] >= 12000
    for gpu in gpus:
        assert re.fullmatch(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", gpu["uuid"])
        assert re.fullmatch(r"[0-9A-F]{8}:[0-9A-F]{2}:[0-9A-F]{2}\.0", gpu["pci"])
        assert gpu["by_uuid"] == gpu["by_pci"] == gpu["index"]
        assert gpu["name"]
        assert gpu["memory"][0] >= gpu["memory"][1] + gpu["memory"][2] > 0
        assert gpu["limits"][0] <= gpu["limit"] <= gpu["limits"][1]
        assert 0 < gpu["temperature"] < gpu["slowdown"]
        assert 0 < gpu["clock"] <= gpu["clock_max"]
        assert gpu["cpus"] > 0
    for key in ("uuid", "pci", "minor"):
        assert len({gpu[key] for gpu in gpus}) == len(gpus)


def test_a_healthy_tray_passes_what_any_library_passes(tray):
    check_any_library(tray.read())


@pytest.mark.skipif(ctypes.util.find_library("nvidia-ml") is None, reason="there is no NVIDIA driver here")
def test_this_machines_own_library_passes_the_same():
    done = subprocess.run([sys.executable, READER, "facts"], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    if "error" in found:
        pytest.skip(f"the driver is not loaded: NVML error {found['error']}")
    check_any_library(found)


def test_a_tray_has_what_its_platform_has(tray):
    found = tray.read()
    assert (found["driver"], found["cuda"]) == (DRIVER, CUDA)
    assert [gpu["uuid"] for gpu in found["gpus"]] == [accelerator_uuid(MACHINE, n) for n in range(4)]
    for gpu in found["gpus"]:
        assert gpu["name"] == "NVIDIA GB300"
        assert gpu["memory"][0] == 288 << 30
        assert gpu["limits"] == [350_000, 1_400_000]
        assert gpu["links"] == [1] * 18
        assert (gpu["ecc"], gpu["retired"], gpu["processes"]) == (0, [], [])
        assert gpu["reasons"] == 1
        assert gpu["mig"] == "error 3"


@pytest.mark.parametrize("count", [1, 8, 16])
def test_other_counts(tray, count):
    tray.has(Accelerators(count, "NVIDIA B200", 183359, 1000, 90, 1965, 3996))
    gpus = tray.gpus()
    assert len(gpus) == count
    assert {gpu["name"] for gpu in gpus} == {"NVIDIA B200"}
    assert {tuple(gpu["links"]) for gpu in gpus} == {()}
    assert len({gpu["pci"] for gpu in gpus}) == count


def test_accelerators_are_near_the_processors_of_their_socket(tray):
    tray.has(TRAY, vcpus=8)
    assert [gpu["cpus"] for gpu in tray.gpus()] == [0x0F, 0x0F, 0xF0, 0xF0]


def test_uuids_are_functions_of_the_place():
    one, other = inventory_text(TRAY, MACHINE, 1), inventory_text(TRAY, MACHINE.replace("1", "2"), 1)
    assert one == inventory_text(TRAY, MACHINE, 1)
    assert not {line for line in one.splitlines() if "uuid" in line} & set(other.splitlines())


def test_trays_of_a_rack_share_their_nvlink_domain():
    text = inventory_text(TRAY, MACHINE, 1)
    assert text.count(f"domain {domain_uuid('lab rack-01')}") == 4
    assert domain_uuid("lab rack-02") != domain_uuid("lab rack-01")


def test_a_machine_without_accelerators_says_that_no_driver_is_loaded(tmp_path, built):
    assert Tray(tmp_path, built).read() == {"error": 9}
    assert "Driver Not Loaded" in Tray(tmp_path, built).smi("-L", code=9)


FAULTS = {
    "gpu 2 lost": {"error": "error 15"},
    "gpu 2 xid 79": {"error": "error 15"},
    "gpu 2 xid 48": {},
    "gpu 2 ecc": {"ecc": 500, "retired": [4096], "remapped": [0, 0, 1, 0]},
    "gpu 2 ecc 7": {"ecc": 7, "retired": [4096], "remapped": [0, 0, 1, 0]},
    "gpu 2 nvlink 3": {"links": [1] * 3 + [0] + [1] * 14},
    "gpu 2 hot": {"temperature": 95, "clock": 960, "reasons": 0x48, "power": 87_500},
    "gpu 2 hot 80": {"temperature": 80},
    "gpu 2 clock": {"clock": 345, "reasons": 0, "power": 31_445},
    "gpu 2 clock 900": {"clock": 900, "reasons": 0, "power": 82_031},
}
"""Words → what differs at that accelerator."""


@pytest.mark.parametrize("words", FAULTS)
def test_a_fault_shows_at_its_accelerator_and_at_no_other(tray, words):
    before = tray.gpus()
    tray.fault(words)
    after = tray.gpus()
    assert after[:2] + after[3:] == before[:2] + before[3:]
    wanted = FAULTS[words]
    if "error" in wanted:
        assert after[2] == {"index": 2, **wanted}
    else:
        assert {key: value for key, value in after[2].items() if before[2][key] != value} == wanted
    tray.fault("gpu 2 clear")
    assert tray.gpus() == before


def test_every_kind_of_fault_is_tried():
    assert {words.split()[2] for words in FAULTS} == set(faults.KINDS)


def test_faults_add_up_and_clear_clears_all(tray):
    before = tray.gpus()
    for words in ("gpu 0 ecc 3", "gpu 0 ecc 4", "gpu 1 hot", "gpu 3 nvlink 0", "gpu 3 nvlink 17"):
        tray.fault(words)
    gpus = tray.gpus()
    assert gpus[0]["ecc"] == 7
    assert gpus[1]["temperature"] == 95
    assert gpus[3]["links"] == [0, *[1] * 16, 0]
    tray.fault("clear")
    assert tray.gpus() == before


def test_xids_come_as_events_in_their_order_and_in_the_kernels_log(tray):
    tray.fault("gpu 0 xid 31")  # before anybody listens: not an event
    with subprocess.Popen(
        [sys.executable, READER, "events", "1500"], env=tray.env, stdout=subprocess.PIPE, text=True
    ) as listener:
        assert listener.stdout.readline() == "registered\n"
        tray.fault("gpu 1 xid 48")
        tray.fault("gpu 1 xid 79")
        found = json.loads(listener.stdout.read())
    assert found == {"events": [[8, 48], [8, 79]], "ended": "error 10"}
    told = [line.partition(";")[2] for line in (tray.root / "dev" / "kmsg").read_text().splitlines()]
    assert told == [
        "NVRM: Xid (PCI:00000000:08:00.0): 31, stand-in",
        "NVRM: Xid (PCI:00000000:10:00.0): 48, stand-in",
        "NVRM: Xid (PCI:00000000:10:00.0): 79, stand-in",
    ]


def test_a_program_that_runs_sees_a_fault_at_once(tray):
    """The state is read anew when it changes: no program has to start again."""
    script = (
        "import sys, pynvml as nv\nnv.nvmlInit()\nd = nv.nvmlDeviceGetHandleByIndex(0)\n"
        "for line in sys.stdin:\n    print(nv.nvmlDeviceGetTemperature(d, 0), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], env=tray.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:

        def ask():
            program.stdin.write("\n")
            program.stdin.flush()
            return int(program.stdout.readline())

        assert ask() == 35
        tray.fault("gpu 0 hot 93")
        assert ask() == 93
        tray.fault("clear")
        assert ask() == 35
        program.stdin.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set it")
def test_the_power_limit_can_be_set_between_its_bounds(tray):
    assert tray.read("power-limit", "1", "700000") == {"set": None}
    assert [gpu["limit"] for gpu in tray.gpus()] == [1_400_000, 700_000, 1_400_000, 1_400_000]
    assert tray.read("power-limit", "1", "100000") == {"set": "error 2"}
    assert tray.read("power-limit", "1", "1500000") == {"set": "error 2"}


def test_processes_are_told_while_they_live(tray):
    with subprocess.Popen(["sleep", "60"]) as worker:
        tray.faults.write_text(f"gpu 1 process {worker.pid} 4096\n")
        gpus = tray.gpus()
        assert gpus[1]["processes"] == [[worker.pid, 4096 << 20]]
        assert gpus[1]["memory"][1] == 4096 << 20
        assert gpus[1]["power"] == gpus[1]["limit"]
        assert gpus[0]["processes"] == []
        text = tray.smi("--query-compute-apps=pid,process_name,used_memory,gpu_uuid", "--format=csv,noheader")
        assert text == f"{worker.pid}, sleep, 4096 MiB, {accelerator_uuid(MACHINE, 1)}\n"
        worker.kill()
        worker.wait()
        assert tray.gpus()[1]["processes"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as somebody whom a device keeps out")
def test_what_a_job_may_not_open_is_not_there_for_it(built):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        tray = Tray(root, shutil.copytree(built, root / "built"))
        tray.has(TRAY)
        (root / "dev").mkdir()
        for index, mode in enumerate((0o666, 0o600, 0o666, 0o600)):
            (root / "dev" / f"nvidia{index}").touch()
            (root / "dev" / f"nvidia{index}").chmod(mode)
        for path in (root, *root.rglob("*")):
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0))
        done = subprocess.run(
            [root / "built" / "nvidia-smi", "-L"], env=tray.env, capture_output=True, text=True, check=True,
            user=65534,
        )  # fmt: skip
    wanted = [accelerator_uuid(MACHINE, index) for index in (0, 2)]
    assert re.findall(r"^GPU (\d): NVIDIA GB300 \(UUID: (.*)\)$", done.stdout, re.MULTILINE) == [
        ("0", wanted[0]),
        ("1", wanted[1]),
    ]


@pytest.mark.parametrize("text", ["", "gpu\n", "gpu 99 name x\n", "\0\0\n", "gpu 0\n" * 3, "x" * 5000])
def test_a_damaged_state_file_says_nothing_and_breaks_nothing(tray, text):
    (tray.root / PATH.lstrip("/")).write_text(text)
    assert tray.read() == {"error": 9}


def test_smi_lists_names_and_uuids(tray):
    wanted = [f"GPU {n}: NVIDIA GB300 (UUID: {accelerator_uuid(MACHINE, n)})" for n in range(4)]
    assert tray.smi("-L").splitlines() == wanted


def test_smi_lists_the_rest_when_one_is_lost(tray):
    tray.fault("gpu 1 lost")
    lines = tray.smi("-L", code=15).splitlines()
    assert len(lines) == 4
    assert lines[1] == "Unable to determine the device handle for GPU1: GPU is lost"
    assert tray.query("index,name,power.draw", code=15)[1] == ["1", "[GPU is lost]", "[GPU is lost]"]


def test_smi_answers_queries_with_units_and_without(tray):
    words = "--query-gpu=index,name,memory.total,power.limit,utilization.gpu"
    assert tray.smi(words, "--format=csv").splitlines()[:2] == [
        "index, name, memory.total [MiB], power.limit [W], utilization.gpu [%]",
        "0, NVIDIA GB300, 294912 MiB, 1400.00 W, 0 %",
    ]
    assert tray.smi(words, "--format=csv,noheader,nounits", "-i", "3") == (
        "3, NVIDIA GB300, 294912, 1400.00, 0\n"
    )
    assert tray.smi(words, "--format=csv,noheader", "-i", accelerator_uuid(MACHINE, 2))[0] == "2"


def test_smi_says_the_same_as_the_library(tray):
    for words in ("gpu 0 hot", "gpu 1 ecc 9", "gpu 2 clock 500"):
        tray.fault(words)
    fields = (
        "uuid,temperature.gpu,clocks.sm,ecc.errors.uncorrected.volatile.total,clocks_throttle_reasons.active,"
        "retired_pages.double_bit.count"
    )
    for line, gpu in zip(tray.query(fields), tray.gpus(), strict=True):
        assert line == [
            gpu["uuid"], str(gpu["temperature"]), str(gpu["clock"]), str(gpu["ecc"]),
            f"0x{gpu['reasons']:016X}", str(len(gpu["retired"])),
        ]  # fmt: skip


def test_smi_prints_xml(tray):
    tray.fault("gpu 3 ecc 5")
    top = ET.fromstring(tray.smi("-q", "-x"))  # noqa: S314 (it is ours)
    gpus = top.findall("gpu")
    assert top.findtext("attached_gpus") == "4"
    assert top.findtext("cuda_version") == "12.4"
    assert [gpu.get("id") for gpu in gpus] == [gpu["pci"] for gpu in tray.gpus()]
    assert [gpu.findtext("ecc_errors/volatile_uncorrected") for gpu in gpus] == ["0", "0", "0", "5"]
    assert gpus[0].findtext("fb_memory_usage/total") == "294912 MiB"
    assert gpus[0].findtext("max_clocks/sm_clock") == "1920 MHz"


def test_smi_shows_links(tray):
    tray.fault("gpu 1 nvlink 4")
    blocks = re.split(r"(?m)^GPU \d: .*\n", tray.smi("nvlink", "-s"))[1:]
    assert [block.count("50.000 GB/s") for block in blocks] == [18, 17, 18, 18]
    assert "\t Link 4: <inactive>\n" in blocks[1]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--query-gpu=index,colour", "--format=csv"], 2, 'Field "colour" is not a valid field to query.'),
        (["--query-gpu=index"], 2, ""),
        (["--frobnicate"], 1, ""),
        (["-q"], 1, ""),
        (["-L", "-i", "7"], 6, "No devices were found"),
    ],
)
def test_smi_refuses_what_it_cannot_answer(tray, words, code, text):
    assert text in tray.smi(*words, code=code)


def test_smi_without_a_library_says_so(tray, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(tray.built / "nvidia-smi", empty)
    if ctypes.util.find_library("nvidia-ml"):
        pytest.skip("there is an NVIDIA driver here")
    tray.built = empty
    assert tray.smi("-L", code=12) == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "no fault"),
        ("gpu 4 lost", "no accelerator 4"),
        ("gpu x lost", "no accelerator x"),
        ("gpu 1 explode", "no kind of fault: explode"),
        ("gpu 1 xid", "xid needs a number"),
        ("gpu 1 nvlink", "nvlink needs a number"),
        ("gpu 1 xid 0", "xid 0 is not from 1 to 999"),
        ("gpu 1 xid 1;reboot", "xid 1;reboot is not"),
        ("gpu 1 hot -3", "hot -3 is not"),
        ("disk 1 lost", "no fault"),
        ("gpu 1 clear 3", "no kind of fault"),
        ("gpu 1 lost 1 1", "no fault"),
    ],
)
def test_words_that_name_no_fault_are_refused_with_what_may_be_said(words, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        faults.parse(words.split(), 4)
    assert caught.value.hint


def test_a_machine_without_accelerators_has_none_to_break():
    with pytest.raises(UserError, match="no accelerator 0") as caught:
        faults.parse(["gpu", "0", "lost"], 0)
    assert "has none" in caught.value.hint
