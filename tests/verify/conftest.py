"""Which machines a check runs on, how it reaches them, and what is written down of it."""

from __future__ import annotations

import json
import secrets
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import testinfra

from infra.errors import UserError
from infra.hostkeys import explain
from infra.plan.tables.machines import Role
from infra.rollout import ssh
from infra.rollout.inventory.targets import Targets, targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from infra.plan.tables.machines import Machine
    from infra.render.facts import MachineFacts, SiteFacts

TARGETS = pytest.StashKey[Targets | None]()
LIMITED = pytest.StashKey[tuple["Machine", ...]]()
RESULTS = pytest.StashKey[list[dict[str, Any]]]()

PATIENCE = 120
"""Answers that a check waits for, a second and more apart; slowest by its own timers, on any machine, is a
clock whose server came back: 47 s seen."""
PAUSE_S = 1.0


class Answer(NamedTuple):
    """What a command said: exit status, and its output with its errors."""

    status: int
    text: str


class Shell:
    """Runs commands on one machine as root, over the shared connection.

    What the checks' `asks` marks name is asked before the first check; the rest when it is needed.
    """

    def __init__(self, config: Path, name: str) -> None:
        self.host = testinfra.get_host(
            f"ssh://{name}?ssh_config={config}&controlpersist=0&timeout=120&sudo=true"
        )
        self.name = name
        self.known_hosts = config.parent / "ssh" / "known_hosts"
        self.away: str | None = None
        self.told = False
        self.answers: dict[str, Answer] = {}

    def ask(self, commands: Iterable[str]) -> None:
        """Run commands one after the other in one login and keep what they say.

        A login costs an emulated machine more than most commands do.
        """
        wanted = [command for command in dict.fromkeys(commands) if command not in self.answers]
        if not wanted or self.away is not None:
            return
        mark = secrets.token_hex(8)
        script = "\n".join(
            f"said=$(eval {shlex.quote(command)} 2>&1); echo {mark} $?; printf '%s\\n' \"$said\""
            for command in wanted
        )
        try:
            output = self.host.run(script).stdout
        except RuntimeError as error:
            self.away = str(getattr(error.args[0], "stderr", error)).strip()
            return
        parts = output.split(f"{mark} ")[1:]
        for command, part in zip(wanted, parts, strict=True):
            status, _, text = part.partition("\n")
            self.answers[command] = Answer(int(status), text.strip("\n"))

    def run(self, command: str) -> Answer:
        """What a command says; the check fails if the machine does not answer."""
        self.ask([command])
        if command not in self.answers:
            # One cause, one failure: the other checks of a dead machine say that it was not checked.
            if self.told:
                pytest.skip(f"not checked: {self.name} does not answer")
            self.told = True
            why = explain(self.away or "", self.known_hosts, self.name) or self.away
            pytest.fail(f"{self.name} does not answer: {why}", pytrace=False)
        return self.answers[command]

    def out(self, command: str) -> str:
        """What a command prints; the check fails if the command does."""
        status, text = self.run(command)
        if status:
            pytest.fail(f"`{command}` exit {status}: {text or 'no output'}", pytrace=False)
        return text

    def wait(
        self, command: str, true: Callable[[str], bool], hopeless: Callable[[str], bool] = lambda _: False
    ) -> str:
        """What a command prints once that is as it shall be; the last it said when that does not come.

        For what a machine settles by itself after a change: it ends at the first good answer, and at one
        after which there is none to hope for. It counts answers and not seconds: a machine that is ten times
        slower gives the same number, ten times later.
        """
        text = self.out(command)
        for _ in range(PATIENCE):
            if true(text) or hopeless(text):
                break
            time.sleep(PAUSE_S)
            del self.answers[command]
            text = self.out(command)
        return text

    def json(self, command: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.out(command))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gigasite")
    group.addoption("--site", help="name of the site, a folder below inventories/")
    group.addoption("--limit", help="Ansible's pattern of machines and groups")
    group.addoption("--verify-json", metavar="FILE", help="where to write each check's outcome")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "role(*names): roles of the machines that a check is for")
    config.addinivalue_line(
        "markers", "proved_on(what): what a check proves on stand-ins: vm, emulated, simulated"
    )
    config.addinivalue_line("markers", "asks(*commands): what a check asks of its machine, to be asked early")
    config.stash[RESULTS] = []
    config.stash[TARGETS] = None
    config.stash[LIMITED] = ()
    site = config.getoption("--site")
    if site:
        try:
            config.stash[TARGETS] = found = targets(site)
            limit = config.getoption("--limit")
            config.stash[LIMITED] = found.only(limit)
        except UserError as error:
            raise pytest.UsageError(str(error)) from error
        if not config.stash[LIMITED]:
            raise pytest.UsageError(f"site {site}: the pattern {limit!r} picks no machine")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = metafunc.config.stash[TARGETS]
    if found is None:
        raise pytest.UsageError("name the site: pytest tests/verify --site lab")
    if "machine" not in metafunc.fixturenames:
        return
    roles = {Role(name) for mark in metafunc.definition.iter_markers("role") for name in mark.args} or set(
        Role
    )
    picked = [machine for machine in metafunc.config.stash[LIMITED] if machine.role in roles]
    # Machines are the slow dimension: all checks of a machine share what was asked of it.
    metafunc.parametrize("machine", picked, ids=[machine.name for machine in picked], scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out checks that none of the chosen machines has, and with a limit those of the whole site."""
    chosen = {machine.name for machine in config.stash[LIMITED]}
    limited = bool(config.getoption("--limit"))
    kept, left = [], []
    for item in items:
        machine = _params(item).get("machine")
        whole = machine is None and "machine" not in getattr(item, "fixturenames", ())
        name = getattr(machine, "name", None)
        (kept if (whole and not limited) or name in chosen else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


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
def shell_on(request: pytest.FixtureRequest, found: Targets) -> Callable[[str], Shell]:
    """A shell on a machine by its name; what the checks ask of all machines is asked now, of all at once."""
    config = ssh.write_config(found.site, found.machines)
    shells = {machine.name: Shell(config, machine.name) for machine in found.machines}
    questions: dict[str, list[str]] = {}
    for item in request.session.items:
        machine = _params(item).get("machine")
        for mark in item.iter_markers("asks") if machine else ():
            asked = questions.setdefault(machine.name, [])
            for question in mark.args:
                more = question(found.facts_of(machine), found.facts) if callable(question) else (question,)
                asked.extend(more)
    with ThreadPoolExecutor(max_workers=32) as pool:
        list(pool.map(lambda name: shells[name].ask(questions[name]), questions))
    return shells.__getitem__


@pytest.fixture(scope="session")
def shell(machine: Machine, shell_on: Callable[[str], Shell]) -> Shell:
    """A shell on the machine."""
    return shell_on(machine.name)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keeps text for a person who reads the report, for example a job's output."""
    return lambda text: request.node.user_properties.append(("output", text))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield
    if report.when == "call" or (report.when == "setup" and not report.passed):
        item.config.stash[RESULTS].append(_result(item, report))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
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
