"""What is shown of a run: lines, a tree, groups of equal changes, JSON; never a secret."""

from __future__ import annotations

import io
import json
import re

import pytest

from infra.engine import Operation, Result, events
from infra.engine.display.differences import brief, differences
from infra.engine.display.display import Display, display_for
from infra.engine.display.display_words import closing_message
from infra.engine.display.event_json import EventStream, PreviewDigest, to_json
from infra.engine.events import DiffKind, Op, PropertyDiff, Severity, StepMetadata
from infra.engine.resource.state import ResourceState
from infra.engine.resource.values import UNKNOWN, Asset, Secret

pytestmark = pytest.mark.unit

STACK = "urn:pulumi:dev::suite::pulumi:pulumi:Stack::suite-dev"


def urn(name: str) -> str:
    return f"urn:pulumi:dev::suite::conf:index:Res::{name}"


def state(name: str, inputs: dict, **more: object) -> ResourceState:
    return ResourceState(urn(name), "conf:index:Res", custom=True, inputs=inputs, parent=STACK, **more)


def update(name: str, old: dict, new: dict, *paths: str, op: Op = Op.UPDATE) -> StepMetadata:
    detailed = {path: PropertyDiff(DiffKind.UPDATE, input_diff=True) for path in paths}
    return StepMetadata(
        op, urn(name), "conf:index:Res", state(name, old), state(name, new),
        diffs=tuple(path.split(".")[0] for path in paths), detailed_diff=detailed,
    )  # fmt: skip


def create(name: str, inputs: dict) -> StepMetadata:
    return StepMetadata(Op.CREATE, urn(name), "conf:index:Res", None, state(name, inputs))


def delete(name: str) -> StepMetadata:
    return StepMetadata(Op.DELETE, urn(name), "conf:index:Res", state(name, {}), None)


def same(name: str) -> StepMetadata:
    return StepMetadata(Op.SAME, urn(name), "conf:index:Res", state(name, {}), state(name, {}))


def steps(*metadata: StepMetadata, planning: bool = False) -> list[events.Event]:
    return [
        kind(one, planning) for one in metadata for kind in (events.ResourcePreEvent, events.ResOutputsEvent)
    ]


def shown(seen: list[events.Event], result: Result, operation: Operation = Operation.UP, **how: bool) -> str:
    out = io.StringIO()
    display = display_for(operation, "dev", out=out, **how)
    for event in seen:
        display(event)
    display.close(result)
    return out.getvalue()


DONE = Result("succeeded", {Op.CREATE: 1, Op.UPDATE: 2, Op.SAME: 3})


# ---------------------------------------------------------------- differences


def test_differences_say_what_becomes_of_each_value() -> None:
    step = update(
        "a", {"size": 1, "tags": {"k": "v", "same": 1}, "old": True, "l": [1, 2]},
        {"size": 2, "tags": {"k": "w", "same": 1, "a-b": 0}, "new": [1], "l": [1, 3, 4]},
        "size", "tags", "old", "new", "l", "gone.by",
    )  # fmt: skip
    assert differences(step) == (
        "~ gone.by", "~ l[1]: 2 => 3", "+ l[2]: 4", "+ new: [1]", "- old: true", "~ size: 1 => 2",
        '+ tags["a-b"]: 0', '~ tags.k: "v" => "w"',
    )  # fmt: skip
    assert brief(step) == "[diff: +new-old~gone,l,size,tags]"


def test_secrets_are_masked_at_every_depth() -> None:
    step = update(
        "a", {"pw": Secret("old-secret"), "m": {"x": [Secret("deep-secret")]}, "s": Secret({"k": "hidden"})},
        {"pw": Secret("new-secret"), "m": {"x": ["open"]}, "s": Secret({"k": "hidden2"})},
        "pw", "m", "s.k",
    )  # fmt: skip
    text = "\n".join(differences(step))
    for word in ("old-secret", "new-secret", "deep-secret", "hidden"):
        assert word not in text
    assert "~ pw: [secret] => [secret]" in text
    assert '~ m.x[0]: [secret] => "open"' in text
    assert differences(create("b", {"pw": Secret("hidden"), "__internal": 1})) == ("+ pw: [secret]",)


def test_unknown_long_and_special_values_fit_in_a_line() -> None:
    asset = Asset("abcdef012345", path="f.txt")
    before, after = {"x": 1, "y": "s" * 500, "z": 0}, {"x": UNKNOWN, "y": "t", "z": asset}
    step = update("a", before, after, "x", "y", "z")
    lines = differences(step)
    assert lines[0] == "~ x: 1 => [unknown]"
    assert len(lines[1]) < 160
    assert lines[2] == '~ z: 0 => "asset f.txt abcdef01"'


def test_of_a_long_text_only_the_lines_that_differ_are_shown() -> None:
    step = update("a", {"t": "one\ntwo\nthree\n"}, {"t": "one\n2\nthree\n"}, "t")
    assert differences(step) == ("~ t:", "    - two", "    + 2")


def test_a_replacement_says_which_property_asks_for_it() -> None:
    step = StepMetadata(
        Op.REPLACE, urn("a"), "conf:index:Res", state("a", {"site": "fr"}), state("a", {"site": "de"}),
        keys=("site",), diffs=("site",),
    )  # fmt: skip
    assert differences(step) == ('~ site: "fr" => "de" (replaces)',)


# ---------------------------------------------------------------- lines


def test_lines_say_what_happened_and_how_it_ended() -> None:
    text = shown(steps(create("a", {}), update("b", {"size": 1}, {"size": 2}, "size"), same("c")), DONE)
    assert text.splitlines() == [
        "Updating (dev):",
        " +  conf:index:Res a creating",
        " +  conf:index:Res a created",
        " ~  conf:index:Res b updating [diff: ~size]",
        " ~  conf:index:Res b updated [diff: ~size]",
        "Resources:",
        "    + 1 created",
        "    ~ 2 updated",
        "    3 changes. 3 unchanged",
        "",
    ]


def test_a_preview_speaks_of_plans_and_shows_differences_when_asked() -> None:
    seen = [*steps(update("b", {"size": 1}, {"size": 2}, "size"), planning=True)]
    seen.append(events.SummaryEvent(True, 1, {Op.UPDATE: 1}, "succeeded"))
    result = Result("succeeded", {Op.UPDATE: 1})
    text = shown(seen, result, Operation.PREVIEW, show_differences=True)
    assert " ~  conf:index:Res b update\n        ~ size: 1 => 2\n" in text
    assert "    ~ 1 to update\n" in text


def test_failures_diagnostics_and_outputs_are_told_at_the_end() -> None:
    step = create("a", {})
    seen: list[events.Event] = [
        events.ResourcePreEvent(step, planning=False),
        events.ResOpFailedEvent(step),
        events.DiagnosticEvent("<{%fg 1%}>quota\nexceeded<{%reset%}>\n", Severity.ERROR, urn("a")),
        events.DiagnosticEvent("not for people", Severity.DEBUG),
        events.DiagnosticEvent("by the way", Severity.INFO),
    ]
    result = Result("failed", {}, {"pw": Secret("s3cret"), "ip": "::1"}, exit_code=1)
    text = shown(seen, result)
    assert " +  conf:index:Res a creating failed\n" in text
    assert "  conf:index:Res (a):\n    error: quota\n    exceeded\n" in text
    assert "    by the way\n" in text
    assert '    ip: "::1"\n    pw: [secret]\n' in text
    assert "s3cret" not in text
    assert "not for people" not in text


def test_a_refresh_is_told_by_what_it_found() -> None:
    step = StepMetadata(Op.REFRESH, urn("a"), "conf:index:Res", state("a", {}), state("a", {}), logical=False)
    found = update("a", {"size": 1}, {"size": 5}, "size")
    seen = [events.ResourcePreEvent(step, planning=False), events.ResOutputsEvent(found, planning=False)]
    text = shown(seen, Result("succeeded", {Op.UPDATE: 1}), Operation.REFRESH)
    assert " ~  conf:index:Res a updated [diff: ~size]\n" in text


def test_unexpected_changes_are_said_in_the_clis_words() -> None:
    result = Result("succeeded", {Op.UPDATE: 1}, exit_code=7)
    assert closing_message("preview", result).startswith("error: no changes were expected for preview")
    assert closing_message("up", result).startswith("error: no changes were expected for update")
    assert closing_message("up", Result("succeeded", {})) == ""


# ---------------------------------------------------------------- outputs, policies, the tree


def test_outputs_say_what_became_of_them_and_a_preview_only_what_changes() -> None:
    before, after = {"a": 1, "b": Secret("x"), "c": 0}, {"a": 1, "b": Secret("y"), "long": "new"}
    olds = ResourceState(STACK, "pulumi:pulumi:Stack", custom=False, outputs=before)
    news = olds.copy(outputs=after)
    step = StepMetadata(Op.SAME, STACK, "pulumi:pulumi:Stack", olds, news)
    seen = [events.ResourcePreEvent(step, planning=True), events.ResOutputsEvent(step, planning=True)]
    previewed = shown(seen, Result("succeeded", {}, before), Operation.PREVIEW)
    changes = '  ~ b   : [secret] => [secret]\n  - c   : 0\n  + long: "new"\n'
    assert f"Outputs:\n{changes}" in previewed
    done = shown(steps(step), Result("succeeded", {}, after))
    assert f"Outputs:\n    a   : 1\n{changes}" in done


def test_policies_are_told_by_pack() -> None:
    seen: list[events.Event] = [
        events.PolicyRemediationEvent(urn("a"), "owned", "house", "1.0", {}, {}),
        events.PolicyEvent("Tags.\nhas none\n", "tagged", "house", "1.0", "advisory", urn("a")),
        events.PolicyEvent("Few.", "few", "house", "1.0", "mandatory", STACK),
        events.SummaryEvent(True, 1, {}, "failed", False, {"house|local|./pack": "1.0", "calm|local|b": ""}),
    ]
    text = shown(seen, Result("failed", {}, exit_code=1), Operation.PREVIEW)
    assert text.split("Policies:\n")[1].split("\n\n")[0].splitlines() == [
        "    ❌ house@v1.0 (local: ./pack)",
        "        - [remediate]  owned  (1 resource)",
        "        - [mandatory]  few  (pulumi:pulumi:Stack: suite-dev)",
        "          Few.",
        "        - [advisory]  tagged  (conf:index:Res: a)",
        "          Tags.",
        "          has none",
        "    ✅ calm@v (local: b)",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(
    seen: list[events.Event], result: Result, operation: Operation, *, width: int = 120, **how: bool
) -> list[str]:
    """The lines of the tree, as they stand at the end."""
    out = Terminal()
    display = display_for(operation, "dev", out=out, **how)
    assert type(display) is not Display
    display.console.width = width
    for event in seen:
        display(event)
    display.close(result)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", out.getvalue())
    assert "Resources:" in text
    return [line.rstrip() for line in text.splitlines()]


def root() -> StepMetadata:
    one = ResourceState(STACK, "pulumi:pulumi:Stack", custom=False)
    return StepMetadata(Op.SAME, STACK, "pulumi:pulumi:Stack", one, one)


def test_a_terminal_gets_a_tree() -> None:
    seen = steps(root(), create("r1", {"size": 1}), update("r2", {"s": 1}, {"s": 2}, "s"), planning=True)
    lines = on_terminal(seen, Result("succeeded", {}), Operation.PREVIEW, show_differences=True)
    at = next(number for number, line in enumerate(lines) if line.endswith("Info"))
    assert lines[at : at + 6] == [
        "     Type                 Name       Plan    Info",
        "     pulumi:pulumi:Stack  suite-dev",
        " +   ├─ conf:index:Res    r1         create",
        "     │     + size: 1",
        " ~   └─ conf:index:Res    r2         update  [diff: ~s]",
        "           ~ s: 1 => 2",
    ]


def test_equal_changes_share_a_line() -> None:
    many = [update(f"rack-{index}", {"size": 1}, {"size": 2}, "size") for index in range(40)]
    other = update("other", {"size": 1, "x": 0}, {"size": 3, "x": 1}, "size", "x")
    lines = on_terminal(steps(root(), *many, other, delete("gone")), Result("succeeded", {}), Operation.UP)
    tree = [line.split("conf:index:Res")[1].split() for line in lines if "conf:index:Res" in line]
    assert tree == [
        ["rack-0,", "rack-1,", "…", "rack-39", "(40)", "updated", "[diff:", "~size]"],
        ["other", "updated", "[diff:", "~size,x]"],
        ["gone", "deleted"],
    ]


def test_on_a_narrow_terminal_names_are_cut_before_what_is_done() -> None:
    lines = on_terminal(steps(create("a-name-" * 9, {})), Result("succeeded", {}), Operation.UP, width=50)
    (line,) = [line for line in lines if "conf:index:Res" in line]
    assert line == " +   └─ conf:index:Res    a-name-a-name-…  created"
    assert len(line) == 50


def test_a_replacement_is_one_line_and_a_failure_says_so() -> None:
    parts = [
        update("a", {"site": 1}, {"site": 2}, "site", op=op)
        for op in (Op.CREATE_REPLACEMENT, Op.REPLACE, Op.DELETE_REPLACED)
    ]
    failing = create("b", {})
    seen = [*steps(root(), *parts), events.ResourcePreEvent(failing, planning=False)]
    seen += [events.DiagnosticEvent("quota", Severity.ERROR, urn("b")), events.ResOpFailedEvent(failing)]
    lines = on_terminal(seen, Result("failed", {}, exit_code=1), Operation.UP)
    tree = [line.split() for line in lines if "conf:index:Res" in line and "─" in line]
    assert tree == [
        ["+-", "├─", "conf:index:Res", "a", "replaced", "[diff:", "~site]"],
        ["+", "└─", "conf:index:Res", "b", "creating", "failed", "1", "error"],
    ]


# ---------------------------------------------------------------- JSON


def test_events_have_the_clis_shape() -> None:
    step = update("a", {"pw": Secret("hidden"), "size": 1}, {"pw": Secret("hidden"), "size": 2}, "size")
    assert to_json(events.ResourcePreEvent(step, planning=True), 3, 77) == {
        "sequence": 3, "timestamp": 77,
        "resourcePreEvent": {
            "metadata": {
                "op": "update", "urn": urn("a"), "type": "conf:index:Res",
                "old": shape({"size": 1}), "new": shape({"size": 2}),
                "diffs": ["size"], "detailedDiff": {"size": {"diffKind": "update", "inputDiff": True}},
                "logical": True, "provider": "",
            },
            "planning": True,
        },
    }  # fmt: skip


def shape(inputs: dict) -> dict:
    blind = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}
    return {
        "type": "conf:index:Res", "urn": urn("a"), "custom": True, "id": "", "parent": STACK,
        "inputs": {"pw": blind} | inputs, "outputs": {}, "provider": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("event", "key", "body"),
    [
        (events.PreludeEvent({"a": "b"}), "preludeEvent", {"config": {"a": "b"}}),
        (events.CancelEvent(), "cancelEvent", {}),
        (events.ErrorEvent("x"), "errorEvent", {"error": "x"}),
        (events.StdoutEvent("x"), "stdoutEvent", {"message": "x", "color": "never"}),
        (
            events.DiagnosticEvent("\x1b[31mx\x1b[0m", Severity.WARNING, urn("a"), prefix="p: "),
            "diagnosticEvent",
            {"urn": urn("a"), "prefix": "p: ", "message": "x", "color": "never", "severity": "warning"},
        ),
        (
            events.SummaryEvent(False, 2, {Op.CREATE: 3}, "succeeded"), "summaryEvent",
            {
                "maybeCorrupt": False, "durationSeconds": 2, "resourceChanges": {"create": 3},
                "PolicyPacks": {}, "isPreview": False, "result": "succeeded",
            },
        ),
        (
            events.PolicyEvent("no", "p", "pack", "1", "mandatory", urn("a")), "policyEvent",
            {
                "color": "never", "policyPackVersionTag": "1", "message": "no", "policyName": "p",
                "policyPackName": "pack", "policyPackVersion": "1", "enforcementLevel": "mandatory",
                "resourceUrn": urn("a"),
            },
        ),
    ],
)  # fmt: skip
def test_each_kind_of_event_has_its_key(event: events.Event, key: str, body: dict) -> None:
    assert to_json(event, 0, 0) == {"sequence": 0, "timestamp": 0, key: body}


def test_the_stream_is_lines_in_order_without_debug() -> None:
    out = io.StringIO()
    stream = EventStream(out)
    for event in (events.PreludeEvent({}), events.DiagnosticEvent("d", Severity.DEBUG), events.CancelEvent()):
        stream(event)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["sequence"] for line in lines] == [0, 1]
    assert ["preludeEvent" in lines[0], "cancelEvent" in lines[1]] == [True, True]


def test_a_preview_is_one_document() -> None:
    digest = PreviewDigest()
    for event in (
        events.PreludeEvent({"suite:a": "1"}),
        *steps(create("a", {"pw": Secret("hidden"), "size": 1}), planning=True),
        events.DiagnosticEvent("oh", Severity.WARNING),
        events.SummaryEvent(True, 1, {Op.CREATE: 1}, "succeeded"),
    ):
        digest(event)
    document = json.loads(json.dumps(digest.document()))
    assert document["config"] == {"suite:a": "1"}
    (step,) = document["steps"]
    assert (step["op"], step["urn"], step["newState"]["inputs"]) == (
        "create", urn("a"), {"pw": "[secret]", "size": 1},
    )  # fmt: skip
    assert document["diagnostics"] == [{"message": "oh", "severity": "warning"}]
    assert document["changeSummary"] == {"create": 1}
    assert document["duration"] > 0


def test_json_of_an_update_is_its_stream() -> None:
    text = shown(steps(create("a", {})), DONE, as_json=True)
    assert [next(key for key in json.loads(line) if key.endswith("Event")) for line in text.splitlines()] == [
        "resourcePreEvent", "resOutputsEvent",
    ]  # fmt: skip


def test_components_and_default_providers_do_not_clutter() -> None:
    component = StepMetadata(Op.CREATE, urn("c"), "my:index:C", None, state("c", {}))
    provider = StepMetadata(
        Op.CREATE, "urn:pulumi:dev::suite::pulumi:providers:conf::default_1_0_0", "pulumi:providers:conf",
        None, state("default_1_0_0", {}),
    )  # fmt: skip
    seen = steps(provider, component, planning=True)
    seen.append(events.ResOutputsEvent(component, planning=True))  # its registered outputs
    lines = shown(seen, Result("succeeded", {Op.CREATE: 1}), Operation.PREVIEW).splitlines()
    assert [line for line in lines if " create" in line and line.startswith(" ")] == [
        " +  my:index:C c create", "    + 1 to create",
    ]  # fmt: skip
