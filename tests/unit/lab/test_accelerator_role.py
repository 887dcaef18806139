"""Programs of the role `accelerator`, over the emulated library (NVIDIA) and a folder like sysfs (AMD)."""

from __future__ import annotations

import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from infra.render import render
from infra.render.accelerator import AcceleratorFacts

pytestmark = pytest.mark.unit

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may set it")
CAPPED = AcceleratorFacts(
    count=4, power_w=1225, driver=None, pin=None, domain=(), fabric_manager=False, hardware=False
)  # fmt: skip


def program(tmp_path, name, **facts):
    accelerator = SimpleNamespace(**{word: getattr(CAPPED, word) for word in CAPPED.__slots__} | facts)
    path = tmp_path / name
    path.write_text(
        render(
            f"usr/local/lib/gigasite/{name}.j2",
            {
                "machine": SimpleNamespace(accelerator=accelerator),
                "site": SimpleNamespace(name="lab"),
            },
        )
    )
    return path


def start(path, *words, **env):
    return subprocess.run(
        ["sh", path, *words], env=os.environ | env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def boot(tray, tmp_path):
    """Run the program as a start of the machine does, with the emulated nvidia-smi first."""

    def run(**facts):
        env = tray.env | {"PATH": f"{tray.built}:{os.environ['PATH']}"}
        return start(program(tmp_path, "accelerator_nvml", **facts), **env)

    return run


@needs_root
def test_each_accelerator_gets_the_planned_limit_and_keeps_it(tray, boot):
    assert tray.query("power.limit,persistence_mode") == [["1400.00", "Disabled"]] * 4
    for _ in range(2):  # a second start changes nothing
        done = boot()
        assert done.returncode == 0, done.stderr
        assert tray.query("power.limit,persistence_mode") == [["1225.00", "Enabled"]] * 4
    tray.fault("gpu 1 hot 95")
    tray.fault("clear")
    assert tray.query("power.limit,persistence_mode") == [["1225.00", "Enabled"]] * 4


@needs_root
def test_a_limit_that_the_accelerators_refuse_fails_the_unit(tray, boot):
    done = boot(power_w=100)  # below a quarter of its own
    assert done.returncode == 1
    assert done.stderr.startswith("0 of 4 accelerators tell 'Enabled, 100.00, ")
    assert "Enabled, 1400.00, 550.163.01" in done.stderr


@needs_root
def test_a_lost_accelerator_fails_the_unit_and_keeps_none_from_its_limit(tray, boot):
    tray.fault("gpu 2 lost")
    done = boot()
    assert done.returncode == 1
    assert "3 of 4 accelerators tell" in done.stderr
    rows = tray.query("index,power.limit", code=15)
    assert [row for row in rows if row[0] != "2"] == [[str(n), "1225.00"] for n in (0, 1, 3)]


@needs_root
def test_another_driver_than_the_declared_one_fails_the_unit(boot):
    assert boot(driver="550.163.01").returncode == 0
    done = boot(driver="580.126.20")
    assert done.returncode == 1
    assert "0 of 4 accelerators tell 'Enabled, 1225.00, 580.126.20'" in done.stderr


@needs_root
def test_smi_sets_one_or_all(tray):
    assert tray.smi("-i", "1", "-pl", "700") == (
        "Power limit for GPU 00000000:10:00.0 was set to 700.00 W from 1400.00 W.\n"
    )
    assert [row[0] for row in tray.query("power.limit")] == ["1400.00", "700.00", "1400.00", "1400.00"]
    assert len(tray.smi("-pm", "1").splitlines()) == 4
    for words in (("-pl", "many"), ("-pl", "-5"), ("-pl",), ("-pm", "2")):
        tray.smi(*words, code=1)


def cards(tmp_path, count):
    """A folder as /sys/class/drm, with a display card that has no cap."""
    for index in range(count):
        folder = tmp_path / "drm" / f"card{index}" / "device" / "hwmon" / f"hwmon{index + 3}"
        folder.mkdir(parents=True)
        (folder / "power1_cap").write_text("1400000000\n")
    (tmp_path / "drm" / "card9" / "device").mkdir(parents=True)
    return tmp_path / "drm"


def caps(drm):
    return sorted(path.read_text().strip() for path in drm.glob("card*/device/hwmon/hwmon*/power1_cap"))


def test_amd_accelerators_get_the_limit_by_the_kernels_interface(tmp_path):
    drm = cards(tmp_path, 4)
    done = start(program(tmp_path, "accelerator_rocm", power_w=1100), drm)
    assert (done.returncode, done.stderr) == (0, "")
    assert caps(drm) == ["1100000000"] * 4


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_amd_accelerators_fail_the_unit(tmp_path, count):
    done = start(program(tmp_path, "accelerator_rocm"), cards(tmp_path, count))
    assert done.returncode == 1
    assert f"{count} of 4 accelerators have the limit" in done.stderr


def test_an_amd_accelerator_that_keeps_its_limit_fails_the_unit(tmp_path):
    drm = cards(tmp_path, 4)
    (fixed,) = (drm / "card1").glob("device/hwmon/*/power1_cap")
    fixed.unlink()
    fixed.symlink_to("/dev/null")  # takes what is written and tells nothing
    done = start(program(tmp_path, "accelerator_rocm"), drm)
    assert done.returncode == 1
    assert "3 of 4 accelerators have the limit" in done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_one_that_systemd_takes(tmp_path):
    text = render("etc/systemd/system/gigasite-accelerator.service.j2", {"site": SimpleNamespace(name="lab")})
    there = program(tmp_path, "accelerator_nvml")
    there.chmod(0o755)
    unit = tmp_path / "gigasite-accelerator.service"
    unit.write_text(text.replace("/usr/local/lib/gigasite/accelerator", str(there)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    # of other units of this machine it may say much
    assert (done.returncode, [line for line in done.stderr.splitlines() if "accelerator" in line]) == (0, [])
