"""Hashes of assets and archives, as Pulumi computes them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from infra.engine import EngineError
from infra.engine.resource.assets import with_hashes
from infra.engine.resource.values import Archive, Asset, Secret

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_asset_hash_is_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    found = with_hashes({"t": Asset(text="content"), "f": [Secret(Asset(path="f"))]}, tmp_path)
    expected = hashlib.sha256(b"content").hexdigest()
    assert found["t"].hash == expected
    assert found["f"][0].value.hash == expected


def test_archive_hash_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_text("1")
    from_folder = with_hashes(Archive(path="d"), tmp_path).hash
    from_assets = with_hashes(Archive(assets={"x": Asset(text="1")}), tmp_path).hash
    assert from_folder == from_assets
    assert with_hashes(Archive(assets={"y": Asset(text="1")}), tmp_path).hash != from_assets


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="failed to compute asset hash"):
        with_hashes(Asset(path="nothing"), tmp_path)
