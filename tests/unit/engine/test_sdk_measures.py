"""Measures that reach into the SDK: there with the pinned SDK, and left out where the SDK differs."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from infra.engine import sdk_measures

pytestmark = pytest.mark.unit


def fresh(code: str) -> str:
    """What code prints in a process of its own: the measures change modules for good."""
    path = sdk_measures.__file__
    head = f"import runpy\nmeasures = runpy.run_path({path!r})\n"
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_all_fit_the_pinned_sdk() -> None:
    assert fresh("print(measures['apply']())") == str([one.__name__ for one in sdk_measures.MEASURES])


def test_a_changed_sdk_is_left_alone() -> None:
    code = """
from pulumi.runtime import stack
import pulumi.log, linecache
async def wait_for_rpcs(): ...
stack.wait_for_rpcs = wait_for_rpcs
del pulumi.log.debug
linecache.checkcache = None
print(measures['apply'](), stack.asyncio.FIRST_COMPLETED)
"""
    assert fresh(code) == f"[] {asyncio.FIRST_COMPLETED}"


def test_linear_wait_changes_only_the_module_that_waits() -> None:
    code = """
import asyncio
from pulumi.runtime import stack
measures['linear_wait']()
print(stack.asyncio.FIRST_COMPLETED, asyncio.FIRST_COMPLETED)
"""
    assert fresh(code) == f"{asyncio.FIRST_EXCEPTION} {asyncio.FIRST_COMPLETED}"


def test_importing_the_engine_changes_nothing() -> None:
    code = """
import linecache, infra.engine.session, infra.engine.in_process
print(linecache.checkcache.__module__)
"""
    assert fresh(code) == "linecache"
