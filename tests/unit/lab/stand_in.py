"""A stand-in tray's accelerators below a folder: its files, its faults, and the programs that read them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from infra.lab.accelerator import faults
from infra.lab.accelerator.inventory import PATH, Accelerators, inventory_text, pci_address

READER = Path(__file__).with_name("nvml_reader.py")
MACHINE = "12345678-1234-5678-1234-567812345678"
TRAY = Accelerators(
    count=4, model="NVIDIA GB300", memory_mib=288 * 1024, power_w=1400, slowdown_c=90, clock_mhz=1920,
    memory_clock_mhz=3996, links=18, link_mbps=50000, link_version=5, domain="lab rack-01", sockets=2,
)  # fmt: skip
"""Four accelerators of a GB300 tray."""


class Tray:
    """A stand-in's files below a folder, and the programs that read them."""

    def __init__(self, root, built):
        self.root, self.built, self.records = root, built, 0
        self.faults = root / faults.PATH.lstrip("/")
        for path in (root / PATH.lstrip("/"), self.faults):
            path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def env(self):
        return {
            **os.environ, "LD_LIBRARY_PATH": str(self.built), "GIGASITE_ACCELERATOR_ROOT": str(self.root),
        }  # fmt: skip

    def has(self, accelerators, vcpus=1):
        (self.root / PATH.lstrip("/")).write_text(inventory_text(accelerators, MACHINE, vcpus))

    def fault(self, words):
        """Run the very commands that a machine is given, with its files below our folder."""
        text = faults.script(faults.parse(words.split(), 4), [*map(pci_address, range(4))])
        told = self.root / "told"
        text = text.replace("/run/gigasite", f"{self.root}/run/gigasite").replace(">/dev/kmsg", f">>{told}")
        told.write_text("")
        subprocess.run(["sh", "-ec", text], check=True)
        for line in told.read_text().splitlines():
            priority, message = line.removeprefix("<").split(">", 1)
            self.log(message, int(priority))

    def log(self, message, priority=6):
        """Add a record to the kernel's log, as /dev/kmsg gives it."""
        path = self.root / "dev" / "kmsg"
        path.parent.mkdir(exist_ok=True)
        self.records += 1
        with path.open("a") as file:
            file.write(f"{priority},{self.records},{self.records}000,-;{message}\n")

    def read(self, *words, **options):
        done = subprocess.run(
            [sys.executable, READER, *(words or ["facts"])], env=self.env, capture_output=True, text=True,
            check=True, **options,
        )  # fmt: skip
        return json.loads(done.stdout)

    def gpus(self):
        return self.read()["gpus"]

    def smi(self, *words, code=0):
        done = subprocess.run(
            [self.built / "nvidia-smi", *words], env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def query(self, fields, code=0):
        text = self.smi(f"--query-gpu={fields}", "--format=csv,noheader,nounits", code=code)
        return [line.split(", ") for line in text.splitlines()]
