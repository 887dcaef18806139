"""Which plugin a provider is, as the CLI writes it into the state: else the other engine plans changes."""

from __future__ import annotations

import base64
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.boxes.boxes import HERE
from infra.engine import ImportSpec, Options, Result, run
from infra.engine.backend.backend import FileBackend
from infra.engine.deploy.provider_request import Parameterization, ProviderRequest, find_packages, of_state
from infra.engine.program import program, required_packages
from infra.engine.program.required_packages import plugin_version
from infra.engine.resource.stack_ref import StackRef
from infra.engine.resource.state import ResourceState

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.conformance

# A generated SDK's way to say what it is of.
PROGRAM = """
import asyncio
import pulumi
from pulumi.runtime import settings
from pulumi.runtime.proto import resource_pb2

async def package():
    request = resource_pb2.RegisterPackageRequest(
        name="base", version="1.2.0",
        parameterization=resource_pb2.Parameterization(name="box", version="3.0.0", value=b"what"),
    )
    monitor = settings.get_monitor()
    loop = asyncio.get_event_loop()
    return (await loop.run_in_executor(None, lambda: monitor.RegisterPackage(request))).ref

class Item(pulumi.CustomResource):
    def __init__(self, name, opts=None, package_ref=None):
        super().__init__("box:index:Item", name, {"serial": None, "size": 1}, opts, package_ref=package_ref)

class Box(pulumi.ProviderResource):
    def __init__(self, name, package_ref=None, opts=None):
        super().__init__("box", name, {}, opts, package_ref=package_ref)
"""
PARAMETERIZED = (
    'explicit = Box("explicit", package())\nItem("a", pulumi.ResourceOptions(provider=explicit))\n'
)
PARAMETERIZE = """
    def Parameterize(self, request, context):
        return provider_pb2.ParameterizeResponse(name=request.value.name, version=request.value.version)

    def GetPluginInfo("""


class Project:
    """A project with a box provider, under any name."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{folder}")
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
        self.backend, self.ref = FileBackend(f"file://{folder}"), StackRef("who", "dev")
        self.backend.init(self.ref)
        shutil.copytree(HERE / "provider", folder / "plugin")
        served = folder / "plugin" / "in_process.py"
        served.write_text(served.read_text().replace("\n    def GetPluginInfo(", PARAMETERIZE, 1))

    def write(
        self, text: str, named: str = "plugins:\n  providers:\n    - name: box\n      path: plugin\n"
    ) -> None:
        (self.folder / "Pulumi.yaml").write_text(f"name: who\nruntime: python\n{named}")
        (self.folder / "__main__.py").write_text(PROGRAM + text)

    def run(self, operation: str = "up", **options: Any) -> Result:
        said: list[Any] = []
        done = run(
            operation, project_dir=self.folder, stack="dev", options=Options(**options), on_event=said.append
        )
        assert done.exit_code == 0, said
        return done

    def provider(self) -> dict[str, Any]:
        resources = self.backend.read(self.ref).resources
        return next(one for one in resources if one["type"] == "pulumi:providers:box")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, monkeypatch)


@pytest.fixture
def requires(tmp_path, monkeypatch):
    """Has an SDK installed for the program that says what it needs."""

    def install(plugin: dict[str, Any]) -> None:
        site = tmp_path / "site"
        (site / "acme_box").mkdir(parents=True)
        (site / "acme_box" / "__init__.py").touch()
        (site / "acme_box" / "pulumi-plugin.json").write_text(json.dumps({"resource": True, **plugin}))
        (site / "acme_box-3.0.0.dist-info").mkdir()
        monkeypatch.syspath_prepend(str(site))
        program._ours.cache_clear()

    yield install
    program._ours.cache_clear()


def test_an_explicit_parameterized_provider_is_of_the_plugins_version(project, requires):
    value = base64.b64encode(b"what").decode()
    becomes = {"name": "box", "version": "3.0.0", "value": value}
    requires({"name": "base", "version": "1.2.0", "parameterization": becomes})
    project.write(PARAMETERIZED, "plugins:\n  providers:\n    - name: base\n      path: plugin\n")
    project.run()
    inputs = project.provider()["inputs"]
    assert inputs["version"] == "1.2.0"
    assert inputs["__internal"] == {"name": "base", "version": "1.2.0", "parameterization": value}
    project.run("preview", expect_no_changes=True)
    project.run("refresh", expect_no_changes=True)


def test_a_default_provider_with_a_download_url_is_named_by_it(project):
    url = "https://custom.pulumi.test/provider1/"
    project.write(f'Item("a", pulumi.ResourceOptions(version="27.0.0", plugin_download_url="{url}"))\n')
    project.run()
    provider = project.provider()
    assert provider["urn"].endswith("::default_27_0_0_https_/custom.pulumi.test/provider1")
    assert provider["inputs"]["__internal"] == {"pluginDownloadURL": url.removesuffix("/")}
    project.run("preview", expect_no_changes=True)


def test_an_import_takes_what_the_program_requires(project, requires):
    requires({"name": "box", "version": "v2.4.0", "server": "https://example.com/box"})
    project.write("")
    project.run("import", imports=(ImportSpec("box:index:Item", "a", "a-1", protect=False),))
    provider = project.provider()
    assert provider["urn"].endswith("::default_2_4_0_https_/example.com/box")
    assert provider["inputs"]["version"] == "2.4.0"
    project.write('Item("a")\n')
    done = project.run("preview")
    assert not {op for op in done.changes if op in ("create", "replace", "delete")}


def test_packages_of_the_project_file_are_plugins(project):
    project.write('Item("a")\n', "packages:\n  box: ./plugin\n")
    assert project.run().changes["create"] == 2
    project.write('Item("a")\n', "packages:\n  box:\n    source: plugin\n")
    project.run("preview", expect_no_changes=True)


@pytest.mark.parametrize(
    ("request_", "name"),
    [  # the CLI's own examples (pkg/resource/deploy/providers/provider_test.go)
        (ProviderRequest("pkg"), "default"),
        (ProviderRequest("pkg", "0.18.1"), "default_0_18_1"),
        (ProviderRequest("pkg", "0.17.7-dev.15+gb70.dirty"), "default_0_17_7_dev_15_gb70_dirty"),
        (ProviderRequest("pkg", "0.18.1", "pulumi.com/pkg"), "default_0_18_1_pulumi.com/pkg"),
        (ProviderRequest("pkg", "", "company.com"), "default_company.com"),
        (ProviderRequest("pkg", "", "-ü//x"), "default____/x"),
    ],
)  # fmt: skip
def test_names_of_default_providers(request_, name):
    assert request_.name == name


def test_what_is_known_of_a_package():
    def provider(inputs):
        return ResourceState(urn="u", type="pulumi:providers:box", custom=True, inputs=inputs)

    old, new = provider({"version": "1.9.0"}), provider({"version": "1.10.0", "__internal": {}})
    assert find_packages((), [old, new])["box"].version == "1.10.0"
    required = ProviderRequest("other", "1.0.0")
    assert find_packages([required], [old, new]) == {"other": required}
    inputs = {
        "version": "3.0.0",
        "__internal": {"name": "base", "version": "1.2.0", "parameterization": "d2hhdA=="},
    }
    becomes = Parameterization("box", "3.0.0", b"what")
    assert of_state(provider(inputs)) == ProviderRequest("base", "1.2.0", "", becomes)


def test_what_installed_packages_say(tmp_path, monkeypatch):
    for name, told in {
        "pulumi_random-4.1": {"resource": True, "name": "random", "version": "v4.1.0"},
        "pulumi_tool-1.0.0": {"resource": False},
        "acme_box-2.0": {"resource": True, "server": "https://example.com"},
        "requests-2.0.0": None,
        "pulumi_old-1.2.3a4": None,
        "pulumi_policy-1.0.0": None,
    }.items():
        module = name.split("-")[0]
        (tmp_path / module).mkdir()
        (tmp_path / module / "__init__.py").touch()
        (tmp_path / f"{name}.dist-info").mkdir()
        if told is not None:
            (tmp_path / module / "pulumi-plugin.json").write_text(json.dumps(told))
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    found = {one["name"]: (one["version"], one.get("server")) for one in required_packages.find()}
    assert found == {
        "random": ("4.1.0", None),
        "acme-box": ("2.0.0", "https://example.com"),
        "old": ("1.2.3-alpha.4", None),
    }


@pytest.mark.parametrize(
    ("package", "plugin"),
    [("1", "1.0.0"), ("1.2.3rc4", "1.2.3-rc.4"), ("1.2.3.post4", "1.2.3+post4"),
     ("1.2.3.post4.dev5", "1.2.3+post4dev5"),
     ("1.2.3.dev5", "1.2.3+dev5"), ("1!2.0", ""), ("", ""), ("1.2.3.4", "1.2.3.4")],
)  # fmt: skip
def test_a_plugins_version_by_its_packages(package, plugin):
    assert plugin_version(package) == plugin
