"""Archives whose hashes the CLI's own code was asked for (package archive of its SDK for Go, 3.259.0)."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

from infra.engine.resource.values import Archive, Asset

if TYPE_CHECKING:
    from pathlib import Path

X: dict[str, Any] = {"text": "x"}
CASES: dict[str, dict[str, Any]] = {
    "empty": {"assets": {}},
    "one": {"assets": {"x": X}},
    "order": {"assets": {"b": X, "a": X, "B": X, "é": X, "~": X, "𐀀": X, "\uffee": X}},
    "dot archive": {"assets": {".": {"assets": {"n": X}}}},
    "dot folder": {"assets": {".": {"archive": "folder"}}},
    "dot slash asset": {"assets": {"./n": X}},
    "dot slash archive": {"assets": {"./n/": {"assets": {"./m": X, "../k": X}}}},
    "absolute": {"assets": {"/a": X, "b": {"assets": {"/c": X}}}},
    "empty key": {"assets": {"": {"assets": {"n": X}}}},
    "same name twice": {"assets": {"a/b": X, "a": {"assets": {"b": {"text": "y"}, "c": X}}}},
    "slash at the end": {"assets": {"a/": {"text": ""}}},
    "slash at the end of a file": {"assets": {"a/": X}},
    "non-ASCII": {"assets": {"äöü/日本語.txt": X, "plain": X}},
    "non-ASCII deep": {"assets": {"a": {"assets": {"é": X}}}},
    "length 99": {"assets": {"n" * 99: X}},
    "length 100": {"assets": {"n" * 100: X}},
    "length 101": {"assets": {"n" * 101: X}},
    "length 101 split": {"assets": {"d/" + "n" * 99: X}},
    "length 101 split at the start": {"assets": {"/" + "n" * 100: X}},
    "length 255": {"assets": {"d" * 154 + "/" + "n" * 100: X}},
    "length 256": {"assets": {"d" * 155 + "/" + "n" * 100: X}},
    "length 257": {"assets": {"d" * 156 + "/" + "n" * 100: X}},
    "many slashes": {"assets": {"/".join(["dir"] * 60) + "/f": X}},
    "long non-ASCII": {"assets": {"é" * 120 + "/" + "n" * 120: X}},
    "cut at a slash": {"assets": {"é" + "n" * 98 + "//m" + "o" * 120: X}},
    "block": {"assets": {"a": {"text": "y" * 512}, "b": {"text": "y" * 513}}},
    "folder": {"archive": "folder"},
    "folder with a slash": {"archive": "folder/"},
    "folder through dots": {"archive": "./folder/../folder"},
    "link to a folder": {"archive": "linked"},
    "broken link": {"archive": "broken"},
    "bookkeeping": {"archive": "folder/.pulumi"},
    "plain file": {"archive": "plain"},
    "missing": {"archive": "missing"},
    "tar": {"archive": "a.tar"},
    "tgz": {"archive": "a.tgz"},
    "tar.gz": {"archive": "a.tar.gz"},
    "zip": {"archive": "a.zip"},
    "jar": {"archive": "a.jar"},
    "tar inside": {"assets": {"t": {"archive": "a.tar"}}},
    "tgz inside": {"assets": {"t": {"archive": "a.tgz"}}},
    "zip inside": {"assets": {"t": {"archive": "a.zip"}, ".": {"archive": "a.jar"}}},
    "plain file inside": {"assets": {"t": {"archive": "plain"}}},
    "folder as an asset": {"assets": {"t": {"path": "folder"}}},
    "file as an asset": {"assets": {"t": {"path": "plain"}}},
    "URI that is no archive": {"uri": "file:///nowhere/plain"},
    "text asset": X,
    "empty asset": {"text": ""},
    "folder asset": {"path": "folder"},
}


def value_of(case: dict[str, Any]) -> Archive | Asset:
    """The value of a case."""
    if "assets" in case:
        return Archive(assets={key: value_of(item) for key, item in case["assets"].items()})
    if "archive" in case:
        return Archive(path=case["archive"])
    if "uri" in case:
        return Archive(uri=case["uri"])
    return Asset(text=case.get("text"), path=case.get("path"))


def lay_out(root: Path) -> None:
    """Make the files that the cases name; their bytes are always the same."""
    folder = root / "folder"
    for name in ("b/x", "b/y", "b.c", "B", "é", ".hidden", "z/.pulumi/no", "z/w", ".pulumi/no"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "link").symlink_to("b/x")
    (folder / "folder-link").symlink_to("b")
    (root / "linked").symlink_to("folder")
    (root / "broken").mkdir()
    (root / "broken" / "l").symlink_to("nowhere")
    (root / "plain").write_text("plain")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in (("./d/", None), ("./d/f", b"1"), ("g//h", b"2")):
            info = tarfile.TarInfo(name)
            info.type, info.size = (tarfile.REGTYPE, len(content)) if content else (tarfile.DIRTYPE, 0)
            tar.addfile(info, io.BytesIO(content) if content else None)
    (root / "a.tar").write_bytes(packed.getvalue())
    for name in ("a.tgz", "a.tar.gz"):
        (root / name).write_bytes(gzip.compress(packed.getvalue(), mtime=0))
    for name in ("a.zip", "a.jar"):
        with zipfile.ZipFile(root / name, "w") as archive:
            for inner in ("d/", "d/f", "./e"):
                archive.writestr(zipfile.ZipInfo(inner), "" if inner.endswith("/") else inner)
