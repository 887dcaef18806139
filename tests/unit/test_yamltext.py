"""The YAML reader: what both rules share, and where they part; speed and words of faults."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra import paths, yamltext
from infra.yamltext import FaultKind, NotYamlError, read

pytestmark = pytest.mark.unit


def test_values_have_the_line_of_their_place():
    content = read("a: 1\nb:\n  - x\n  - {c: yes}\n# end\nd: null\n")
    assert content.value == {"a": 1, "b": ["x", {"c": "yes"}], "d": None}
    assert content.lines == {
        (): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("d",): 6,
    }  # fmt: skip


@pytest.mark.parametrize("lenient", [False, True])
def test_of_a_key_twice_the_first_counts_and_the_second_is_a_fault(lenient):
    content = read("a: 1\nb: 2\na: 3\n", lenient=lenient)
    assert content.value == {"a": 1, "b": 2}
    (fault,) = content.faults
    assert (fault.kind, fault.line, fault.loc, fault.detail) == (FaultKind.DUPLICATE, 3, ("a",), "1")


MERGED = """\
base: &base {x: 1, y: 1, z: 1}
other: &other {y: 2, w: 2}
one: {<<: *base, x: 3}
many: {x: 4, <<: [*other, *base]}
plain: {"<<": text}
tagged: !Sub 5
data: !!binary aGk=
"""


def test_merge_keys_and_tags_are_followed_or_passed_over_where_that_is_asked():
    content = read(MERGED, lenient=True)
    assert content.faults == []
    assert content.value["one"] == {"x": 3, "y": 1, "z": 1}
    assert content.value["many"] == {"x": 4, "y": 2, "z": 1, "w": 2}
    assert content.value["plain"] == {"<<": "text"}
    assert (content.value["tagged"], content.value["data"]) == (5, "aGk=")


def test_merge_keys_and_tags_are_faults_otherwise():
    found = [(fault.kind, fault.line) for fault in read(MERGED).faults]
    assert found == [(FaultKind.MERGE, line) for line in (3, 4, 5)] + [
        (FaultKind.TAG, line) for line in (6, 7)
    ]
    with pytest.raises(NotYamlError, match=r"line 3: merge key \(<<\)"):
        yamltext.loads(MERGED)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: [", 1, "did not find expected node content"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: 1\n\tb: 2\n", 2, "found a tab character"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins here"),
        ("a: 1\nb: \x07\n", 2, "control characters are not allowed"),
        ("a: *x\n", 1, "there is no anchor `x` before this alias"),
        ("a: &x [*x]\n", 1, "without end"),
        ("a: " + "[" * 70 + "]" * 70, 1, "nested more than 60 levels deep"),
        ("? [a]\n: 1\n", 1, "a key is not text"),
        (BOMB, 7, "more than 3,000,000 values"),
    ],
)
def test_what_is_not_yaml_is_told_by_its_line(text, line, reason, lenient):
    with pytest.raises(NotYamlError) as raised:
        read(text, lenient=lenient)
    assert reason in str(raised.value)
    assert raised.value.line == line


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text()
        | st.from_regex(r"[-+]?(0[xob])?[0-9a-f_.]{1,8}(e[-+]?[0-9]+)?", fullmatch=True)
        | st.sampled_from(["yes", "on", "~", "null", "<<", "1e5", "0o14", "12:30", "2026-01-01", "#", "-"]),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner),
    )
)  # fmt: skip
def test_what_is_written_is_read_as_it_was(value):
    try:
        written = yamltext.dumps(value)
    except UnicodeEncodeError:
        return  # half of a surrogate pair is no text
    assert yamltext.loads(written) == value


def test_five_megabytes_are_read_in_a_small_multiple_of_the_parsers_own_time():
    row = "- {name: pod-01-su-01-rack-01-tray-01, slot: 1, power: 1.5, on: true, tags: [a, b]}\n"
    text = row * (5_000_000 // len(row))
    began = time.process_time()
    assert len(read(text).value) == text.count("\n")
    ours = time.process_time() - began
    began = time.process_time()
    assert sum(1 for _ in yaml.parse(text, Loader=yaml.CBaseLoader)) > text.count("\n")
    theirs = time.process_time() - began
    assert ours < 8 * theirs, "2.7 times when it was measured"


def test_the_parser_is_libyamls():
    assert yamltext._Parser.__name__ == "CBaseLoader"


def test_files_of_the_repository_read_the_same_with_both_rules():
    files = [
        file for room in ("infra", "playbooks", "inventories") for file in (paths.ROOT / room).rglob("*.y*ml")
    ]
    assert len(files) > 100
    for file in files:
        text = file.read_text(encoding="utf-8")
        content = read(text, lenient=True)
        assert content.faults == [], file
        if "!" not in text:
            assert read(text).value == content.value, file
