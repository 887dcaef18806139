"""Providers that the program's installed packages say they need, by their `pulumi-plugin.json`.

It stands alone: another interpreter runs it to look at its own packages (`python required_packages.py`).
As the CLI's language host does (pulumi-language-python/main.go).
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from typing import Any

# Packages of Pulumi's own that have no provider, as in the CLI.
_WITHOUT_PROVIDER = {"pulumi-policy", "pulumi-esc-sdk"}
_VERSION = re.compile(r"(\d+(?:\.\d+)*)(?:(a|b|rc)(\d*))?(?:\.post(\d*))?(?:\.dev(\d*))?")
_BEFORE = {"a": "alpha", "b": "beta", "rc": "rc"}


def find() -> list[dict[str, Any]]:
    """The providers of this interpreter's packages, as `pulumi-plugin.json` has them."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            entries = sorted(os.listdir(folder or "."))  # noqa: PTH208 (a hundred names, often)
        except OSError:
            continue
        for entry in entries:
            if entry.endswith(".dist-info"):
                name, _, version = entry[: -len(".dist-info")].rpartition("-")
                found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version)
    described = (_describe_package(name, version) for name, version in found.items())
    return [one for one in described if one is not None]


def _describe_package(name: str, version: str) -> dict[str, Any] | None:
    if name in _WITHOUT_PROVIDER:
        return None
    told = _plugin_file(name.replace("-", "_"))
    if told is None and not name.startswith("pulumi-"):
        return None
    if told is not None and not told.get("resource"):
        return None
    told = told or {}
    wanted = told.get("version") or plugin_version(version)
    if not wanted:
        return None
    own = {"name": told.get("name") or name.removeprefix("pulumi-"), "version": wanted.removeprefix("v")}
    return {**told, **own}


def _plugin_file(module: str) -> dict[str, Any] | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        try:
            with open(os.path.join(place, "pulumi-plugin.json"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
                told = json.load(file)
        except (OSError, ValueError):
            continue
        return told if isinstance(told, dict) else None
    return None


def plugin_version(version: str) -> str:
    """The plugin's version for a package's: `1.2` is `1.2.0`, `1.2.3a4` is `1.2.3-alpha.4`; empty if none."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return ""
    numbers, kind, before, post, dev = match.groups()
    text = ".".join([*numbers.split("."), "0", "0"][: max(3, numbers.count(".") + 1)])
    text += f"-{_BEFORE[kind]}.{before}" if kind else ""
    later = (f"post{post}" if post is not None else "") + (f"dev{dev}" if dev is not None else "")
    return text + (f"+{later}" if later else "")


if __name__ == "__main__":
    del sys.path[0]
    print(json.dumps(find()))  # noqa: T201 (its answer)
