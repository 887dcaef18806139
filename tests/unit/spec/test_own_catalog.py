"""A catalog beside the site, and the catalog of a git revision."""

from __future__ import annotations

import re
import subprocess

import pytest

from infra import paths
from infra.errors import Problems
from infra.plan import plan, summary
from infra.spec import catalog, load, load_text, sources
from infra.spec.tiers import port_names, resolve_all

pytestmark = pytest.mark.unit

SMALL = (paths.ROOT / "tests/cases/small/site.yaml").read_text(encoding="utf-8")
PLATFORM = (catalog.CATALOG / "platforms/gb300-nvl72.yaml").read_text(encoding="utf-8")
SWITCH = (catalog.CATALOG / "switches/q3400.yaml").read_text(encoding="utf-8")


def declare(folder, *, text=SMALL, **entries):
    """A site with entries of its own: `platforms__our_rack="…"` is catalog/platforms/our-rack.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.yaml").write_text(text, encoding="utf-8")
    for key, entry in entries.items():
        kind, _, name = key.partition("__")
        path = folder / "catalog" / kind / f"{name.replace('_', '-')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(entry, encoding="utf-8")
    return folder / "site.yaml"


def ours(text, name, old="gb300-nvl72"):
    return text.replace(f"name: {old}", f"name: {name}")


def test_a_site_names_entries_of_its_own(tmp_path):
    text = SMALL.replace("platform: gb300-nvl72", "platform: our-rack").replace(
        "switch: q3400", "switch: our-switch"
    )
    path = declare(
        tmp_path / "one", text=text,
        platforms__our_rack=ours(PLATFORM, "our-rack"),
        switches__our_switch=ours(SWITCH, "our-switch", "q3400").replace("power: 4 kW", "power: 3 kW"),
    )  # fmt: skip
    figures = summary(plan(load(path)))
    assert set(figures["platforms"]) == {"our-rack"}
    plain = summary(plan(load_text(SMALL)))
    assert figures["power"]["east_west_mw"] == pytest.approx(plain["power"]["east_west_mw"] * 3 / 4)
    assert "our-rack" not in catalog.names("platforms"), "no other site sees it"
    with pytest.raises(Problems, match="unknown platform `our-rack`"):
        load_text(text)


def test_two_sites_may_mean_different_things_by_one_name(tmp_path):
    text = SMALL.replace("switch: q3400", "switch: two-switch")
    watts = []
    for name, power in (("a", "1 kW"), ("b", "2 kW")):
        entry = ours(SWITCH, "two-switch", "q3400").replace("power: 4 kW", f"power: {power}")
        watts.append(plan(load(declare(tmp_path / name, text=text, switches__two_switch=entry))))
    low, high = (summary(one)["power"]["east_west_mw"] for one in watts)
    assert high == pytest.approx(2 * low)


def test_mistakes_of_a_catalog_are_told_with_those_of_the_site(tmp_path):
    path = declare(
        tmp_path / "bad", text=SMALL.replace("platform: gb300-nvl72", "platform: no-such"),
        platforms__broken=ours(PLATFORM, "broken").replace("nodes: 18", "nodes: many"),
        platforms__other=ours(PLATFORM, "another"),
        platforms__gb300_nvl72=PLATFORM,
        cables__ours="name: ours",
    )  # fmt: skip
    with pytest.raises(Problems) as told:
        load(path)
    text = str(told.value)
    assert re.search(r"broken\.yaml:\d+: \$\.rack\.nodes: 'many' is not a whole number", text)
    assert "is `another`, but the file is other.yaml" in text
    assert "`gb300-nvl72` is in the shipped catalog already" in text
    assert "is no entry of a catalog" in text
    assert "unknown platform `no-such`" in text


@pytest.fixture
def history(tmp_path, monkeypatch):
    """A checkout whose second revision changes a shipped switch and an own platform."""
    shipped, site = tmp_path / "infra/spec/catalog", tmp_path / "inventories/ours"
    monkeypatch.setattr(paths, "ROOT", tmp_path)

    def git(*words):
        subprocess.run(["git", "-C", tmp_path, *words], check=True, capture_output=True)

    def write(power, storage):
        (shipped / "switches").mkdir(parents=True, exist_ok=True)
        for file in (catalog.CATALOG / "switches").glob("*.yaml"):
            (shipped / "switches" / file.name).write_text(file.read_text())
        (shipped / "switches/q3400.yaml").write_text(SWITCH.replace("power: 4 kW", f"power: {power}"))
        text = SMALL.replace("name: small", "name: ours").replace(
            "platform: gb300-nvl72", "platform: our-tray"
        )
        entry = ours(PLATFORM, "our-tray").replace("local_storage: 15.36 TB", f"local_storage: {storage}")
        declare(site, text=text, platforms__our_tray=entry)
        git("add", "-A")
        git("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x")

    git("init", "-q")
    write("2 kW", "10 TB")
    write("4 kW", "20 TB")
    return site


def test_a_revision_has_its_own_catalog(history):
    before, after = sources.at("HEAD~1", "ours"), load(history / "site.yaml")
    assert resolve_all(before)["east-west"][0].model.power == 2000
    assert resolve_all(after)["east-west"][0].model.power == 4000
    old, new = plan(before), plan(after)
    assert summary(new)["power"]["east_west_mw"] == pytest.approx(2 * summary(old)["power"]["east_west_mw"])
    assert set(summary(old)["platforms"]) == {"our-tray@HEAD~1"}
    assert set(summary(new)["platforms"]) == {"our-tray"}


def test_entries_that_did_not_change_keep_their_names(history):
    site = sources.at("HEAD", "ours")
    assert site.fabrics.east_west.tiers[0].switch == "q3400"


def named(tmp_path, pattern, *, breakout=1, extra=""):
    """A site whose leaves have ports of a pattern."""
    entry = ours(SWITCH, "named", "q3400").replace('port_name: "swp{}"', f'port_name: "{pattern}"{extra}')
    entry = entry.replace("system: infiniband\n", "")
    text = SMALL.replace("switch: q3400", "switch: named")
    text = text.replace("    rails: 4\n", f"    rails: 4\n    routing: none\n    breakout: {breakout}\n", 1)
    return load(declare(tmp_path, text=text, switches__named=entry))


@pytest.mark.parametrize(
    ("pattern", "extra", "first", "last"),
    [
        ("swp{}", "", "swp1", "swp144"),
        ("Ethernet{}/1", "", "Ethernet1/1", "Ethernet144/1"),
        ("Ethernet{}/{}", "\nports_per_card: 36", "Ethernet1/1", "Ethernet4/36"),
        ("et-{}/0/{}", "\nports_per_card: 36\nfirst_card: 0\nfirst_port: 0", "et-0/0/0", "et-3/0/35"),
        ("1/1/c{}", "", "1/1/c1", "1/1/c144"),
    ],
)
def test_ports_are_named_as_vendors_do(tmp_path, pattern, extra, first, last):
    names = port_names(resolve_all(named(tmp_path, pattern, extra=extra))["east-west"][0].model, 1)
    assert (names[0], names[-1]) == (first, last)
    assert len(set(names)) == 144


@pytest.mark.parametrize("pattern", ["port", "eth{", "Ethernet{}/{}/{}", "Ethernet{name}", "e{0}", "e{:>4}"])
def test_patterns_that_name_no_ports_are_refused(tmp_path, pattern):
    with pytest.raises(Problems, match=r"named\.yaml:\d+: \$\.port_name: .* is no pattern of port names"):
        named(tmp_path, pattern)


def test_a_pattern_with_cards_says_how_many_ports_each_has(tmp_path):
    with pytest.raises(
        Problems, match=r"`Ethernet\{\}/\{\}` gives several ports one name, say `ports_per_card`"
    ) as told:
        named(tmp_path, "Ethernet{}/{}")
    assert len(told.value.problems) == 1, "a model that does not load is not unknown besides"
    with pytest.raises(Problems, match="its port names have no line card"):
        named(tmp_path, "swp{}", extra="\nports_per_card: 36")


def test_parts_of_split_ports_have_names_of_their_own(tmp_path):
    entry = ours(SWITCH, "split", "q3400").replace('port_name: "swp{}"', 'port_name: "Ethernet{}"')
    entry = entry.replace("system: infiniband", "system: sonic")
    text = SMALL.replace("switch: q3400", "switch: split").replace(
        "    rails: 4\n", "    rails: 4\n    breakout: 2\n", 1
    )
    with pytest.raises(Problems, match="two ports of split would be named `Ethernet2`"):
        load(declare(tmp_path, text=text, switches__split=entry))
