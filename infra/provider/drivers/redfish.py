"""Machines through their management controllers by Redfish, with the sushy library; TLS is verified."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from infra.errors import UserError
from infra.provider.drivers import BootDevice, Facts, Power, Target
from infra.provider.drivers.credentials import authority, look_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.provider.drivers.credentials import Credential
    from infra.provider.settings import Settings

T = TypeVar("T")

# A rack's trays converge together: at most this many requests wait at once in one provider process.
WORKERS = 64
# Shutting an operating system down takes a minute or so; beyond this share of the limit it is forced off.
GRACE = 0.75
REQUEST_S = 30.0  # sushy-tools under load, and real controllers while they start, answer slowly
PAUSE_S = 1.0


class Redfish:
    """`MachineDriver` over Redfish.

    Args:
        settings: the provider's configuration: the site whose credentials are used, and time limits.
        cancelled: set when waiting is to end, because a person interrupted the run.
    """

    simulated = False

    def __init__(self, settings: Settings, cancelled: threading.Event | None = None) -> None:
        self._site = settings.site
        self._cancelled = cancelled or threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(WORKERS, thread_name_prefix="redfish")

    async def inspect(self, target: Target) -> Facts:
        """Read the machine's facts."""
        return await self._run(lambda: _facts(self._system(target), target))

    async def power(self, target: Target, state: Power, *, graceful: bool = True) -> Facts:
        """Bring the machine to a power state and wait for it."""
        return await self._run(lambda: self._power(target, state, graceful=graceful))

    async def set_boot_override(self, target: Target, device: BootDevice) -> None:
        """Boot from a device at the next power-on, once."""
        await self._run(lambda: self._set_boot_override(target, device))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _power(self, target: Target, state: Power, *, graceful: bool) -> Facts:
        import sushy  # noqa: PLC0415 (0.2 s that a preview need not pay)

        system = self._system(target)
        if _power_of(system) is state:
            return _facts(system, target)
        with _named(target):
            if state is Power.ON:
                system.reset_system(sushy.ResetType.ON)
            elif graceful and _can(system, sushy.ResetType.GRACEFUL_SHUTDOWN):
                system.reset_system(sushy.ResetType.GRACEFUL_SHUTDOWN)
                if self._wait(target, system, state, target.limit * GRACE):
                    return _facts(system, target)
                system.reset_system(sushy.ResetType.FORCE_OFF)
            else:
                system.reset_system(sushy.ResetType.FORCE_OFF)
        if not self._wait(target, system, state, target.limit):
            raise UserError(
                f"did not power {state} within {target.limit:.0f} s of being told to",
                where=_place(target),
                hint="look at the machine's console and its controller's log, then run `up` again",
            )
        return _facts(system, target)

    def _set_boot_override(self, target: Target, device: BootDevice) -> None:
        import sushy  # noqa: PLC0415

        source = {
            BootDevice.DISK: sushy.BootSource.HDD,
            BootDevice.NETWORK: sushy.BootSource.PXE,
            BootDevice.HTTP: sushy.BootSource.UEFI_HTTP,
            BootDevice.CD: sushy.BootSource.CD,
        }[device]
        system = self._system(target)
        with _named(target):
            system.set_system_boot_options(target=source, enabled=sushy.BootSourceOverrideEnabled.ONCE)

    def _wait(self, target: Target, system: Any, state: Power, limit: float) -> bool:
        """Poll the power state until it is the one wanted; whether it came within the limit (seconds)."""
        end = time.monotonic() + limit
        pause = 0.1
        while time.monotonic() < end:
            with _named(target):
                system.refresh(force=True)
            if _power_of(system) is state:
                return True
            self._pause(target, pause)
            pause = min(pause * 2, PAUSE_S)
        return False

    def _pause(self, target: Target, seconds: float) -> None:
        if self._cancelled.wait(seconds):
            raise UserError("interrupted while waiting for it", where=_place(target), hint="run `up` again")

    def _system(self, target: Target) -> Any:
        """The machine's ComputerSystem; waits for a controller that does not answer yet."""
        import sushy  # noqa: PLC0415
        from sushy import exceptions  # noqa: PLC0415

        credential = look_up(self._site, target.credential)
        ca = authority(self._site)
        end = time.monotonic() + target.limit
        while True:
            try:
                service = sushy.Sushy(  # type: ignore[no-untyped-call]
                    target.url,
                    verify=str(ca) if ca else True,
                    auth=_basic(credential),
                    read_timeout=REQUEST_S,
                    connect_timeout=REQUEST_S,
                    server_side_retries=3,
                    server_side_retries_delay=1,
                )
                systems = service.get_system_collection().get_members()  # type: ignore[no-untyped-call]
                return _pick(target, systems)
            except exceptions.AccessError as error:
                raise _refused(target) from error
            except exceptions.ConnectionError as error:
                text = str(error)
                if "CERTIFICATE" in text.upper():
                    raise _untrusted(target, ca_known=ca is not None) from error
                if time.monotonic() + PAUSE_S > end:
                    raise UserError(
                        f"the controller did not answer within {target.limit:.0f} s",
                        where=_place(target),
                        hint="is it powered and reachable from here? then run `up` again",
                    ) from error
                self._pause(target, PAUSE_S)
            except exceptions.SushyError as error:
                raise _broken(target, error) from error


class _named:  # noqa: N801 (reads as a statement)
    """Turns sushy's errors in a block into ours, with the machine's name."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if kind is None:
            return
        from sushy import exceptions  # noqa: PLC0415

        if isinstance(error, exceptions.AccessError):
            raise _refused(self._target) from error
        if isinstance(error, exceptions.SushyError):
            raise _broken(self._target, error) from error


def _basic(credential: Credential) -> Any:
    from sushy import auth  # noqa: PLC0415

    return auth.BasicAuth(credential.username, credential.password)  # type: ignore[no-untyped-call]


def _pick(target: Target, systems: list[Any]) -> Any:
    """The system with the declared UUID, or the only one."""
    if target.uuid is not None:
        for system in systems:
            if (system.uuid or "").lower() == target.uuid.lower():
                return system
        found = ", ".join(str(system.uuid) for system in systems) or "no system at all"
        raise UserError(
            f"the controller answers for {found}, but {target.uuid} is declared",
            where=_place(target),
            hint="is the controller's address that of another machine?",
        )
    if len(systems) != 1:
        raise UserError(
            f"the controller has {len(systems)} systems, which one is not declared",
            where=_place(target),
            hint="declare the machine's uuid",
        )
    return systems[0]


def _facts(system: Any, target: Target) -> Facts:
    state = _power_of(system)
    return Facts(
        serial=system.serial_number or None,
        uuid=(system.uuid or "").lower() or None,
        power_state=state if state is not None else Power.OFF,
        model=system.model or None,
        manufacturer=system.manufacturer or None,
        bios=system.bios_version or None,
        accelerators=_accelerators(system) if target.count_accelerators else None,
    )


def _power_of(system: Any) -> Power | None:
    """On or off; None while it changes (PoweringOn, PoweringOff, Paused)."""
    word = getattr(system.power_state, "value", None)
    return {"On": Power.ON, "Off": Power.OFF}.get(str(word))


def _accelerators(system: Any) -> int | None:
    """Processors of type GPU or Accelerator; None where the controller lists none."""
    from sushy import exceptions  # noqa: PLC0415

    try:
        members = system.processors.get_members()
    except exceptions.SushyError:
        return None
    kinds = [getattr(member.processor_type, "value", "") for member in members]
    return sum(kind in ("GPU", "Accelerator") for kind in kinds) or None


def _can(system: Any, reset: Any) -> bool:
    return reset in system.get_allowed_reset_system_values()


def _place(target: Target) -> str:
    return f"{target.name} (BMC {target.url})"


def _refused(target: Target) -> UserError:
    return UserError(
        f"the controller refused the credential `{target.credential}`",
        where=_place(target),
        hint="correct that entry in the site's credentials.yaml, then run `up` again",
    )


def _untrusted(target: Target, *, ca_known: bool) -> UserError:
    ours = "the site's ca.pem" if ca_known else "any CA of this system, and the site has no ca.pem"
    return UserError(
        f"the controller's certificate is not signed by {ours}",
        where=_place(target),
        hint="give the controller a certificate of the site's CA",
    )


def _broken(target: Target, error: Exception) -> UserError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UserError(
        f"the controller failed: {first}",
        where=_place(target),
        hint="look at the controller's log, then run `up` again",
    )
