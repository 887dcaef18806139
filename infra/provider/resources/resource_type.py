"""Base of all resource types: the inputs, and the operations on one resource of the type."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeVar

from infra.errors import UserError
from infra.provider.properties import UNKNOWN
from infra.provider.settings import Driver, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.provider.differences import Change
    from infra.provider.drivers import FacilityDriver, MachineDriver
    from infra.provider.inputs import InputModel
    from infra.provider.validation import Failure

AT_ONCE = 4
"""Connections to one machine at the same time."""

Answer = TypeVar("Answer")
Inputs = TypeVar("Inputs")


class Runtime:
    """One configured provider: its settings and its drivers, which are loaded when first used.

    Args:
        settings: the provider's configuration.
        machines, facility: drivers to use instead of the configured one, for tests.
    """

    def __init__(
        self,
        settings: Settings,
        machines: MachineDriver | None = None,
        facility: FacilityDriver | None = None,
    ) -> None:
        self.settings = settings
        self.cancelled = threading.Event()
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}
        if machines is not None:
            self.machines = machines
        if facility is not None:
            self.facility = facility

    async def ask_once(self, whom: str, question: Callable[[], Answer]) -> Answer:
        """Ask in a thread; whoever asks the same machine meanwhile gets the same answer.

        A refresh looks at all resources at once, and one look at a server tells of all that it has.
        """
        if whom not in self._asked:
            self._asked[whom] = asyncio.ensure_future(asyncio.to_thread(question))
            self._asked[whom].add_done_callback(lambda _: self._asked.pop(whom, None))
        answer: Answer = await asyncio.shield(self._asked[whom])
        return answer

    def in_turn(self, whom: str) -> asyncio.Semaphore:
        """Return what keeps connections to a machine few: sshd drops some of more than ten (MaxStartups)."""
        return self._turns.setdefault(whom, asyncio.Semaphore(AT_ONCE))

    @cached_property
    def machines(self) -> MachineDriver:
        """The way to management controllers."""
        if self.settings.driver is Driver.SIMULATED:
            simulation: MachineDriver = self._simulation
            return simulation
        from infra.provider.drivers.redfish import Redfish  # noqa: PLC0415 (a preview needs none)

        return Redfish(self.settings, self.cancelled)

    @cached_property
    def facility(self) -> FacilityDriver:
        """The way to feeds, coolant distribution units and the grid connection."""
        if self.settings.driver is Driver.SIMULATED:
            simulation: FacilityDriver = self._simulation
            return simulation
        raise UserError(
            "there is no driver for facility devices yet but the simulated one",
            where=self.settings.site,
            hint="set `driver: simulated`, or leave these resources out",
        )

    @cached_property
    def _simulation(self) -> Any:
        from infra.provider.drivers.simulated import Simulation  # noqa: PLC0415

        return Simulation(self.settings)


@dataclass(frozen=True, slots=True)
class Output:
    """One output property: its Pulumi schema and what it means."""

    schema: Mapping[str, Any]
    doc: str

    @property
    def secret(self) -> bool:
        """Whether the state keeps it encrypted, and displays hide it."""
        return bool(self.schema.get("secret"))


class ResourceType(Generic[Inputs]):
    """A resource type. A subclass is stateless: what it needs comes with each call.

    The state of a resource is its inputs and, beside them, its outputs.
    """

    type_name: ClassVar[str]
    inputs: ClassVar[type[InputModel]]
    outputs: ClassVar[Mapping[str, Output]]
    doc: ClassVar[str]
    delete_before_replace: ClassVar[bool] = False

    def check(self, inputs: Mapping[str, Any], failures: list[Failure]) -> None:
        """Find mistakes between properties; the inputs (plain) may hold unknowns and wrong types."""

    def apply_defaults(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Fill in defaults that are found out rather than declared."""
        return inputs

    def drift(self, state: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Change]:  # noqa: ARG002
        """Return differences from the declaration that the last refresh saw though no input changed."""
        return {}

    def preview(
        self,
        inputs: Mapping[str, Any],  # noqa: ARG002 (for those that know more)
        state: Mapping[str, Any] | None,  # noqa: ARG002
        changed: Mapping[str, Change],  # noqa: ARG002
    ) -> dict[str, Any]:
        """The outputs that a preview can tell; the rest is UNKNOWN."""
        return dict.fromkeys(self.outputs, UNKNOWN)

    async def admit(
        self, runtime: Runtime, inputs: Inputs, state: Mapping[str, Any], changed: Mapping[str, Change]
    ) -> None:
        """Refuse in a preview what the real thing would not take; the update itself refuses it too."""

    def identify(self, runtime: Runtime, inputs: Inputs) -> str:
        """The id, which follows from the inputs: making the same thing twice makes it once."""
        raise NotImplementedError

    async def create(self, runtime: Runtime, inputs: Inputs, limit: float) -> CreateResult:
        """Make or adopt it; `limit` is in seconds."""
        raise NotImplementedError

    async def update(
        self,
        runtime: Runtime,
        inputs: Inputs,
        state: Mapping[str, Any],
        changed: Mapping[str, Change],
        limit: float,
    ) -> CreateResult:
        """Bring it to new inputs; by default as a create does, which converges."""
        del state, changed
        return await self.create(runtime, inputs, limit)

    async def read(
        self, runtime: Runtime, resource_id: str, state: Mapping[str, Any], limit: float
    ) -> ReadResult | None:
        """Read the resource; None if it is gone. `state` is empty on an import."""
        raise NotImplementedError

    async def delete(self, runtime: Runtime, inputs: Inputs, state: Mapping[str, Any], limit: float) -> None:
        """Remove what a create made, and nothing else; nothing if it is gone already."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CreateResult:
    """Result of a create or an update.

    Attributes:
        outputs: the output properties.
        faults: parts that failed, one sentence each; the resource is kept all the same.
    """

    outputs: Mapping[str, Any]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadResult:
    """Result of a read: the inputs that would declare it so, the outputs, and parts that did not answer."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    faults: tuple[str, ...] = ()


def refuse_import(resource_id: str) -> NoReturn:
    """Refuse to import a resource whose inputs nothing but the declaration knows.

    Raises:
        UserError: always.
    """
    raise UserError(
        "only the declaration knows it: it cannot be imported",
        where=resource_id,
        hint="declare it in site.yaml, `up` records it",
    )


def text(doc: str, *, secret: bool = False) -> Output:
    """A string output."""
    return Output({"type": "string", **({"secret": True} if secret else {})}, doc)


def flag(doc: str) -> Output:
    """A boolean output."""
    return Output({"type": "boolean"}, doc)
