"""What a component's provider says of single inputs reaches people, from Construct and from Call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.engine import Options, run
from infra.engine.backend.backend import FileBackend
from infra.engine.events import DiagnosticEvent
from infra.engine.resource import property_path
from infra.engine.resource.stack_ref import StackRef

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.conformance

PLUGIN = """
import sys
import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.provider import Provider, main

WRONG = [
    {"property_path": "foo", "reason": "is odd"},
    {"property_path": "deep.list[1]", "reason": "is too long"},
    {"property_path": "gone", "reason": "is missing"},
]

class Picky(Provider):
    def construct(self, *args, **named):
        raise InputPropertiesError("3 failures", WRONG)

    def call(self, token, args):
        raise InputPropertiesError("cannot be called", WRONG[:1])

main(Picky("0.1.0"), sys.argv[1:])
"""
COMPONENT = """
import pulumi
class Thing(pulumi.ComponentResource):
    def __init__(self, name, **props):
        super().__init__("picky:index:Thing", name, props, None, remote=True)
Thing("t", foo=3, deep={"list": ["a", pulumi.Output.secret("long")]})
"""
METHOD = """
import pulumi
pulumi.runtime.call("picky:index:Thing/lift", {"foo": "x"})
"""


def errors_of(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str, **options: bool) -> list[str]:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{folder}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    (folder / "picky").mkdir()
    (folder / "picky" / "PulumiPlugin.yaml").write_text("runtime: python\n")
    (folder / "picky" / "__main__.py").write_text(PLUGIN)
    (folder / "Pulumi.yaml").write_text(
        "name: picky\nruntime: python\nplugins:\n  providers:\n    - name: picky\n      path: picky\n"
    )
    (folder / "__main__.py").write_text(program)
    FileBackend(f"file://{folder}").init(StackRef("picky", "dev"))
    events = []
    result = run("up", project_dir=folder, stack="dev", options=Options(**options), on_event=events.append)
    assert result.exit_code == 1
    return [e.message for e in events if isinstance(e, DiagnosticEvent) and e.severity == "error"]


@pytest.mark.parametrize("in_process", [False, True], ids=["processes", "in process"])
def test_construct(tmp_path, monkeypatch, in_process):
    """The words are the CLI's (`errorToMessage` of pkg/resource/deploy/source_eval.go)."""
    said = "\n".join(errors_of(tmp_path, monkeypatch, COMPONENT, in_process=in_process))
    assert (
        "picky:index:Thing resource 't' has a problem: 3 failures\n"
        "\t\t- property foo with value '{3}' has a problem: is odd\n"
        "\t\t- property deep.list[1] with value '{[secret]}' has a problem: is too long\n"
        "\t\t- property gone has a problem: is missing"
    ) in said


def test_call(tmp_path, monkeypatch):
    said = "\n".join(errors_of(tmp_path, monkeypatch, METHOD))
    assert (
        "call to function 'picky:index:Thing/lift' failed: cannot be called\n"
        "\t\t- property foo with value '{x}' has a problem: is odd"
    ) in said


def test_finding_what_a_path_means():
    value = {"a": [{"b c": None}]}
    assert property_path.find('a[0]["b c"]', value) is None
    for path in ("a[1]", "a.b", "b", ".", "a[0].x"):
        assert property_path.find(path, value) is property_path.NOTHING
