"""Addresses by DHCP: Kea with the rendered configuration, asked through a relay for each management port."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra import paths
from infra.lab import namespaces
from infra.lab.prerequisites import program
from infra.plan import plan
from infra.render.network import dhcp
from infra.spec import load_text

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        os.geteuid() != 0 or program("kea-dhcp4") is None, reason="needs root and Debian's kea-dhcp4-server"
    ),
]

SITE = paths.ROOT / "tests" / "cases" / "kinds-of-pods" / "site.yaml"
OTHER_SWITCH = "eth-64x400g"
"""A management switch whose relay writes switch and port, so that Debian's Kea needs no hook."""
CLIENT = Path(__file__).with_name("dhcp_relay.py")
POD = "pod-01"
START_S = 20.0


@pytest.fixture(scope="module")
def site():
    text = SITE.read_text(encoding="utf-8")
    return plan(load_text(text.replace("switch: oob-48x1g", f"switch: {OTHER_SWITCH}")))


@pytest.fixture(scope="module")
def ends(site):
    """Every out-of-band cable of the pod."""
    table = dhcp.reservations(site)
    return table.filter(table["pod"] == POD).to_dicts()


@pytest.fixture(scope="module")
def answers(site, ends, tmp_path_factory):
    """What Kea gives to each cable's end, and to three that it shall give nothing."""
    folder = tmp_path_factory.mktemp("kea")
    files = dhcp.kea_files(site)
    server = next(row["address"] for row in ends if row["network"] == site.site.name)
    gateway = json.loads(files[f"{POD}.json"])["option-data"][0]["data"]
    nodes = [
        namespaces.Node("server", addresses=(("s0", f"{server}/32"),)),
        namespaces.Node("relay", addresses=(("r0", f"{gateway}/32"),)),
    ]
    with namespaces.running(
        "gs-dhcp", folder, nodes, [namespaces.Cable("server", "s0", "relay", "r0")]
    ) as fabric:
        fabric.run("server", "ip", "route", "add", gateway, "dev", "s0")
        fabric.run("relay", "ip", "route", "add", server, "dev", "r0")
        asked = [(f"{row['switch']}:{row['port']}", row["switch"]) for row in ends]
        # A port without a cable, a relay that says no port, and another machine at a port.
        asked += [(f"{ends[0]['switch']}:no-such-port", ends[0]["switch"]), ("", ends[0]["switch"]), asked[0]]
        with kea(fabric, files, folder):
            done = fabric.run("relay", sys.executable, CLIENT, server, gateway, stdin=json.dumps(asked))
    return json.loads(done.stdout)


@contextmanager
def kea(fabric, files, folder):
    """Run Kea in the server's namespace while the block lasts; its leases are kept in memory alone."""
    for name, text in files.items():
        (folder / name).write_text(text.replace(dhcp.INSTALLED, str(folder)), encoding="utf-8")
    main = folder / dhcp.MAIN
    leases = '"lease-database": {"type": "memfile", "persist": false},'
    main.write_text(main.read_text().replace('"Dhcp4": {', f'"Dhcp4": {{ {leases}', 1))
    places = {"KEA_PIDFILE_DIR": str(folder), "KEA_LOCKFILE_DIR": str(folder)}
    command = ["ip", "netns", "exec", fabric.space("server"), program("kea-dhcp4"), "-c", main]
    with (folder / "kea.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | places)
    try:
        deadline = time.monotonic() + START_S
        while "DHCP4_STARTED" not in (text := (folder / "kea.log").read_text()):
            assert server.poll() is None, text[-2000:]
            assert time.monotonic() < deadline, text[-2000:]
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait(START_S)


def test_each_end_is_given_its_planned_address(ends, answers):
    given = [answer and answer["address"] for answer in answers[: len(ends)]]
    assert given == [row["address"] for row in ends]
    assert {row["network"] for row in ends} == {POD, "kinds"}, "what stands above pods is cabled to the first"


def test_others_are_given_nothing(ends, answers):
    assert answers[len(ends) :] == [None, None, None], "the last until the lease before it ends"


def test_each_end_is_told_mask_gateway_and_name(site, ends, answers):
    prefix = site.site.addresses.management_pod
    for row, answer in zip(ends, answers, strict=False):
        network = ipaddress.ip_interface(f"{row['address']}/{prefix}").network
        options = answer["options"]
        assert options["1"] == network.netmask.packed.hex()
        assert options["3"] == network[1].packed.hex()
        assert bytes.fromhex(options["12"]).decode().startswith(row["owner"])


def test_a_switch_is_told_where_its_script_is(ends, answers):
    urls = {
        row["owner"]: bytes.fromhex(answer["options"]["239"]).decode()
        for row, answer in zip(ends, answers, strict=False)
        if "239" in answer["options"]
    }
    assert urls
    assert all(url == f"http://10.0.0.2/{name}/ztp.sh" for name, url in urls.items())
