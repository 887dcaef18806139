"""Consistency: what one tray writes to the shared filesystem, another one reads."""

from __future__ import annotations

import json
import shlex
import time

import pytest

from infra.plan.tables.machines import Role
from infra.verify.slurm_nodes import SERVING, wait_for_nodes

pytestmark = pytest.mark.proved_on("vm")

SEEN_S = 1.0
"""How soon a file must be seen: AI Cloud Validation suite, HSS17-01."""
ATTRIBUTES_S = 60.0
"""How long a client may answer from its attribute cache: acregmax of nfs(5), which nothing here sets."""
PROGRAM = """
import json, os, sys, time

os.chdir(sys.argv[1])

def read(name):
    with open(name) as stream:
        return stream.read()

def write(name, text, mode="w"):
    with open(name, mode) as stream:
        stream.write(text)
    return time.time()  # after it was closed: that is what NFS promises to show to the next one who opens it

def look(seen):
    # When the last look began that saw nothing new yet: by the clock alone a slow machine would look stale.
    stale, end = 0.0, time.time() + 300
    while True:
        begin = time.time()
        if seen():
            return stale
        if begin > end:
            sys.exit("the other tray did not answer within 300 s")
        stale = begin
        time.sleep(0.02)

def said(word):
    return look(lambda: read("signal") == word)

def size_and_time():
    found = os.stat("file")
    return [found.st_size, found.st_mtime]

if os.environ["SLURM_PROCID"] == "0":
    said("ready")
    write("file", "one")
    wrote = write("signal", "written")
    said("read")
    grew = write("file", "two", "a")
    print(json.dumps({"wrote": wrote, "grew": grew, "kept": size_and_time()}))
    write("signal", "grown")
else:
    write("signal", "ready")
    stale = said("written")
    text, before = read("file"), os.stat("file").st_size
    write("signal", "read")
    old = look(lambda: os.stat("file").st_size != before)
    print(json.dumps({"stale": stale, "text": text, "old": old, "seen": size_and_time()}))
"""


def test_seen_by_others(shell_on, site, found, say):
    """What a tray writes is on another within a second, its size and time within the attributes' cache."""
    if site.slurm is None or not site.mounts:
        pytest.skip("the site declares no Slurm or no shared filesystem")
    trays = [node.name for node in site.slurm.nodes if node.name in found.by_name and not node.pool][:2]
    if len(trays) < 2:
        pytest.skip("fewer than two trays are in scope")
    states = wait_for_nodes(shell_on, site.slurm, trays)
    away = [f"{tray} ({states[tray]})" for tray in trays if states[tray] not in SERVING]
    assert not away, f"Slurm gives no jobs to {', '.join(away)}"
    user, mount = site.users[0].name, site.mounts[0]
    folder = f"{mount.mount}/.verify-{time.time_ns()}"
    srun = f"srun --nodes=2 --ntasks-per-node=1 --nodelist={','.join(trays)} --time=15"
    server = next(machine for machine in found.machines if machine.role is Role.STORAGE)
    beneath = folder.replace(mount.mount, mount.export, 1)
    made = f"install --directory --mode=1777 {beneath} && install --mode=666 /dev/null {beneath}/signal"
    job = f"runuser --user {user} -- {srun} --immediate=600 python3 -c {shlex.quote(PROGRAM)} {folder}"
    try:
        shell_on(server.name).out(made)
        printed = shell_on(site.slurm.controller).out(f"cd / && timeout 900 {job}")
    finally:
        shell_on(server.name).run(f"rm -rf {beneath}")
    told = {key: value for line in printed.splitlines() for key, value in json.loads(line).items()}
    late = max(0.0, told["stale"] - told["wrote"]), max(0.0, told["old"] - told["grew"])
    say(f"{trays[1]} saw nothing new until {late[0]:.2f} s after a write, {late[1]:.2f} s for its size")
    assert told["text"] == "one"
    assert late[0] <= SEEN_S
    assert told["seen"] == told["kept"], "size and time of modification"
    assert late[1] <= ATTRIBUTES_S
