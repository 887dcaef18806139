"""Machines through their management controllers by Redfish, with the sushy library; TLS is verified."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from infra.errors import UserError
from infra.provider.drivers import BootDevice, Facts, Power, Target
from infra.provider.drivers.credentials import authority, look_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.provider.settings import Settings

T = TypeVar("T")

# A rack's trays converge together: at most this many requests wait at once in one provider process.
WORKERS = 64
# Shutting an operating system down takes a minute or so; beyond this share of the limit it is forced off.
GRACE = 0.75
# A request that changed nothing, not even to PoweringOn, was swallowed: after this share of the limit, at
# most this many seconds, it is made again. Controllers take some seconds to show a change.
AGAIN, AGAIN_S = 0.2, 20.0
PAUSE_S = 1.0

_MOVING = ("PoweringOn", "PoweringOff", "unknown")


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
        """Read the machine's facts; waits while its power changes."""
        return await self._run(lambda: self._inspect(target))

    async def power(self, target: Target, state: Power, *, graceful: bool = True) -> Facts:
        """Bring the machine to a power state and wait for it."""
        return await self._run(lambda: self._power(target, state, graceful=graceful))

    async def set_boot_override(self, target: Target, device: BootDevice) -> None:
        """Boot from a device at the next power-on, once."""
        await self._run(lambda: self._set_boot_override(target, device))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _inspect(self, target: Target) -> Facts:
        from infra.provider.drivers import redfish_systems as systems  # noqa: PLC0415 (sushy: 0.2 s)

        with self._machine(target) as (service, client, system):
            poll = _Poll(target.limit, client, system)
            while systems.power_of(system) is None:
                if poll.is_over():
                    raise _stuck(target, systems.power_word(system))
                poll.look_again()
            return systems.read_facts(target, service, client, system, patient=False)

    def _power(self, target: Target, state: Power, *, graceful: bool) -> Facts:
        from infra.provider.drivers import redfish_systems as systems  # noqa: PLC0415

        with self._machine(target) as (service, client, system):
            client.deadline.restart(target.limit)
            asked, poll = _Asked(target.limit, state, graceful=graceful), _Poll(target.limit, client, system)
            while systems.power_of(system) is not state:
                word = systems.power_word(system)
                if poll.is_over():
                    raise _unmoved(target, state, word)
                if word not in _MOVING and asked.is_due():
                    asked.ask(target, system)
                poll.look_again()
            return systems.read_facts(target, service, client, system, patient=True)

    def _set_boot_override(self, target: Target, device: BootDevice) -> None:
        import sushy  # noqa: PLC0415

        source = {
            BootDevice.DISK: sushy.BootSource.HDD,
            BootDevice.NETWORK: sushy.BootSource.PXE,
            BootDevice.HTTP: sushy.BootSource.UEFI_HTTP,
            BootDevice.CD: sushy.BootSource.CD,
        }[device]
        with self._machine(target) as (_service, _client, system):
            system.set_system_boot_options(target=source, enabled=sushy.BootSourceOverrideEnabled.ONCE)

    @contextmanager
    def _machine(self, target: Target) -> Iterator[tuple[Any, Any, Any]]:
        """The controller's service root, its client and the machine's system, for one operation.

        Whatever a controller answers is this machine's error and no other's.
        """
        from sushy import exceptions  # noqa: PLC0415

        from infra.provider.drivers import redfish_client as speech  # noqa: PLC0415
        from infra.provider.drivers import redfish_systems as systems  # noqa: PLC0415

        credential = look_up(self._site, target.credential)
        ca = authority(self._site)
        deadline = speech.Deadline(target.limit, lambda seconds: self._pause(target, seconds))
        try:
            with speech.conversation(target.url, credential, ca, deadline) as (
                service,
                client,
            ):
                yield service, client, systems.pick(target, service, client)
        except exceptions.AccessError as error:
            raise _refused(target) from error
        except speech.TimeUp as error:
            raise _silent(target, str(error)) from error
        except exceptions.ConnectionError as error:
            if "CERTIFICATE" in str(error).upper():
                raise _untrusted(target, ca_known=ca is not None) from error
            raise _silent(target, "did not answer") from error
        except exceptions.SushyError as error:
            raise _broken(target, error) from error
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            # sushy takes the shape of what it reads for granted.
            raise _broken(target, error, shape=True) from error

    def _pause(self, target: Target, seconds: float) -> None:
        if self._cancelled.wait(seconds):
            raise UserError("interrupted while waiting for it", where=_place(target), hint="run `up` again")


class _Poll:
    """Looks at a machine again and again until the limit, ever more slowly."""

    def __init__(self, limit: float, client: Any, system: Any) -> None:
        self._client, self._system = client, system
        self._pause, self._most = 0.1, min(PAUSE_S, max(0.1, limit * 0.05))
        self._last = min(0.5, limit * 0.1)  # a look that begins later than this before the end could not end

    def is_over(self) -> bool:
        """Whether there is no time for another look."""
        return bool(self._client.deadline.left <= self._last)

    def look_again(self) -> None:
        """Wait a little and read the machine's system anew."""
        self._client.deadline.wait(self._pause)
        self._pause = min(self._pause * 2, self._most)
        if not self.is_over():
            self._system.refresh(force=True)


class _Asked:
    """Request for a power state, and when it was made."""

    def __init__(self, limit: float, state: Power, *, graceful: bool) -> None:
        self._state, self._graceful = state, graceful
        self._again = min(limit * AGAIN, AGAIN_S)
        self._forced = time.monotonic() + limit * GRACE
        self._last: tuple[float, bool] | None = None  # when, and whether it was a graceful shutdown

    def is_due(self) -> bool:
        """Whether to ask now: for the first time, because it was swallowed, or because patience is over."""
        if self._last is None:
            return True
        when, shutdown = self._last
        if shutdown:  # asking an operating system twice can cancel the first
            return time.monotonic() >= self._forced
        return time.monotonic() >= when + self._again

    def ask(self, target: Target, system: Any) -> None:
        """Ask; a controller that says it is busy, or that nothing is to be done, is asked again in time."""
        from sushy import exceptions  # noqa: PLC0415

        allowed = {word.value for word in system.get_allowed_reset_system_values()}
        wanted = self._words()
        kind = next((word for word in wanted if word in allowed), None)
        if kind is None:
            raise UserError(
                f"the controller takes none of {', '.join(wanted)}, "
                f"only {', '.join(sorted(allowed)) or 'nothing'}",
                where=_place(target),
                hint="is its licence or its operator role limited?",
            )
        try:
            system.reset_system(_reset_type(kind))
        except exceptions.ConnectionError:
            pass  # the answer was lost: the power state will tell
        except exceptions.HTTPError as error:
            text = str(error)
            if error.status_code != 409 and "NoOperation" not in text and not _is_busy(text):
                raise
            return
        self._last = time.monotonic(), kind == "GracefulShutdown"

    def _words(self) -> list[str]:
        if self._state is Power.ON:
            return ["On", "ForceOn"]
        if self._graceful and self._last is None and time.monotonic() < self._forced:
            return ["GracefulShutdown", "ForceOff"]
        return ["ForceOff"]


def _is_busy(text: str) -> bool:
    """Whether a refusal is known to pass: iDRAC not ready, iLO in POST (as sushy knows them)."""
    return "SYS518" in text or "InvalidOperationForSystemState" in text


def _reset_type(word: str) -> Any:
    import sushy  # noqa: PLC0415

    return sushy.ResetType(word)


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


def _silent(target: Target, said: str) -> UserError:
    return UserError(
        f"the controller {said} within {target.limit:.0f} s"
        if said == "did not answer"
        else f"the controller {said} for {target.limit:.0f} s",
        where=_place(target),
        hint="is it powered and reachable from here? then run `up` again",
    )


def _unmoved(target: Target, state: Power, word: str) -> UserError:
    return UserError(
        f"did not power {state} within {target.limit:.0f} s of being told to, it is {word}",
        where=_place(target),
        hint="look at the machine's console and its controller's log, then run `up` again",
    )


def _stuck(target: Target, word: str) -> UserError:
    return UserError(
        f"its power state is still {word} after {target.limit:.0f} s",
        where=_place(target),
        hint="look at the machine's console and its controller's log, then run `up` again",
    )


def _broken(target: Target, error: Exception, *, shape: bool = False) -> UserError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else "it does not say why"
    return UserError(
        "the controller's answer has not the shape that Redfish gives it"
        + f" ({first})" * bool(str(error).strip())
        if shape
        else f"the controller failed: {first}",
        where=_place(target),
        hint="look at the controller's log, then run `up` again",
    )
