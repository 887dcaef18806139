"""Names that programs of a machine read as words: a declaration that is taken gives files that they read."""

from __future__ import annotations

import shutil
import subprocess

import machines as hand
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from infra.errors import Problems
from infra.paths import ROOT
from infra.render import machine_facts, render_files
from infra.spec import load

pytestmark = pytest.mark.unit

NFT = (
    "log",
    "limit",
    "ip",
    "ip6",
    "tcp",
    "udp",
    "map",
    "set",
    "accept",
    "drop",
    "last",
    "meta",
    "counter",
    "quota",
    "rt",
)
SLURM = ("default", "all", "nodes", "state", "yes", "no", "up", "infinite", "none")
OTHERS = (
    "root",
    "daemon",
    "sudo",
    "nobody",
    "include",
    "router",
    "permit",
    "server",
    "1",
    "0x1",
    "1e5",
    "null",
    "true",
)
WORDS = st.sampled_from((*NFT, *SLURM, *OTHERS))
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=200)
LAB = ROOT / "inventories" / "lab" / "site.yaml"


def declared(zones, partitions, user, group, reason):
    """The lab with other names."""
    raw = YAML(typ="safe", pure=True).load(LAB)
    old = [zone["name"] for zone in raw["security"]["zones"]]
    names = dict(zip(old, zones, strict=True))
    for zone in raw["security"]["zones"]:
        zone["name"] = names[zone["name"]]
    for allow in raw["security"]["allow"]:
        allow |= {"source": names[allow["source"]], "target": names[allow["target"]], "reason": reason}
    raw["schedulers"]["slurm"]["partitions"] = [{"name": name} for name in partitions]
    raw["users"] = [{"name": user, "uid": 10001, "groups": [group]}]
    for quota in raw["storage"]["tiers"][0]["exports"][0]["quotas"]:
        if "user" in quota:
            quota["user"] = user
    return raw


def texts(raw, tmp_path):
    """Files of the storage server and the head; None if the declaration is refused."""
    path = tmp_path / "site.yaml"
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(raw, stream)
    try:
        site = load(path)
    except Problems as problems:
        return None, str(problems)
    machines = hand.machines()
    known = hand.facts_of_site(site, machines)
    by_name = {machine.name: machine for machine in machines}
    facts = (
        machine_facts(by_name[hand.STORE], by_name, known),
        machine_facts(by_name[hand.HEAD], by_name, known),
    )
    return {file.path: file.text for one in facts for file in render_files(one, known)}, ""


def reads(tmp_path, command, name, text):
    if shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        pytest.fail(f"{command[0]} is not installed: see gigasite doctor")
    path = tmp_path / name
    path.write_text(text)
    words = [word.replace("%s", str(path)) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + text
    return done.stdout + done.stderr


@settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(
    zones=st.lists(WORDS, min_size=4, max_size=4, unique=True),
    partitions=st.lists(WORDS, min_size=1, max_size=3, unique=True),
    person=st.tuples(st.one_of(st.just("ada"), WORDS), st.one_of(st.just("research"), WORDS)), reason=TEXTS,
)  # fmt: skip
def test_words_are_names_or_refused(tmp_path_factory, zones, partitions, person, reason):
    tmp_path = tmp_path_factory.mktemp("words")
    files, problems = texts(declared(zones, partitions, *person, reason), tmp_path)
    if files is None:
        assert "site.yaml:" in problems
        assert "security" not in problems, "zones may be called anything"
        return
    reads(tmp_path, ["unshare", "--map-root-user", "--net", "nft", "--check", "--file", "%s"], "nft",
          files["/etc/nftables.conf"])  # fmt: skip
    slurm = tmp_path / "slurm.conf"
    reads(
        tmp_path,
        ["env", f"SLURM_CONF={slurm}", "scontrol", "-V"],
        "slurm.conf",
        files["/etc/slurm/slurm.conf"],
    )
    reads(
        tmp_path,
        ["systemd-sysusers", "--dry-run", "%s"],
        "users.conf",
        files["/etc/sysusers.d/gigasite.conf"],
    )


@pytest.mark.parametrize("zone", NFT)
def test_each_word_of_nftables_is_a_zones_name(tmp_path, zone):
    raw = declared([zone, "one", "two", "three"], ["main"], "ada", "research", "because")
    files, problems = texts(raw, tmp_path)
    assert files, problems
    reads(tmp_path, ["unshare", "--map-root-user", "--net", "nft", "--check", "--file", "%s"], "nft",
          files["/etc/nftables.conf"])  # fmt: skip


@pytest.mark.parametrize(
    ("partition", "user", "group", "said"),
    [
        ("default", "ada", "research", "`default` is no name of a partition"),
        ("main", "root", "research", "`root` is an account or group of the operating system"),
        ("main", "sudo", "research", "`sudo` is an account or group of the operating system"),
        ("main", "ada", "0x1", "`0x1` is no name of a group"),
        ("main", "ada", "ada", "`ada` is the own group of the person"),
    ],
)
def test_what_cannot_be_quoted_is_refused(tmp_path, partition, user, group, said):
    files, problems = texts(declared(["a", "b", "c", "d"], [partition], user, group, "because"), tmp_path)
    assert files is None
    assert said in problems
