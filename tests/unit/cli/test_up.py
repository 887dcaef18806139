"""`up` before anything is touched: mistakes, unknown sites, refused plans."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest

from infra import cli, paths
from infra.cli import down

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "inventories" / "bad").mkdir(parents=True)
    return tmp_path


def test_every_mistake_at_once_with_its_line_and_nothing_is_touched(root, capsys):
    source = paths.Path(cli.__file__).parents[2] / "inventories" / "lab" / "site.yaml"
    text = source.read_text().replace("name: lab\n", "name: bad\n")
    text = text.replace("platform: lab-tray, slots: [1, 2]", "platform: lab-wm, slots: [1, 1]")
    text = text.replace("services:\n", "servises:\n")
    (root / "inventories" / "bad" / "site.yaml").write_text(text)
    assert cli.main(["up", "bad"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert all("inventories/bad/site.yaml:" in line for line in lines)
    for expected in ("lab-wm", "servises", "slots"):
        assert any(expected in line for line in lines), lines
    assert sorted(path.name for path in root.iterdir()) == ["inventories"]


@pytest.mark.parametrize("verb", ["up", "down", "configure", "verify", "report"])
def test_a_site_that_is_not_there_is_named_and_leaves_nothing(root, capsys, verb):
    assert cli.main([verb, "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert sorted(path.name for path in root.iterdir()) == ["inventories"]


def test_down_forgets_a_salt_and_keeps_a_configuration(root):
    salted, configured = root / "Pulumi.lab.yaml", root / "Pulumi.lab.pod-01.yaml"
    salted.write_text("encryptionsalt: v1:x\n")
    configured.write_text("encryptionsalt: v1:x\nconfig:\n  gigasite:size: 3\n")
    other = root / "Pulumi.labrador.yaml"
    other.write_text("encryptionsalt: v1:y\n")
    assert down._remove_settings("lab") == ["Pulumi.lab.pod-01.yaml"]
    assert [path.exists() for path in (salted, configured, other)] == [False, True, True]


def test_down_knows_every_file_of_a_sites_state():
    """A cache that `down` does not know would be taken for somebody else's, and stay for ever."""
    names = {
        name
        for file in paths.Path(cli.__file__).parents[1].rglob("*.py")
        for name in re.findall(r'paths\.state\([^)]+\) / "([^"]+)"', file.read_text(encoding="utf-8"))
    }
    assert len(names) > 8
    assert [name for name in names if not any(fnmatch(name, ours) for ours in down.OURS)] == []
