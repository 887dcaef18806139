"""A Ceph cluster of one monitor, one OSD in memory and one object gateway, in a network namespace of its own.

Needs root and Debian's ceph-mon, ceph-osd and radosgw; no manager, no systemd. All of it lies in one folder
and dies with the process that started it: nothing outlives a test that is killed.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from infra.provider.drivers.ssh import LOST, Done

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDPOINT = "http://127.0.0.1:7480"
LIMIT_S = 120
TIED = ("setpriv", "--pdeathsig", "KILL")

CONF = """\
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:3300
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = {folder}/keyring
run_dir = {folder}
log_file = {folder}/$name.log
crash_dir = {folder}
auth_allow_insecure_global_id_reclaim = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
# pools are made one after the other, and each waits for a proposal
paxos_propose_interval = 0.05
paxos_min_wait = 0.01

[mon]
mon_data = {folder}/mon
mon_data_avail_crit = 1

[osd]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824

[client.rgw.test]
rgw_data = {folder}
rgw_frontends = beast endpoint=127.0.0.1:7480
# nothing here is large or old enough for what it does in the background
rgw_override_bucket_index_max_shards = 1
rgw_dynamic_resharding = false
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
rgw_enable_quota_threads = false
rgw_run_sync_thread = false
rgw_gc_max_objs = 1
rgw_lc_max_objs = 1
rgw_reshard_num_logs = 1
rgw_thread_pool_size = 16
# a gateway remembers for ten minutes what a bucket holds, and for longer what a user does: tests do not wait
rgw_bucket_quota_ttl = 0
rgw_user_quota_bucket_sync_interval = 0
rgw_user_quota_sync_interval = 0
"""
CAPS = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
    "client.rgw.test": {"mon": "allow rw", "osd": "allow rwx"},
}


@dataclass
class Cluster:
    """A running cluster, which is the way to its server too (`infra.provider.drivers.ssh.Reach`).

    Attributes:
        folder: all of its files.
        away: whether the server does not answer.
        seconds: from nothing to the gateway's first answer.
        asked: scripts that were run on the server, with their standard input.
    """

    folder: Path
    away: bool = False
    seconds: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, script: str, stdin: str, limit: float) -> Done:
        """Run what would go over ssh; the server's own folders are below the cluster's."""
        if self.away:
            return Done(LOST, "", "ssh: no route to host")
        self.asked.append((script, stdin))
        for place in ("/var/lib/gigasite", "/run/gigasite"):
            stdin = stdin.replace(place, f"{self.folder}{place}")
        (self.folder / "run").mkdir(exist_ok=True)
        done = self.call("sh", "-c", script, stdin=stdin, limit=limit)
        return Done(done.returncode, done.stdout, done.stderr)

    def call(self, *words: str, stdin: str = "", limit: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program in the cluster's namespace, with the system's own Python."""
        return subprocess.run(
            [*self._inside, *words], input=stdin, capture_output=True, text=True, timeout=limit, check=False,
            env=self._environment, cwd=self.folder,
        )  # fmt: skip

    def tell(self, *words: str) -> str:
        """Output of a program that must not fail."""
        done = self.call(*words)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr[-2000:]}"
        return done.stdout

    @property
    def memory_mib(self) -> float:
        """What its daemons hold."""
        pages = (int(Path(f"/proc/{one.pid}/statm").read_text().split()[1]) for one in self._processes)
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def start(self) -> None:
        """Make the cluster and wait until its gateway answers."""
        began = time.monotonic()
        self._spawn(
            "unshare", "--net", "sh", "-c", "ip link set lo up && echo && exec sleep infinity", wait=True
        )
        fsid = str(uuid.uuid4())
        (self.folder / "ceph.conf").write_text(CONF.format(fsid=fsid, folder=self.folder))
        for name in ("mon", "osd"):
            (self.folder / name).mkdir()
        keyring, monmap = str(self.folder / "keyring"), str(self.folder / "monmap")
        for number, (who, caps) in enumerate(CAPS.items()):
            given = [word for kind, what in caps.items() for word in ("--cap", kind, what)]
            new = () if number else ("--create-keyring",)
            self.tell("ceph-authtool", keyring, *new, "--gen-key", "-n", who, *given)
        self.tell("monmaptool", "--create", "--fsid", fsid, "--addv", "a", "[v2:127.0.0.1:3300]", monmap)
        self.tell("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._spawn("ceph-mon", "-f", "-i", "a")
        disk = str(uuid.uuid4())
        self.tell("ceph", "--connect-timeout", "60", "osd", "new", disk)
        self.tell("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", disk)
        self._spawn("ceph-osd", "-f", "-i", "0")
        gateway = self._spawn("radosgw", "-f", "-n", "client.rgw.test")
        while self.call("curl", "-s", "-o", "/dev/null", ENDPOINT).returncode:
            assert gateway.poll() is None, self._logs()
            assert time.monotonic() < began + LIMIT_S, self._logs()
            time.sleep(0.1)
        self.seconds = time.monotonic() - began

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have its daemons stand still: connections stay open and nothing answers."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self._processes:
                process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill its daemons: what they keep is thrown away."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    @property
    def _inside(self) -> tuple[str, ...]:
        return "nsenter", f"--net=/proc/{self._processes[0].pid}/ns/net"

    @property
    def _environment(self) -> dict[str, str]:
        path = "/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "CEPH_CONF": str(self.folder / "ceph.conf"), "HOME": str(self.folder)}

    def _spawn(self, *words: str, wait: bool = False) -> subprocess.Popen[bytes]:
        inside = () if wait else self._inside
        with (self.folder / f"{words[0]}.out").open("wb") as log:
            process = subprocess.Popen(
                [*TIED, *inside, *words], env=self._environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if wait else log, stderr=log,
            )  # fmt: skip
        self._processes.append(process)
        if process.stdout is not None:
            assert process.stdout.readline(), "no network namespace could be made"
            process.stdout.close()
        return process

    def _logs(self) -> str:
        files = [*self.folder.glob("*.out"), *self.folder.glob("*.log")]
        return "\n".join(f"== {one.name}\n{one.read_text(errors='replace')[-2000:]}" for one in files)


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Run a cluster while the block lasts."""
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
