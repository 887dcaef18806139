"""Local state that is damaged: whatever a file holds, every verb ends with one line that a person can use."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from typing import NamedTuple

import pytest

from infra import paths
from infra.cli import boundary
from infra.cli.verbs import available
from infra.rollout import cordon

pytestmark = pytest.mark.unit

REAL = paths.ROOT
LINKED = ("Pulumi.yaml", "infra", "playbooks", "templates", "inventories", "ansible.cfg", ".venv")
STATE, STACKS = ".gigasite/lab", ".gigasite/.pulumi/stacks/gigasite"
ENTRY = ".gigasite/.pulumi/history/gigasite/lab/lab-9999999999999999999.history.json"
"""Later than any that is there."""

GARBAGE = {
    "binary": b"\x00\xff\xfe\x80garbage",
    "empty": b"",
    "a list": b"[1, 2]",
    "a number": b"7",
    "another object": b'{"a": 1}',
    "cut": b'{"a": {"b": [',
    "deep": b"[" * 50_000,
}


def checkpoint(latest: object) -> bytes:
    return json.dumps({"version": 3, "checkpoint": {"latest": latest}}).encode()


SHAPES: dict[str, dict[str, bytes]] = {
    f"{STACKS}/lab.json": {
        "latest is a list": checkpoint([1]),
        "resources is an object": checkpoint({"resources": {"a": 1}}),
        "a resource is a number": checkpoint({"resources": [7]}),
        "manifest is a list": checkpoint({"manifest": [1], "resources": []}),
        "a time that is none": checkpoint({"manifest": {"time": "noon"}, "resources": []}),
        "a time that is a number": checkpoint({"manifest": {"time": 7}, "resources": []}),
        "texts that are numbers": checkpoint({"resources": [{"urn": 1, "type": 2, "outputs": []}]}),
        "checkpoint is a list": b'{"version": 3, "checkpoint": [1]}',
    },
    "out/lab/verify.json": {
        "a check is a number": b'{"checks": [1]}',
        "checks is an object": b'{"checks": {"a": 1}}',
        "a check lacks all": b'{"checks": [{"name": 1}]}',
    },
    "out/lab/history.jsonl": {"lines of other shapes": b'{"started": 1}\n[]\n'},
    ENTRY: {
        "no times": b'{"kind": "update", "result": "succeeded"}',
        "times are texts": b'{"kind": "update", "result": "succeeded", "startTime": "1", "endTime": "2"}',
        "changes are a list": b"""{"kind": "update", "result": "succeeded", "startTime": 1, "endTime": 2,
            "resourceChanges": [1]}""",
        "config is a number": b"""{"kind": "update", "result": "succeeded", "startTime": 1, "endTime": 2,
            "config": 7}""",
    },
    f"{STATE}/cordoned.json": {"a reason is a number": b'{"lab-storage": 7}'},
    f"{STATE}/applied.json": {"a hash is a list": b'{"lab-storage": []}'},
    f"{STATE}/credentials.yaml": {"not YAML": b"lab: [1", "no mapping": b"- 1"},
}
FILES = (
    *SHAPES,
    f"{STACKS}/lab.pod-01.json",
    f"{STATE}/passphrase",
    f"{STATE}/simulated.db",
    f"{STATE}/rollout.lock",
    f"{STATE}/rollouts/r1/ledger.db",
    f"{STATE}/rollouts/r1/approvals.jsonl",
    f"{STATE}/rollouts/r1/rollout.yaml",
    f"{STATE}/ssh/known_hosts",
    f"{STATE}/machines/lab-storage/disk.json",
    ".gigasite/.pulumi/meta.yaml",
    ".gigasite/.pulumi/locks/organization/gigasite/lab/5e8a7a58-6f7c-4a4c-8f2e-7a2f1a1b2c3d.json",
    ".gigasite/.pulumi/journals/gigasite/lab.journal",
    ".gigasite/selected-stack",
    "Pulumi.lab.yaml",
    "out/lab/run.json",
)

QUICK = (
    ("report", "lab"),
    ("accept", "lab"),
    ("stack", "ls"),
    ("stack", "output"),
    ("stack", "history", "lab"),
    ("stack", "export", "lab"),
    ("stack", "check", "lab"),
    ("stack", "rename", "lab", "lab.other"),
    ("stack", "rm", "lab", "--yes", "--force"),
    ("export", "lab"),
    ("state", "repair", "lab", "--yes"),
    ("config", "lab", "ls"),
    ("config", "lab", "refresh"),
    ("cancel", "lab", "--yes"),
    ("rollout", "status", "lab"),
    ("rollout", "history", "lab"),
    ("approve", "lab", "--wave", "1"),
    ("lab", "fault", "lab-storage", "gpu", "0", "clear"),
)
"""Verbs that answer in a moment; all are asked about a binary file in each place."""
READERS = (
    ("report", "lab"),
    ("accept", "lab"),
    ("stack", "ls"),
    ("stack", "output"),
    ("stack", "history", "lab"),
    ("config", "lab", "refresh"),
    ("cancel", "lab", "--yes"),
    ("rollout", "status", "lab"),
)
"""Verbs that read most files; they are asked about every kind of garbage too."""
SLOW = (
    ("plan", "lab"),
    ("diff", "lab", "lab"),
    ("fit", "lab"),
    ("fabric", "lab"),
    ("energy", "lab"),
    ("schema",),
    ("preview", "lab", "--only"),
    ("refresh", "lab", "--preview-only", "--only"),
    ("destroy", "lab", "--preview-only"),
    ("up", "lab", "--simulate", "--dry-run"),
    ("up", "lab", "--simulate", "--yes", "--step", "up"),
    ("apply", "lab_trays", "-s", "lab", "--plan"),
    ("configure", "lab", "--limit", "nobody"),
    ("down", "lab", "--yes"),
)
"""Verbs that plan or start programs: all for the files that they begin with, two in turn for others."""
FIRST = (f"{STACKS}/lab.json", f"{STATE}/passphrase", "Pulumi.lab.yaml")
ELSEWHERE = {
    "bench": "reads no state",
    "doctor": "reads no state",
    "test": "reads no state",
    "import": "stack import",
    "new": "writes a skeleton, reads no state",
    "render": "reads no state",
    "replace": "is up with one option more",
    "engine": "works on other projects",
    "serve": "ends never",
    "verify": "starts pytest: tests/unit/verify",
}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def run(*argv: str) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = boundary.run_guarded(list(argv))
    return Ended(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkout with a simulated site that is up."""
    root = tmp_path_factory.mktemp("checkout")
    for name in LINKED:
        (root / name).symlink_to(REAL / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", root)
        for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
            patch.delenv(name, raising=False)
        done = run("up", "lab", "--simulate", "--yes")
        assert done.code == 0, done
        assert "GIGASITE_DRIVER" not in os.environ, "what a run sets for its program ends with it"
        check = {
            "id": "a.py::test_a",
            "name": "a",
            "machine": "m",
            "outcome": "passed",
            "seconds": 1,
            "proved_on": "vm",
        }
        (root / "out/lab/verify.json").write_text(json.dumps({"checks": [check]}))
        (root / ".gigasite/selected-stack").write_text("lab\n")
        yield root


@pytest.fixture
def checkout(made, tmp_path, monkeypatch):
    """A copy of it, to be damaged."""
    root = tmp_path / "c"
    root.mkdir()
    for name in LINKED:
        (root / name).symlink_to(REAL / name)
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setenv("GIGASITE_DRIVER", "simulated")

    def restore():
        for name in (".gigasite", "out"):
            shutil.rmtree(root / name, ignore_errors=True)
            shutil.copytree(made / name, root / name)
        for file in root.glob("Pulumi.lab*.yaml"):
            file.unlink()

    return root, restore


def problems(done: Ended) -> str | None:
    """What is wrong with how a command ended, if anything."""
    said = done.out + done.err
    if done.code not in (0, 1, 2):
        return f"exit code {done.code}"
    if "Traceback" in said:
        return "a traceback"
    if done.code == 1 and not done.err.strip() and "error" not in done.out.lower():
        return "it failed without a word"
    return None


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_one_line_in_every_verb(checkout, file):
    root, restore = checkout
    bad = []

    def ask(kind, content, verb):
        restore()
        place = root / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o600)
        done = run(*verb)
        if (found := problems(done)) is not None:
            bad.append(f"{kind}: {' '.join(verb)}: {found}: {done.err.strip()[-300:]}")

    for verb in QUICK:
        ask("binary", GARBAGE["binary"], verb)
    for kind, content in {**GARBAGE, **SHAPES.get(file, {})}.items():
        for verb in READERS:
            ask(kind, content, verb)
    turn = FILES.index(file) % len(SLOW)
    for verb in SLOW if file in FIRST else (*SLOW, *SLOW)[turn : turn + 2]:
        ask("binary", GARBAGE["binary"], verb)
    assert not bad, "\n".join(bad)


def test_the_walk_asks_every_verb():
    asked = {verb[0] for verb in (*QUICK, *SLOW)} | set(ELSEWHERE)
    assert set(available()) <= asked


def test_machines_that_were_taken_out_are_never_read_as_in_service(checkout):
    root, restore = checkout
    restore()
    (root / STATE / "cordoned.json").write_bytes(b'{"lab-storage": "bro')
    with pytest.raises(Exception, match=r"cordoned\.json: this file is damaged"):
        cordon.read_cordoned("lab")


def test_a_damaged_entry_of_the_history_is_named(checkout):
    root, restore = checkout
    restore()
    assert list((root / ENTRY).parent.glob("lab-*.history.json")), "the walk damages a file where entries are"
    (root / ENTRY).write_bytes(b"[")
    done = run("stack", "history", "lab")
    assert done.code == 1
    assert done.err.count("\n") <= 3
    assert "9999999999999999999.history.json is damaged" in done.err.replace("\n", "")
