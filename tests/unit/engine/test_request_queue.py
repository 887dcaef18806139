"""What comes from the program waits for its turn: the engine first does all that it can."""

from __future__ import annotations

import asyncio

import pytest

from infra.engine.program.request_queue import RequestQueue

pytestmark = pytest.mark.unit


def test_each_starts_when_those_before_have_come_as_far_as_they_can() -> None:
    seen: list[str] = []

    async def main() -> None:
        turns, outside = RequestQueue(), asyncio.Event()

        async def answer(request: str) -> None:
            await turns.wait()
            for step in range(3):
                seen.append(f"{request}{step}")
                await asyncio.sleep(0)
            if request == "a":
                await outside.wait()
                seen.append("a3")
            outside.set()

        await asyncio.gather(*map(answer, "abc"))

    asyncio.run(main())
    assert seen == ["a0", "a1", "a2", "b0", "b1", "b2", "a3", "c0", "c1", "c2"]


def test_one_that_fails_holds_up_no_other() -> None:
    async def main() -> list[str]:
        turns, arrived, seen = RequestQueue(), asyncio.Event(), []

        def fail() -> None:
            raise ValueError("first")

        asyncio.get_running_loop().set_exception_handler(lambda _, what: seen.append(str(what["exception"])))
        turns.pass_on(fail)
        turns.pass_on(arrived.set)
        await asyncio.wait_for(arrived.wait(), 10)
        return seen

    assert asyncio.run(main()) == ["first"]


def test_what_asks_over_and_over_for_the_answer_gets_it() -> None:
    async def main() -> None:
        arrived: list[bool] = []
        RequestQueue().pass_on(lambda: arrived.append(True))
        async with asyncio.timeout(10):
            while not arrived:  # noqa: ASYNC110 (as programs do)
                await asyncio.sleep(0)

    asyncio.run(main())
