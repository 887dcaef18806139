"""Checks over real ssh: one login answers what testinfra's own connections ask command by command."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.local_sshd import serve
from infra.paths import ROOT
from infra.verify.batch import BatchBackend
from infra.verify.rehearsal import rehearse

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("sshd")) as config:
        yield config


@pytest.fixture
def backend(sshd):
    return BatchBackend("here", ssh_config=str(sshd), controlpersist=0)


COMMANDS = {
    "printf abc": (0, b"abc", b""),
    "echo hi; echo err >&2; exit 3": (3, b"hi\n", b"err\n"),
    "printf 'a\\n\\n'": (0, b"a\n\n", b""),
    "printf '\\377\\000x'": (0, b"\xff\x00x", b""),
    "cd / && pwd": (0, b"/\n", b""),
    "cat": (0, b"", b""),
    'echo "it\'s $((1 + 1))"': (0, b"it's 2\n", b""),
}


def test_answers_are_byte_for_byte_those_of_a_login_each(backend):
    backend.ask([*COMMANDS, "if"])
    assert backend.logins == 1
    for command, wanted in COMMANDS.items():
        done = backend.run(command)
        assert (done.rc, done.stdout_bytes, done.stderr_bytes) == wanted
    assert backend.run("if").rc == 2
    assert backend.logins == 1


def test_arguments_are_quoted_as_testinfra_does(backend):
    assert backend.run("printf %s", "a; b'c").stdout == "a; b'c"


def test_a_command_line_may_be_longer_than_linux_takes(backend):
    long = "true " + "x" * 200_000
    backend.ask([long, "echo end"])
    assert (backend.run(long).rc, backend.run("echo end").stdout) == (0, "end\n")


def test_a_machine_that_is_away_says_why(tmp_path, sshd):
    config = tmp_path / "config"
    config.write_text(sshd.read_text().replace("Port ", "Port 1\n#"))
    away = BatchBackend("here", ssh_config=str(config), controlpersist=0)
    away.ask(["true"])
    assert "refused" in away.away


CHECKS = '''
import pytest

pytestmark = pytest.mark.proved_on("vm")


def test_many_files(host):
    """Files."""
    names = ["/etc/passwd", "/etc/group", "/etc/os-release", "/"]
    wrong = [name for name in names if not host.file(name).exists]
    owners = {name: host.file(name).user for name in names}
    assert not wrong
    assert set(owners.values()) == {"root"}


def test_what_follows_from_an_answer(host):
    """Follows."""
    folder = host.check_output("echo /etc")
    assert host.file(f"{folder}/passwd").mode == 0o644
    assert host.user("root").uid == 0
'''


@pytest.fixture
def checks(tmp_path):
    (tmp_path / "test_one.py").write_text(CHECKS)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("infra.verify.plugin",)\n')
    return tmp_path


def run(folder, *words):
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", str(folder), "-q", "-p", "no:cacheprovider",
            "--rootdir", str(folder), "--import-mode=importlib", *words,
        ],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_the_same_checks_run_over_testinfras_own_connections(checks, sshd):
    done = run(checks, "--hosts=ssh://here", f"--ssh-config={sshd}")
    assert "2 passed" in done.stdout, done.stdout


def test_two_to_four_logins_answer_all_that_checks_ask(checks, sshd):
    (checks / "conftest.py").write_text(LOGINS.format(config=str(sshd)))
    target = checks / "found.json"
    done = run(checks, "--site=lab", "--limit=lab-head", f"--verify-json={target}")
    assert "2 passed" in done.stdout, done.stdout
    logins, live = (checks / "logins").read_text().split()
    assert int(logins) <= 4
    assert live == "0", "a check had to ask by itself"
    found = json.loads(target.read_text())["checks"]
    assert [check["name"] for check in found] == ["Files", "Follows"], "a rehearsal is in the record"


LOGINS = """
import pathlib
import pytest
from infra.verify import plugin
from infra.verify.batch import BatchBackend
from infra.verify.rehearsal import rehearse
from infra.verify.hosts import Hosts

pytest_plugins = ("infra.verify.plugin",)
BACKEND = BatchBackend("here", ssh_config="{config}", controlpersist=0)
Hosts.batched = classmethod(lambda cls, config: cls(lambda name: BACKEND))
before = []


def pytest_runtest_logstart():
    before.append(BACKEND.logins)


def pytest_sessionfinish():
    live = BACKEND.logins - before[0]
    (pathlib.Path(__file__).parent / "logins").write_text(f"{{BACKEND.logins}} {{live}}")
"""


def test_nothing_is_asked_where_no_check_asks_by_host():
    rehearse([], [])
