# ruff: noqa: PLC0415 (a command that prints; its modules lie beside it)
"""Kills the engine at random moments, lets it go on, and looks whether anything was lost or done twice.

    python tests/conformance/crash.py [--moments 200] [--seed 1] [--foreign] [--starts fresh unsalted salted]

Each moment: an operation (create, update, the same under other names by aliases, an update of targets,
replacement in both orders, destroy) starts from a state where the one before was done; the engine is killed
with SIGKILL while its provider works; `cancel`; the operation again. Then state and cloud must be those of a
run without a kill, and no effect may have happened twice. What is on disk after the kill must be readable.
The stacks are fresh (not made yet, no settings file), unsalted (made, no salt in the settings) or salted.
With `--foreign` the provider knows no operation ids: what is uncertain must stand in the state as pending.
Each moment is recovered both ways: by `cancel`, with the journal, and as the CLI does, from the checkpoint
alone (crash_alone.py), where only what came after the last refresh of the checkpoint may be done again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

from crash_alone import Alone, go_on_alone, read_alone  # noqa: E402

COUNT = 8  # resources; each depends on the one two before it, so that two chains run at once
DELAY = 0.1  # seconds that the provider takes for each of them
REFRESH = 0.02  # seconds between refreshes of the checkpoint, of which a run of a second gets some so
LIMIT = 120.0  # seconds that an operation may take, on a slow machine


RENAMED = ("rename", "target", "replace", "replace-first")  # phases in which r0 is called s0
PHASES = ("create", "update", "rename", "target", "replace", "replace-first", "destroy")
STARTS = ("fresh", "unsalted", "salted")


def name_of(phase: str, index: int) -> str:
    return f"{'s' if phase in RENAMED else 'r'}{index}"


def resources(phase: str) -> list[dict[str, Any]]:
    """What the program registers in a phase."""
    props: dict[str, Any] = {"size": 1, "site": "fr", "zone": "a", "password": "pw"}
    props |= {"update": {"size": 2}, "rename": {"size": 3}, "target": {"size": 4}}.get(phase, {})
    props |= {"replace": {"size": 2, "site": "de"}}.get(phase, {})
    if phase == "replace-first":
        props |= {"size": 2, "site": "de", "zone": "b"}
    entries: list[dict[str, Any]] = []
    for index in range(COUNT):
        own = dict(props, password={"$secret": "pw"})
        if index > 1:
            own["from"] = {"$output": f"{name_of(phase, index - 2)}.rev"}
        options = {"aliases": [{"name": f"r{index}"}]} if phase == "rename" else {}
        entries.append({"name": name_of(phase, index), "props": own, "options": options})
    return entries


def targets(phase: str) -> tuple[str, ...]:
    """The URNs that a phase is limited to."""
    chosen = range(0, COUNT, 3) if phase == "target" else ()
    return tuple(f"urn:pulumi:dev::suite::conf:index:Res::{name_of(phase, index)}" for index in chosen)


@dataclass
class World:
    """A folder with project, cloud and state."""

    root: Path
    foreign: bool
    start: str
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def cloud(self) -> Path:
        return self.root / "cloud"

    def make(self) -> None:
        import recorder

        from infra.engine.resource.stack_ref import StackRef

        program = self.root / "suite" / "prog"
        program.mkdir(parents=True)
        self.cloud.mkdir()
        shutil.copy(HERE / "prog" / "__main__.py", program)
        plugins = {"providers": [{"name": "conf", "path": str(HERE / "provider")}]}
        project = {"name": "suite", "runtime": "python", "main": "prog", "plugins": plugins}
        (self.root / "suite" / "Pulumi.yaml").write_text(json.dumps(project))
        if self.start == "salted":
            settings = f"encryptionsalt: {recorder.SALT}\n"
            (self.root / "suite" / "Pulumi.dev.yaml").write_text(settings)
        if self.start != "fresh":
            self.backend().init(StackRef("suite", "dev"))

    def copy(self, root: Path) -> World:
        shutil.copytree(self.root, root)
        return World(root, self.foreign, self.start)

    def environment(self) -> dict[str, str]:
        import recorder

        ours = {
            "CONF_DIR": str(self.cloud),
            "CONF_OPERATIONS": "0" if self.foreign else "1",
            "PULUMI_BACKEND_URL": f"file://{self.root}/state",
            "PULUMI_CONFIG_PASSPHRASE": recorder.PASSPHRASE,
            "PULUMI_HOME": str(self.root / "home"),
        }
        return dict(os.environ) | ours

    def prepare(self, phase: str) -> None:
        delays = [
            {"method": method, "name": f"{letter}{index}", "delay": DELAY}
            for method in ("create", "update", "delete")
            for letter in "rs"
            for index in range(COUNT)
        ]
        step = {"resources": [] if phase == "destroy" else resources(phase), "faults": delays}
        (self.cloud / "step.json").write_text(json.dumps(step))
        (self.cloud / "calls.jsonl").write_text("")

    @contextmanager
    def started(self, phase: str) -> Iterator[subprocess.Popen[str]]:
        """The operation of a phase, under way in a process of its own; nothing of it outlives the block."""
        command = [sys.executable, str(HERE / "crash.py"), "--child", phase, "--root", str(self.root)]
        # No pipes: program and provider would inherit them and hold them open.
        with (self.root / "output").open("w") as output:
            child = subprocess.Popen(
                command, env=self.environment(), stdout=output, stderr=output, start_new_session=True
            )
        try:
            yield child
        finally:
            family = self.descendants(child.pid)
            child.kill()
            child.wait()
            end(family)

    @staticmethod
    def descendants(pid: int) -> list[Any]:
        import psutil

        try:
            return psutil.Process(pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def run(self, phase: str) -> int:
        self.prepare(phase)
        with self.started(phase) as child:
            code = child.wait(timeout=LIMIT)
        if code:
            raise AssertionError(f"{phase} failed:\n{self.said()}")
        return code

    def said(self) -> str:
        return (self.root / "output").read_text()[-3000:]

    def calls(self) -> int:
        return (self.cloud / "calls.jsonl").read_text().count("\n")

    def changes(self) -> bool:
        """Whether the provider has begun to change something."""
        log = (self.cloud / "calls.jsonl").read_text()
        return any(f'"method": "{method}"' in log for method in ("Create", "Update", "Delete"))

    def wait_for_change(self, child: subprocess.Popen[str]) -> None:
        began = time.monotonic()
        while not self.changes() and child.poll() is None and time.monotonic() - began < LIMIT:
            time.sleep(0.005)

    def is_recorded(self) -> bool:
        """Whether there is a journal: an operation runs, or was cut off."""
        from infra.engine.resource.stack_ref import StackRef

        return self.backend().files(StackRef("suite", "dev")).journal.exists()

    def state(self) -> dict[str, Any]:
        """The state without what differs from run to run."""
        import recorder

        os.environ["PULUMI_CONFIG_PASSPHRASE"] = recorder.PASSPHRASE
        looker = recorder.Recorder.__new__(recorder.Recorder)
        looker.backend, looker.ids, looker.named = self.backend(), {}, recorder.defaultdict(int)
        return looker.state(recorder.StackRef("suite", "dev"))

    def backend(self) -> Any:
        from infra.engine.backend.backend import FileBackend

        return FileBackend(f"file://{self.root}/state")

    def objects(self) -> dict[str, Any]:
        path = self.cloud / "cloud.json"
        return json.loads(path.read_text())["objects"] if path.exists() else {}

    def effects(self) -> dict[str, int]:
        path = self.cloud / "cloud.json"
        return json.loads(path.read_text()).get("effects", {}) if path.exists() else {}


def end(processes: list[Any]) -> None:
    """Wait for processes to end by themselves as orphans do, then end them."""
    import psutil

    _, alive = psutil.wait_procs(processes, timeout=5)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=5)


def child(phase: str, root: Path) -> int:
    """One operation, as the process that may be killed."""
    from infra import engine
    from infra.engine import events
    from infra.engine.backend import refresher
    from infra.engine.backend.backend import FileBackend
    from infra.engine.resource.stack_ref import StackRef

    vars(refresher).update(AT_LEAST=REFRESH, SHARE=1)
    backend, ref = FileBackend(os.environ["PULUMI_BACKEND_URL"]), StackRef("suite", "dev")
    if not backend.exists(ref):
        backend.init(ref)

    def tell(event: events.Event) -> None:
        if isinstance(event, events.DiagnosticEvent) and event.severity is not events.Severity.DEBUG:
            print(event.severity, event.urn, event.message, flush=True)

    operation = engine.Operation.DESTROY if phase == "destroy" else engine.Operation.UP
    options = engine.Options(parallel=4, targets=targets(phase))
    result = engine.run(operation, project_dir=root / "suite", stack="dev", options=options, on_event=tell)
    print(result.outcome, {str(op): count for op, count in result.changes.items()}, result.error)
    return result.exit_code


@dataclass
class Reference:
    """Runs without a kill: the world before each phase, and what the phase comes to."""

    folder: Path
    foreign: bool
    start: str

    def __post_init__(self) -> None:
        self.folder.mkdir()
        world = World(self.folder / "reference", self.foreign, self.start)
        world.make()
        self.before: dict[str, World] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.clouds: dict[str, dict[str, Any]] = {}
        self.seconds: dict[str, float] = {}
        for phase in PHASES:
            self.before[phase] = world.copy(self.folder / f"before-{phase}")
            world.prepare(phase)
            with world.started(phase) as running:
                world.wait_for_change(running)
                began = time.monotonic()
                while world.is_recorded() and running.poll() is None:
                    time.sleep(0.005)
                self.seconds[phase] = time.monotonic() - began  # what comes then is the process's own end
                if running.wait(timeout=LIMIT):
                    raise AssertionError(f"{phase} failed without a kill:\n{world.said()}")
            self.states[phase], self.clouds[phase] = world.state(), world.objects()


@dataclass
class Outcome:
    """What came of one moment."""

    phase: str
    at: float
    calls: int
    finished: bool
    alone: Alone = field(default_factory=Alone)
    pending: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def kill_once(reference: Reference, phase: str, chance: random.Random, folder: Path) -> Outcome:
    """One moment."""
    from infra import engine
    from infra.engine.backend.secrets import crypter_for
    from infra.engine.resource import integrity
    from infra.engine.resource.stack_ref import StackRef
    from infra.engine.resource.state import Snapshot

    world = reference.before[phase].copy(folder)
    world.prepare(phase)
    moment = chance.uniform(0, reference.seconds[phase])
    with world.started(phase) as running:
        world.wait_for_change(running)
        time.sleep(moment)
        outcome = Outcome(phase, moment, world.calls(), running.poll() is not None)
        family = world.descendants(running.pid)
        running.send_signal(signal.SIGKILL)
        running.wait()
        end(family)
    backend, ref = world.backend(), StackRef("suite", "dev")
    if outcome.finished:
        return outcome
    outcome.alone = read_alone(world)
    outcome.problems += outcome.alone.problems
    if not outcome.problems:
        wanted, copy = reference.states[phase], folder.with_name(f"{folder.name}-alone")
        outcome.problems += go_on_alone(world, phase, outcome.alone, wanted, copy)
    _, told = backend.cancel(ref)
    deployment = backend.read(ref).deployment
    integrity.check(deployment.get("resources") or (), "the recovered state")
    try:
        Snapshot.from_json(deployment, crypter_for(deployment.get("secrets_providers")))
    except engine.EngineError as error:
        outcome.problems.append(f"the recovered state cannot be read: {error}")
        return outcome
    outcome.pending = [f"{one.type} {one.resource['urn']}" for one in told.begun] if told else []
    stated = deployment.get("pending_operations") or []
    if len(stated) != len(outcome.pending):
        outcome.problems.append(f"{len(outcome.pending)} uncertain, {len(stated)} pending in the state")
    world.run(phase)
    outcome.problems += judge(world, reference, phase, outcome)
    return outcome


def judge(world: World, reference: Reference, phase: str, outcome: Outcome) -> list[str]:
    """What differs from a run without a kill."""
    if world.foreign:
        return judge_foreign(world, reference, phase, outcome)
    problems = []
    if world.state() != reference.states[phase]:
        problems.append("the state differs")
    if world.objects() != reference.clouds[phase]:
        problems.append("the cloud differs")
    twice = [effect for effect, count in world.effects().items() if count > 1 and "update" not in effect]
    if twice:
        problems.append(f"done twice: {', '.join(twice)}")
    return problems


def judge_foreign(world: World, reference: Reference, phase: str, outcome: Outcome) -> list[str]:
    """A provider that knows no ids may have made something twice, but only what was said to be uncertain."""
    said = {entry.rpartition("::")[2] for entry in outcome.pending}
    extra = {
        identity.rpartition("-")[0] for identity in world.objects().keys() - reference.clouds[phase].keys()
    }
    return [f"{name} was made twice, and nobody said so" for name in sorted(extra - said)]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS), help="of which stacks")
    parser.add_argument("--foreign", action="store_true", help="a provider that knows no operation ids")
    parser.add_argument("--keep", type=Path, help="keep the folders of failed moments here")
    parser.add_argument("--child", choices=PHASES, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.child:
        return child(arguments.child, arguments.root)
    chance = random.Random(arguments.seed)
    failed = uncertain = early = refreshed = finished = lost = 0
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        references = {
            start: Reference(Path(folder) / start, arguments.foreign, start) for start in arguments.starts
        }
        for number in range(arguments.moments):
            phase = PHASES[number % len(PHASES)]
            start = arguments.starts[number % len(arguments.starts)]
            reference = references[start]
            place = Path(folder) / f"moment-{number}"
            outcome = kill_once(reference, phase, chance, place)
            failed += bool(outcome.problems)
            uncertain += len(outcome.pending)
            early += outcome.finished
            refreshed += outcome.alone.refreshed
            finished += outcome.alone.finished
            lost += len(outcome.alone.lost)
            word = "; ".join(outcome.problems) or ("came too late" if outcome.finished else "ok")
            about = f"{outcome.at:.3f} s, {outcome.calls} lines, {len(outcome.pending)} uncertain"
            about += f", {len(outcome.alone.lost)} of {outcome.alone.finished} not in the checkpoint"
            print(f"{number:3} {start:<8} {phase:<13} {about}: {word}", flush=True)
            if outcome.problems and arguments.keep:
                shutil.copytree(place, arguments.keep / place.name)
            shutil.rmtree(place)
    print(f"{arguments.moments} moments ({early} came too late), {uncertain} operations were uncertain")
    print(
        f"checkpoint alone: {refreshed} refreshed, {lost} of {finished} changes not in it "
        f"({REFRESH} s between refreshes)"
    )
    print(f"{arguments.moments - failed} passed, {failed} failed")
    return 1 if failed or (finished and lost == finished) else 0


if __name__ == "__main__":
    sys.exit(main())
