"""The verbs on stacks: from the command line to the state and back."""

from __future__ import annotations

import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from infra import paths
from infra.cli import main
from infra.cli.arguments import EngineName
from infra.engine import EngineError, ImportSpec
from infra.engine.workspace import import_file
from infra.errors import UserError
from infra.stacks import operations, pulumi_cli
from infra.stacks.operations import Operation, Options, StackRun

pytestmark = pytest.mark.unit

STACK = "urn:pulumi:lab::gigasite::pulumi:pulumi:Stack::gigasite-lab"
PROVIDER = "urn:pulumi:lab::gigasite::pulumi:providers:conf::default"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def urn(name: str) -> str:
    return f"urn:pulumi:lab::gigasite::conf:index:Res::{name}"


def resource(name: str, **more: object) -> dict:
    return {
        "urn": urn(name), "custom": True, "id": f"{name}-1", "type": "conf:index:Res",
        "provider": f"{PROVIDER}::uuid", "parent": STACK, **more,
    }  # fmt: skip


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of our own: nothing of the real one is read or written."""
    shutil.copy(paths.ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "infra").mkdir()
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def filled() -> None:
    """The stack `lab` with a few resources."""
    state, ref = operations.backend(), operations.reference("lab")
    state.init(ref)
    outputs = {"ip": "::1", "ports": [1, 2], "pw": SECRET | {"ciphertext": "v1:AAAA:AAAA"}}
    resources = [
        {"urn": STACK, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": outputs},
        {"urn": PROVIDER, "custom": True, "id": "uuid", "type": "pulumi:providers:conf"},
        resource("a", protect=True),
        resource("b", dependencies=[urn("a")], propertyDependencies={"x": [urn("a")]}),
        resource("c"),
    ]
    manifest = {"time": "2026-11-22T10:00:00Z", "magic": "", "version": ""}
    state.write(ref, {"manifest": manifest, "resources": resources, "metadata": {}})


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = main(argv)
    said = capsys.readouterr()
    return code, said.out + said.err


def resources() -> dict[str, dict]:
    return {one["urn"]: one for one in operations.backend().read(operations.reference("lab")).resources}


# ---------------------------------------------------------------- stack


def test_stacks_are_made_listed_chosen_and_removed(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert run(capsys, "stack", "init", "lab")[0] == 0
    phrase = root / ".gigasite" / "lab" / "passphrase"
    assert stat.S_IMODE(phrase.stat().st_mode) == 0o600
    assert len(phrase.read_text().strip()) >= 32
    assert run(capsys, "stack", "init", "lab") == (
        1, "error: the stack organization/gigasite/lab exists already\n",
    )  # fmt: skip
    assert run(capsys, "stack", "select", "lab")[0] == 0
    rows = json.loads(run(capsys, "stack", "ls", "--json")[1])
    assert [(row["name"], row["current"], row["resourceCount"]) for row in rows] == [("lab", True, 0)]
    assert run(capsys, "stack", "output")[0] == 0  # the chosen one
    code, said = run(capsys, "stack", "rm", "lab")
    assert code == 1
    assert "--yes" in said
    assert run(capsys, "stack", "rm", "lab", "--yes")[0] == 0
    assert json.loads(run(capsys, "stack", "ls", "--json")[1]) == []


def test_a_renamed_stack_opens_with_the_same_passphrase(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    assert main(["stack", "init", "lab"]) == 0
    assert main(["stack", "select", "lab"]) == 0
    assert main(["config", "set", "lab", "token", "t-1", "--secret"]) == 0
    assert main(["stack", "rename", "lab", "lab2.pod-01"]) == 0
    assert (root / "infra/Pulumi.lab2.pod-01.yaml").exists() or (root / "Pulumi.lab2.pod-01.yaml").exists()
    capsys.readouterr()
    assert main(["config", "get", "lab2.pod-01", "token"]) == 0
    assert capsys.readouterr().out == "t-1\n"
    assert main(["stack", "output"]) == 0  # the chosen stack is still the same
    assert main(["stack", "init", "lab"]) == 0
    operations.passphrase_file("other")
    assert main(["stack", "rename", "lab", "other"]) == 1
    assert "another passphrase" in capsys.readouterr().err
    assert main(["stack", "rm", "lab2.pod-01", "--yes"]) == 0
    assert not list(root.glob("**/Pulumi.lab2.pod-01.yaml"))


@pytest.mark.usefixtures("filled")
def test_outputs_are_shown_with_secrets_masked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "stack", "output", "lab")[1] == "ip: ::1\nports: [1, 2]\npw: [secret]\n"
    found = json.loads(run(capsys, "stack", "output", "lab", "--json")[1])
    assert found == {"ip": "::1", "ports": [1, 2], "pw": "[secret]"}
    assert run(capsys, "stack", "output", "lab", "ip")[1] == "::1\n"
    assert run(capsys, "stack", "output", "lab", "nope")[0] == 1


@pytest.mark.usefixtures("filled")
def test_a_deployment_goes_out_and_comes_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    assert run(capsys, "stack", "export", "lab", "--file", str(file))[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = resources()
    content = json.loads(file.read_text())
    content["deployment"]["resources"].pop()
    file.write_text(json.dumps(content))
    assert run(capsys, "stack", "import", "lab", "--file", str(file))[0] == 0
    assert resources().keys() == before.keys() - {urn("c")}
    content["deployment"]["resources"].reverse()
    file.write_text(json.dumps(content))
    code, said = run(capsys, "stack", "import", "lab", "--file", str(file))
    assert code == 1
    assert "does not stand before it" in said
    assert len(resources()) == len(before) - 1


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "words",
    [
        ("stack", "import", "lab", "--file", "nowhere/x"),
        ("stack", "export", "lab", "--file", "nowhere/x"),
        ("import", "lab", "--file", "nowhere/x"),
        ("preview", "lab", "--event-log", "nowhere/x"),
    ],
)
def test_a_file_that_is_not_there_is_said(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "stacks_of", lambda target: (target,))
    assert main(list(words)) == 1
    said = capsys.readouterr().err
    assert "nowhere/x" in said
    assert "No such file or directory" in said


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("option", ["--parent", "--provider"])
def test_what_is_imported_belongs_to_urns(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "lab", "a:b:C", "name", "id", option, "up=rack-1"]) == 1
    assert f"the {option[2:]} 'rack-1' is no URN" in capsys.readouterr().err


@pytest.mark.usefixtures("filled")
def test_a_deployment_of_another_stack_needs_force(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "state.json"
    run(capsys, "export", "lab", "--file", str(file))
    run(capsys, "stack", "init", "other")
    code, said = run(capsys, "stack", "import", "other", "--file", str(file))
    assert code == 1
    assert "is of another stack than other" in said
    assert run(capsys, "stack", "import", "other", "--file", str(file), "--force")[0] == 0


# ---------------------------------------------------------------- state


@pytest.mark.usefixtures("filled")
def test_forgetting_looks_at_dependents_and_protection(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "state", "delete", "lab", urn("a"), "--yes")
    assert code == 1
    assert urn("b") in said
    code, said = run(capsys, "state", "delete", "lab", urn("a"), "--yes", "--target-dependents")
    assert code == 1
    assert "is protected" in said
    assert len(resources()) == 5
    assert run(capsys, "state", "delete", "lab", urn("b"), "--yes")[0] == 0
    assert urn("b") not in resources()
    assert run(capsys, "state", "unprotect", "lab", urn("a"), "--yes")[0] == 0
    assert run(capsys, "state", "delete", "lab", urn("a"), "--yes")[0] == 0
    assert run(capsys, "state", "delete", "lab", urn("a"), "--yes")[0] == 1


@pytest.mark.usefixtures("filled")
def test_a_new_name_is_followed_by_all_references(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "state", "rename", "lab", urn("a"), "z", "--yes")[0] == 0
    found = resources()
    assert found[urn("b")]["dependencies"] == [urn("z")]
    assert found[urn("b")]["propertyDependencies"] == {"x": [urn("z")]}
    assert urn("a") not in found
    assert run(capsys, "state", "rename", "lab", PROVIDER, "main", "--yes")[0] == 0
    new = PROVIDER.replace("default", "main")
    assert {one["provider"] for one in resources().values() if "provider" in one} == {f"{new}::uuid"}
    assert run(capsys, "state", "rename", "lab", urn("z"), "b", "--yes")[0] == 1


@pytest.mark.usefixtures("filled")
def test_a_disordered_state_is_repaired(capsys: pytest.CaptureFixture[str]) -> None:
    path = operations.backend().files(operations.reference("lab")).checkpoint
    whole = json.loads(path.read_text())
    found = whole["checkpoint"]["latest"]["resources"]
    whole["checkpoint"]["latest"]["resources"] = [*reversed(found[1:]), found[0]]
    path.write_text(json.dumps(whole))
    assert run(capsys, "stack", "check", "lab")[0] == 1
    code, said = run(capsys, "state", "repair", "lab", "--yes")
    assert code == 0
    assert "in the order of their dependencies" in said
    assert run(capsys, "stack", "check", "lab")[0] == 0
    assert run(capsys, "state", "repair", "lab", "--yes")[1] == "the state of lab is in order\n"


@pytest.mark.usefixtures("filled")
def test_a_repair_does_not_undo_what_came_after_it_read(monkeypatch: pytest.MonkeyPatch) -> None:
    path = operations.backend().files(operations.reference("lab")).checkpoint
    whole = json.loads(path.read_text())
    found = whole["checkpoint"]["latest"]["resources"]
    whole["checkpoint"]["latest"]["resources"] = [*reversed(found[1:]), found[0]]
    path.write_text(json.dumps(whole))
    meanwhile = json.dumps(whole, indent=2)
    monkeypatch.setattr("infra.cli.stacks.options.confirm", lambda *_, **__: path.write_text(meanwhile))
    assert main(["state", "repair", "lab"]) == 1
    assert path.read_text() == meanwhile


# ---------------------------------------------------------------- config


@pytest.mark.parametrize("secret", [True, False])
def test_a_value_is_asked_for_and_a_secret_not_shown(
    *, secret: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: "hidden")
    monkeypatch.setattr("builtins.input", lambda _: "shown")
    assert run(capsys, "config", "set", "lab", "word", *["--secret"] * secret)[0] == 0
    assert run(capsys, "config", "get", "lab", "word")[1] == ("hidden\n" if secret else "shown\n")


def test_configuration_is_set_shown_and_removed(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert run(capsys, "config", "set", "lab", "size", "3")[0] == 0
    assert run(capsys, "config", "set", "lab", "token", "hush", "--secret")[0] == 0
    assert run(capsys, "config", "set", "lab", "--path", "o.l[0]", "true")[0] == 0
    text = (root / "Pulumi.lab.yaml").read_text()
    assert "hush" not in text
    assert "encryptionsalt: v1:" in text
    assert run(capsys, "config", "get", "lab", "token")[1] == "hush\n"
    assert run(capsys, "config", "get", "lab", "--path", "o.l[0]")[1] == "true\n"
    assert run(capsys, "config", "ls", "lab")[1].splitlines() == [
        'gigasite:o: {"l":[true]}', "gigasite:size: 3", "gigasite:token: [secret]",
    ]  # fmt: skip
    assert run(capsys, "config", "rm", "lab", "size")[0] == 0
    assert run(capsys, "config", "get", "lab", "size")[0] == 1


# ---------------------------------------------------------------- which engine


def test_the_clis_command_line_says_the_same(root: Path) -> None:
    options = Options(
        targets=("u1", "u2"), target_dependents=True, refresh=True, expect_no_changes=True, parallel=3,
        message="why", import_pending_creates=(("u", "i"),), continue_on_error=True,
    )  # fmt: skip
    words = pulumi_cli.cli_arguments(Operation.UP, operations.reference("lab.pod-01"), options, root)
    assert words == [
        "pulumi", "up", "--stack", "organization/gigasite/lab.pod-01", "--non-interactive",
        "--yes", "--skip-preview", "--message", "why", "--target", "u1", "--target", "u2",
        "--import-pending-creates", "u", "--import-pending-creates", "i", "--target-dependents", "--refresh",
        "--expect-no-changes", "--continue-on-error", "--parallel=3",
    ]  # fmt: skip
    above, inner = "urn:pulumi:lab::gigasite::a:b:P::p", "urn:pulumi:lab::gigasite::a:b:P$a:b:C::n"
    specs = (
        ImportSpec("a:b:C", "n", "id", parent=above, protect=False), ImportSpec("a:b:C", "m", "i2"),
        ImportSpec("a:b:D", "d", "i3", parent=inner), ImportSpec("a:b:E", "e", "", component=True),
    )  # fmt: skip
    words = pulumi_cli.cli_arguments(
        Operation.IMPORT, operations.reference("lab"), Options(imports=specs), root
    )
    assert words[-4:-1] == ["--generate-code=false", "--protect=false", "--file"]
    file = Path(words[-1])
    content = json.loads(file.read_text())
    assert list(content["nameTable"].values()) == [above]
    # Read again, it says the same.
    again = import_file.read_imports(file, operations.reference("lab"))
    assert [replace(one, protect=False) for one in again] == [replace(one, protect=False) for one in specs]
    preview = pulumi_cli.cli_arguments(Operation.PREVIEW, operations.reference("lab"), Options(), root)
    assert "--yes" not in preview


def test_without_the_cli_its_engine_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="leave the option out"):
        pulumi_cli.require_cli()


FAKE_CLI = """#!/bin/sh
echo "$PULUMI_BACKEND_URL $*" >> "$0.log"
case "$1 $2" in
"version ") echo v3.260.0 ;;
"stack ls") cat "$0.stacks" ;;
"stack init") echo '[{"name": "organization/gigasite/lab"}]' > "$0.stacks" ;;
"stack rm") echo '[]' > "$0.stacks" ;;
"stack output") echo '{"ip": "::1"}' ;;
esac
"""


def test_another_backend_is_left_to_the_cli(
    capsys: pytest.CaptureFixture[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = root / "pulumi"
    program.write_text(FAKE_CLI)
    program.chmod(0o755)
    (root / "pulumi.stacks").write_text("[]")
    monkeypatch.setenv("PATH", str(root), prepend=":")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states")
    monkeypatch.setattr(operations, "stacks_of", lambda target: (target,))
    assert main(["preview", "lab"]) == 1
    assert "--engine pulumi" in capsys.readouterr().err
    assert main(["preview", "lab", "--engine", "pulumi"]) == 0
    said = [line.removeprefix("s3://states ").split()[:2] for line in log_of(program)]
    assert said.index(["stack", "init"]) < said.index(["preview", "--stack"]) < said.index(["stack", "rm"])
    made = operations.run_stack(Operation.UP, "lab", engine=EngineName.PULUMI)
    assert made.outputs == {"ip": "::1"}
    assert operations.existing_stacks("lab", EngineName.PULUMI) == ("lab",)
    assert main(["destroy", "lab", "--engine", "pulumi", "--yes", "--remove"]) == 0
    assert any(line.startswith("s3://states destroy --stack") for line in log_of(program))
    assert not operations.exists("lab", EngineName.PULUMI)


def test_what_another_made_during_a_preview_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def meanwhile(*_: object, **__: object) -> StackRun:
        state, ref = operations.backend(), operations.reference("lab")
        provider = {"urn": PROVIDER, "custom": True, "id": "uuid", "type": "pulumi:providers:conf"}
        state.write(ref, {"manifest": {}, "resources": [provider]})
        raise EngineError("it went wrong")

    monkeypatch.setattr("infra.stacks.embedded.run", meanwhile)
    monkeypatch.setattr(operations, "stacks_of", lambda target: (target,))
    assert main(["preview", "lab"]) == 1
    assert "it went wrong" in capsys.readouterr().err
    assert operations.exists("lab")


def test_an_interrupt_is_the_clis_to_handle(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = root / "pulumi"
    program.write_text(
        '#!/bin/sh\ntest "$1" = version && exit\ntrap "echo finished > $0.end; exit 0" INT\n'
        'trap "echo killed > $0.end; exit 1" TERM\nkill -INT $PPID; sleep 0.5; kill -INT $$\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(root), prepend=":")
    operations.backend().init(operations.reference("lab"))
    done = operations.run_stack(Operation.UP, "lab", engine=EngineName.PULUMI)
    assert done.exit_code == 130
    assert (root / "pulumi.end").read_text() == "finished\n"


def log_of(program: Path) -> list[str]:
    return Path(f"{program}.log").read_text().splitlines()


def test_a_site_is_its_own_stack_and_its_pods(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def fake(_operation: Operation, stack: str, **_: object) -> StackRun:
        done.append(stack)
        return StackRun(stack, "an engine", 1 if stack == "lab.pod-02" else 0)

    monkeypatch.setattr(operations, "stacks_of", lambda _: ("lab", "lab.pod-01", "lab.pod-02", "lab.pod-03"))
    monkeypatch.setattr(operations, "run_stack", fake)
    assert run(capsys, "preview", "lab")[0] == 1
    assert done == ["lab", "lab.pod-01", "lab.pod-02"]  # stops where it fails
    done.clear()
    assert run(capsys, "preview", "lab", "--only")[0] == 0
    assert done == ["lab"]
    for name in ("lab", "lab.pod-01", "labrador"):
        operations.backend().init(operations.reference(name))
    done.clear()
    assert run(capsys, "destroy", "lab", "--yes")[0] == 0
    assert done == ["lab.pod-01", "lab"]  # the pods refer to the site


# ---------------------------------------------------------------- a whole run


@pytest.fixture
def program(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of two resources on the conformance tests' provider, as the stack `lab`."""
    here = Path(__file__).resolve().parents[2] / "conformance"
    (root / "prog").mkdir()
    shutil.copy(here / "prog" / "__main__.py", root / "prog")
    provider = [{"name": "conf", "path": str(here / "provider")}]
    project = {"name": "gigasite", "runtime": "python", "main": "prog", "plugins": {"providers": provider}}
    (root / "Pulumi.yaml").write_text(json.dumps(project))
    cloud = root / "cloud"
    cloud.mkdir()
    monkeypatch.setenv("CONF_DIR", str(cloud))
    step = {"resources": [{"name": "a", "props": {"size": 1}}], "exports": {"pw": {"$secret": "hush"}}}
    (cloud / "step.json").write_text(json.dumps(step))
    (cloud / "calls.jsonl").write_text("")
    monkeypatch.setattr(operations, "stacks_of", lambda target: (target,))
    return cloud


@pytest.mark.usefixtures("program")
def test_a_document_has_nothing_between_its_lines(capfd: pytest.CaptureFixture[str], root: Path) -> None:
    noise = 'import subprocess\nsubprocess.run(["echo", "noise"])\n'
    main_file = root / "prog" / "__main__.py"
    main_file.write_text(main_file.read_text().replace("\nimport ", f"\n{noise}import ", 1))
    assert main(["preview", "lab", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)["stacks"]["lab"]
    assert any("noise" in one["message"] for one in document["diagnostics"])


@pytest.mark.usefixtures("program")
def test_from_preview_to_destroy(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert run(capsys, "config", "set", "lab", "size", "3")[0] == 0
    assert run(capsys, "config", "set", "lab", "token", "hush-token", "--secret")[0] == 0
    code, said = run(capsys, "preview", "lab", "--json")
    assert code == 0, said
    document = json.loads(said)
    assert document["engine"].startswith("embedded engine")
    assert document["stacks"]["lab"]["changeSummary"] == {"create": 2}
    assert run(capsys, "preview", "lab", "--expect-no-changes")[0] == 7
    assert not operations.exists("lab")  # a preview leaves nothing
    made = operations.run_stack(Operation.UP, "lab", shown=operations.Shown(quiet=True))
    assert (made.exit_code, made.changes, made.outputs) == (0, {"create": 2}, {"pw": "[secret]"})
    assert run(capsys, "stack", "output", "lab", "pw", "--show-secrets")[1] == "hush\n"
    state = (root / ".gigasite/.pulumi/stacks/gigasite/lab.json").read_text()
    assert "hush" not in state
    log = root / "events"
    code, said = run(capsys, "refresh", "lab", "--yes", "--event-log", str(log))
    assert code == 0, said
    assert said.startswith("engine: embedded engine (Pulumi v3.260.0)\nRefreshing (lab):\n")
    assert "summaryEvent" in log.read_text()
    assert run(capsys, "stack", "history", "lab")[1].startswith("refresh  succeeded")
    settings = (root / "Pulumi.lab.yaml").read_text()
    assert run(capsys, "config", "set", "lab", "size", "4")[0] == 0
    assert run(capsys, "config", "rm", "lab", "token")[0] == 0
    assert run(capsys, "config", "refresh", "lab")[0] == 0  # as of the last operation
    assert (root / "Pulumi.lab.yaml").read_text() == settings
    assert "size: '4'" in (root / "Pulumi.lab.yaml.bak").read_text().replace('"', "'")
    code, said = run(capsys, "destroy", "lab", "--yes", "--remove")
    assert code == 0, said
    assert "- 2 deleted" in said
    assert not operations.backend().exists(operations.reference("lab"))


@pytest.mark.skipif(not shutil.which("pulumi"), reason="the Pulumi CLI is not on PATH")
def test_the_cli_takes_our_command_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "infra" / "provider").mkdir()
    operations.backend().init(operations.reference("lab"))
    code, said = run(capsys, "refresh", "lab", "--yes", "--engine", "pulumi", "--only")
    assert code == 0, said


def test_the_cli_s_last_words_are_the_error_if_it_tells_no_event(
    root: Path, monkeypatch: pytest.MonkeyPatch, filled: None
) -> None:
    program = root / "pulumi"
    program.write_text(
        '#!/bin/sh\ntest "$1" = version || test -z "$PULUMI_DEBUG_COMMANDS" || echo "error: no such flag"\n'
        'test "$1" = version\n'
    )
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{root}:/usr/bin:/bin")
    shown = operations.Shown(quiet=True)
    done = operations.run_stack(Operation.PREVIEW, "lab", engine=EngineName.PULUMI, shown=shown)
    assert (done.exit_code, done.messages) == (1, ("error: no such flag",))


def test_an_import_brings_the_salt_of_what_it_encrypts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "state.json"
    root = {"urn": STACK, "custom": False, "type": "pulumi:pulumi:Stack"}
    root["outputs"] = {"pw": SECRET | {"plaintext": json.dumps("planted")}}
    deployment = {"manifest": {"time": "2026-11-22T10:00:00Z", "magic": "", "version": ""}}
    file.write_text(json.dumps({"version": 3, "deployment": deployment | {"resources": [root]}}))
    assert main(["stack", "init", "lab"]) == 0
    assert main(["stack", "import", "lab", "--file", str(file)]) == 0
    assert "planted" not in operations.backend().files(operations.reference("lab")).checkpoint.read_text()
    capsys.readouterr()
    assert main(["stack", "output", "lab", "--show-secrets", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pw": "planted"}


@pytest.mark.usefixtures("filled")
def test_an_ambiguous_urn_is_not_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    state, ref = operations.backend(), operations.reference("lab")
    deployment = state.read(ref).deployment
    old = resource("c", delete=True) | {"id": "c-0"}
    state.write(ref, deployment | {"resources": [*deployment["resources"], old]})
    before = state.files(ref).read()
    for more in ((), ("--target-dependents",), ("--force",)):
        code, said = run(capsys, "state", "delete", "lab", urn("c"), "--yes", *more)
        assert code == 1
        assert "c-1 (live)" in said
        assert "c-0 (waits for its deletion)" in said
        assert state.files(ref).read() == before
