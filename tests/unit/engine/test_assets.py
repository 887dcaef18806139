"""Hashes of assets and archives, as Pulumi computes them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from infra.engine import EngineError
from infra.engine.resource.assets import with_hashes
from infra.engine.resource.values import Archive, Asset, Secret
from tests.unit.engine.archive_cases import CASES, lay_out, value_of

pytestmark = pytest.mark.unit
OF_THE_CLI = json.loads(Path(__file__).with_name("archive_hashes.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_hashes_and_refusals_are_those_of_the_cli(name: str, tmp_path: Path) -> None:
    lay_out(tmp_path)
    expected = OF_THE_CLI[name].replace("<root>", str(tmp_path))
    if " " not in expected:
        assert with_hashes(value_of(CASES[name]), tmp_path).hash == expected
        return
    with pytest.raises(EngineError) as refused:
        with_hashes({"k": value_of(CASES[name])}, tmp_path)
    assert str(refused.value).partition(' hash for "k": ')[2] == expected


def test_a_name_that_no_header_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot encode header"):
        with_hashes(Archive(assets={"a\0b": Asset(text="x")}), tmp_path)


@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.zip"])
def test_a_damaged_archive_in_another_is_one_error(name: str, tmp_path: Path) -> None:
    lay_out(tmp_path)
    packed = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(packed[: min(len(packed) // 3, 700)])
    with pytest.raises(EngineError, match="failed to expand sub-archive 't'"):
        with_hashes(Archive(assets={"t": Archive(path=name)}), tmp_path)


@pytest.mark.parametrize("uri", ["ftp://h/a.zip", "a.zip", "file:///nowhere/at/all.zip"])
def test_a_uri_that_cannot_be_read_is_one_error(uri: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="failed to compute archive hash"):
        with_hashes(Archive(uri=uri), tmp_path)


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
