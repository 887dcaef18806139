"""The snapshot manager: what the state is while steps run, recorded in the journal as it changes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from infra.engine.backend.secrets import PassphraseCrypter
from infra.engine.deploy.import_step import ImportStep
from infra.engine.deploy.refresh_step import RefreshStep
from infra.engine.deploy.steps import (
    CreateStep,
    DeleteStep,
    ReadStep,
    RemovePendingReplaceStep,
    ReplaceStep,
    SameStep,
    UpdateStep,
)
from infra.engine.resource import values
from infra.engine.resource.graph import topological
from infra.engine.resource.state import PendingKind, PendingOperation, ResourceState, Snapshot
from infra.engine.resource.urn import ProviderReference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.engine.backend.journal import Begun, Journal
    from infra.engine.deploy.step import Step
    from infra.engine.resource.values import Crypter

_KINDS: Final = {
    CreateStep: PendingKind.CREATING,
    UpdateStep: PendingKind.UPDATING,
    DeleteStep: PendingKind.DELETING,
}
# What a step that changes nothing for the provider may still change in the state.
_COMPARED: Final = tuple(
    name
    for name in ResourceState.__dataclass_fields__
    if name not in {"created", "modified", "unknown_fields"}
)


class SnapshotManager:
    """Follows the steps of a run.

    Args:
        base: the state before; its list of resources is what a refresh rebuilds.
        journal: where changes are recorded; None in a preview.
        crypter: for the secrets in the records.
        begun: operations of an earlier run whose outcome is not known; tried again, they keep their id.
    """

    def __init__(
        self, base: Snapshot, journal: Journal | None, crypter: Crypter, begun: Iterable[Begun] = ()
    ) -> None:
        self.base, self._journal, self._crypter = base, journal, crypter
        self._names = {state: f"b{index}" for index, state in enumerate(base.resources)}
        self._fresh = 0
        self._done: set[ResourceState] = set()
        self._news: list[ResourceState] = []
        self._pending: dict[str, PendingOperation] = {}
        self._carried = {(one.type, one.resource["urn"]): one.operation for one in begun}
        self._acknowledged: set[str] = set()
        self._is_refresh = False
        self._unlocked = False

    async def unlock(self, state: ResourceState | None) -> None:
        """Have the key for secrets, if this state is the first that has any and is recorded.

        Raises:
            EngineError: no passphrase, or the wrong one.
        """
        if self._unlocked or self._journal is None or state is None:
            return
        if values.has_secret(state.inputs) or values.has_secret(state.outputs):
            if isinstance(self._crypter, PassphraseCrypter):
                await self._crypter.unlock()
            self._unlocked = True

    # ------------------------------------------------------------ steps

    async def begin(self, step: Step) -> None:
        """Record that a step starts; when this returns, the record survives a crash."""
        kind = _KINDS.get(type(step))
        if kind is None or self._journal is None or not _reaches_out(step):
            return
        carried = self._carried.pop((kind, step.urn), "")
        step.operation_id = carried or uuid.uuid4().hex
        await self.unlock(step.res)
        self._pending[step.operation_id] = PendingOperation(step.res, kind)
        self._journal.begin(step.operation_id, kind, step.res.to_json(self._crypter))
        await self._journal.durable()

    def acknowledge(self, step: Step) -> None:
        """The provider knows operation ids: a create that was uncertain is not any more."""
        self._acknowledged.add(step.urn)

    def end(self, step: Step, *, success: bool) -> None:
        """Record what a step left; a partial success is one too."""
        self._pending.pop(step.operation_id, None)
        removed: list[ResourceState] = []
        changed: list[ResourceState] = []
        if success:
            removed, changed = self._effects(step)
        if self._journal is None:
            return
        names = [self._names[state] for state in removed if state in self._names]
        put = {self._name(state): state.to_json(self._crypter) for state in changed}
        if step.operation_id or names or put:
            self._journal.end(step.operation_id, remove=[name for name in names if name not in put], put=put)

    def _effects(  # noqa: C901, PLR0911 (one case per kind of step)
        self, step: Step
    ) -> tuple[list[ResourceState], list[ResourceState]]:
        """Take a step's result in.

        Returns:
            The states that left, and those that came or changed.
        """
        old, new = step.old, step.new
        match step:
            case ReplaceStep():
                return [], []
            case SameStep():
                return self._same(step)
            case CreateStep():
                return self._created(step)
            case UpdateStep():
                assert old is not None
                assert new is not None
                return self._moved(old, new)
            case DeleteStep():
                assert old is not None
                if old.pending_replacement:
                    return [], [old]
                self._done.add(old)
                return [old], []
            case RemovePendingReplaceStep():
                assert old is not None
                self._done.add(old)
                return [old], []
            case ReadStep():
                assert new is not None
                self._news.append(new)
                if old is None or old.delete:
                    return [], [new, *([old] if old else [])]
                self._done.add(old)
                return [old], [new]
            case ImportStep():
                assert new is not None
                self._news.append(new)
                return [], [new, *([step.replaced] if step.replaced else [])]
            case RefreshStep() if step.persisted:
                self._is_refresh = True
                assert old is not None
                if new is None:
                    self._done.add(old)
                    return [old], []
                return self._moved(old, new)
        return [], []

    def _created(self, step: CreateStep) -> tuple[list[ResourceState], list[ResourceState]]:
        old, new = step.old, step.res
        self._news.append(new)
        if old is not None and old.pending_replacement:
            self._done.add(old)
            return [old], [new]
        if old is not None and step.pending_delete:
            values.keep_ciphertexts(old.inputs, new.inputs)
            return [], [new, old]
        return [], [new]

    def _same(self, step: SameStep) -> tuple[list[ResourceState], list[ResourceState]]:
        old, new = step.old, step.new
        assert old is not None
        assert new is not None
        self._done.add(old)
        if step.skipped_create:
            return [], []
        if step.urn == old.urn and all(getattr(old, name) == getattr(new, name) for name in _COMPARED):
            self._rename(old, new)
            self._news.append(new)
            _keep(old, new)
            return [], []
        return self._moved(old, new)

    def _moved(
        self, old: ResourceState, new: ResourceState
    ) -> tuple[list[ResourceState], list[ResourceState]]:
        """A state in the place of another: it takes over its name in the journal."""
        self._done.add(old)
        self._news.append(new)
        self._rename(old, new)
        _keep(old, new)
        return [], [new]

    def _rename(self, old: ResourceState, new: ResourceState) -> None:
        if old in self._names:
            self._names[new] = self._names.pop(old)

    def _name(self, state: ResourceState) -> str:
        if state not in self._names:
            self._fresh += 1
            self._names[state] = f"n{self._fresh}"
        return self._names[state]

    def outputs(self, state: ResourceState, old: ResourceState | None) -> None:
        """Record a component's outputs, which come after its step."""
        if old is not None:
            values.keep_ciphertexts(old.outputs, state.outputs)
        if self._journal is not None and state in self._names:
            self._journal.end("", put={self._names[state]: state.to_json(self._crypter)})

    def rebuilt(
        self, pairs: dict[ResourceState, ResourceState | None], resources: list[ResourceState]
    ) -> None:
        """Take in what a refresh made of the base.

        Args:
            pairs: old state to the refreshed one, None if it is gone.
            resources: the whole new base, in order.
        """
        removed = [self._names.pop(old) for old, new in pairs.items() if new is None and old in self._names]
        for old, new in pairs.items():
            if new is not None and new is not old:
                self._rename(old, new)
                _keep(old, new)
        self.base.resources = resources
        if self._journal is not None:
            put = {self._name(state): state.to_json(self._crypter) for state in resources}
            self._journal.end("", remove=removed, put=put)

    # ------------------------------------------------------------ the result

    def snapshot(self) -> Snapshot:
        """The state as it is now."""
        resources = [state for state in self._news if state not in self._done]
        resources += [state for state in self.base.resources if state not in self._done]
        if self._is_refresh:
            resources = drop_dangling_references(resources, only_dangling=True)
        _follow_aliases(resources)
        made = {state.urn for state in resources if not state.delete}
        kept = [
            operation
            for operation in self.base.pending_operations
            if operation.type is PendingKind.CREATING
            and operation.resource.urn not in self._acknowledged & made
        ]
        return Snapshot(
            _sort_topologically(resources),
            [*self._pending.values(), *kept],
            self.base.secrets_provider,
            self.base.metadata,
            self.base.unknown_fields,
        )


def _reaches_out(step: Step) -> bool:
    """Whether a step calls a provider outside the engine to change something."""
    state = step.res
    return step.has_effect and state.custom and not state.is_provider


def _keep(old: ResourceState, new: ResourceState) -> None:
    """Keep what nobody changed: ciphertexts, and fields that only a newer Pulumi understands."""
    new.unknown_fields = new.unknown_fields or old.unknown_fields
    values.keep_ciphertexts(old.inputs, new.inputs)
    values.keep_ciphertexts(old.outputs, new.outputs)


def _follow_aliases(resources: list[ResourceState]) -> None:
    """Let references name their targets by their present URNs; then nobody needs the old ones any more."""
    renamed = {alias: state.urn for state in resources for alias in state.aliases}
    if not renamed:
        return

    def now(urn: str) -> str:
        return renamed.get(urn, urn)

    for state in resources:
        if state.provider:
            reference = ProviderReference.parse(state.provider)
            state.provider = str(ProviderReference(now(reference.urn), reference.id))
        state.parent, state.deleted_with = now(state.parent), now(state.deleted_with)
        state.dependencies = [now(urn) for urn in state.dependencies]
        state.property_dependencies = {
            key: [now(urn) for urn in urns] for key, urns in state.property_dependencies.items()
        }
        state.replace_with = [now(urn) for urn in state.replace_with]
        state.aliases = []


def _sort_topologically(resources: list[ResourceState]) -> list[ResourceState]:
    """The resources in topological order; as they are if that is one."""
    seen: set[str] = set()
    urns = {state.urn for state in resources}
    for state in resources:
        seen.add(state.urn)
        if any(urn in urns and urn not in seen for urn in state.edges()):
            return topological(resources)
    return resources


def drop_dangling_references(
    resources: list[ResourceState], *, only_dangling: bool = False
) -> list[ResourceState]:
    """The resources without references to what is gone; children go to their parent's parent.

    Args:
        resources: in order.
        only_dangling: leave alone what lost nothing, even if it depends on nothing for a property.
    """
    there: set[str] = set()
    parents: dict[str, str] = {}
    for state in resources:
        if not only_dangling or any(urn not in there for urn in state.dependency_urns()):
            while state.parent and state.parent not in there:
                state.parent = parents.get(state.parent, "")
            state.dependencies = [urn for urn in state.dependencies if urn in there]
            left = {
                key: [urn for urn in urns if urn in there]
                for key, urns in state.property_dependencies.items()
            }
            state.property_dependencies = {key: urns for key, urns in left.items() if urns}
            if state.deleted_with not in there:
                state.deleted_with = ""
            state.replace_with = [urn for urn in state.replace_with if urn in there]
        there.add(state.urn)
        parents[state.urn] = state.parent
    return resources
