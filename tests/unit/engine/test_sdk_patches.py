"""Measures that reach into the SDK: there with the pinned SDK, and left out where the SDK differs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from infra.engine.program import sdk_patches

pytestmark = pytest.mark.unit


def fresh(code: str) -> str:
    """What code prints in a process of its own: the patches change modules for good."""
    path = sdk_patches.__file__
    head = f"import runpy\npatches = runpy.run_path({path!r})\n"
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_all_fit_the_pinned_sdk() -> None:
    assert fresh("print(patches['apply']())") == str([one.__name__ for one in sdk_patches.PATCHES])


def test_a_changed_sdk_is_left_alone() -> None:
    code = """
from pulumi.runtime import stack
import pulumi.log, linecache
async def wait_for_rpcs(): ...
stack.wait_for_rpcs = wait_for_rpcs
del pulumi.log.debug
linecache.checkcache = None
from pulumi.runtime import resource
resource.traceback = None
print(patches['apply'](), stack.asyncio.FIRST_COMPLETED)
"""
    assert fresh(code) == f"[] {asyncio.FIRST_COMPLETED}"


def test_linear_wait_changes_only_the_module_that_waits() -> None:
    code = """
import asyncio
from pulumi.runtime import stack
patches['linear_wait']()
print(stack.asyncio.FIRST_COMPLETED, asyncio.FIRST_COMPLETED)
"""
    assert fresh(code) == f"{asyncio.FIRST_EXCEPTION} {asyncio.FIRST_COMPLETED}"


def test_remembered_positions_are_those_that_the_sdk_tells() -> None:
    code = """
from pulumi.runtime import resource
class A:
    def __init__(self): self.found = resource._get_stack_trace()
class B(A):
    def __init__(self): super().__init__()
class C(B):
    def __init__(self): super().__init__()
def twice():
    yield C().found
    if patches['remembered_positions'](): yield C().found
before, after = list(twice())
lines = [[frame.pc.line for frame in one.frames] for one in (before, after)]
files = [{frame.pc.uri for frame in one.frames} for one in (before, after)]
print(len(lines[0]) > 1, lines[0][1:] == lines[1][1:], lines[1][0] - lines[0][0], files[0] == files[1])
"""
    assert shared_program(code) == "True True 1 True"


def shared_program(code: str) -> str:
    """What it prints as a file: positions are those of files."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"
        program.write_text(code)
        return fresh(f"import runpy; runpy.run_path({str(program)!r}, {{'patches': patches}})")


def test_importing_the_engine_changes_nothing() -> None:
    code = """
import linecache, infra.engine.session, infra.engine.program.in_process
print(linecache.checkcache.__module__)
"""
    assert fresh(code) == "linecache"
