"""What a person sees of a run: lines as things happen, property differences, equal changes together."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from infra.engine import Operation, events, property_path, values
from infra.engine import urn as urns
from infra.engine.event_json import EventStream, PreviewDigest, masked, plain_text
from infra.engine.events import Op, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from infra.engine import Result
    from infra.engine.events import Event, StepMetadata


@dataclass(frozen=True, slots=True)
class Words:
    """How an operation is spoken of: its sign, and the words for before, while, after and the count."""

    sign: str
    color: str
    plan: str
    doing: str
    done: str
    counted: str


WORDS: dict[Op, Words] = {
    Op.SAME: Words("  ", "", "", "", "", "unchanged"),
    Op.CREATE: Words("+ ", "green", "create", "creating", "created", "to create|created"),
    Op.UPDATE: Words("~ ", "yellow", "update", "updating", "updated", "to update|updated"),
    Op.DELETE: Words("- ", "red", "delete", "deleting", "deleted", "to delete|deleted"),
    Op.REPLACE: Words("+-", "magenta", "replace", "replacing", "replaced", "to replace|replaced"),
    Op.CREATE_REPLACEMENT: Words(
        "++", "green", "create replacement", "creating replacement", "created replacement", ""
    ),
    Op.DELETE_REPLACED: Words("--", "red", "delete original", "deleting original", "deleted original", ""),
    Op.DISCARD_REPLACED: Words("< ", "red", "discard original", "discarding original", "discarded", ""),
    Op.READ: Words("> ", "cyan", "read", "reading", "read", "to read|read"),
    Op.READ_REPLACEMENT: Words(">>", "cyan", "read replacement", "reading replacement", "read", ""),
    Op.READ_DISCARD: Words("< ", "magenta", "discard", "discarding", "discarded", "to discard|discarded"),
    Op.REFRESH: Words("~ ", "yellow", "refresh", "refreshing", "refreshed", "to refresh|refreshed"),
    Op.REMOVE_PENDING_REPLACE: Words("~ ", "yellow", "complete replace", "completing", "completed", ""),
    Op.IMPORT: Words("= ", "cyan", "import", "importing", "imported", "to import|imported"),
    Op.IMPORT_REPLACEMENT: Words("=>", "cyan", "import replacement", "importing", "imported", ""),
}

HEADINGS = {
    Operation.PREVIEW: ("Previewing update", "update"),
    Operation.UP: ("Updating", "update"),
    Operation.REFRESH: ("Refreshing", "refresh"),
    Operation.DESTROY: ("Destroying", "destroy"),
    Operation.IMPORT: ("Importing", "import"),
}

NAMES_SHOWN = 4  # of a group of equal changes
VALUE_WIDTH = 80  # longer values are cut in lines, never in `--json`


def closing_message(operation: str, result: Result) -> str:
    """The line with which the CLI itself ends a run that it calls failed; empty if it has nothing to add."""
    if result.exit_code == 7:
        kind = "preview" if operation == Operation.PREVIEW else HEADINGS[Operation(operation)][1]
        return f"error: no changes were expected for {kind} but changes were proposed"
    return f"error: {result.error}" if result.error else ""


# ---------------------------------------------------------------- values and differences


def text_of(value: Any) -> str:
    """A value in one line, secrets masked."""
    return cut(json.dumps(_shown(masked(value)), ensure_ascii=False, default=str))


def _shown(value: Any) -> Any:  # noqa: PLR0911 (one for each type)
    if value is values.UNKNOWN:
        return "[unknown]"
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, values.Asset):
        return f"asset {value.path or value.uri or 'text'} {value.hash[:8]}"
    if isinstance(value, values.Archive):
        return f"archive {value.path or value.uri or ''} {value.hash[:8]}"
    if isinstance(value, values.ResourceReference):
        return value.urn
    return value


def cut(text: str) -> str:
    """The text, or its beginning if it is long."""
    return text if len(text) <= VALUE_WIDTH else f"{text[: VALUE_WIDTH - 2]} …"


def differences(step: StepMetadata) -> tuple[str, ...]:
    """What changes in a resource, one line for each property, signs first; secrets masked."""
    old, new = step.old, step.new
    if old is None or new is None or step.op in (Op.SAME, Op.DELETE, Op.DELETE_REPLACED):
        return ()
    lines = []
    for path in _paths(step):
        diff = (step.detailed_diff or {}).get(path)
        before = _at(path, old.inputs if diff is None or diff.input_diff else old.outputs)
        after = _at(path, new.inputs)
        replaces = (diff and diff.kind.replaces) or path in step.keys
        sign = "+" if before is _ABSENT else "-" if after is _ABSENT else "~"
        lines.append(f"{sign} {path}: {_change(before, after)}{' (replaces)' if replaces else ''}")
    return tuple(lines)


_ABSENT: Any = object()


def _paths(step: StepMetadata) -> list[str]:
    return list(step.detailed_diff) if step.detailed_diff else list(dict.fromkeys((*step.diffs, *step.keys)))


def _at(path: str, properties: Any) -> Any:
    """The value at a property path; a secret on the way makes all below it secret."""
    try:
        parts = property_path.parse(path)
    except ValueError:
        parts = (path,)
    value, secret = properties, False
    for part in parts:
        while isinstance(value, values.Secret):
            value, secret = value.value, True
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return values.Secret(value) if secret and not isinstance(value, values.Secret) else value


def _change(before: Any, after: Any) -> str:
    if before is _ABSENT and after is _ABSENT:
        return "changes"
    if before is _ABSENT:
        return text_of(after)
    return text_of(before) if after is _ABSENT else f"{text_of(before)} => {text_of(after)}"


# ---------------------------------------------------------------- what has happened so far


@dataclass(slots=True)
class Progress:
    """The run as far as it is known: what is under way, what is done, what was said."""

    planning: bool = False
    running: dict[tuple[str, Op], StepMetadata] = field(default_factory=dict)
    done: list[tuple[StepMetadata, bool]] = field(default_factory=list)
    same: int = 0
    diagnostics: dict[str, list[events.DiagnosticEvent]] = field(default_factory=lambda: defaultdict(list))
    policies: list[events.PolicyEvent] = field(default_factory=list)
    summary: events.SummaryEvent | None = None

    def take(self, event: Event) -> bool:
        """Note an event; whether it tells people anything new."""
        step = getattr(event, "metadata", None)
        if step is not None and _is_default_provider(step):
            return False
        match event:
            case events.ResourcePreEvent():
                self.planning = event.planning
                self.running[event.metadata.urn, event.metadata.op] = event.metadata
            case events.ResOutputsEvent():
                return self._end(event.metadata, failed=False)
            case events.ResOpFailedEvent():
                return self._end(event.metadata, failed=True)
            case events.DiagnosticEvent() if not event.ephemeral and event.severity is not Severity.DEBUG:
                self.diagnostics[event.urn].append(event)
            case events.PolicyEvent():
                self.policies.append(event)
            case events.SummaryEvent():
                self.summary = event
            case _:
                pass
        return True

    def _end(self, step: StepMetadata, *, failed: bool) -> bool:
        started = self.running.pop((step.urn, step.op), None)
        if started is None and self.running.pop((step.urn, Op.REFRESH), None) is None:
            return False  # the outputs of a component, which was told of before
        if step.op is Op.SAME and not failed:
            self.same += 1
        else:
            # The start of a step knows what was wanted; its end only what came of it.
            self.done.append((started or step, failed))
        return True

    def groups(self) -> list[tuple[StepMetadata, list[str], bool, tuple[str, ...]]]:
        """Changes that are equal but for the resource's name: one of them, all names, failed, differences."""
        found: dict[Any, list[str]] = {}
        first: dict[Any, StepMetadata] = {}
        for step, failed in self.done:
            key = (step.op, step.type, failed, differences(step))
            first.setdefault(key, step)
            found.setdefault(key, []).append(urns.name_of(step.urn))
        return [(first[key], names, key[2], key[3]) for key, names in found.items()]


def _is_default_provider(step: StepMetadata) -> bool:
    """Whether a step is about a provider that the engine makes by itself: nothing that a person asked for."""
    if not urns.is_provider_type(step.type):
        return False
    name = urns.name_of(step.urn)
    return name == "default" or name.startswith("default_")


def names_of(names: list[str]) -> str:
    """Some names, and how many more there are."""
    if len(names) <= NAMES_SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[: NAMES_SHOWN - 1])}, … {names[-1]} ({len(names)})"


def count_lines(changes: Iterable[tuple[Op, int]], *, planned: bool) -> list[str]:
    """The closing table: how many resources for each operation."""
    lines, changed, same = [], 0, 0
    for op, count in changes:
        words = WORDS[op]
        if op is Op.SAME:
            same = count
        elif count and words.counted:
            changed += count
            before, _, after = words.counted.partition("|")
            lines.append(f"{words.sign}{count} {before if planned else after}")
    if changed and same:
        lines.append(f"{changed} changes. {same} unchanged" if changed > 1 else f"1 change. {same} unchanged")
    elif same:
        lines.append(f"{same} unchanged")
    return lines


def diagnostic_lines(progress: Progress) -> list[str]:
    """All that was said, by resource."""
    lines = []
    for urn, said in progress.diagnostics.items():
        lines.append(f"  {urns.type_of(urn)} ({urns.name_of(urn)}):" if urn else "  the run:")
        for one in said:
            prefix = "" if one.severity in (Severity.INFO, Severity.INFO_ERR) else f"{one.severity}: "
            text = plain_text(one.prefix + one.message).rstrip().replace("\n", "\n    ")
            lines.append(f"    {prefix}{text}")
    return lines


# ---------------------------------------------------------------- displays


class Display:
    """Lines as things happen. It is a function of events; `close` says how it all ended.

    Args:
        operation: what runs.
        stack: the stack's name, for the heading.
        out: where to write.
        show_differences: print property differences at each change (`--diff`).
        show_same: print unchanged resources too.
    """

    def __init__(
        self, operation: Operation, stack: str, out: TextIO, *,
        show_differences: bool = False, show_same: bool = False,
    ) -> None:  # fmt: skip
        self.operation, self.stack, self.out = operation, stack, out
        self.show_differences, self.show_same = show_differences, show_same
        self.progress = Progress(planning=operation is Operation.PREVIEW)
        self.start()

    def start(self) -> None:
        """Print the heading."""
        self.line(f"{HEADINGS[self.operation][0]} ({self.stack}):")

    def line(self, text: str) -> None:
        """Print one line."""
        print(text, file=self.out, flush=True)

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if not self.progress.take(event):
            return
        match event:
            case events.ResourcePreEvent() if not event.planning and self._worth(event.metadata):
                self._step(event.metadata, WORDS[event.metadata.op].doing, differences_too=True)
            case events.ResOutputsEvent() if self._worth(event.metadata):
                words = WORDS[event.metadata.op]
                word = words.plan if event.planning else words.done
                self._step(event.metadata, word, differences_too=event.planning)
            case events.ResOpFailedEvent():
                self._step(event.metadata, f"{WORDS[event.metadata.op].doing} failed", differences_too=False)
            case events.DiagnosticEvent() if event.ephemeral or event.severity is Severity.INFO_ERR:
                self.line(f"    {plain_text(event.message).rstrip()}")
            case events.StdoutEvent():
                self.line(plain_text(event.message).rstrip())
            case _:
                pass

    def _worth(self, step: StepMetadata) -> bool:
        return step.op is not Op.SAME or self.show_same

    def _step(self, step: StepMetadata, word: str, *, differences_too: bool) -> None:
        found = differences(step)
        brief = f" [{', '.join(line.split(':')[0].replace(' ', '') for line in found)}]" if found else ""
        show = differences_too and self.show_differences
        self.line(
            f" {WORDS[step.op].sign} {step.type} {urns.name_of(step.urn)} {word}{'' if show else brief}"
        )
        if show:
            for line in found:
                self.line(f"        {line}")

    def abort(self) -> None:
        """Give the terminal back; an error is about to be printed."""

    def close(self, result: Result) -> None:
        """Say how it ended: what was said, outputs, counts."""
        if lines := diagnostic_lines(self.progress):
            self.line("\n".join(["Diagnostics:", *lines, ""]))
        if self.progress.policies:
            self.line("Policies:")
            for one in self.progress.policies:
                name = urns.name_of(one.resource_urn) if one.resource_urn else self.stack
                self.line(f"    [{one.enforcement_level}] {one.policy_name} ({name}): {one.message.strip()}")
        if result.outputs and self.operation in (Operation.UP, Operation.PREVIEW, Operation.REFRESH):
            self.line("Outputs:")
            for name, value in sorted(result.outputs.items()):
                self.line(f"    {name}: {text_of(value)}")
        self.line("Resources:")
        planned = self.progress.summary.is_preview if self.progress.summary else self.progress.planning
        for line in count_lines(result.changes.items(), planned=planned) or ["no changes"]:
            self.line(f"    {line}")
        if message := closing_message(self.operation, result):
            self.line(message)


class JsonDisplay:
    """As the CLI: one JSON document at the end of a preview; of everything else JSON lines as they come."""

    def __init__(self, operation: Operation, out: TextIO) -> None:
        self._out = out
        self._digest = PreviewDigest() if operation is Operation.PREVIEW else None
        self._stream = EventStream(out)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        (self._digest or self._stream)(event)

    def abort(self) -> None:
        """Nothing of the terminal was taken."""

    def close(self, result: Result) -> None:
        """Print the document, if it is one."""
        del result
        if self._digest:
            print(json.dumps(self._digest.document(), indent=4), file=self._out, flush=True)


def display_for(
    operation: Operation, stack: str, *, as_json: bool = False, show_differences: bool = False,
    show_same: bool = False, out: TextIO | None = None,
) -> Display | JsonDisplay:  # fmt: skip
    """The display that suits where it is shown: a live tree on a terminal, plain lines elsewhere."""
    out = out or sys.stdout
    if as_json:
        return JsonDisplay(operation, out)
    kind: Callable[..., Display] = Display
    if out.isatty():
        from infra.engine.tree_display import TreeDisplay  # noqa: PLC0415 (rich takes 0.1 s to import)

        kind = TreeDisplay
    return kind(operation, stack, out, show_differences=show_differences, show_same=show_same)
