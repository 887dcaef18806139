"""The health check of nodes, as it runs there: over the emulated library, with faults in all it looks at."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from stand_in import TRAY, Tray

from infra.lab.accelerator import faults
from infra.paths import ROOT
from tests.waiting import until

pytestmark = pytest.mark.unit

PROGRAM = ROOT / "playbooks" / "files" / "gpu_health"
LOCK = "run/gigasite/gpu_health.lock"
PLAN = """
[accelerators]
interface = "nvml"
count = 4
memory_mib = 260000
power_w = 1400.0
links = 18
domain = "rack"
driver = "550.163"
clock_share = 0.5
[accelerators.xids]
48 = "double-bit ECC error"
79 = "GPU has fallen off the bus"
[host]
memory_mib = 600
disk_free = 0.0001
time_s = 1.0
power_w = 6600.0
liquid_w = 5742.0
[[host.links]]
name = "data0"
mtu = 9000
mbit = 400000
[[host.mounts]]
path = "/shared"
source = "10.255.0.3:/srv/shared"
"""
TRACKING = "0AFF0001,10.255.0.1,11,1764170000.1,{offset},0.0001,0.0002,1.0,0.0,0.1,0.001,0.01,16.0,{leap}"
CHRONYC = '#!/bin/sh\necho "$CHRONY_SAYS"\n'
SINFO = '#!/bin/sh\ncat "$SLURM_STATE"\n'
# Does what slurmctld does with the two updates that a health check makes.
SCONTROL = """#!/bin/sh
[ -z "$SLURM_AWAY" ] || { echo "slurm_update error: Unable to contact slurm controller" >&2; exit 1; }
echo "$*" >>"$SLURM_STATE.log"
case "$*" in
*State=RESUME*) echo "idle|none" >"$SLURM_STATE" ;;
*) echo "drained|${4#Reason=}" >"$SLURM_STATE" ;;
esac
"""
HEALTHY = {"accelerators", "driver", "ecc", "nvlink", "thermal", "power", "clocks", "xid", "links", "mounts",
           "time", "disk", "memory"}  # fmt: skip


class Node(Tray):
    """A whole node: accelerators, and what the program reads of the rest."""

    def __init__(self, root, built):
        super().__init__(root, built)
        self.has(TRAY)
        self.plan = root / "plan.toml"
        self.plan.write_text(PLAN)
        self.write("proc/mounts", "10.255.0.3:/srv/shared /shared nfs4 rw 0 0\n")
        self.write("proc/meminfo", "MemTotal:         655360 kB\nHardwareCorrupted:     0 kB\n")
        for name, value in (("carrier", 1), ("mtu", 9000), ("speed", 400000)):
            self.write(f"sys/class/net/data0/{name}", f"{value}\n")
        (root / "shared").mkdir()
        self.log("Linux version 6.12")
        self.slurm = root / "slurm"
        self.slurm.write_text("idle|none\n")
        self.more = {"CHRONY_SAYS": TRACKING.format(offset="0.000010", leap="Normal")}
        for name, text in (("chronyc", CHRONYC), ("sinfo", SINFO), ("scontrol", SCONTROL)):
            self.write(f"bin/{name}", text).chmod(0o755)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        return self.root / path

    def call(self, *words):
        environment = {
            **self.env, "PATH": f"{self.root}/bin:{os.environ['PATH']}", "SLURM_STATE": str(self.slurm),
            **self.more,
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-S", "-E", PROGRAM, "--root", self.root, "--plan", self.plan, *words],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def report(self):
        done = self.call("--json")
        assert not done.stderr
        found = json.loads(done.stdout)
        assert done.returncode == found["exit"]
        assert all(isinstance(value, str | int | float) for value in found.values()), "the report is flat"
        return found

    def wrong(self):
        """The checks that are not ok, with their details."""
        found = self.report()
        assert {name for name in found if f"{name}_detail" in found} == HEALTHY
        return {name: found[f"{name}_detail"] for name in HEALTHY if found[name] != "ok"}

    def tell(self):
        """Let the program tell Slurm; the node's state and reason afterwards."""
        done = self.call("--slurm")
        assert done.returncode == 0, done.stderr
        return self.slurm.read_text().strip()


@pytest.fixture
def node(tmp_path, built):
    return Node(tmp_path, built)


def test_a_healthy_node_is_healthy_in_every_check(node):
    found = node.report()
    assert (found["state"], found["exit"], found["reason"]) == ("healthy", 0, "")
    assert node.wrong() == {}


FAULTS = {
    "gpu 2 lost": {"accelerators": "gpu 2: GPU is lost"},
    "gpu 2 xid 79": {
        "accelerators": "gpu 2: GPU is lost", "xid": "gpu 2: XID 79 (GPU has fallen off the bus)",
    },
    "gpu 2 xid 48": {"xid": "gpu 2: XID 48 (double-bit ECC error)"},
    "gpu 2 ecc 7": {"ecc": "gpu 2: 7 uncorrected errors; gpu 2: a page or row waits for a reset"},
    "gpu 2 nvlink 3": {"nvlink": "gpu 2: link 3 down"},
    "gpu 2 hot": {"thermal": "gpu 2: 95 °C, it slows itself down"},
    "gpu 2 clock": {"clocks": "gpu 2: stuck at 345 of 1920 MHz without a reason"},
}  # fmt: skip
"""Every kind of fault that the lab can put in → what exactly is said of it, and by which check alone."""


def test_every_kind_of_fault_is_tried():
    assert {words.split()[2] for words in FAULTS} == set(faults.KINDS)


@pytest.mark.parametrize("words", FAULTS)
def test_a_fault_drains_with_its_reason_and_its_repair_resumes(node, words):
    node.fault(words)
    assert node.wrong() == FAULTS[words]
    said = "; ".join(f"{check}: {detail}" for check, detail in FAULTS[words].items())
    assert node.tell() == f"drained|gpu_health: {said}"
    node.fault("gpu 2 clear")
    assert node.wrong() == {}
    assert node.tell() == "idle|none"


@pytest.mark.parametrize("words", ["gpu 1 xid 31", "gpu 1 xid 63", "gpu 1 hot 80"])
def test_what_calls_for_nothing_leaves_the_node_alone(node, words):
    node.fault(words)
    assert node.wrong() == {}


def test_an_xid_is_remembered_when_the_kernels_log_has_forgotten_it(node):
    node.fault("gpu 1 xid 48")
    assert node.wrong()
    node.write("dev/kmsg", "")
    for number in range(3):
        node.log(f"something else {number}")
    assert node.wrong() == FAULTS["gpu 2 xid 48"] | {"xid": "gpu 1: XID 48 (double-bit ECC error)"}
    node.fault("gpu 0 clear")  # another one's reset
    assert node.wrong()
    node.fault("clear")
    assert node.wrong() == {}


def test_a_restart_forgets_xids(node):
    node.fault("gpu 1 xid 48")
    assert node.wrong()
    for path in (node.root / "run" / "gigasite").iterdir():
        path.unlink()
    node.write("dev/kmsg", "")
    assert node.wrong() == {}


def test_the_first_of_two_faults_that_goes_changes_the_reason(node):
    node.fault("gpu 0 hot")
    node.fault("gpu 1 nvlink 0")
    assert node.tell().startswith("drained|gpu_health: nvlink: gpu 1: link 0 down; thermal: gpu 0")
    node.fault("gpu 1 clear")
    assert node.tell() == "drained|gpu_health: thermal: gpu 0: 95 °C, it slows itself down"


HOST_FAULTS = {
    "no carrier": (
        lambda node: node.write("sys/class/net/data0/carrier", "0\n"), {"links": "data0 has no carrier"},
    ),
    "small MTU": (
        lambda node: node.write("sys/class/net/data0/mtu", "1500\n"),
        {"links": "data0: MTU 1500, planned 9000"},
    ),
    "slow link": (
        lambda node: node.write("sys/class/net/data0/speed", "100000\n"),
        {"links": "data0: 100000 Mbit/s, planned 400000"},
    ),
    "not mounted": (lambda node: node.write("proc/mounts", ""), {"mounts": "/shared is not mounted"}),
    "mounted from elsewhere": (
        lambda node: node.write("proc/mounts", "10.255.0.9:/srv/shared /shared nfs4 rw 0 0\n"),
        {"mounts": "/shared is from 10.255.0.9:/srv/shared"},
    ),
    "server away": (
        lambda node: node.write("bin/stat", "#!/bin/sh\nexec sleep 60\n").chmod(0o755),
        {"mounts": "/shared: 10.255.0.3:/srv/shared gives no answer within 10 s"},
    ),
    "clock off": (
        lambda node: node.more.update(CHRONY_SAYS=TRACKING.format(offset="-2.5", leap="Normal")),
        {"time": "2.500 s off, at most 1 s"},
    ),
    "disk full": (
        lambda node: node.plan.write_text(PLAN.replace("disk_free = 0.0001", "disk_free = 1.01")),
        {"disk": re.compile(r"/ has [0-9.]+% of its (space|inodes) free, at least 101%")},
    ),
    "memory gone": (
        lambda node: node.write("proc/meminfo", "MemTotal: 409600 kB\nHardwareCorrupted: 0 kB\n"),
        {"memory": "400 MiB, at least 600 are planned"},
    ),
    "memory bad": (
        lambda node: node.write("proc/meminfo", "MemTotal: 655360 kB\nHardwareCorrupted: 4 kB\n"),
        {"memory": "less than 1 MiB set aside as bad"},
    ),
    "uncorrected errors": (
        lambda node: node.write("sys/devices/system/edac/mc/mc0/ue_count", "3\n"),
        {"memory": "3 uncorrected errors"},
    ),
    "old driver": (
        lambda node: node.plan.write_text(PLAN.replace("550.163", "580.65")),
        {"driver": "550.163.01 is older than 580.65"},
    ),
    "no driver": (
        lambda node: (node.root / "etc/gigasite/accelerators").write_text(""),
        {"driver": "Driver Not Loaded"},
    ),
    "power limit above the plan": (
        lambda node: node.plan.write_text(PLAN.replace("1400.0", "1000.0")),
        {"power": re.compile("gpu 0: its limit is 1400 W, at most 1000 W are planned; gpu 1: .*")},
    ),
    "one fewer": (
        lambda node: node.has(replace(TRAY, count=3)), {"accelerators": "3 of 4 are there"},
    ),
    "less accelerator memory": (
        lambda node: node.has(replace(TRAY, memory_mib=1000)),
        {"accelerators": re.compile(r"gpu 0: 1000 MiB of memory, at least 260000 are planned; .*")},
    ),
    "fewer NVLinks": (
        lambda node: node.has(replace(TRAY, links=17)), {"nvlink": re.compile("gpu 0: 17 of 18 links; .*")},
    ),
    "outside its NVLink domain": (
        lambda node: node.has(replace(TRAY, domain="")),
        {"nvlink": re.compile(r"gpu 0: not in its NVLink domain \(state 0, status 0\); .*")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HOST_FAULTS)
def test_what_else_can_be_wrong(node, what):
    change, wanted = HOST_FAULTS[what]
    change(node)
    found = node.report()
    assert found["state"] == "unhealthy"
    wrong = {name for name in HEALTHY if found.get(name) == "unhealthy"}
    assert wrong == set(wanted)
    for check, detail in wanted.items():
        assert re.fullmatch(detail if isinstance(detail, re.Pattern) else re.escape(detail),
                            found[f"{check}_detail"])  # fmt: skip


def test_a_driver_that_hangs_is_a_fault_and_not_a_hang(node, monkeypatch):
    monkeypatch.syspath_prepend(str(PROGRAM))
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); import __main__ as me;"
        "import runpy; main = runpy.run_path(sys.argv[1] + '/__main__.py', run_name='gpu_health');"
        "print(main['read_apart'](lambda: time.sleep(60), 0.2)['error'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, PROGRAM], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "no answer from the driver within 0 s\n"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda node: node.more.update(CHRONY_SAYS="506 Cannot talk to daemon"),
         "time: 506 Cannot talk to daemon"),
        (lambda node: node.more.update(CHRONY_SAYS=TRACKING.format(offset="9.0", leap="Not synchronised")),
         "time: not synchronised yet"),
        (lambda node: (node.root / "dev" / "kmsg").unlink(), "xid: /dev/kmsg: No such file or directory"),
        (lambda node: node.plan.unlink(), r"plan: .*plan.toml: .*No such file.*"),
        (lambda node: node.plan.write_text("[host"), r"plan: .*plan.toml: Expected .*"),
        (lambda node: node.plan.write_text("[accelerators]\ninterface = 'nvml'\n"), r"plan: .* lacks 'host'"),
        (lambda node: node.plan.write_text(PLAN.replace('"nvml"', '"rocm"')),
         "accelerators: rocm is not read by this program"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said_and_changes_nothing(node, change, reason):
    change(node)
    found = node.report()
    assert (found["state"], found["exit"]) == ("unknown", 2)
    assert re.fullmatch(reason, found["reason"])
    for state in ("idle|none", "drained|gpu_health: ecc: gpu 0"):
        node.slurm.write_text(f"{state}\n")
        assert node.tell() == state
    assert not (node.root / "slurm.log").exists()


@pytest.mark.parametrize(
    "state", ["drained|a person: look at the fan", "drained|rollout 7: wave 2", "down*|Not responding"]
)
def test_who_was_taken_out_by_others_stays_theirs(node, state):
    node.slurm.write_text(f"{state}\n")
    assert node.tell() == state
    node.fault("gpu 1 hot")
    assert node.tell() == state, "the reason of somebody else is not overwritten"


def test_a_drained_node_is_not_drained_again(node):
    node.fault("gpu 1 hot")
    node.tell()
    node.tell()
    assert (node.root / "slurm.log").read_text().count("\n") == 1


def test_a_controller_that_is_away_is_a_failure_that_slurmd_sees(node):
    node.fault("gpu 1 hot")
    node.more["SLURM_AWAY"] = "yes"
    done = node.call("--slurm")
    assert done.returncode == 1
    assert "Unable to contact slurm controller" in done.stderr


def test_a_person_reads_a_table(node):
    node.fault("gpu 1 nvlink 2")
    done = node.call()
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"check +state +detail", lines[0])
    assert any(re.fullmatch(r"nvlink +unhealthy +gpu 1: link 2 down", line) for line in lines)
    assert lines[-1].endswith(": unhealthy: nvlink: gpu 1: link 2 down")


def test_metrics_say_what_was_seen(node, tmp_path):
    node.fault("gpu 1 lost")
    node.fault("gpu 2 nvlink 3")
    node.fault("gpu 3 xid 31")
    file = tmp_path / "collected" / "gpu_health.prom"
    node.call("--json", "--textfile", file)
    assert not file.exists(), "without the exporter there is no folder, and nothing is written"
    file.parent.mkdir()
    node.call("--json", "--textfile", file)
    lines = file.read_text().splitlines()
    assert 'gpu_health_check{check="nvlink"} 1' in lines
    assert 'gpu_health_check{check="ecc"} 0' in lines
    assert {"gigasite_planned_power_watts 6600", "gigasite_planned_accelerators 4"} <= set(lines)
    assert 'gigasite_planned_heat_watts{into="liquid"} 5742' in lines
    assert [line for line in lines if line.startswith("gpu_health_accelerator_lost")] == [
        f'gpu_health_accelerator_lost{{gpu="{index}"}} {int(index == 1)}' for index in range(4)
    ]
    assert 'gpu_health_nvlink_up{gpu="2",link="3"} 0' in lines
    assert 'gpu_health_xid_count{gpu="3",pci="0000:20:00",xid="31"} 1' in lines
    temperatures = [line for line in lines if line.startswith("DCGM_FI_DEV_GPU_TEMP{")]
    assert len(temperatures) == 3
    assert all(re.fullmatch(r'\w+\{gpu="\d",UUID="GPU-[0-9a-f-]{36}"\} 35', line) for line in temperatures)
    named = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {re.split("[{ ]", line)[0] for line in lines if line[0] != "#"} <= named


def test_runs_at_once_wait_for_each_other_and_all_tell(node, tmp_path):
    """Slurm runs it each minute, and a person or a gate at any time."""
    file = tmp_path / "collected" / "gpu_health.prom"
    file.parent.mkdir()
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(node.call, "--slurm", "--textfile", file) for _ in range(40)]
        answers = [call.result() for call in calls]
    assert {(done.returncode, done.stderr) for done in answers} == {(0, "")}
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_run_that_began_earlier_does_not_undo_what_a_later_one_told(node):
    """The earlier one found nothing wrong, and Slurm answers it late."""
    node.fault("gpu 2 lost")
    assert node.tell().startswith("drained|gpu_health: accelerators")
    node.fault("clear")
    node.write("bin/sinfo", SINFO + 'until [ -e "$SLURM_STATE.go" ]; do sleep 0.01; done\n')
    with ThreadPoolExecutor(2) as pool:
        earlier = pool.submit(node.tell)
        until(lambda: (node.root / LOCK).exists() and not free(node.root / LOCK))
        node.fault("gpu 2 lost")
        later = pool.submit(node.tell)
        (node.root / "slurm.go").touch()
        assert earlier.result()
        assert later.result().startswith("drained|gpu_health: accelerators")


def test_metrics_that_cannot_be_written_keep_no_verdict_from_slurm(node, tmp_path):
    (tmp_path / "collected" / "gpu_health.new").mkdir(parents=True)
    file = tmp_path / "collected" / "gpu_health.prom"
    node.fault("gpu 1 lost")
    done = node.call("--slurm", "--textfile", file)
    assert done.returncode == 0
    assert f"gpu_health: {file}: Is a directory" in done.stderr
    assert node.slurm.read_text().startswith("drained|gpu_health: accelerators: gpu 1")


def free(path):
    """Whether nobody holds the lock."""
    with path.open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def test_a_reset_is_told_in_the_same_words_on_both_sides():
    """The lab's faults and the program have no module in common."""
    assert f'RESET = "{faults.RESET}"' in (PROGRAM / "kernel_log.py").read_text()
