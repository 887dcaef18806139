"""After a failure nothing more starts; what is in flight ends."""

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

    def __init__(self, name: str) -> None:
        super().__init__(None, ResourceState(urn=name, type="t", custom=True))
        self.ends: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()

    async def apply(self, deployment: object) -> Applied:  # noqa: ARG002 (the original's)
        return await self.ends


def _deployment(ended: dict[str, bool]) -> Any:
    async def wait(_: object) -> None: ...

    def ignore(*_: object, **__: object) -> None: ...

    def end(step: Step, *, success: bool) -> None:
        ended[step.urn] = success

    return SimpleNamespace(
        reporter=SimpleNamespace(started=ignore, ended=ignore),
        snapshot=SimpleNamespace(begin=wait, end=end, unlock=wait),
        hooks=SimpleNamespace(failed_after=False),
        options=SimpleNamespace(continue_on_error=False),
        wake=ignore,
        news={},
    )


def test_what_is_in_flight_ends_and_nothing_more_starts() -> None:
    async def main() -> None:
        ended: dict[str, bool] = {}
        executor = StepExecutor(cast("Any", _deployment(ended)), 0)
        failing, sibling, late = _Step("failing"), _Step("sibling"), _Step("late")
        assert await executor.execute_serial([failing]) is not None
        assert await executor.execute_serial([sibling]) is not None
        failing.ends.set_result(Applied(Status.OK, ProviderError("broke")))
        async with asyncio.timeout(10):
            while executor.failure is None:  # noqa: ASYNC110 (a turn or two)
                await asyncio.sleep(0)
        assert await executor.execute_serial([late]) is None
        sibling.ends.set_result(WELL)
        await executor.wait()
        assert ended == {"failing": False, "sibling": True}

    asyncio.run(main())
