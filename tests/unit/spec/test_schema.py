"""The JSON Schema beside the declarations: current, and of the same mind as the types."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import jsonschema
import pytest
from ruamel.yaml import YAML

from infra import paths
from infra.spec import catalog, load, reference, schema

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit

SITES = sorted([*paths.ROOT.glob("inventories/*/site.yaml"), *paths.ROOT.glob("tests/cases/*/site.yaml")])


def test_schema_is_current():
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), "run `gigasite schema --write`"


def test_reference_page_is_current():
    assert reference.FILE.read_text(encoding="utf-8") == reference.text(), "run `gigasite schema --write`"


@pytest.mark.parametrize("kind", catalog.KINDS)
def test_schemas_of_the_catalog_are_current_and_take_what_is_shipped(kind):
    text = (schema.CATALOG / f"{kind}.schema.json").read_text(encoding="utf-8")
    assert text == schema.text(catalog.KINDS[kind]), "run `gigasite schema --write`"
    validator = jsonschema.Draft202012Validator(json.loads(text))
    for path in (catalog.CATALOG / kind).glob("*.yaml"):
        errors = list(validator.iter_errors(YAML(typ="safe", pure=True).load(path)))
        assert not [f"{path.stem}: {error.message}" for error in errors]


def test_the_catalogs_page_is_current():
    text = reference.CATALOG.read_text(encoding="utf-8")
    assert text == reference.catalog_text(), "run `gigasite schema --write`"


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.parent.name)
def test_declarations_pass_and_name_the_schema(path: Path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    reference = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / reference).resolve() == schema.FILE
    load(path)
    # Numbers are given as they are written: JSON has no dates and no YAML 1.1 surprises.
    value = YAML(typ="safe", pure=True).load(path)
    plain = json.loads(json.dumps(value, default=str))
    errors = list(jsonschema.Draft202012Validator(json.loads(schema.text())).iter_errors(plain))
    assert not [f"{'.'.join(map(str, error.path))}: {error.message}" for error in errors]


def test_schema_knows_units_and_keys():
    validator = jsonschema.Draft202012Validator(json.loads(schema.text()))
    value = YAML(typ="safe", pure=True).load(SITES[0])
    value = json.loads(json.dumps(value, default=str))
    value["layout"]["rack"] = {"platform": "gb300-nvl72", "power": "120 kg"}
    value["layuot"] = {}
    messages = " ".join(error.message for error in validator.iter_errors(value))
    assert "layuot" in messages
    assert "120 kg" in messages


def test_docstrings_are_read_only_when_a_schema_is_made():
    """It costs a tenth of a second: the start of a run must not pay for what only a schema shows."""
    program = (
        "from infra.spec import docstrings, load_site\n"
        "assert load_site('lab')\n"
        "assert docstrings._read_module.cache_info().currsize == 0\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=paths.ROOT)
