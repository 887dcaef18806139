"""Processes that the engine starts: what is left of them when they are ended."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING

import pytest

from infra.engine.plugin.process import Process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_grandchild_that_holds_the_pipes_is_not_waited_for(tmp_path: Path) -> None:
    async def start_and_stop() -> None:
        process = await Process.start(("sh", "-c", "sleep 8 & sleep 8"), cwd=tmp_path, environment={})
        process.follow(lambda *_: None)
        await asyncio.sleep(0.2)
        await process.stop()

    began = time.monotonic()
    asyncio.run(start_and_stop())
    gc.collect()  # a transport that is still open would complain that its loop is gone
    assert time.monotonic() - began < 7
