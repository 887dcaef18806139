"""`gigasite new`: one of each, made in a copy of this checkout and run; each touches its own files only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from infra.paths import ROOT

pytestmark = pytest.mark.unit

PARTS = (
    "infra", "playbooks", "templates", "inventories", "docs", "ansible.cfg", "pyproject.toml", "Pulumi.yaml"
)  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The parts of a checkout that users change, as a git repository."""
    folder = tmp_path_factory.mktemp("checkout")
    without = shutil.ignore_patterns("__pycache__", "engine")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=without)
        else:
            shutil.copy(ROOT / part, folder / part)
    for part in ("infra/engine", "tests/verify", "tests/unit/components"):
        shutil.copytree(ROOT / part, folder / part, ignore=without)
    (folder / ".venv").symlink_to(os.path.dirname(os.path.dirname(sys.executable)))  # noqa: PTH120
    (folder / ".gitignore").write_text("__pycache__/\n.gigasite/\nout/\n.venv\n")
    git(folder, "init", "-q")
    commit(folder)
    return folder


def git(folder, *words):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")


def touched(folder):
    """Files that are new or changed since the last commit, which this makes anew."""
    lines = git(folder, "status", "--porcelain", "--untracked-files=all").splitlines()
    commit(folder)
    return {line[3:]: line[:2] for line in lines}


def run(folder, *words, ok=True):
    """Run a program of the copy."""
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": str(folder), "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
             "COLUMNS": "200"},
    )  # fmt: skip
    if ok:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def gigasite(folder, *words, ok=True):
    return run(folder, sys.executable, "-c", "from infra.cli import run; run()", *words, ok=ok)


def check_mode(folder, role):
    """What a play over one tray would change here: nothing is written."""
    return run(
        folder, f"{os.path.dirname(sys.executable)}/ansible-playbook", "-i", "inventories/lab",  # noqa: PTH120
        "playbooks/site.yml", "--tags", role, "-l", "pod-01-su-01-rack-01-tray-01", "--check", "--diff",
        "-e", "ansible_connection=local", "-e", "ansible_become=false",
        "-e", f"ansible_python_interpreter={sys.executable}",
    ).stdout  # fmt: skip


@pytest.mark.parametrize("site", ["", "lab"])
def test_a_role_touches_its_folder_its_templates_and_its_checks(copy, site):
    name = f"motd{site}"
    gigasite(copy, "new", "role", name, *(["-s", site] if site else []))
    files = touched(copy)
    assert set(files.values()) == {"??"}, "a file that was there has changed"
    if site:
        places = (f"inventories/lab/roles/{name}/", "inventories/lab/verify/")
    else:
        places = (f"playbooks/roles/{name}/", f"templates/etc/{name}.conf.j2", f"tests/verify/test_{name}.py")
    assert [path for path in files if not path.startswith(places)] == []
    said = check_mode(copy, name)
    assert f"+++ after: /etc/{name}.conf" in said
    assert "+name = pod-01-su-01-rack-01-tray-01" in said
    assert "changed=1" in said
    assert not os.path.exists(f"/etc/{name}.conf")  # noqa: PTH110


PUSHED = """
from infra import paths
from infra.rollout.inventory.facts import site_at
from infra.rollout.push.request import request_of
site = site_at(paths.inventory("lab") / "site.yaml")
(file,) = request_of("{role}", ["{role}"], site.known("pod-01-su-01-rack-01-tray-01"))["files"]
print(file["content"].decode())
"""


def test_a_variable_from_group_vars_reaches_the_file_by_ansible_and_by_the_push(copy):
    gigasite(copy, "new", "role", "hello")
    places = copy / "inventories" / "lab" / "group_vars"
    places.mkdir()
    (places / "all.yml").write_text("hello_greeting: good day\n")
    (places / "hello.yml").write_text("hello_greeting: good {{ machine.role }}\n")
    line = "greeting = good tray"
    assert f"+{line}\n" in check_mode(copy, "hello")
    assert line in run(copy, sys.executable, "-c", PUSHED.format(role="hello")).stdout.splitlines()
    (places / "hello.yml").write_text("hello_greting: good day\n")
    checks = (sys.executable, "-m", "pytest", "tests/verify", "--site", "lab", "--collect-only")
    said = "inventories/lab/group_vars/hello.yml:1: $.hello_greting: the role hello has no variable"
    for wrong in (
        gigasite(copy, "configure", "lab", "--check", ok=False),
        gigasite(copy, "up", "lab", "--yes", ok=False),
        gigasite(copy, "apply", "hello", "others.yml", "-s", "lab", "--plan", ok=False),
        run(copy, *checks, ok=False),
    ):
        assert said in " ".join((wrong.stdout + wrong.stderr).split())
        assert wrong.returncode
    shutil.rmtree(places)
    commit(copy)


@pytest.mark.parametrize("site", ["", "lab"])
def test_a_check_is_one_file_and_runs(copy, site):
    name = f"world{site}"
    gigasite(copy, "new", "check", name, *(["-s", site] if site else []))
    folder = "inventories/lab/verify" if site else "tests/verify"
    files = set(touched(copy)) - {"inventories/lab/verify/conftest.py"}
    assert files == {f"{folder}/test_{name}.py"}
    words = ("-m", "pytest", f"{folder}/test_{name}.py", "-q", "-p", "no:cacheprovider")
    assert "1 passed" in run(copy, sys.executable, *words, "--hosts=local://").stdout
    # the site's machines: five of them, whichever folder the check lies in
    listed = run(copy, sys.executable, *words, "--site", "lab", "--collect-only").stdout
    assert "5 tests collected" in listed


@pytest.mark.parametrize("site", ["", "own"])
def test_a_site_a_platform_and_a_switch_are_one_file_each_and_plan(copy, site):
    name = site or "other"
    gigasite(copy, "new", "site", name)
    declaration = copy / "inventories" / name / "site.yaml"
    assert set(touched(copy)) == {f"inventories/{name}/site.yaml"}
    gigasite(copy, "plan", name)
    beside = ["-s", site] if site else []
    gigasite(copy, "new", "platform", f"box-{name}", *beside)
    gigasite(copy, "new", "switch", f"big-{name}", *beside)
    folder = f"inventories/{site}/catalog" if site else "infra/spec/catalog"
    assert set(touched(copy)) == {f"{folder}/platforms/box-{name}.yaml", f"{folder}/switches/big-{name}.yaml"}
    text = declaration.read_text()
    declaration.write_text(text.replace("platform: server-1u", f"platform: box-{name}"))
    gigasite(copy, "plan", name)
    declaration.write_text(text.replace("platform: server-1u", "platform: no-such-box"))
    assert f"box-{name}" in gigasite(copy, "plan", name, ok=False).stderr
    declaration.write_text(text)


def test_a_resource_type_is_four_files_and_a_program_uses_it(copy):
    gigasite(copy, "new", "resource", "cooling_tower")
    made = {"infra/components/resources/cooling_tower.py", "docs/resources.md"}
    assert set(touched(copy)) - made == {
        "infra/provider/resources/cooling_tower.py",
        "infra/provider/resources/__init__.py",
        "infra/components/cooling_tower.py",
        "tests/unit/components/test_cooling_tower.py",
    }
    # What is made from the types needs no hand: made again it is the same.
    run(copy, sys.executable, "-m", "infra.provider.generate")
    assert touched(copy) == {}
    assert "gigasite:cooling_tower:CoolingTower" in (copy / "docs" / "resources.md").read_text()
    written = ["infra", "tests/unit/components/test_cooling_tower.py"]
    for words in (("check",), ("format", "--check")):
        run(copy, f"{os.path.dirname(sys.executable)}/ruff", *words, "--no-cache", *written)  # noqa: PTH120
    test = "tests/unit/components/test_cooling_tower.py"
    said = run(copy, sys.executable, "-m", "pytest", test, "-q", "-p", "no:cacheprovider", ok=False)
    assert "1 passed" in said.stdout, said.stdout[-4000:] + said.stderr[-2000:]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("role", "Bad-Name"), "is no name for it, use a-z, 0-9 and _"),
        (("role", "base"), "playbooks/roles/base is there already"),
        (("platform", "dgx-b200", "-s", "lab"), "is there already"),
        (("check", "services"), "tests/verify/test_services.py is there already"),
        (("site", "lab"), "inventories/lab/site.yaml is there already"),
        (("role", "fine", "-s", "nowhere"), "there is no site nowhere"),
        (("site", "fine", "-s", "lab"), "a site lies beside no other"),
        (("resource", "power"), "a resource type cannot be called power, choose another name"),
        (("resource", "class"), "a resource type cannot be called class, choose another name"),
        (("resource", "resource_type"), "infra/provider/resources/resource_type.py is there already"),
        (("resource", "site"), "infra/components/site.py is there already"),
        (("resource", "fine", "-s", "lab"), "a resource type belongs to gigasite, not to a site"),
    ],
)
def test_what_cannot_be_made_is_one_line_and_changes_nothing(copy, words, said):
    commit(copy)
    done = gigasite(copy, "new", *words, ok=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert touched(copy) == {}
