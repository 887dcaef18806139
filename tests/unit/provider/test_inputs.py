"""Inputs as pydantic models: what passes, what is refused and in which words, and what is made from them."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, field_validator

from infra import paths
from infra.errors import UserError
from infra.provider.generate import list_files, walk_models
from infra.provider.inputs import REPLACES, HostName, InputModel, Mac, apply_defaults, properties_of
from infra.provider.properties import UNKNOWN
from infra.provider.resources import registry
from infra.provider.validation import Failure, build, check

pytestmark = pytest.mark.unit


class Mode(StrEnum):
    A = "a"
    B = "b"


class PartInputs(InputModel):
    """A part."""

    port: int = Field(default=443, ge=1, le=65535, description="its port")
    mac: Mac | None = Field(default=None, description="its address")


class ThingInputs(InputModel):
    """A thing."""

    name: Annotated[HostName, REPLACES] = Field(description="its name", examples=["lab"])
    ratio: float = Field(default=0.5, gt=0, lt=1, description="a share")
    on: bool = Field(default=True, description="whether it runs")
    mode: Mode = Field(default=Mode.A, description="its mode")
    mode_if: Mode | None = Field(default=None, description="another mode")
    part: PartInputs = Field(description="a part")
    parts: tuple[PartInputs, ...] = Field(default=(), description="parts")
    by_name: dict[Annotated[HostName, Field(examples=["leaf-01"])], PartInputs] = Field(
        default={}, description="parts by name"
    )
    tags: dict[str, str] = Field(default={}, description="tags")
    code: str = Field(default="xx", min_length=2, description="a code")

    @field_validator("code")
    @classmethod
    def _refuse_zz(cls, value: str) -> str:
        if value == "zz":
            raise ValueError("must not be `zz`: that is reserved")
        return value


GOOD = {"name": "x", "part": {}}


def reasons(**given) -> dict[str, str]:
    failures: list[Failure] = []
    check(ThingInputs, {**GOOD, **given}, failures)
    return {item.path: item.reason for item in failures}


@pytest.mark.parametrize(
    ("given", "path", "reason"),
    [
        ({"name": "X y"}, "name", "`X y` is not a host name, for example `lab`"),
        ({"name": "x\n"}, "name", "`x\n` is not a host name, for example `lab`"),
        ({"name": None}, "name", "is required: its name"),
        ({"name": 7}, "name", "must be a string, not 7"),
        ({"ratio": "0.5"}, "ratio", "must be a number, not `0.5`"),
        ({"ratio": True}, "ratio", "must be a number, not true"),
        ({"ratio": 1}, "ratio", "must be less than 1, not 1"),
        ({"ratio": 0}, "ratio", "must be more than 0, not 0"),
        ({"on": "yes"}, "on", "must be true or false, not `yes`"),
        ({"on": 1}, "on", "must be true or false, not 1"),
        ({"mode": "c"}, "mode", "must be one of a, b, not `c`"),
        ({"mode": 1}, "mode", "must be one of a, b, not 1"),
        ({"mode_if": "c"}, "mode_if", "must be one of a, b, not `c`"),
        ({"part": "x"}, "part", "must be an object, not `x`"),
        ({"part": []}, "part", "must be an object, not a list"),
        ({"part": {"port": 1.5}}, "part.port", "must be a whole number, not 1.5"),
        ({"part": {"port": "443"}}, "part.port", "must be a whole number, not `443`"),
        ({"part": {"port": True}}, "part.port", "must be a whole number, not true"),
        ({"part": {"port": 1_000_000}}, "part.port", "must be at most 65535, not 1000000"),
        ({"part": {"prt": 1}}, "part.prt", "is not a property of this resource; did you mean `port`?"),
        ({"part": {"x": 1}}, "part.x", "is not a property of this resource; it takes port, mac"),
        ({"part": {"mac": "AA"}}, "part.mac", "`AA` is not a lower-case MAC address"),
        ({"parts": {}}, "parts", "must be a list, not an object"),
        ({"parts": [{}, {"port": 0}]}, "parts[1].port", "must be at least 1, not 0"),
        ({"parts": [7]}, "parts[0]", "must be an object, not 7"),
        ({"by_name": []}, "by_name", "must be a map, not a list"),
        ({"by_name": {"A": {}}}, "by_name.A", "`A` is not a host name, for example `leaf-01`"),
        (
            {"by_name": {"a.b": {"port": 0}}},
            'by_name["a.b"]',
            "`a.b` is not a host name, for example `leaf-01`",
        ),
        ({"by_name": {"a": {"port": 0}}}, "by_name.a.port", "must be at least 1, not 0"),
        ({"tags": {"a.b": 1}}, 'tags["a.b"]', "must be a string, not 1"),
        ({"code": "x"}, "code", "string should have at least 2 characters, not `x`"),
        ({"code": "zz"}, "code", "must not be `zz`: that is reserved"),
    ],
)
def test_a_mistake_is_told_by_its_path_in_plain_words(given, path, reason):
    assert reasons(**given)[path] == reason


def test_all_mistakes_come_at_once_with_unknown_values_among_them():
    found = reasons(name=UNKNOWN, ratio=7, part={"port": UNKNOWN, "x": 1}, parts=UNKNOWN, mode="c")
    assert set(found) == {"ratio", "part.x", "mode"}


@pytest.mark.parametrize("name", properties_of(ThingInputs))
def test_an_unknown_value_passes_wherever_a_value_may_be(name):
    failures: list[Failure] = []
    inputs = check(ThingInputs, {**GOOD, name: UNKNOWN}, failures)
    assert not failures
    assert inputs[name] is UNKNOWN
    given = {"part": {"port": UNKNOWN}, "parts": [UNKNOWN, {"mac": UNKNOWN}], "by_name": {"a": UNKNOWN}}
    inputs = check(ThingInputs, {**GOOD, **given, "tags": {"a": UNKNOWN}}, failures)
    assert not failures
    assert inputs["parts"] == [UNKNOWN, {"port": 443, "mac": UNKNOWN}]


def test_defaults_are_filled_in_on_every_level_and_none_is_left_out():
    given = {"name": "x", "part": {"mac": None}, "parts": [{}], "by_name": {"a": {}}, "on": None}
    assert apply_defaults(ThingInputs, given) == {
        "name": "x",
        "ratio": 0.5,
        "on": True,
        "mode": "a",
        "part": {"port": 443},
        "parts": [{"port": 443}],
        "by_name": {"a": {"port": 443}},
        "tags": {},
        "code": "xx",
    }


def test_checked_inputs_become_the_object_and_plain_values_again():
    inputs = check(ThingInputs, {**GOOD, "mode": "b", "parts": [{"port": 1}]}, [])
    thing = build(ThingInputs, {**inputs, "serial": "an output"})
    assert (thing.mode, thing.parts) == (Mode.B, (PartInputs(port=1),))
    assert thing.plain() == inputs


def test_a_state_of_another_version_is_read_without_what_is_gone_and_refused_in_words():
    assert build(ThingInputs, {**GOOD, "part": {"port": 2, "gone": 1}}).part.port == 2
    with pytest.raises(UserError, match=r"part is required: a part, .*recorded inputs do not fit"):
        build(ThingInputs, {"name": "x"})


@pytest.mark.parametrize("token", registry())
def test_every_input_says_what_it_means_and_every_pattern_has_a_name(token):
    for model in walk_models(registry()[token].inputs):
        for name, declared in properties_of(model).items():
            assert declared.doc, name
            assert declared.like or declared.key_like or "pattern" not in repr(model.model_fields[name]), name


def test_what_is_made_from_the_types_is_up_to_date():
    # Make it again with `python -m infra.provider.generate`.
    files = list_files()
    assert {path: path.read_text() for path in files} == files
    folder = paths.ROOT / "infra" / "components" / "resources"
    assert {path for path in folder.glob("*.py") if path.name != "__init__.py"} == {
        path for path in files if path.parent == folder
    }


WRONG = """
import pulumi

from infra.components.resources.power import Feed, FeedArgs
from infra.components.resources.cooling import CduArgs

later: pulumi.Output[float] = pulumi.Output.from_input(2.0)
feed = Feed("a", FeedArgs(name="a", capacity_kw=later))
serial: pulumi.Output[str] = feed.serial
FeedArgs(name="a", capacity_kw="much")
FeedArgs(name="a", capacity=1)
FeedArgs(name="a")
Feed("a", CduArgs(name="a", capacity_kw=1, flow_l_min=1))
number: pulumi.Output[int] = feed.serial
"""


def test_a_type_checker_finds_wrong_arguments_and_takes_outputs_for_values(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(WRONG)
    mypy = Path(sys.executable).with_name("mypy")
    words = [mypy, "--config-file", paths.ROOT / "pyproject.toml", "--no-error-summary", program]
    done = subprocess.run(words, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    found = {int(line.split(":")[1]): line.rpartition("[")[2].rstrip("]") for line in errors}
    assert found == {
        10: "arg-type", 11: "call-arg", 12: "call-arg", 13: "arg-type", 14: "assignment",
    }, done.stdout + done.stderr  # fmt: skip
