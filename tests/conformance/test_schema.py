"""States that the engine writes, against Pulumi's published schemas, where those lie beside the checkout."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import recorder  # noqa: E402
import steps  # noqa: E402

from infra.engine.backend.checkpoint import format_of  # noqa: E402
from infra.engine.resource import integrity  # noqa: E402

if TYPE_CHECKING:
    from infra.engine.resource.stack_ref import StackRef

SCHEMAS = HERE.parent.parent.parent / "shared" / "pulumi-schemas"
# Between them: secrets, assets, init errors, timeouts, providers, reads, imports, pending, replacements.
NAMES = (
    "assets", "custom_timeouts", "import_command", "partial_create", "pending_creates_cleared", "providers",
    "read_resource", "replace_fails", "secrets", "stack_references",
)  # fmt: skip

# The schema lags behind the CLI, which writes these fields too (as the recorded states show).
BEYOND = {
    "created", "modified", "sourcePosition", "stackTrace", "deletedWith", "retainOnDelete", "ignoreChanges",
    "replaceOnChanges",
}  # fmt: skip

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"{SCHEMAS} is not there"),
]


@pytest.fixture(scope="module")
def validator() -> Any:
    loaded = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
    resources = [(schema["$id"], Resource.from_contents(schema)) for schema in loaded.values()]
    registry = Registry().with_resources(resources)
    return Draft202012Validator(loaded["deployments.json"], registry=registry)


def as_published(deployment: dict[str, Any]) -> dict[str, Any]:
    """The deployment without the fields that the schema does not know yet."""

    def known(one: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in one.items() if key not in BEYOND}

    out = dict(deployment)
    if "resources" in out:
        out["resources"] = [known(one) for one in out["resources"]]
    if "pending_operations" in out:
        out["pending_operations"] = [
            one | {"resource": known(one["resource"])} for one in out["pending_operations"]
        ]
    return out


class Checked(recorder.Recorder):
    """Looks at the state after each step."""

    validator: Any = None
    seen = 0

    def state(self, ref: StackRef) -> dict[str, Any]:
        deployment = self.backend.read(ref).deployment
        whole = format_of(deployment) | {"deployment": as_published(deployment)}
        problems = [error.message[:300] for error in self.validator.iter_errors(whole)]
        assert not problems, f"{self.scenario['name']}: {problems}"
        integrity.check(deployment.get("resources") or ())
        self.seen += 1
        return super().state(ref)


@pytest.mark.parametrize("name", NAMES)
def test_states_are_valid(name: str, validator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        "CONF_DIR",
        "CONF_PYTHON",
        "PULUMI_BACKEND_URL",
        "PULUMI_CONFIG_PASSPHRASE",
        "PULUMI_HOME",
    ):
        monkeypatch.setenv(variable, "")  # the recorder sets them; afterwards they are as before
    scenario = steps.load(HERE / "scenarios" / f"{name}.yaml")
    checked = Checked(scenario, tmp_path, in_process=False)
    checked.validator = validator
    checked.run()
    assert checked.seen == len(scenario["steps"])


def test_the_schema_refuses_what_is_wrong(validator: Any) -> None:
    manifest = {"time": "2026-11-22T10:00:00Z", "magic": "", "version": ""}
    good = {"version": 3, "deployment": {"manifest": manifest, "resources": []}}
    assert validator.is_valid(good)
    assert not validator.is_valid(good | {"deployment": {"resources": []}})
    odd = {"urn": "urn:pulumi:dev::suite::a:b:C::n", "custom": "yes", "type": "a:b:C"}
    assert not validator.is_valid(good | {"deployment": {"manifest": manifest, "resources": [odd]}})
