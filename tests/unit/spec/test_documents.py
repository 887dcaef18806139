"""Files that are no declaration: broken, hostile, large; each ends in seconds with one line."""

from __future__ import annotations

import time

import pytest

from infra import paths
from infra.cli import main
from infra.errors import Problems, UserError
from infra.plan import plan, summary
from infra.spec import load, load_site, load_text
from infra.spec.document import parse

pytestmark = pytest.mark.unit

SMALL = (paths.ROOT / "tests" / "cases" / "small" / "site.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("name: é".encode("latin-1"), "is not UTF-8 text"),
        (SMALL.encode("utf-16"), "is not UTF-8 text"),
        (b"name: a\x00b", "control characters|not allowed"),
        (b"name: \x1b[31m", "control characters|not allowed"),
        (b"", "is empty"),
        (b"# only words\n", "is empty"),
        (b"--- !!python/object/apply:os.system [ls]", "the tag"),
        (b"*x", "there is no anchor"),
        (b"? [a, b]\n: c", "a key is not text"),
        (b"{" * 100_000, "nested more than"),
    ],
)
def test_one_line_for_what_is_no_declaration(tmp_path, data, words):
    file = tmp_path / "site.yaml"
    file.write_bytes(data)
    with pytest.raises(UserError, match=words):
        load(file)


def test_a_folder_and_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="is not a file"):
        load(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "absent.yaml")


def test_a_mark_of_utf8_is_no_part_of_the_text(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load(file).name == "small"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-3", -3), ("0x10", 16), ("1_000", 1000), ("010", "010"), ("1.5", 1.5), (".5", 0.5),
        ("1e3", 1000.0), ("true", True), ("yes", "yes"), ("null", None), ("~", None), ("", None), ("a", "a"),
        ("'12'", "12"), ("2026-12-31", "2026-12-31"), ("1.2.3", "1.2.3"), ("9" * 500, "9" * 500),
        (".", "."),
        ("+", "+"), ("12:30", "12:30"), (".inf", float("inf")), ("-.INF", float("-inf")),
    ],
)  # fmt: skip
def test_scalars_of_yaml_1_2(text, value):
    assert parse(f"a: {text}\n", "x").value == {"a": value}


def test_five_megabytes_and_forty_thousand_users():
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
    people = "".join(
        f"  - {{name: user{i}, uid: {10001 + i}, groups: [a, b{i % 7}], public_keys: ['{key}{i:050d}']}}\n"
        for i in range(40_000)
    )
    text = f"{SMALL}users:\n{people}"
    assert len(text) > 5_000_000
    start = time.process_time()
    document = parse(text, "x")
    assert time.process_time() - start < 3
    assert document.line(("users", 39_999, "uid")) == text.count("\n")
    start = time.process_time()
    assert len(load_text(text).users) == 40_000
    assert time.process_time() - start < 5


def test_pods_of_other_sizes_end_in_seconds():
    """A building of 10^6 pods is too large at once; 2,000 pods, each with an exception, are planned."""
    many = SMALL.replace("pods: 1\n", "pods: 1000000\n  pods_per_hall: 1000000\n", 1)
    whole = "exceptions: [{at: building-01, scalable_units: 3, racks: 1, reason: x}]\n"
    start = time.process_time()
    with pytest.raises(Problems, match="54,000,000 nodes are more than a plan can hold"):
        load_text(many + whole)
    each = "".join(
        f"  - {{at: pod-{pod:02d}, scalable_units: 1, racks: 1, reason: x}}\n" for pod in range(1, 2001)
    )
    text = SMALL.replace("pods: 1\n", "pods: 2000\n", 1).replace("10.0.0.0/16", "10.0.0.0/8", 1)
    site = load_text(f"{text}exceptions:\n{each}")
    assert len(site.exceptions) == 2_000
    assert summary(plan(site))["racks"] == 2_000
    assert time.process_time() - start < 10


def test_as_many_mistakes_as_anybody_reads():
    people = "".join(f"  - {{name: USER {i}, uid: x}}\n" for i in range(5_000))
    start = time.process_time()
    with pytest.raises(Problems, match="more mistakes") as caught:
        load_text(f"{SMALL}users:\n{people}")
    assert len(caught.value.problems) < 300
    assert time.process_time() - start < 10


def test_a_site_is_called_like_its_folder(monkeypatch, tmp_path):
    folder = tmp_path / "inventories" / "other"
    folder.mkdir(parents=True)
    (folder / "site.yaml").write_text(SMALL, encoding="utf-8")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    with pytest.raises(Problems, match="is `small`, but the folder is `other`"):
        load_site("other")


@pytest.fixture
def refused(monkeypatch, tmp_path):
    """A site whose plan has an error."""
    folder = tmp_path / "inventories" / "small"
    folder.mkdir(parents=True)
    text = SMALL.replace("power: 1.5 MW\n", "power: 100 kW\n", 1)
    (folder / "site.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path


def test_nothing_leaves_a_refused_plan(refused, capsys):
    target = refused / "out"
    assert main(["plan", "small", "--export", str(target)]) == 1
    assert main(["plan", "small", "--table", "links"]) == 1
    told = capsys.readouterr()
    assert not told.out
    assert "grid-power" in told.err
    assert not target.exists()


def test_json_of_a_slice_is_the_slice(capsys):
    assert main(["plan", "reference", "--pod", "pod-02", "--json"]) == 0
    assert '"accelerators": 9216' in capsys.readouterr().out


def test_a_target_that_cannot_be_written(capsys):
    assert main(["plan", "lab", "--export", "/proc/nowhere/out"]) == 1
    assert "cannot be written" in capsys.readouterr().err
