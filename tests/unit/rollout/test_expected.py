"""What machines shall have, rendered once: all that it follows from is in the key that it is kept under."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import paths
from infra.rollout.push import expected

pytestmark = pytest.mark.unit

TRAYS = ["pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"]
WATCH = """
import json, os, sys
from pathlib import Path
from infra import paths
opened = set()
def note(event, given):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(given[0], (str, os.PathLike)):
        opened.add(os.path.abspath(given[0]))
sys.addaudithook(note)
state = Path(sys.argv[2])
paths.state = lambda site="": (state / site).mkdir(exist_ok=True) or state / site
from infra.rollout.push.expected import rendered_files
from infra.rollout.inventory.roster_cache import roster_at
site = sys.argv[1]
rendered_files(site, roster_at(paths.inventory(site) / "site.yaml").names)
print(json.dumps(sorted(opened)))
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout that nobody has changed since this process began, as far as it knows."""
    for name in ("templates", "playbooks", "inventories/lab"):
        shutil.copytree(paths.ROOT / name, tmp_path / name)
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "code.py").write_text("one = 1\n")
    (tmp_path / ".gigasite" / "lab" / "secrets").mkdir(parents=True)
    (tmp_path / ".gigasite" / "lab" / "secrets" / "munge.key").write_bytes(b"one")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(expected, "_process_start", lambda: 2**40)
    return tmp_path


@pytest.fixture
def rendered(monkeypatch):
    """What is rendered, in place of files: a file per machine."""
    calls = []

    def render(_, hosts):
        calls.append(tuple(hosts))
        file = expected.Expected("/etc/a", False, "0644", "root", "root", "00" * 32, False, False)
        return {host: {file.path: (file, b"content")} for host in hosts}

    monkeypatch.setattr(expected, "rendered_files", render)
    return calls


def test_only_machines_that_are_not_kept_are_rendered(checkout, rendered):
    first = expected.expected_files("lab", TRAYS[:1])
    assert expected.expected_files("lab", TRAYS[:1]) == first
    both = expected.expected_files("lab", TRAYS)
    assert both == dict.fromkeys(TRAYS, first[TRAYS[0]])
    assert rendered == [(TRAYS[0],), (TRAYS[1],)]
    kept = [path for path in (checkout / ".gigasite/lab/expected").rglob("*") if path.is_file()]
    assert {path.name for path in kept} == set(TRAYS)
    assert all(path.stat().st_mode & 0o077 == 0 and b"content" not in path.read_bytes() for path in kept)


@pytest.mark.parametrize(
    "place",
    [
        "infra/code.py", "templates/etc/hosts.j2", "playbooks/roles/base/role.yaml", "requirements.txt",
        "inventories/lab/site.yaml", "inventories/lab/group_vars/all.yml", ".gigasite/lab/secrets/munge.key",
    ],
)  # fmt: skip
def test_a_change_of_anything_that_it_follows_from_renders_anew(checkout, rendered, place):
    expected.expected_files("lab", TRAYS[:1])
    file = checkout / place
    file.parent.mkdir(exist_ok=True)
    file.write_bytes((file.read_bytes() if file.exists() else b"") + b"# another\n")
    expected.expected_files("lab", TRAYS[:1])
    assert len(rendered) == 2
    assert len(list((checkout / ".gigasite/lab/expected").iterdir())) == 1, "what was kept before is gone"


def test_nothing_is_kept_of_files_that_changed_while_this_process_ran(checkout, rendered, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(paths, "ROOT", checkout)
    monkeypatch.setattr(expected, "rendered_files", lambda _, hosts: {host: {} for host in hosts})
    assert expected._process_start() < checkout.stat().st_ctime
    expected.expected_files("lab", TRAYS[:1])
    assert not (checkout / ".gigasite/lab/expected").exists()
    assert not rendered


def test_nothing_is_kept_of_a_change_during_rendering(checkout, monkeypatch):
    def render(_, hosts):
        (checkout / "templates/etc/hosts.j2").write_text("another")
        return {host: {} for host in hosts}

    monkeypatch.setattr(expected, "rendered_files", render)
    expected.expected_files("lab", TRAYS[:1])
    assert not (checkout / ".gigasite/lab/expected").exists()


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("group_vars/all.yml", "motd: \"{{ lookup('pipe', 'date') }}\"\n"),
        ("host_vars/lab-head/a.yml", 'motd: "{% if now() %}"\n'),
        ("group_vars/cordoned.yml", "motd: out\n"),
        ("group_vars/health_failed/a.yml", "motd: ill\n"),
    ],
)
def test_nothing_is_kept_where_variables_follow_from_more_than_files(checkout, rendered, place, text):
    file = checkout / "inventories/lab" / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    expected.expected_files("lab", TRAYS[:1])
    expected.expected_files("lab", TRAYS[:1])
    assert len(rendered) == 2


def test_nothing_is_kept_where_a_link_leads_out(checkout, rendered, tmp_path_factory):
    (checkout / "inventories/lab/roles").symlink_to(tmp_path_factory.mktemp("roles"))
    expected.expected_files("lab", TRAYS[:1])
    expected.expected_files("lab", TRAYS[:1])
    assert len(rendered) == 2


def test_a_damaged_file_is_rendered_anew(checkout, rendered):
    found = expected.expected_files("lab", TRAYS[:1])
    (kept,) = (checkout / ".gigasite/lab/expected").rglob(TRAYS[0])
    for damage in (b"", b"damage", kept.read_bytes()[:-3]):
        kept.write_bytes(damage)
        assert expected.expected_files("lab", TRAYS[:1]) == found
    assert len(rendered) == 4


def test_rendering_reads_nothing_that_the_key_does_not_hold(tmp_path):
    site = "lab"
    done = subprocess.run(
        [sys.executable, "-c", WATCH, site, tmp_path], cwd=paths.ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    own = [paths.ROOT / name for name in ("infra", "templates", "playbooks", f"inventories/{site}")]
    held = (*own, paths.ROOT / "requirements.txt", tmp_path / site / "secrets")
    opened = [Path(path) for path in json.loads(done.stdout) if Path(path).exists()]
    assert paths.ROOT / f"inventories/{site}/site.yaml" in opened
    outside = (paths.ROOT / ".venv", paths.ROOT / ".gigasite" / "rosters")
    strange = [
        path
        for path in opened
        if path.is_relative_to(paths.ROOT)
        and path not in {paths.ROOT, paths.ROOT / "inventories", paths.ROOT / ".gigasite"}
        and not any(path.is_relative_to(place) for place in (*held, *outside))
    ]
    assert not strange
