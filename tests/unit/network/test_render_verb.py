"""`gigasite render`: folders, groups of equal changes, mistakes."""

from __future__ import annotations

import json

import pytest

from infra.cli import main
from infra.render.network import output

pytestmark = pytest.mark.unit


def files(name, peer, *, mtu=9216):
    return {"frr.conf": f"hostname {name}\nmtu {mtu}\ninterface {name}-x\n description {peer}\n"}


def test_switches_that_change_alike_are_one_group(tmp_path):
    names = [f"pod-01-leaf-{number:02d}" for number in range(1, 6)]
    output.write([(name, files(name, "host")) for name in names], tmp_path)
    after = [(name, files(name, "host", mtu=9000)) for name in names[:3]]
    after += [(names[3], files(names[3], "other")), ("pod-01-leaf-09", files("x", "y"))]
    groups = output.differences(tmp_path, after)
    assert [(group.change, group.switches) for group in groups] == [
        ("changed", tuple(names[:3])),
        ("changed", (names[3],)),
        ("removed", (names[4],)),
        ("added", ("pod-01-leaf-09",)),
    ]
    assert groups[0].lines == (
        "--- frr.conf",
        " hostname SWITCH",
        "-mtu 9216",
        "+mtu 9000",
        " interface SWITCH-x",
    )


def test_nothing_differs_from_what_was_written(tmp_path, capsys):
    assert main(["render", "lab", "--out", str(tmp_path)]) == 0
    assert main(["render", "lab", "--diff", str(tmp_path)]) == 0
    assert "nothing differs" in capsys.readouterr().out
    path = tmp_path / "pod-01-leaf-01" / "frr.conf"
    path.write_text(path.read_text().replace("hostname", "hostnam"))
    assert main(["render", "lab", "--diff", str(tmp_path), "--json"]) == 1
    (group,) = json.loads(capsys.readouterr().out)
    assert group["switches"] == ["pod-01-leaf-01"]
    assert "-hostnam SWITCH" in group["lines"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["lab"], "give --out DIR or --diff DIR|REV"),
        (["lab", "pod-01-leaf-02"], "did you mean `pod-01-leaf-01`?"),
        (["lab", "--diff", "no-such-revision"], "no folder and no git revision `no-such-revision`"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(words, text, capsys):
    assert main(["render", *words]) == 1
    assert text in capsys.readouterr().err
