"""What recorded scenarios do not cover, told as stories: each against what the Pulumi CLI did with it.

A story (`stories/NAME.py`) is a program and what is done with it; `stories/NAME.json` is what the CLI did,
as `twin.Outcome`s. Where the CLI is on PATH the recording itself is compared with it again, elsewhere that
part is skipped. To record: `python tests/conformance/test_stories.py NAME …` with the CLI on PATH.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import twin  # noqa: E402

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.conformance
STORIES = HERE / "stories"
NAMES = sorted(path.stem for path in STORIES.glob("[a-z]*.py"))


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"story_{name}", STORIES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(name: str, engine: str, folder: Path) -> list[dict[str, Any]]:
    """The facts of a story on an engine, as JSON gives them back."""
    module = load(name)
    world = twin.World(folder / "world", engine, **getattr(module, "WORLD", {}))
    facts = [outcome.facts() for outcome in module.story(world)]
    return json.loads(json.dumps(facts, sort_keys=True))


def compare(expected: list[dict[str, Any]], got: list[dict[str, Any]], name: str) -> None:
    """Each step by itself, so that pytest shows the difference and not the whole."""
    for number, (one, other) in enumerate(zip(expected, got, strict=True)):
        for key in one:
            assert other[key] == one[key], f"{name}, run {number + 1}: {key}"


@pytest.mark.parametrize("engine", twin.EMBEDDED)
@pytest.mark.parametrize("name", NAMES)
def test_embedded(name: str, engine: str, tmp_path: Path) -> None:
    compare(json.loads((STORIES / f"{name}.json").read_text()), told(name, engine, tmp_path), name)


@pytest.mark.skipif(twin.CLI is None, reason="the Pulumi CLI is not on PATH")
@pytest.mark.parametrize("name", NAMES)
def test_the_cli_still_does_what_was_recorded(name: str, tmp_path: Path) -> None:
    compare(json.loads((STORIES / f"{name}.json").read_text()), told(name, "cli", tmp_path), name)


def test_every_recording_has_its_story() -> None:
    assert sorted(path.stem for path in STORIES.glob("*.json")) == NAMES


if __name__ == "__main__":
    import tempfile

    for one in sys.argv[1:]:
        with tempfile.TemporaryDirectory(prefix="story-") as temporary:
            recording = told(one, "cli", Path(temporary))
        (STORIES / f"{one}.json").write_text(json.dumps(recording, indent=1, sort_keys=True) + "\n")
