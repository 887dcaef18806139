"""The JSON Schema of site.yaml, generated from the types; editors complete and check with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra import paths
from infra.spec.catalog import KINDS
from infra.spec.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from infra.spec.base import Part

CATALOG = paths.ROOT / "docs" / "catalog"
"""Where the schemas of catalog entries lie, one file for each kind."""
FILE = paths.ROOT / "docs" / "site.schema.json"
"""Where the generated schema lies; each site.yaml's first line refers to it."""


def text(model: type[Part] = Site) -> str:
    """The schema of a file of a type as JSON text (draft 2020-12), ending with a newline."""
    schema = model.model_json_schema()
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Made from infra/spec by `gigasite schema --write`; do not edit.",
        **schema,
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def write_catalog(folder: Path = CATALOG) -> list[Path]:
    """Write the schema of each kind of catalog entry and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, model in KINDS.items():
        written.append(folder / f"{kind}.schema.json")
        written[-1].write_text(text(model), encoding="utf-8")
    return written


def write(path: Path = FILE) -> Path:
    """Write the schema and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(), encoding="utf-8")
    return path
