"""A fresh clone, `pulumi install`, `pulumi up -s lab`: a user's first minute, as Pulumi's guides teach it.

What the CLI (3.260) and its Python language host look for is read from their sources: a `file://` path of a
backend starts at the working folder and is not made (pkg/backend/diy/backend.go); `pulumi install` makes the
`virtualenv` and runs pip with `-r requirements.txt` in the program's folder, and does not install the project
itself (sdk/python/toolchain/pip.go).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import venv
from typing import TYPE_CHECKING

import pytest

from infra import engine, paths
from infra.engine import Operation
from infra.engine.backend.backend import FileBackend
from infra.engine.resource.stack_ref import StackRef
from infra.engine.workspace.project_file import load_project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git holds of this checkout, and nothing else."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=paths.ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (paths.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.ROOT / name, folder / name)
    return folder


@pytest.fixture
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "first minute")
    monkeypatch.setenv("GIGASITE_DRIVER", "simulated")
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)


def test_the_backends_folder_is_there(clone):
    url = load_project(clone).backend_url
    assert url.startswith("file://./")
    assert (clone / url.removeprefix("file://")).is_dir()
    ignored = ["git", "check-ignore", "-q", "--no-index", ".gigasite/.pulumi/stacks/gigasite/lab.json"]
    assert subprocess.run(ignored, cwd=paths.ROOT, check=False).returncode == 0


def test_the_state_is_for_our_user_alone_although_git_made_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / ".gigasite").mkdir(mode=0o755)
    paths.state("lab")
    assert stat.S_IMODE((tmp_path / ".gigasite").stat().st_mode) == 0o700


def test_pip_finds_every_requirement_where_pulumi_install_runs_it(clone):
    folder = load_project(clone).program_folder
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--dry-run",
        "--no-index",
    ]
    done = subprocess.run(
        [*command, "-r", "requirements.txt"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    pinned = [
        line.split("==")[0] for line in (clone / "requirements.txt").read_text().splitlines() if "==" in line
    ]
    missing = [name for name in pinned if f"already satisfied: {name}==" not in done.stdout]
    assert len(pinned) > 50
    assert not missing


def test_the_program_and_its_provider_run_where_only_the_requirements_are_installed(clone, passphrase):
    made_by_pulumi(clone)
    url = f"file://{clone / '.gigasite'}"
    ref = StackRef.parse("lab", "gigasite")
    FileBackend(url).init(ref)
    events = []
    done = engine.run(Operation.UP, project_dir=clone, stack="lab", on_event=events.append)
    assert done.exit_code == 0, events
    assert done.changes["create"] > 3


def made_by_pulumi(clone: Path) -> None:
    """A virtual environment with our packages, but without this project, as `pulumi install` leaves it."""
    folder = clone / ".venv"
    venv.create(folder, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # Lines of a .pth file in a folder that another .pth file names are not followed: no editable install.
    packages = folder / "lib" / version / "site-packages"
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    found = subprocess.run(
        [folder / "bin" / "python", "-c", "import pulumi, infra"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named 'infra'" in found.stderr


@pytest.mark.skipif(shutil.which("pulumi") is None, reason="the Pulumi CLI is not on PATH")
def test_the_steps_with_the_cli(clone, passphrase):
    shutil.rmtree(clone / ".venv", ignore_errors=True)
    shutil.rmtree(clone / ".gigasite" / ".pulumi", ignore_errors=True)
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"}
    for words in (
        ["install"],
        ["stack", "init", "lab"],
        ["up", "--stack", "lab", "--yes", "--skip-preview"],
        ["preview", "--stack", "lab", "--expect-no-changes"],
        ["destroy", "--stack", "lab", "--yes", "--skip-preview"],
    ):
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive"] if words[0] != "install" else ["pulumi", *words],
            cwd=clone, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stdout, done.stderr)
