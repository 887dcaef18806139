"""The launcher, with a Python that only notes what it is asked to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from infra import paths

pytestmark = pytest.mark.unit

# Stands in for Python, pip and venv: notes each call, makes what the real ones would leave.
PYTHON = f"""#!/bin/sh
case "$1 $2" in
"-c "*|"- "*) exec {sys.executable} "$@" ;;
"-m venv") mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
"-m pip") ;;
esac
echo "$*" >>"$NOTES"
case "$*" in
*--requirement*) if [ -e "$NOTES.fail" ]; then echo "no network" >&2; exit 1; fi ;;
*--editable*) printf '#!/bin/sh\\necho "ran: $*"\\n' >"${{0%/*}}/gigasite"; chmod +x "${{0%/*}}/gigasite" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with the launcher, and a PATH on which the first Python is the stand-in."""
    root = tmp_path / "a checkout"
    root.mkdir()
    shutil.copy(paths.ROOT / "gigasite", root)
    (root / "requirements.txt").write_text("x==1\n")
    (root / "pyproject.toml").write_text("[project]\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        (tools / name).write_text(PYTHON)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    # What it finds there is the Python that runs these tests; put the stand-in where that would be.
    launcher = root / "gigasite"
    text = launcher.read_text()
    assert "os.path.realpath" in text
    start, end = text.index("find_python() {"), text.index("# Prints the Debian packages")
    launcher.write_text(text[:start] + f"find_python() {{ echo {tools}/python3.11; }}\n" + text[end:])
    return root


def run(root, *words):
    return subprocess.run([root / "gigasite", *words], capture_output=True, text=True, check=False)


def notes(root):
    file = root.parent / "notes"
    calls = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return calls


def test_sets_up_once_and_passes_the_words_on(checkout):
    first = run(checkout, "up", "lab")
    assert first.stdout == "ran: up lab\n"
    assert "installing the pinned packages" in first.stderr
    calls = notes(checkout)
    assert any("--require-hashes" in call for call in calls)
    assert any("--no-deps" in call and "--no-build-isolation" in call for call in calls)
    second = run(checkout, "up", "lab")
    assert second.stdout == "ran: up lab\n"
    assert second.stderr == ""
    assert notes(checkout) == []


def test_an_interrupted_set_up_goes_on_without_making_venv_again(checkout):
    (checkout.parent / "notes.fail").touch()
    failed = run(checkout)
    assert failed.returncode == 1
    assert "goes on from here" in failed.stderr
    assert not (checkout / ".venv" / "stamp").exists()
    notes(checkout)
    (checkout.parent / "notes.fail").unlink()
    assert run(checkout, "x").stdout == "ran: x\n"
    assert not any("venv --clear" in call for call in notes(checkout))


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_a_changed_input_makes_it_stale(checkout, name):
    run(checkout)
    notes(checkout)
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    run(checkout)
    assert any("--editable" in call for call in notes(checkout))


def test_a_moved_checkout_makes_its_own(checkout):
    run(checkout)
    notes(checkout)
    moved = checkout.rename(checkout.with_name("elsewhere"))
    assert run(moved, "x").stdout == "ran: x\n"
    assert any(f"venv --clear {moved}/.venv" in call for call in notes(moved))


@pytest.mark.parametrize("there", [True, False])
def test_a_venv_that_is_a_link_is_made_here_and_what_it_leads_to_stays(checkout, tmp_path, there):
    other = tmp_path / "another's" / "bin"
    if there:
        other.mkdir(parents=True)
        (other / "gigasite").write_text("another's")
    (checkout / ".venv").symlink_to(other.parent)
    done = run(checkout, "x")
    assert (done.stdout, done.returncode) == ("ran: x\n", 0)
    assert not (checkout / ".venv").is_symlink()
    assert other.exists() is there
    assert not there or [file.read_text() for file in other.iterdir()] == ["another's"]


def test_works_through_a_link_and_from_any_folder(checkout, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(checkout / "gigasite")
    done = subprocess.run([link, "x"], capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout == "ran: x\n"


def test_two_at_once_set_up_once(checkout):
    both = [subprocess.Popen([checkout / "gigasite"], stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert sum("venv --clear" in call for call in notes(checkout)) == 1


def test_it_names_the_packages_that_are_missing_and_the_command(checkout):
    launcher = checkout / "gigasite"
    text = launcher.read_text()
    start, end = text.index("missing_packages() {"), text.index("# Installs Debian packages")
    text = text[:start] + "missing_packages() { echo python3.11-venv libvirt-dev; }\n" + text[end:]
    launcher.write_text(text.replace('"$(id -u)" = 0', "x = y").replace("sudo -n true", "false"))
    done = run(checkout)
    assert done.returncode == 1
    assert "sudo apt-get install --yes --no-install-recommends python3.11-venv libvirt-dev" in done.stderr
