"""Project files and stack settings: what they mean, and each mistake with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.engine import EngineError
from infra.engine.backend.secrets import PassphraseCrypter
from infra.engine.resource.values import Secret
from infra.engine.workspace.config import ConfigValue, parse_key
from infra.engine.workspace.project import Project, backend_url
from infra.engine.workspace.project_file import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from infra.engine.workspace.stack_settings import StackSettings

pytestmark = pytest.mark.unit

PROJECT = """\
name: suite
runtime:
  name: python
  options: {virtualenv: .venv}
main: prog
backend: {url: "file://./state"}
config:
  size: 5
  region: {type: string, default: eu}
  count: {type: integer}
  conf:account: {value: x}
plugins:
  providers:
    - {name: conf, path: provider, version: 1.0.0}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prog").mkdir()
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    return tmp_path


@pytest.fixture
def project(folder: Path) -> Project:
    return load_project(folder)


def test_a_project_is_read_whole(project: Project, folder: Path) -> None:
    assert (project.name, project.runtime, project.runtime_options) == (
        "suite",
        "python",
        {"virtualenv": ".venv"},
    )
    assert project.program_folder == folder / "prog"
    (plugin,) = project.plugins
    assert (plugin.kind, plugin.name, plugin.path) == ("resource", "conf", folder / "provider")
    assert backend_url(project, {}) == f"file://{folder}/state"
    assert backend_url(project, {"PULUMI_BACKEND_URL": "s3://x"}) == "s3://x"


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.yaml"
    file.write_text(
        "name: a b\n"
        "runtime: {name: python, options: 3}\n"
        "main: nope\n"
        "config:\n"
        "  a: {type: array}\n"
        "  b: {type: integer, default: foo}\n"
        "  c: {default: 1, value: 2}\n"
        "  other:d: {type: string}\n"
        "plugins:\n"
        "  providers:\n"
        "    - name: conf\n"
    )
    with pytest.raises(EngineError) as raised:
        load_project(tmp_path)
    lines = str(raised.value).splitlines()
    places = [line.removeprefix(f"{file}:").split(": ")[:2] for line in lines]
    assert places == [
        ["1", "$.name"], ["2", "$.runtime.options"], ["3", "$.main"], ["5", "$.config.a"],
        ["6", "$.config.b.default"], ["7", "$.config.c"], ["8", "$.config.other:d"],
        ["11", "$.plugins.providers[0].path"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", ":1:"),
        ("name: a\nname: b\nruntime: python\n", ":2: $.name: duplicate key"),
        ("- a\n", "must be a map of keys"),
        ("runtime: python\n", "$.name: is missing"),
        ("", "must be a map of keys"),
    ],
)
def test_what_is_no_project_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(EngineError) as raised:
        load_project(tmp_path)
    assert said in str(raised.value)


def test_a_folder_without_a_project_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"there is no Pulumi\.yaml in"):
        load_project(tmp_path)


# ---------------------------------------------------------------- configuration


@pytest.fixture(scope="module")
def crypter() -> PassphraseCrypter:
    return PassphraseCrypter(passphrase=lambda: "phrase")


def write_settings(project: Project, crypter: PassphraseCrypter) -> StackSettings:
    (project.folder / "Pulumi.dev.yaml").write_text(
        f"# kept\nencryptionsalt: {crypter.salt}\nconfig:\n"
        f"  suite:count: 3 # also kept\n  conf:region: west\n  suite:on: yes\n  suite:flag: true\n"
        f"  suite:f: 1.50\n  suite:pw: {{secure: '{crypter.encrypt('hunter2')}'}}\n"
        f"  suite:o: {{list: [1, {{secure: '{crypter.encrypt('deep')}'}}], x: null}}\n"
    )
    return project.settings("dev")


def test_values_reach_the_program_as_the_cli_sends_them(project: Project, crypter: PassphraseCrypter) -> None:
    found = project.configuration(write_settings(project, crypter), "dev")
    assert found.texts(crypter) == {
        "suite:count": "3", "conf:region": "west", "suite:on": "yes", "suite:flag": "true",
        "suite:f": "1.5", "suite:pw": "hunter2", "suite:o": '{"list":[1,"deep"],"x":null}',
        "suite:size": "5", "suite:region": "eu", "conf:account": "x",
    }  # fmt: skip
    assert found.secret_keys == ["suite:pw", "suite:o"]
    assert found.shown()["suite:pw"] == "[secret]"
    assert "hunter2" not in str(found.shown())


def test_a_default_provider_gets_its_own_values(project: Project, crypter: PassphraseCrypter) -> None:
    settings = write_settings(project, crypter)
    settings.config["conf:token"] = ConfigValue({"secure": crypter.encrypt("t")})
    found = project.configuration(settings, "dev")
    assert found.package("conf", crypter) == {"region": "west", "token": Secret("t"), "account": "x"}


def test_missing_and_mistyped_values_are_all_named(project: Project) -> None:
    settings = project.settings("dev")
    with pytest.raises(
        EngineError, match="validating stack config: Stack 'dev' is missing configuration value 'count'"
    ):
        project.configuration(settings, "dev")
    assert "suite:count" not in project.configuration(settings, "dev", validate=False).values
    settings.config["suite:count"] = ConfigValue("many")
    settings.config["suite:region"] = ConfigValue([1])
    with pytest.raises(EngineError) as raised:
        project.configuration(settings, "dev")
    assert "'count' must be of type 'integer'" in str(raised.value)
    assert "'region' must be of type 'string'" in str(raised.value)
    assert (
        project.configuration(project.settings("dev"), "dev", {"count": "4"}).values["suite:count"].raw == "4"
    )


def test_saving_keeps_comments_and_order(project: Project, crypter: PassphraseCrypter) -> None:
    settings = write_settings(project, crypter)
    before = settings.path.read_text()
    settings.config["suite:new"] = ConfigValue("true")
    del settings.config["suite:f"]
    settings.save()
    after = settings.path.read_text()
    assert after.startswith("# kept\n")
    assert "# also kept" in after
    assert project.settings("dev").config["suite:new"].raw == "true"
    kept = [line for line in before.splitlines() if "suite:f" not in line and "suite:o" not in line]
    assert [line for line in after.splitlines() if line in kept] == kept


def test_saving_makes_a_file_and_empties_it(project: Project) -> None:
    settings = project.settings("fresh")
    settings.config["suite:a"] = ConfigValue("x")
    settings.save()
    assert settings.path.read_text() == "config:\n  suite:a: x\n"
    del settings.config["suite:a"]
    settings.save()
    assert project.settings("fresh").config == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("config: [1]\n", "$.config: must be a map"),
        ("config:\n  a:b:c: 1\n", "is not a configuration key"),
        ("secretsprovider: awskms://x\n", "--engine pulumi"),
        ("environment: [x]\n", "Pulumi ESC"),
    ],
)
def test_mistakes_in_settings_are_told_with_their_line(project: Project, text: str, said: str) -> None:
    (project.folder / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(EngineError) as raised:
        project.settings("dev")
    assert said in str(raised.value)
    assert f"Pulumi.dev.yaml:{text.count(chr(10))}:" in str(raised.value)


def test_keys_have_a_namespace() -> None:
    assert parse_key("a", "suite") == "suite:a"
    assert parse_key("conf:a", "suite") == "conf:a"
    assert parse_key("conf:config:a", "suite") == "conf:a"
    with pytest.raises(EngineError):
        parse_key("a:b:c:d", "suite")
