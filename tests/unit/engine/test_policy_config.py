"""Settings of policy packs: which level and values are in force, and what is not allowed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.runtime.proto import analyzer_pb2

from infra.engine import EngineError
from infra.engine.workspace.policy_config import broken_rules, configure_policies, read_config

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def pack(schema: dict[str, Any] | None = None, required: tuple[str, ...] = ()) -> Any:
    about = analyzer_pb2.AnalyzerInfo(name="house", supportsConfig=True)
    about.policies.add(name="small", enforcementLevel=analyzer_pb2.MANDATORY)
    about.policies.add(name="tagged", enforcementLevel=analyzer_pb2.ADVISORY)
    about.policies[0].configSchema.properties.update(schema or {"limit": {"type": "number", "default": 10}})
    about.policies[0].configSchema.required.extend(required)
    return about


def levels(request: Any) -> dict[str, str]:
    name = analyzer_pb2.EnforcementLevel.Name
    return {policy: name(one.enforcementLevel).lower() for policy, one in request.policyConfig.items()}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ("mandatory", "advisory", 10)),
        ({"all": "disabled"}, ("disabled", "disabled", 10)),
        ({"all": "disabled", "small": "advisory"}, ("advisory", "disabled", 10)),
        ({"small": {"limit": 3}}, ("mandatory", "advisory", 3)),
        ({"small": {"limit": 3, "enforcementLevel": "remediate"}}, ("remediate", "advisory", 3)),
    ],
)
def test_what_is_in_force(config: dict[str, Any], expected: tuple[str, str, float]) -> None:
    request = configure_policies(pack(), "1.0", config)
    found = levels(request)
    limit = request.policyConfig["small"].properties["limit"]
    assert (found["small"], found["tagged"], limit) == expected


def test_the_packs_own_settings_stand_behind_those_given() -> None:
    about = pack()
    about.initialConfig["small"].enforcementLevel = analyzer_pb2.DISABLED
    about.initialConfig["small"].properties.update({"limit": 20})
    request = configure_policies(about, "1.0", {})
    assert levels(request)["small"] == "disabled"
    assert request.policyConfig["small"].properties["limit"] == 20
    assert levels(configure_policies(about, "1.0", {"all": "mandatory"}))["small"] == "mandatory"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"smal": "advisory"}, "has no policy smal"),
        ({"small": "strict"}, 'parsing enforcement level for "small": "strict" is not a valid enforcement'),
        ({"small": 3}, 'parsing "small": 3 is not a valid value'),
        (
            {"small": {"limit": "x"}},
            r"house 1.0  small: limit: Invalid type. Expected: number, given: string",
        ),
    ],
)
def test_mistakes(config: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        configure_policies(pack(), "1.0", config)


def test_all_mistakes_at_once() -> None:
    about = pack(
        {"limit": {"type": "integer"}, "names": {"type": "array", "items": {"type": "string"}}}, ("limit",)
    )
    with pytest.raises(EngineError) as caught:
        configure_policies(about, "1.0", {"small": {"names": ["a", 1]}})
    assert "small: limit is required" in str(caught.value)
    assert "small: names.1: Invalid type. Expected: string, given: integer" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "schema", "broken"),
    [
        (3, {"type": "integer"}, False),
        (3.0, {"type": "integer"}, False),
        (3.5, {"type": "integer"}, True),
        (True, {"type": "number"}, True),
        ("a", {"enum": ["a", "b"]}, False),
        ("c", {"enum": ["a", "b"]}, True),
        (5, {"type": "number", "minimum": 6}, True),
        (5, {"type": "number", "maximum": 5}, False),
        ("abc", {"type": "string", "maxLength": 2}, True),
        ([], {"type": "array", "minItems": 1}, True),
        (None, {"type": ["string", "null"]}, False),
        ({"x": {"y": 1}}, {"properties": {"x": {"properties": {"y": {"type": "string"}}}}}, True),
    ],
)
def test_rules(value: Any, schema: dict[str, Any], *, broken: bool) -> None:
    assert bool(list(broken_rules(value, schema))) is broken


def test_a_file_of_settings(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    with pytest.raises(EngineError, match="cannot read"):
        read_config(path)
    path.write_text("[]")
    with pytest.raises(EngineError, match="must be a map"):
        read_config(path)
    path.write_text(json.dumps({"all": "advisory"}))
    assert read_config(path) == {"all": "advisory"}
