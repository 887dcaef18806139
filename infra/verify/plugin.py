"""The pytest plugin of checks: which machines they run on, how these are reached, what is written down of it.

`tests/verify/conftest.py`, and that of a site's own checks, name it. With `--site` checks run on the site's
machines; with testinfra's `--hosts` too, over testinfra's own connections to these; with `--hosts` alone,
those checks run that need nothing of a plan.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import testinfra

from infra.errors import UserError
from infra.plan.tables.machines import Role
from infra.rollout import ssh
from infra.rollout.inventory.targets import Targets, targets
from infra.rollout.inventory.variables import check_variables
from infra.verify.batch import BatchBackend
from infra.verify.hosts import Hosts
from infra.verify.rehearsal import ask, rehearse
from infra.verify.shell import Shell
from infra.verify.shell import wait as wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from testinfra.host import Host

    from infra.plan.tables.machines import Machine
    from infra.render.facts import MachineFacts, SiteFacts

TARGETS = pytest.StashKey[Targets | None]()
LIMITED = pytest.StashKey[tuple["Machine", ...]]()
RESULTS = pytest.StashKey[list[dict[str, Any]]]()
HOSTS = pytest.StashKey[Hosts]()
REHEARSED = pytest.StashKey[bool]()
"""Whether what runs now is a rehearsal."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    group = parser.getgroup("gigasite")
    group.addoption("--site", help="name of the site, a folder below inventories/")
    group.addoption("--limit", help="Ansible's pattern of machines and groups")
    group.addoption("--verify-json", metavar="FILE", help="where to write each check's outcome")


def pytest_configure(config: pytest.Config) -> None:
    """Find the site's machines."""
    config.addinivalue_line("markers", "role(*names): roles of the machines that a check is for")
    config.addinivalue_line(
        "markers", "proved_on(what): what a check proves on stand-ins: vm, emulated, simulated"
    )
    config.addinivalue_line("markers", "asks(*commands): what a check asks of its machine, to be asked early")
    config.stash[RESULTS] = []
    config.stash[TARGETS] = None
    config.stash[LIMITED] = ()
    config.stash[REHEARSED] = False
    site = config.getoption("--site")
    if site:
        try:
            config.stash[TARGETS] = found = targets(site)
            check_variables(site)
            limit = config.getoption("--limit")
            picked = found.only(limit)
            given = _plain_hosts(config) if _plain(config) else []
        except UserError as error:
            raise pytest.UsageError(str(error)) from error
        named = {host.backend.hostname for host in given}
        config.stash[LIMITED] = tuple(one for one in picked if not named or one.name in named)
        if not config.stash[LIMITED]:
            what = f"--hosts {config.getoption('hosts')}" if named else f"the pattern {limit!r}"
            raise pytest.UsageError(f"site {site}: {what} picks no machine")


def _plain(config: pytest.Config) -> bool:
    """Whether testinfra's own connections are asked for."""
    return bool(config.getoption("hosts", None))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a check on each machine that it is for."""
    config = metafunc.config
    if config.stash[TARGETS] is None:
        if not _plain(config):
            raise pytest.UsageError("name the site: pytest tests/verify --site lab")
        if "machine" in metafunc.fixturenames and "host" not in metafunc.fixturenames:
            return
        if "host" in metafunc.fixturenames:
            given = _plain_hosts(config)
            metafunc.parametrize("host", given, ids=[one.backend.get_pytest_id() for one in given])
        return
    if "machine" not in metafunc.fixturenames:
        return
    roles = {Role(name) for mark in metafunc.definition.iter_markers("role") for name in mark.args} or set(
        Role
    )
    picked = [machine for machine in config.stash[LIMITED] if machine.role in roles]
    # Machines are the slow dimension: all checks of a machine share what was asked of it.
    metafunc.parametrize("machine", picked, ids=[machine.name for machine in picked], scope="session")


def _plain_hosts(config: pytest.Config) -> list[Host]:
    """Hosts by testinfra's own options, as its own plugin makes them."""
    words = ("connection", "ssh_config", "ssh_extra_args", "ssh_identity_file", "sudo", "sudo_user")
    settings = {word: config.getoption(word, None) for word in words}
    return list(testinfra.get_hosts(config.getoption("hosts").split(","), **settings))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out checks that none of the chosen machines has, and with a limit those of the whole site."""
    if config.stash[TARGETS] is None:
        planned = [item for item in items if "found" in getattr(item, "fixturenames", ())]
        items[:] = [item for item in items if item not in planned]
        config.hook.pytest_deselected(items=planned)
        return
    chosen = {machine.name for machine in config.stash[LIMITED]}
    limited = bool(config.getoption("--limit")) or _plain(config)
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        machine = _params(item).get("machine")
        whole = machine is None and "machine" not in getattr(item, "fixturenames", ())
        name = getattr(machine, "name", None)
        (kept if (whole and not limited) or name in chosen else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Ask the machines before the checks run."""
    config = session.config
    found = config.stash[TARGETS]
    asking = found is not None and not config.option.collectonly and not session.testsfailed
    if found is not None and asking and session.items:
        if _plain(config):
            config.stash[HOSTS] = Hosts.plain(_plain_hosts(config))
        else:
            config.stash[HOSTS] = Hosts.batched(ssh.write_config(found.site, found.machines))
            _ask_ahead(session, found)
    return (yield)


def _ask_ahead(session: pytest.Session, found: Targets) -> None:
    """Ask all machines what their checks will ask."""
    config = session.config
    asked: dict[BatchBackend, list[str]] = {}
    for machine in config.stash[LIMITED]:
        backend = config.stash[HOSTS].backend(machine.name)
        assert isinstance(backend, BatchBackend)
        asked[backend] = _marked(session.items, machine, found)
    ask(asked)
    config.stash[REHEARSED] = True
    try:
        rehearse(session.items, list(asked))
    finally:
        config.stash[REHEARSED] = False


def _marked(items: list[pytest.Item], machine: Machine, found: Targets) -> list[str]:
    """Collect the questions of the checks' `asks` marks for a machine."""
    asked: list[str] = []
    for item in items:
        if _params(item).get("machine") is not machine:
            continue
        for mark in item.iter_markers("asks"):
            for question in mark.args:
                more = question(found.facts_of(machine), found.facts) if callable(question) else (question,)
                asked.extend(more)
    return asked


@pytest.fixture(scope="session")
def found(pytestconfig: pytest.Config) -> Targets:
    """All machines of the site."""
    value = pytestconfig.stash[TARGETS]
    assert value is not None
    return value


@pytest.fixture(scope="session")
def site(found: Targets) -> SiteFacts:
    """Facts of the site."""
    return found.facts


@pytest.fixture(scope="session")
def facts(found: Targets, machine: Machine) -> MachineFacts:
    """Facts of the machine."""
    return found.facts_of(machine)


@pytest.fixture(scope="session")
def variables(found: Targets, machine: Machine) -> Mapping[str, Any]:
    """Variables of the machine's roles: defaults, group_vars, host_vars."""
    return found.variables_of(machine)


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config, machine: Machine) -> Host:
    """The machine, as testinfra's documentation says."""
    return pytestconfig.stash[HOSTS].host(machine.name)


@pytest.fixture(scope="session")
def shell_on(pytestconfig: pytest.Config) -> Callable[[str], Shell]:
    """A shell on a machine by its name."""
    return lambda name: Shell(pytestconfig.stash[HOSTS].host(name))


@pytest.fixture(scope="session")
def shell(machine: Machine, shell_on: Callable[[str], Shell]) -> Shell:
    """A shell on the machine, for raw commands; such checks are not rehearsed."""
    return shell_on(machine.name)


@pytest.fixture(scope="session")
def wait() -> Callable[..., bool]:
    """Waits until something holds of a host: `wait(host, true, hopeless)`."""
    return wait_until


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keeps text for a person who reads the report, for example a job's output."""
    return lambda text: request.node.user_properties.append(("output", text))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],  # noqa: ARG001 (pytest's signature)
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the outcome for the record."""
    report = yield
    if item.config.stash[REHEARSED] or item.config.stash[TARGETS] is None:
        return report
    if report.when == "call" or (report.when == "setup" and not report.passed):
        item.config.stash[RESULTS].append(_result(item, report))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the record."""
    target = session.config.getoption("--verify-json")
    if target:
        text = json.dumps(
            {"site": session.config.getoption("--site"), "checks": session.config.stash[RESULTS]}, indent=1
        )
        Path(target).write_text(f"{text}\n", encoding="utf-8")


def _params(item: pytest.Item) -> Mapping[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}


def _result(item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:
    machine: Machine | None = _params(item).get("machine")
    mark = item.get_closest_marker("proved_on")
    found = item.config.stash[TARGETS]
    assert found is not None
    stood_in = any(one.stand_in for one in ((machine,) if machine else found.machines))
    function = getattr(item, "function", None)
    name = ((function.__doc__ if function else None) or item.name).strip().splitlines()[0].rstrip(".")
    outcome = report.outcome if report.when == "call" or report.outcome == "skipped" else "error"
    return {
        "id": item.nodeid,
        "name": name,
        "host": machine.name if machine else None,
        "machine": machine.name if machine else "",
        "outcome": outcome,
        "message": "" if report.passed else _message(report),
        "proved_on": mark.args[0] if mark and stood_in else "real",
        "seconds": round(report.duration, 2),
        "output": "\n".join(str(value) for key, value in report.user_properties if key == "output"),
    }


def _message(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).strip()[:2000]
