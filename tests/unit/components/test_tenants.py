"""What a preview of the site's stack says of tenants and partitions that come, change and go."""

from __future__ import annotations

import pytest

from infra import paths
from infra.components import program
from infra.components.program import site_args
from infra.plan import plan
from infra.spec import load_text
from tests.unit.components.test_stacks import counts, stacks  # noqa: F401 (a fixture)

pytestmark = pytest.mark.unit

LAB = (paths.ROOT / "inventories" / "lab" / "site.yaml").read_text()
FABRIC = "  north_south:\n"
BLUE = "      - {name: blue, vni: 5001, places: [pod-01-su-01-rack-01]}\n"


def declared(*tenants: str) -> str:
    assert FABRIC in LAB
    return LAB.replace(FABRIC, f"{FABRIC}    tenants:\n{''.join(tenants)}" if tenants else FABRIC, 1)


def test_a_preview_shows_a_tenant_that_comes_changes_and_goes(stacks, monkeypatch):  # noqa: F811
    text = [declared()]
    monkeypatch.setattr(program, "load_site", lambda name: load_text(text[0], name))
    before = counts(stacks("up", "lab"))["create"]

    text[0] = declared(BLUE)
    shown = counts(stacks("preview", "lab"))
    assert shown == {"create": 2, "same": before}, "the fabric and its tenant"
    stacks("up", "lab")

    text[0] = declared(BLUE.replace("5001", "5002"))
    assert counts(stacks("preview", "lab"))["update"] == 1
    text[0] = declared(BLUE.replace("blue", "green"))
    shown = counts(stacks("preview", "lab"))
    assert shown == {"create": 1, "delete": 1, "same": before + 1}
    text[0] = declared()
    assert counts(stacks("preview", "lab"))["delete"] == 2


def test_a_sites_own_stack_has_the_partitions_of_its_fabrics_and_no_pod_has():
    text = (paths.ROOT / "tests" / "cases" / "small" / "site.yaml").read_text()
    line = "    partitions: [{name: blue, key: 0x0011, places: [pod-01-su-01]}]\n"
    site = load_text(text.replace("  east_west:\n", f"  east_west:\n{line}", 1), "small")
    whole = plan(site)
    fabric = site_args(whole, protect=False).fabrics["east-west"]
    ((partition,), tenants) = fabric.partitions, fabric.tenants
    assert (partition.name, partition.fabric, partition.key) == ("blue", "east-west", 0x11)
    assert list(partition.places) == ["pod-01-su-01"]
    assert not tenants
    assert not program.pod_args(whole, "pod-01").fabrics["east-west"].partitions
