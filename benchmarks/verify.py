"""`gigasite bench verify`: the same checks in one login, and over testinfra's own connections."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compared import Compared, compare, show
from benchmarks.local_sshd import serve
from infra import paths
from infra.cli.arguments import Json
from infra.errors import UserError

CHECKS = """
import pytest


@pytest.mark.parametrize("number", range({count}))
def test_file(host, number):
    file = host.file(f"{folder}/{{number}}")
    assert file.exists
    assert file.is_file
    assert file.mode == 0o640
    assert file.size == number
"""

CONFTEST = """
from infra.verify.batch import BatchBackend
from infra.verify.hosts import Hosts

pytest_plugins = ("infra.verify.plugin",)
Hosts.batched = classmethod(
    lambda cls, config: cls(lambda name: BatchBackend("here", ssh_config="{config}", controlpersist=0))
)
"""


def command(
    count: Annotated[int, typer.Option(help="Checks, of four questions each.")] = 40, as_json: Json = False
) -> None:
    """Time checks over ssh: asked ahead in one login, testinfra's default, and its shared connection."""
    with tempfile.TemporaryDirectory(prefix="gigasite-bench-") as name:
        folder = Path(name)
        (folder / "sshd").mkdir()
        with serve(folder / "sshd") as config:
            found = _measure(folder, config, count)
    show(found, as_json=as_json)


def _measure(folder: Path, config: Path, count: int) -> list[Compared]:
    data = folder / "data"
    data.mkdir()
    for number in range(count):
        (data / str(number)).write_bytes(b"x" * number)
        (data / str(number)).chmod(0o640)
    (folder / "test_files.py").write_text(CHECKS.format(count=count, folder=data), encoding="utf-8")
    (folder / "conftest.py").write_text(CONFTEST.format(config=config), encoding="utf-8")
    shared = folder / "shared"
    shared.write_text(
        f"{config.read_text(encoding='utf-8')} ControlMaster auto\n ControlPersist 60\n"
        f" ControlPath {folder}/%C\n", encoding="utf-8",
    )  # fmt: skip
    ahead = ("--site=lab", "--limit=lab-head")
    # Python, pytest and the plan start in each run, and are no part of what is compared.
    plain = _run(folder, "--hosts=local://", "-k", "none_of_them", expect=5)
    empty = _run(folder, *ahead, "-k", "none_of_them", expect=5)
    batch = _run(folder, *ahead) - empty
    default = _run(folder, "--hosts=ssh://here", f"--ssh-config={config}") - plain
    together = _run(folder, "--hosts=ssh://here", f"--ssh-config={shared}") - plain
    subprocess.run(["ssh", "-F", shared, "-O", "exit", "here"], capture_output=True, check=False)
    conditions = (
        f"{count} checks of {4 * count} questions to an sshd on loopback, asked ahead in one login; start of "
        f"Python, pytest and the plan ({empty:.1f} s) left out on both sides"
    )
    return [
        compare("verify against testinfra's default, a login each", batch, default, "s", conditions),
        compare("verify against testinfra's shared connection", batch, together, "s", conditions),
    ]


def _run(folder: Path, *words: str, expect: int = 0) -> float:
    """Seconds of a pytest run, which must end with this exit code."""
    began = time.monotonic()
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", folder / "test_files.py", "-q", "-p", "no:cacheprovider",
            f"--rootdir={folder}", "--import-mode=importlib", *words,
        ],
        cwd=paths.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != expect:
        raise UserError(f"the checks failed:\n{(done.stdout + done.stderr)[-1500:]}")
    return time.monotonic() - began
