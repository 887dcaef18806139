"""Programs that use more of Pulumi than plain resources, in a process of their own and in the engine's."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.boxes.boxes import HERE
from infra.engine import EngineError, Options, Result, run
from infra.engine.backend.backend import FileBackend
from infra.engine.events import (
    DiagnosticEvent,
    Event,
    PolicyEvent,
    PolicyRemediationEvent,
    ResOutputsEvent,
)
from infra.engine.resource.stack_ref import StackRef
from infra.engine.resource.values import Secret, unwrap

pytestmark = pytest.mark.conformance

ITEM = """
import pulumi
class Item(pulumi.CustomResource):
    def __init__(self, name, props, opts=None):
        super().__init__("box:index:Item", name, {"serial": None, **props}, opts)
"""


class Project:
    """A project whose program is text."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.events: list[Event] = []
        monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{folder}")
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
        monkeypatch.setenv("GRPC_VERBOSITY", "ERROR")  # as the first run of a process leaves it
        self.backend, self.ref = FileBackend(f"file://{folder}"), StackRef("features", "dev")
        self.backend.init(self.ref)
        self.providers = {"box": str(HERE / "provider")}

    def write(self, program: str) -> None:
        (self.folder / "prog").mkdir(exist_ok=True)
        (self.folder / "prog" / "__main__.py").write_text(program)
        named = "".join(f"    - name: {name}\n      path: {path}\n" for name, path in self.providers.items())
        text = f"name: features\nruntime: python\nmain: prog\nplugins:\n  providers:\n{named}"
        (self.folder / "Pulumi.yaml").write_text(text)

    def run(self, operation: str = "up", **options: Any) -> Result:
        self.events.clear()
        chosen = Options(**options)
        return run(
            operation, project_dir=self.folder, stack="dev", options=chosen, on_event=self.events.append
        )

    @property
    def errors(self) -> list[str]:
        return [e.message for e in self.events if isinstance(e, DiagnosticEvent) and e.severity == "error"]

    def resource(self, name: str) -> dict[str, Any]:
        resources = self.backend.read(self.ref).resources
        return next(r for r in resources if r["urn"].endswith(f"::{name}"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, monkeypatch)


both = pytest.mark.parametrize("in_process", [False, True], ids=["processes", "in process"])


@both
def test_dynamic_provider(project: Project, *, in_process: bool) -> None:
    project.write(
        """
import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult
class Adder(ResourceProvider):
    def create(self, props):
        return CreateResult("sum-1", {**props, "sum": props["a"] + 1})
    def diff(self, id, olds, news):
        return DiffResult(changes=olds["a"] != news["a"])
    def update(self, id, olds, news):
        return UpdateResult({**news, "sum": news["a"] + 1})
class Sum(Resource):
    sum: pulumi.Output[int]
    def __init__(self, name, a):
        super().__init__(Adder(), name, {"a": a, "sum": None})
pulumi.export("sum", Sum("s", NUMBER).sum)
""".replace("NUMBER", "4")
    )
    assert project.run(in_process=in_process).outputs == {"sum": 5}
    assert project.run(expect_no_changes=True, in_process=in_process).exit_code == 0
    program = project.folder / "prog" / "__main__.py"
    program.write_text(program.read_text().replace("4)", "6)"))
    result = project.run(in_process=in_process)
    assert (result.outputs, result.changes.get("update")) == ({"sum": 7}, 1)
    assert project.run("destroy").exit_code == 0


REMOTE = """
from typing import Optional, TypedDict
import pulumi
from pulumi.provider.experimental import component_provider_host
class SiteArgs(TypedDict):
    size: pulumi.Input[str]
    password: Optional[pulumi.Input[str]]
class Item(pulumi.CustomResource):
    def __init__(self, name, props, opts=None):
        super().__init__("box:index:Item", name, {"serial": None, **props}, opts)
class Site(pulumi.ComponentResource):
    serial: pulumi.Output[str]
    def __init__(self, name: str, args: SiteArgs, opts: Optional[pulumi.ResourceOptions] = None):
        super().__init__("site:index:Site", name, {}, opts)
        inside = {"size": args["size"], "password": args.get("password")}
        self.serial = Item(f"{name}-item", inside, pulumi.ResourceOptions(parent=self)).serial
        self.register_outputs({"serial": self.serial})
if __name__ == "__main__":
    component_provider_host(name="site", components=[Site])
"""


@both
def test_remote_component(project: Project, *, in_process: bool) -> None:
    source = project.folder / "site"
    source.mkdir()
    (source / "PulumiPlugin.yaml").write_text("runtime: python\n")
    (source / "__main__.py").write_text(REMOTE)
    project.providers["site"] = "site"
    project.write(
        ITEM
        + """
class Site(pulumi.ComponentResource):
    serial: pulumi.Output[str]
    def __init__(self, name, props, opts=None):
        super().__init__("site:index:Site", name, {"serial": None, **props}, opts, remote=True)
first = Item("first", {"size": 4})
def mark(args):
    if args.type_ == "box:index:Item":
        return pulumi.ResourceTransformResult({**args.props, "marked": True}, args.opts)
site = Site("s", {"size": first.serial, "password": pulumi.Output.secret("hush")},
            pulumi.ResourceOptions(transforms=[mark], depends_on=[first]))
Item("last", {"from": site.serial})
pulumi.export("serial", site.serial)
"""
    )
    assert project.run("preview", in_process=in_process).exit_code == 0
    result = project.run(in_process=in_process)

    assert result.exit_code == 0, project.errors
    assert result.outputs == {"serial": "S-s-item"}
    child = project.resource("s-item")
    assert child["parent"].endswith("site:index:Site::s")
    assert child["inputs"]["size"] == "S-first"
    assert (
        child["inputs"]["marked"] is True
    )  # a parent's transforms reach the children that its provider makes
    assert "ciphertext" in child["inputs"]["password"]
    assert "hush" not in json.dumps(project.backend.read(project.ref).deployment)
    assert any(urn.endswith("::s-item") for urn in project.resource("last")["dependencies"])
    assert project.run(expect_no_changes=True, in_process=in_process).exit_code == 0
    assert project.run("destroy").exit_code == 0


@both
def test_transforms_change_properties_and_options(project: Project, *, in_process: bool) -> None:
    project.write(
        ITEM
        + """
def everywhere(args):
    return pulumi.ResourceTransformResult({**args.props, "tag": "stack"}, args.opts)
def here(args):
    opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
    return pulumi.ResourceTransformResult({**args.props, "own": args.name}, opts)
pulumi.runtime.register_resource_transform(everywhere)
Item("a", {"size": 1}, pulumi.ResourceOptions(transforms=[here]))
"""
    )
    assert project.run(in_process=in_process).exit_code == 0, project.errors
    assert project.resource("a")["inputs"] == {"size": 1, "own": "a", "tag": "stack"}
    assert project.resource("a")["protect"] is True


HOOKS = (
    ITEM
    + """
from pathlib import Path
log = Path(LOG)
def note(args):
    with log.open("a") as file:
        file.write(f"{args.name} {args.new_inputs} {args.old_inputs} {args.new_outputs}\\n")
def refuse(args):
    raise Exception("not today")
hook = pulumi.ResourceHook("note", note)
no = pulumi.ResourceHook("refuse", refuse)
"""
)


@both
def test_hooks_run_around_operations(project: Project, *, in_process: bool) -> None:
    log = project.folder / "hooks"
    head = HOOKS.replace("LOG", repr(str(log)))
    binding = "pulumi.ResourceHookBinding(before_create=[hook], after_create=[hook], before_delete=[hook])"
    project.write(head + f'Item("a", {{"size": 1}}, pulumi.ResourceOptions(hooks={binding}))')
    assert project.run(in_process=in_process).exit_code == 0, project.errors
    assert len(log.read_text().splitlines()) == 2
    assert "S-a" in log.read_text().splitlines()[1]

    assert project.run("destroy").exit_code == 1
    assert "run-program" in "".join(project.errors)
    assert project.run("destroy", run_program=True, in_process=in_process).exit_code == 0, project.errors
    assert len(log.read_text().splitlines()) == 3


@both
def test_a_hook_that_fails_before_stops_the_operation(project: Project, *, in_process: bool) -> None:
    head = HOOKS.replace("LOG", "'unused'")
    binding = "pulumi.ResourceHookBinding(before_create=[no])"
    project.write(head + f'Item("a", {{"size": 1}}, pulumi.ResourceOptions(hooks={binding}))')
    assert project.run(in_process=in_process).exit_code == 1
    assert "not today" in "".join(project.errors)
    assert not [r for r in project.backend.read(project.ref).resources if r["urn"].endswith("::a")]


POLICY = """
from pulumi_policy import *
def big(args, report_violation):
    if args.resource_type == "box:index:Item" and args.props.get("size", 0) > LIMIT:
        report_violation(f"{args.name} is too big")
def owner(args):
    if args.resource_type == "box:index:Item" and "owner" not in args.props:
        return {**args.props, "owner": "ops"}
def many(args, report_violation):
    items = [one for one in args.resources if one.resource_type == "box:index:Item"]
    if len(items) > 1:
        report_violation(f"{len(items)} items")
PolicyPack("sizes", policies=[
    ResourceValidationPolicy("big", "not too big", big, EnforcementLevel.MANDATORY),
    ResourceValidationPolicy("owner", "one", remediate=owner, enforcement_level=EnforcementLevel.REMEDIATE),
    StackValidationPolicy("many", "few", many, EnforcementLevel.ADVISORY),
])
"""


def test_policy_pack(project: Project) -> None:
    pack = project.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.2.3\n")
    (pack / "__main__.py").write_text(POLICY.replace("LIMIT", "3"))
    program = ITEM + 'Item("a", {"size": SIZE, "key": pulumi.Output.secret("k")})\nItem("b", {"size": 1})\n'
    project.write(program.replace("SIZE", "4"))

    previewed = project.run("preview", policy_packs=(pack,))
    assert previewed.exit_code == 1
    assert project.run(policy_packs=(pack,)).exit_code == 1
    violations = [event for event in project.events if isinstance(event, PolicyEvent)]
    assert [(v.policy_name, v.enforcement_level) for v in violations] == [("big", "mandatory")]
    assert "a is too big" in violations[0].message
    assert violations[0].resource_urn.endswith("::a")
    kept = project.backend.read(project.ref).resources
    assert not [resource for resource in kept if resource["urn"].endswith("::a")]

    project.write(program.replace("SIZE", "2"))
    result = project.run(policy_packs=(pack,))
    assert result.exit_code == 0, project.errors
    assert project.resource("a")["inputs"]["owner"] == "ops"
    assert "ciphertext" in project.resource("a")["inputs"]["key"]  # policies change nothing about secrets
    assert [e.policy_name for e in project.events if isinstance(e, PolicyRemediationEvent)] == [
        "owner",
        "owner",
    ]
    advisory = [e for e in project.events if isinstance(e, PolicyEvent)]
    assert [(e.policy_name, e.enforcement_level) for e in advisory] == [("many", "advisory")]


def test_a_policy_pack_that_hangs_at_its_start_can_be_interrupted(project: Project) -> None:
    pack = project.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    started = pack / "started"
    hang = f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(50)\n"
    (pack / "__main__.py").write_text(hang)
    project.write("import pulumi\n")

    def interrupt() -> None:
        while not started.exists():  # then the run takes the signals, and not pytest
            time.sleep(0.05)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)

    began = time.monotonic()
    threading.Thread(target=interrupt, daemon=True).start()
    assert project.run(policy_packs=(pack,)).exit_code == 130
    assert time.monotonic() - began < 30


@both
def test_program_output_and_exit(project: Project, *, in_process: bool) -> None:
    project.write('import sys\nprint("hello")\nprint("from below", file=sys.stderr)\nsys.exit(3)\n')
    assert project.run(in_process=in_process).exit_code == 1
    said = {e.message: e.severity for e in project.events if isinstance(e, DiagnosticEvent)}
    assert said["hello"] == "info"
    assert said["from below"] == "info#err"
    assert any("exit code: 3" in message for message in said)


@both
def test_stack_outputs_keep_their_secrets(project: Project, *, in_process: bool) -> None:
    project.write(
        'import pulumi\npulumi.export("open", 1)\npulumi.export("shut", pulumi.Output.secret({"a": [1]}))\n'
    )
    result = project.run(in_process=in_process)
    assert isinstance(result.outputs["shut"], Secret)
    assert unwrap(result.outputs) == {"open": 1, "shut": {"a": [1]}}
    before = project.backend.read(project.ref).resources
    project.run(in_process=in_process)
    assert (
        project.backend.read(project.ref).resources[0]["outputs"] == before[0]["outputs"]
    )  # the same ciphertext


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("import sys; sys.exit('no licence')", "no licence"),
        ("print('hello there'); import time; time.sleep(60)", "where its port was due"),
        ("import time; time.sleep(60)", "did not say its port"),
    ],
    ids=["dies", "prints junk", "hangs"],
)
def test_a_plugin_that_does_not_start_gives_one_clear_error(
    project: Project, monkeypatch: pytest.MonkeyPatch, plugin: str, message: str
) -> None:
    monkeypatch.setattr("infra.engine.plugin.plugins.START_LIMIT", 2.0)
    source = project.folder / "broken"
    source.mkdir()
    (source / "PulumiPlugin.yaml").write_text("runtime: python\n")
    (source / "__main__.py").write_text(plugin)
    project.providers["box"] = "broken"
    project.write(ITEM + 'Item("a", {"size": 1})\n')
    assert project.run().exit_code == 1
    assert len([error for error in project.errors if message in error]) == 1, project.errors


def test_a_provider_that_dies_at_work_leaves_its_operation_pending(project: Project) -> None:
    source = project.folder / "mortal"
    source.mkdir()
    (source / "PulumiPlugin.yaml").write_text("runtime: python\n")
    text = (HERE / "provider" / "in_process.py").read_text()
    dying = text.replace(
        "        reply = provider_pb2.CreateResponse",
        "        os._exit(9)\n        reply = provider_pb2.CreateResponse",
    )
    (source / "served.py").write_text(dying)
    main = (HERE / "provider" / "__main__.py").read_text()
    (source / "__main__.py").write_text(main.replace("from in_process", "from served"))
    project.providers["box"] = "mortal"
    project.write(ITEM + 'Item("a", {"size": 1})\n')

    assert project.run().exit_code == 1
    assert "the plugin box died (exit code 9)" in "".join(project.errors)
    pending = project.backend.read(project.ref).deployment["pending_operations"]
    assert [(one["type"], one["resource"]["urn"].rpartition("::")[2]) for one in pending] == [
        ("creating", "a")
    ]


def test_no_such_plugin(project: Project) -> None:
    project.providers = {"other": str(HERE / "provider")}
    project.write(ITEM + 'Item("a", {"size": 1})\n')
    assert project.run().exit_code == 1
    assert "no provider plugin for box" in "".join(project.errors)


CALL = """
    def Call(self, request, context):
        reply = provider_pb2.CallResponse()
        itself = request.args.fields["__self__"].struct_value.fields
        outputs = getattr(reply, "return").fields
        number = request.args.fields["n"].number_value
        outputs["greeting"].string_value = f"hello {itself['id'].string_value[:2]} {number:g}"
        return reply
"""


@both
def test_method_call(project: Project, *, in_process: bool) -> None:
    source = project.folder / "talking"
    source.mkdir()
    (source / "PulumiPlugin.yaml").write_text("runtime: python\n")
    text = (HERE / "provider" / "in_process.py").read_text()
    (source / "served.py").write_text(text.replace("\n    def Check(", CALL + "\n    def Check("))
    main = (HERE / "provider" / "__main__.py").read_text()
    (source / "__main__.py").write_text(main.replace("from in_process", "from served"))
    project.providers["box"] = "talking"
    project.write(
        ITEM
        + """
item = Item("a", {"size": 1})
reply = pulumi.runtime.call("box:index:Item/greet", {"__self__": item, "n": 2}, item)
pulumi.export("greeting", reply.apply(lambda found: found["greeting"]))
"""
    )
    result = project.run(in_process=in_process)
    assert result.outputs == {"greeting": "hello a- 2"}, project.errors


@both
def test_invoke_waits_for_what_it_depends_on(project: Project, *, in_process: bool) -> None:
    """In a preview, a function that takes something not known yet is not called."""
    source = project.folder / "asking"
    source.mkdir()
    (source / "PulumiPlugin.yaml").write_text("runtime: python\n")
    text = (HERE / "provider" / "in_process.py").read_text()
    invoke = """
    def Invoke(self, request, context):
        reply = provider_pb2.InvokeResponse()
        key = request.args.fields["key"].string_value
        getattr(reply, "return").fields["found"].string_value = key.upper()
        return reply
"""
    (source / "served.py").write_text(text.replace("\n    def Check(", invoke + "\n    def Check("))
    main = (HERE / "provider" / "__main__.py").read_text()
    (source / "__main__.py").write_text(main.replace("from in_process", "from served"))
    project.providers["box"] = "asking"
    project.write(
        ITEM
        + """
item = Item("a", {"size": 1})
known = pulumi.runtime.invoke("box:index:find", {"key": "now"}).value["found"]
later = pulumi.runtime.invoke_output("box:index:find", {"key": item.serial})
pulumi.export("known", known)
pulumi.export("later", later.apply(lambda found: found["found"]))
"""
    )
    assert project.run("preview", in_process=in_process).exit_code == 0, project.errors
    assert project.run(in_process=in_process).outputs == {"known": "NOW", "later": "S-A"}, project.errors


@both
def test_a_program_s_own_modules_are_run_anew_each_time(project: Project, *, in_process: bool) -> None:
    project.write(ITEM.replace("import pulumi", "import pulumi\nimport parts"))
    parts = project.folder / "prog" / "parts.py"
    parts.write_text('import pulumi\npulumi.export("part", 1)\n')
    assert project.run(in_process=in_process).outputs == {"part": 1}
    parts.write_text('import pulumi\npulumi.export("part", 2222)\n')
    assert project.run(in_process=in_process).outputs == {"part": 2222}


@both
def test_a_listener_that_fails_ends_the_run_and_keeps_what_was_done(
    project: Project, capfd: pytest.CaptureFixture[str], *, in_process: bool
) -> None:
    """As when nobody reads our output any more (`| head`)."""
    items = "".join(f'before = Item("i{n}", {{"size": 1}}, before)\n' for n in range(20))
    chain = items.replace(", before)", ", pulumi.ResourceOptions(depends_on=[before] if before else []))")
    project.write(f"{ITEM}\nbefore = None\n{chain}")

    def deaf(event: Event) -> None:
        if isinstance(event, ResOutputsEvent) and event.metadata.urn.endswith("::i3"):
            raise BrokenPipeError

    options = Options(in_process=in_process)
    with pytest.raises(BrokenPipeError):
        run("up", project_dir=project.folder, stack="dev", options=options, on_event=deaf)
    kept = [state["urn"].rsplit("::", 1)[1] for state in project.backend.read(project.ref).resources]
    assert "i3" in kept
    assert "i19" not in kept
    assert "Traceback" not in capfd.readouterr().err
    assert project.run(in_process=in_process).exit_code == 0


@both
def test_what_was_asked_for_first_comes_first(project: Project, *, in_process: bool) -> None:
    project.write(
        ITEM
        + """
Item("a", {"size": 1})
part = pulumi.ComponentResource("my:index:Part", "part")
part.register_outputs({})
part.register_outputs({"again": 1})
"""
    )
    assert project.run(in_process=in_process).exit_code == 1
    assert "registration isn't pending" in "".join(project.errors)
    kept = {state["urn"].rpartition("::")[2]: state for state in project.backend.read(project.ref).resources}
    # A process of its own calls from threads, and the protocol gives calls of two threads no order: there the
    # error may also come before `a` is asked for. Then nothing of it is left.
    if in_process or "a" in kept:
        assert kept["a"]["outputs"]["serial"] == "S-a"


def test_a_proxy_in_the_environment_does_not_see_the_program_s_calls(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    project.write(ITEM + 'pulumi.log.info("said")\nItem("a", {"size": 1})\n')
    assert project.run().exit_code == 0, project.errors
    assert "said" in [event.message for event in project.events if isinstance(event, DiagnosticEvent)]


ENDS = {
    "sys.exit(3)": ["error an unhandled error occurred: program exited with non-zero exit code: 3"],
    "sys.exit('bad luck')": [
        "info#err bad luck",
        "error an unhandled error occurred: program exited with non-zero exit code: 1",
    ],
    "os._exit(5)": ["error an unhandled error occurred: program exited with non-zero exit code: 5"],
    "raise pulumi.RunError('simple words')": [
        "error simple words",
        "error an unhandled error occurred: program exited with non-zero exit code: 1",
    ],
    "sys.exit()": [],
    "print('no end', end='')": ["info no end"],
    "sys.stdout.buffer.write(b'bytes\\n')": ["info bytes"],
    "os.chdir('/'); os.environ['ENDS'] = 'x'; sys.path.append('/nowhere'); print(os.getcwd())": ["info /"],
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()": [],
}
"""How a program ends or what it leaves, and all that is said of it."""


@both
@pytest.mark.parametrize("line", ENDS)
def test_what_a_program_leaves(project: Project, line: str, *, in_process: bool) -> None:
    before = (Path.cwd(), dict(os.environ), list(sys.path))
    project.write(f"import os, sys, threading, time, pulumi\n{line}\n")
    result = project.run(in_process=in_process)
    said = [e for e in project.events if isinstance(e, DiagnosticEvent) and e.message.strip()]
    assert [f"{e.severity} {e.message.strip()}" for e in said] == ENDS[line]
    assert result.exit_code == any(e.severity == "error" for e in said)
    assert (Path.cwd(), dict(os.environ), list(sys.path)) == before


@both
def test_a_program_that_requires_another_version_is_refused(project: Project, *, in_process: bool) -> None:
    project.write('import pulumi\npulumi.require_pulumi_version(">=3.0.0 <4.0.0")\npulumi.export("a", 1)\n')
    assert project.run(in_process=in_process).outputs == {"a": 1}
    project.write('import pulumi\npulumi.require_pulumi_version(">=99.0.0")\n')
    assert project.run(in_process=in_process).exit_code == 1
    assert 'does not satisfy the version range ">=99.0.0"' in "\n".join(project.errors)


def test_what_this_engine_does_not_do_is_refused_by_name(project: Project) -> None:
    project.write("import pulumi\n")
    with pytest.raises(EngineError, match="pulumi:autonaming"):
        project.run(config={"pulumi:autonaming": "{}"})
    file = project.folder / "Pulumi.yaml"
    file.write_text(file.read_text() + "requiredPulumiVersion: '>=99.0.0'\n")
    with pytest.raises(EngineError, match="does not satisfy the version range"):
        project.run()


TIMED = """
{item}
from pulumi import CustomTimeouts, ResourceOptions
times = CustomTimeouts(create="1m", update="2m", delete="3m", read="90s")
Item("a", {{}}, ResourceOptions(custom_timeouts=times))
"""


@both
def test_every_timeout_reaches_the_state_and_a_read(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, in_process: bool
) -> None:
    source = project.folder / "provider"
    source.mkdir()
    for path in (HERE / "provider").glob("*.*"):
        text = path.read_text()
        if path.name == "in_process.py":
            reply = 'Path(os.environ["READS"]).write_text(str(request.timeout))\n        return'
            text = text.replace("return provider_pb2.ReadResponse", f"{reply} provider_pb2.ReadResponse")
        (source / path.name).write_text(text)
    project.providers = {"box": str(source)}
    monkeypatch.setenv("READS", str(project.folder / "reads"))
    project.write(TIMED.format(item=ITEM))
    assert project.run(in_process=in_process).exit_code == 0
    assert project.resource("a")["customTimeouts"] == {"create": 60, "update": 120, "delete": 180, "read": 90}
    assert project.run("refresh", in_process=in_process).exit_code == 0
    assert float((project.folder / "reads").read_text()) == 90
