"""The import command: take resources over that exist, without a program."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.engine.deploy.bail import BailError
from infra.engine.deploy.executor import StepExecutor
from infra.engine.deploy.import_step import ImportStep
from infra.engine.deploy.provider_request import ProviderRequest
from infra.engine.deploy.steps import CreateStep, SameStep
from infra.engine.errors import EngineError
from infra.engine.plugin.provider import ProviderError, Request
from infra.engine.resource import urn as urns
from infra.engine.resource.state import ResourceState
from infra.engine.resource.urn import PROVIDER_TYPE, STACK_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.engine.deploy.deployment import Deployment
    from infra.engine.options import ImportSpec
    from infra.engine.resource.values import Properties


async def import_resources(
    deployment: Deployment,
    specs: Sequence[ImportSpec],
    config: Callable[[str], Properties] = lambda _: {},
    known: Mapping[str, ProviderRequest] | None = None,
) -> bool:
    """Take them over; whether all went well.

    Args:
        deployment: which does it.
        specs: what to take over.
        config: a package's configuration, for default providers.
        known: what a package's provider is where a spec does not say.
    """
    executor = StepExecutor(deployment, deployment.options.parallel, ignore_errors=True)
    deployment.executor = executor
    importer = _Importer(deployment, executor, config, known or {})
    try:
        await importer.run(specs)
    except ProviderError as error:
        executor.failure = executor.failure or error
    except BailError as error:
        executor.failure = executor.failure or error
    await executor.wait()
    if executor.failure is not None:
        deployment.error(f"{'preview' if deployment.preview else 'update'} failed: {importer.failure_text}")
        return False
    return True


class _Importer:
    def __init__(
        self,
        deployment: Deployment,
        executor: StepExecutor,
        config: Callable[[str], Properties],
        known: Mapping[str, ProviderRequest],
    ) -> None:
        self._deployment, self._executor, self._config, self._known = deployment, executor, config, known

    @property
    def failure_text(self) -> str:
        """Why, as the CLI says it."""
        return f"step application failed: {self._executor.failure}"

    async def run(self, specs: Sequence[ImportSpec]) -> None:
        deployment = self._deployment
        for state in list(deployment.resources):
            if not state.delete:
                await self._do(SameStep(state, state.copy()))
        stack = await self._stack()
        references = await self._providers(specs)
        steps: dict[str, ImportStep] = {}
        for spec in specs:
            parent = spec.parent or stack
            urn = urns.make(deployment.stack, deployment.project, parent, spec.type, spec.name)
            old = deployment.olds.get(urn)
            if old is not None and (old.import_id or old.id) == spec.id:
                continue
            new = ResourceState(
                urn=urn,
                type=spec.type,
                custom=not spec.component,
                parent=parent,
                protect=spec.protect,
                provider="" if spec.component else references[self._provider_urn(spec)],
                import_id=spec.id,
            )
            steps[urn] = ImportStep(None, new, properties=spec.properties)
        # Parents among them first.
        while steps:
            ready = [urn for urn, step in steps.items() if step.res.parent not in steps]
            await self._executor.execute_parallel(steps.pop(urn) for urn in ready)
            if self._executor.failure is not None:
                return

    async def _do(self, step: SameStep | CreateStep) -> None:
        await self._executor.execute_parallel([step])
        if self._executor.failure is not None:
            raise BailError(str(self._executor.failure))

    async def _stack(self) -> str:
        """The URN of the stack resource, which is made if it is not there."""
        deployment = self._deployment
        for state in deployment.resources:
            if state.type == STACK_TYPE and not state.parent:
                return state.urn
        name = f"{deployment.project}-{deployment.stack}"
        urn = urns.make(deployment.stack, deployment.project, "", STACK_TYPE, name)
        await self._do(CreateStep(None, ResourceState(urn=urn, type=STACK_TYPE, custom=False)))
        return urn

    def _provider_urn(self, spec: ImportSpec) -> str:
        if spec.provider:
            return spec.provider
        request = self._request(spec)
        deployment = self._deployment
        return urns.make(
            deployment.stack, deployment.project, "", PROVIDER_TYPE + request.package, request.name
        )

    def _request(self, spec: ImportSpec) -> ProviderRequest:
        """The default provider for a spec: of the version that it says, else that the program requires."""
        package = urns.package_of(spec.type)
        known = self._known.get(package)
        becomes = known.parameterization if known else None
        if known is None or becomes is None:
            return ProviderRequest(package, spec.version).completed(known)
        version = spec.version or becomes.version
        return replace(known, parameterization=replace(becomes, version=version))

    async def _providers(self, specs: Sequence[ImportSpec]) -> dict[str, str]:
        """References of the providers, by URN; default ones are made."""
        deployment = self._deployment
        references: dict[str, str] = {}
        for spec in specs:
            urn = self._provider_urn(spec)
            if spec.component or urn in references:
                continue
            old = deployment.olds.get(urn)
            if old is not None:
                references[urn] = old.provider_reference
                continue
            package = urns.package_of(urns.type_of(urn))
            inputs = {} if spec.provider else dict(self._config(package))
            (ProviderRequest(package, spec.version) if spec.provider else self._request(spec)).put_into(
                inputs
            )
            checked = await deployment.registry.check(Request(urn, inputs=inputs))
            if checked.failures:
                raise ProviderError("provider check failed")
            state = ResourceState(urn=urn, type=PROVIDER_TYPE + package, custom=True, inputs=inputs)
            await self._do(CreateStep(None, state))
            references[urn] = state.provider_reference
        return references


def refuse_ambiguous(specs: Sequence[ImportSpec]) -> None:
    """Check that no two resources would have one URN.

    Raises:
        EngineError: two would.
    """
    taken: set[tuple[str, str, str]] = set()
    for spec in specs:
        place = (spec.parent, spec.type, spec.name)
        if place in taken:
            raise EngineError(
                f"resource '{spec.name}' of type '{spec.type}' has an ambiguous URN, "
                "set name (or logical name) to be unique"
            )
        taken.add(place)
