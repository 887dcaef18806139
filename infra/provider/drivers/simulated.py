"""Machines and facility devices that exist as rows in a file: with latency, with failures, and with a memory.

Nothing that this driver says proves anything about hardware: every resource made with it says `simulated`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import uuid
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.errors import UserError
from infra.provider.drivers import BootDevice, DeviceFacts, Facts, Power, Target
from infra.state_files import damage_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.provider.settings import Settings

_TABLES = """
CREATE TABLE IF NOT EXISTS machine (name TEXT PRIMARY KEY, power TEXT NOT NULL, boot TEXT);
CREATE TABLE IF NOT EXISTS device (kind TEXT, name TEXT, settings TEXT NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS attempt (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""


class Simulation:
    """`MachineDriver` and `FacilityDriver` over a file that all stacks of a site share.

    Latency and failures follow from the name and the number of the attempt by a hash, so a run can be
    repeated exactly, and what failed once can succeed the next time.
    """

    simulated = True

    def __init__(self, settings: Settings) -> None:
        self._latency, self._failure_rate = settings.latency, settings.failure_rate
        file = paths.state(settings.site) / "simulated.db"
        try:
            self._db = sqlite3.connect(file, timeout=60, isolation_level=None, check_same_thread=False)
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES)
        except sqlite3.DatabaseError as error:
            raise damage_error(
                file, str(error), "remove it: the simulated machines then begin as off"
            ) from error

    async def inspect(self, target: Target) -> Facts:
        """The machine as the file has it; a machine not seen before is off."""
        await self._take_time(target.name, "inspect", may_fail=False)
        return self._facts(target)

    async def power(self, target: Target, state: Power, *, graceful: bool = True) -> Facts:  # noqa: ARG002
        """Set the power state in the file."""
        if self._facts(target).power_state is not state:
            await self._take_time(target.name, f"power {state}")
            self._db.execute(
                "INSERT INTO machine (name, power) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET power = excluded.power",
                (target.name, state),
            )
        return self._facts(target)

    async def set_boot_override(self, target: Target, device: BootDevice) -> None:
        """Note the boot device in the file."""
        await self._take_time(target.name, f"boot {device}")
        self._db.execute(
            "INSERT INTO machine (name, power, boot) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET boot = excluded.boot",
            (target.name, Power.OFF, device),
        )

    async def apply(self, kind: str, name: str, wanted: Mapping[str, Any]) -> DeviceFacts:
        """Write the device's settings to the file."""
        await self._take_time(name, f"apply {kind}")
        self._db.execute(
            "INSERT INTO device VALUES (?, ?, ?) "
            "ON CONFLICT (kind, name) DO UPDATE SET settings = excluded.settings",
            (kind, name, json.dumps(dict(wanted), sort_keys=True)),
        )
        return DeviceFacts(_serial(kind, name), dict(wanted))

    async def read(self, kind: str, name: str) -> DeviceFacts | None:
        """The device as the file has it."""
        row = self._db.execute(
            "SELECT settings FROM device WHERE kind = ? AND name = ?", (kind, name)
        ).fetchone()
        return DeviceFacts(_serial(kind, name), json.loads(row[0])) if row else None

    async def remove(self, kind: str, name: str) -> None:
        """Take the device out of the file."""
        await self._take_time(name, f"remove {kind}")
        self._db.execute("DELETE FROM device WHERE kind = ? AND name = ?", (kind, name))

    def _facts(self, target: Target) -> Facts:
        row = self._db.execute("SELECT power FROM machine WHERE name = ?", (target.name,)).fetchone()
        return Facts(
            serial=_serial("machine", target.name),
            uuid=target.uuid or str(uuid.uuid5(uuid.NAMESPACE_URL, f"simulated:{target.name}")),
            power_state=Power(row[0]) if row else Power.OFF,
            model="simulated",
            manufacturer="simulated",
            bios=None,
            accelerators=None,
        )

    async def _take_time(self, name: str, what: str, *, may_fail: bool = True) -> None:
        """Wait for the operation's duration, then fail if this attempt is one that fails."""
        count = 0
        if self._failure_rate and may_fail:
            count = self._db.execute(
                "INSERT INTO attempt VALUES (?, 1) "
                "ON CONFLICT (name) DO UPDATE SET count = count + 1 RETURNING count",
                (name,),
            ).fetchone()[0]
        if self._latency:
            await asyncio.sleep(self._latency * (0.5 + _chance(name, what, "latency")))
        if may_fail and _chance(name, what, str(count)) < self._failure_rate:
            raise UserError(
                f"simulated failure of `{what}` (attempt {count})",
                where=name,
                hint="run `up` again: it goes on from here",
            )


def _chance(*parts: str) -> float:
    """A number from 0 to 1 that follows from the parts."""
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _serial(kind: str, name: str) -> str:
    return "SIM-" + hashlib.blake2b(f"{kind}\0{name}".encode(), digest_size=5).hexdigest().upper()
