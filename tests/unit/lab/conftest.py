"""The emulated accelerators, compiled once."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from infra.lab.accelerator import build

sys.path.insert(0, str(Path(__file__).parent))

import stand_in


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Folder with the library and the command, compiled without a warning."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("built")
    build.build_library(folder, ["-Werror"])
    build.build_command(folder, ["-Werror"])
    return folder


@pytest.fixture
def tray(tmp_path, built):
    """A healthy tray."""
    made = stand_in.Tray(tmp_path, built)
    made.has(stand_in.TRAY)
    return made
