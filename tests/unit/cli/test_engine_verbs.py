"""`gigasite engine`: a Pulumi project that is not ours, by the verbs, flags and exit codes of the CLI."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
import typer

from infra import paths
from infra.cli import main
from infra.cli.engine import project as projects
from infra.cli.engine import verbs
from infra.engine.backend import secrets
from infra.engine.backend.backend import FileBackend
from infra.engine.resource.stack_ref import StackRef

pytestmark = pytest.mark.unit

PROGRAM = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Writer(ResourceProvider):
    def create(self, props):
        return CreateResult("id-" + props["word"], props)

class Word(Resource):
    word: pulumi.Output[str]
    def __init__(self, name, word):
        super().__init__(Writer(), name, {"word": word})

config = pulumi.Config()
pulumi.export("word", Word("one", config.require("greeting")).word)
pulumi.export("token", config.get_secret("token"))
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as `pulumi new python` leaves it, with a backend of its own."""
    folder = tmp_path / "greeter"
    (folder / "state").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(
        "name: greeter\nruntime: python\nbackend:\n  url: file://./state\n"
        "config:\n  greeting:\n    default: hello\n"
    )
    (folder / "__main__.py").write_text(PROGRAM)
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_STACK", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_PYTHON_CMD", sys.executable)
    monkeypatch.setattr(secrets, "_typed", [])
    # Nothing of this checkout is meant.
    monkeypatch.setattr(paths, "ROOT", tmp_path / "elsewhere")
    return folder


@pytest.fixture
def engine_verb(project, capsys):
    def run(*words: str) -> tuple[int, str]:
        code = main(["engine", *words, "--cwd", str(project)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_the_life_of_a_project(engine_verb, project):
    assert engine_verb("stack", "init", "dev") == (0, "Created stack 'dev'\n")
    assert "encryptionsalt: v1:" in (project / "Pulumi.dev.yaml").read_text()
    assert engine_verb("config", "set", "token", "open sesame", "--secret")[0] == 0
    assert "open sesame" not in (project / "Pulumi.dev.yaml").read_text()
    code, said = engine_verb("up", "--yes")
    assert code == 0, said
    assert said.index("Previewing update (dev):") < said.index("Updating (dev):")
    assert engine_verb("up", "--yes", "--skip-preview", "--expect-no-changes")[0] == 0
    code, said = engine_verb("preview", "--expect-no-changes", "-c", "greeting=bye")
    assert (code, "~word" in said) == (7, True)
    assert "greeter:greeting: bye" in (project / "Pulumi.dev.yaml").read_text()
    assert engine_verb("stack", "output", "word")[1] == "hello\n"
    assert engine_verb("stack", "output", "token")[1] == "[secret]\n"
    assert engine_verb("stack", "output", "token", "--show-secrets=true")[1] == "open sesame\n"
    assert "greeting: bye" in engine_verb("config")[1]
    assert json.loads(engine_verb("stack", "history", "-j")[1])[0]["kind"] == "update"
    assert engine_verb("refresh", "--yes", "--preview-only")[0] == 0
    code, said = engine_verb("destroy", "--yes", "--remove")
    assert code == 0, said
    assert not (project / "Pulumi.dev.yaml").exists()
    assert not FileBackend(f"file://{project}/state").exists(StackRef("greeter", "dev"))
    assert engine_verb("up", "--yes")[1].startswith("error: no stack selected")


def test_exit_codes_are_the_clis(engine_verb, tmp_path, capsys):
    """As pkg/cmd/pulumi/cmd/exit_codes.go says: 2 for a wrong invocation, 6 where there is no such stack."""
    code, said = engine_verb("up", "--yes", "--stack", "prod")
    assert (code, said.startswith("error: no stack named 'prod' found")) == (6, True)
    assert engine_verb("destroy", "--yes", "-s", "prod")[0] == 6
    engine_verb("stack", "init", "dev")
    code, said = engine_verb("up")
    assert (code, "--yes or --skip-preview or --preview-only must be passed in" in said) == (2, True)
    assert engine_verb("up", "--yes", "--no-such-flag")[0] == 2
    code, said = engine_verb("up", "--yes", "--target", "a", "--exclude", "b")
    assert (code, said) == (2, "error: targets and excludes exclude each other\n")
    assert main(["engine", "up", "--yes", "--cwd", str(tmp_path)]) == 1
    assert "there is no Pulumi.yaml in" in capsys.readouterr().err


def test_a_program_that_fails_ends_with_1(engine_verb, project):
    engine_verb("stack", "init", "dev")
    (project / "__main__.py").write_text("raise ValueError('not today')\n")
    code, said = engine_verb("up", "--yes")
    assert (code, "not today" in said, "Updating (dev)" in said) == (1, True, False)


def test_the_selected_stack_is_kept_where_the_cli_looks(engine_verb, project, tmp_path, monkeypatch):
    for name in ("dev", "prod"):
        engine_verb("stack", "init", name)
    digest = hashlib.sha1(str(project / "Pulumi.yaml").encode()).hexdigest()  # noqa: S324 (the CLI's own)
    kept = tmp_path / "home" / "workspaces" / f"greeter-{digest}-workspace.json"
    assert json.loads(kept.read_text()) == {"stacks": {"file://./state": "organization/greeter/prod"}}
    engine_verb("stack", "select", "dev")
    assert "dev*" in engine_verb("stack", "ls")[1]
    kept.write_text('{"stack": "prod"}')  # as older versions of the CLI
    assert "prod*" in engine_verb("stack", "ls")[1]
    monkeypatch.setenv("PULUMI_STACK", "nowhere")
    assert engine_verb("config")[0] == 6


def test_the_backend_is_the_environments_the_projects_or_the_one_logged_in_to(
    engine_verb, project, tmp_path, monkeypatch
):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "credentials.json").write_text(
        json.dumps({"current": f"file://{tmp_path}/logged-in"})
    )
    text = (project / "Pulumi.yaml").read_text()
    (project / "Pulumi.yaml").write_text(text.replace("backend:\n  url: file://./state\n", ""))
    engine_verb("stack", "init", "dev")
    assert (tmp_path / "logged-in/.pulumi/stacks/greeter/dev.json").exists()
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/given")
    engine_verb("stack", "init", "dev")
    assert (tmp_path / "given/.pulumi/stacks/greeter/dev.json").exists()


def test_a_passphrase_is_asked_for_at_a_terminal(engine_verb, monkeypatch):
    engine_verb("stack", "init", "dev")
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    assert "a passphrase is needed" in engine_verb("config", "set", "--secret", "token", "x")[1]
    answers = ["wrong", "correct horse"]
    asked = []
    monkeypatch.setattr(projects, "interactive", lambda **_: True)
    monkeypatch.setattr(projects, "_hidden", lambda words: asked.append(words) or answers.pop(0))
    code, said = engine_verb("config", "set", "--secret", "token", "x")
    assert (code, "the passphrase is wrong" in said, len(asked)) == (0, True, 2)
    assert "for stack dev" in asked[0]


def test_a_new_passphrase_is_asked_for_twice(engine_verb, monkeypatch):
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    answers = ["one", "other", "same", "same"]
    monkeypatch.setattr(projects, "interactive", lambda **_: True)
    monkeypatch.setattr(projects, "_hidden", lambda _: answers.pop(0))
    code, said = engine_verb("stack", "init", "dev")
    assert (code, "passphrases do not match" in said, answers) == (0, True, [])


# What the CLI 3.260 takes (pkg/cmd/pulumi/operations/*.go), without what it hides.
OF_ALL = """
    --debug --stack --config-file --message --diff --json --parallel --suppress-outputs --suppress-progress
    --suppress-permalink --urns --skip-plugin-pre-install
"""
RUN = """
    --config --config-path --target --exclude --target-dependents --show-replacement-steps --show-sames
    --run-program --skip-config-validation --neo
"""
CLI_FLAGS = {
    "up": OF_ALL + RUN + """
        --expect-no-changes --secrets-provider --replace --target-replace --exclude-dependents --policy-pack
        --policy-pack-config --refresh --show-config --show-policy-remediations --show-secrets --show-reads
        --skip-preview --show-full-output --yes --continue-on-error --ignore-protect --attach-debugger
        --strict
        --config-override --remote""",
    "preview": OF_ALL + RUN + """
        --expect-no-changes --show-secrets --import-file --replace --target-replace --exclude-dependents
        --policy-pack --policy-pack-config --refresh --show-config --show-policy-remediations --show-reads
        --attach-debugger --remote""",
    "refresh": OF_ALL + RUN + """
        --expect-no-changes --preview-only --skip-preview --yes --exclude-dependents --skip-pending-creates
        --clear-pending-creates --import-pending-creates --remote""",
    "destroy": OF_ALL + RUN + """
        --remove --exclude-protected --ignore-protect --preview-only --refresh --show-config --skip-preview
        --show-full-output --continue-on-error --yes --remote""",
    "import": OF_ALL + """
        --parent --provider --properties --file --out --generate-code --preview-only --skip-preview --yes
        --protect --from --generate-resources""",
}  # fmt: skip


@pytest.mark.parametrize("verb", CLI_FLAGS)
def test_each_flag_of_the_cli_is_taken_or_said_to_be_missing(verb):
    command = typer.main.get_command(verbs.app).commands[verb]
    ours = {words for one in command.params for words in (*one.opts, *one.secondary_opts)}
    missing = set(CLI_FLAGS[verb].split()) - ours
    text = (Path(__file__).parents[3] / "docs" / "engine.md").read_text()
    told = text[text.index("Flags of the CLI that are not taken") :].split("\n\n")[0]
    assert not {one for one in missing if f"`{one}`" not in told}
