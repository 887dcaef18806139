"""After a failure, siblings of the failed step still start; what came of later answers does not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.engine.deploy.executor import StepExecutor
from infra.engine.deploy.step import WELL, Applied, Status, Step
from infra.engine.events import Op
from infra.engine.plugin.provider import ProviderError
from infra.engine.resource.state import ResourceState

pytestmark = pytest.mark.unit


class _Step(Step):
    op = Op.CREATE

    def __init__(self, name: str, *dependencies: str) -> None:
        super().__init__(None, ResourceState(urn=name, type="t", custom=True, dependencies=[*dependencies]))
        self.ends: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()

    async def apply(self, deployment: object) -> Applied:  # noqa: ARG002 (the original's)
        return await self.ends


def _deployment() -> Any:
    async def wait(_: object) -> None: ...

    def ignore(*_: object, **__: object) -> None: ...

    return SimpleNamespace(
        reporter=SimpleNamespace(started=ignore, ended=ignore),
        snapshot=SimpleNamespace(begin=wait, end=ignore, unlock=wait),
        hooks=SimpleNamespace(failed_after=False),
        options=SimpleNamespace(continue_on_error=False),
        stop_soon=ignore,
        news={},
    )


def test_only_what_could_be_asked_for_before_the_failed_step_began_still_starts() -> None:
    async def main() -> None:
        executor = StepExecutor(cast("Any", _deployment()), 0)

        async def start(step: _Step) -> bool:
            return await executor.execute_serial([step]) is not None

        early, failing, late = _Step("early"), _Step("failing"), _Step("late")
        early.ends.set_result(WELL)
        assert await start(early)
        assert await start(failing)
        assert await start(late)
        late.ends.set_result(WELL)
        await asyncio.sleep(0)
        failing.ends.set_result(Applied(Status.OK, ProviderError("broke")))
        async with asyncio.timeout(10):
            while executor.failure is None:  # noqa: ASYNC110 (a turn or two)
                await asyncio.sleep(0)
        sibling = _Step("sibling", "early")
        sibling.ends.set_result(WELL)
        assert await start(sibling)
        assert not await start(_Step("child", "late"))
        await executor.wait()

    asyncio.run(main())
