"""How a change goes over machines: waves, budgets, gates and the care of jobs, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainSerializer, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from infra import paths
from infra.errors import Problems
from infra.rollout.inventory.roster import DOMAINS
from infra.spec import document, units, validation_messages
from infra.spec.base import Count, Part, Whole

DEFAULTS = Path(__file__).with_name("rollout.yaml")


Seconds = Annotated[units.Duration, PlainSerializer(lambda value: f"{value:g} s", return_type=str)]
"""A duration; written with its unit again, so that a rollout's file is read as it was written."""


def _amount(value: Any) -> Any:
    """`25%` or a whole number, as text."""
    text = str(value).strip()
    number = text.removesuffix("%").strip()
    if isinstance(value, bool) or not number.isdigit() or (text.endswith("%") and not 0 < int(number) <= 100):
        raise PydanticCustomError(
            "amount", "{message}|{hint}",
            {"message": f"{text!r} is neither a share nor a number", "hint": "write it like `10%` or `3`"},
        )  # fmt: skip
    return text.replace(" ", "")


Amount = Annotated[
    str | int,
    AfterValidator(_amount),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["10%", 3]}),
]
"""A share in percent or a number of machines."""


def amount_of(amount: str | int, total: int) -> int:
    """How many an amount is of a total; a share is rounded down, but never to none."""
    text = str(amount)
    return max(1, total * int(text[:-1]) // 100) if text.endswith("%") else int(text)


class Waves(Part):
    """How many machines are in each wave after the canaries."""

    shape: Literal["fixed", "linear", "exponential"] = "exponential"
    """Every wave of `size`; `size`, twice, three times `size`; or each `factor` times the one before."""
    size: Count = 8
    factor: Count = 4
    most: Count = 1000
    """No wave is larger."""


class Budget(Part):
    """How much of a failure domain may be out of service at once, what others drained counted in."""

    domain: Annotated[str, Field(examples=["rack"])]
    most: Amount

    def model_post_init(self, _: Any) -> None:
        """Refuse a domain that no plan has."""
        if self.domain not in DOMAINS:
            raise PydanticCustomError(
                "domain", "{message}|{hint}",
                {"message": f"{self.domain!r} is no failure domain", "hint": f"one of {', '.join(DOMAINS)}"},
            )  # fmt: skip


class Service(Part):
    """How machines leave and enter the scheduler's service."""

    drain_limit: Seconds = 1800.0
    """How long running jobs are waited for."""
    jobs: Literal["wait", "requeue", "cancel"] = "wait"
    """What happens to jobs that are there after that: the machine fails and stays drained (`wait`), or
    they are requeued or cancelled."""


class Gate(Part):
    """Gate between one wave and the next."""

    kind: Literal["health", "verify", "statistics", "grid", "window", "approval", "changes", "command"]
    name: str = ""
    command: str = ""
    """`health`: run on each machine by ssh; `command`: run here, with the wave in its environment."""
    select: str = ""
    """`verify`: which checks, as pytest's -k."""
    metric: str = ""
    """`statistics`: a command that prints a number, run on each machine."""
    floor: float | None = None
    """`statistics`: no machine may be below."""
    deviations: Annotated[float, Field(gt=0)] = 5.0
    """`statistics`: how many median absolute deviations below the group's median are too many."""
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    """`window`: on which days; every day without."""
    start: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    end: Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")] = "24:00"
    """`window`: UTC; an end before the start is on the next day."""
    wait: Seconds = 0.0
    """How long to wait for it to hold; for an approval, how long a person may take."""
    limit: Seconds = 600.0
    """How long one look may take."""
    waves: tuple[Literal["canary", "all"], ...] = ("all",)
    """After which waves it is asked; `grid`, `window`, `approval` and `changes` are asked before each."""

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.name or self.kind

    def model_post_init(self, _: Any) -> None:
        """Refuse a gate that lacks what its kind needs."""
        needed = {"command": "command", "statistics": "metric"}.get(self.kind)
        if needed and not getattr(self, needed):
            raise PydanticCustomError(
                "gate", "{message}|{hint}",
                {"message": f"a gate of kind {self.kind} needs `{needed}`", "hint": "add it"},
            )  # fmt: skip


class Times(Part):
    """Durations that a preview assumes."""

    node: Seconds = 90.0
    reboot: Seconds = 300.0
    at_once: Count = 50


class Shards(Part):
    """How a large batch is worked on by several workers."""

    machines: Count = 500
    """Most machines of a shard; they are of one pod. A batch of one shard is worked on by the controller."""
    workers: Count = 4
    """Of the cluster inside the controller's process."""
    scheduler: (
        Annotated[
            str,
            Field(pattern=r"^$|^tls://|^tcp://(127\.0\.0\.1|localhost)[:/]", examples=["tls://head:8786"]),
        ]
        | None
    ) = None
    """Address of another dask scheduler than that of the declaration (`services.rollout`), `tls://HOST:PORT`;
    without TLS only on loopback. Empty: shards stay inside the controller's process, whatever is declared."""


class Policy(Part):
    """A site's rollout.yaml."""

    canaries: Whole = 2
    waves: Waves = Waves()
    budget: tuple[Budget, ...] = ()
    failures: Amount = "2%"
    service: Service = Service()
    reboot: bool = False
    """Whether machines are rebooted after the change; only where they say that they need it."""
    gates: tuple[Gate, ...] = ()
    times: Times = Times()
    shards: Shards = Shards()


def load_policy(site: str) -> Policy:
    """The policy of a site: the defaults, with the parts that its rollout.yaml has in their place.

    Raises:
        Problems: the file has mistakes, all of them at once.
    """
    path = paths.inventory(site) / "rollout.yaml"
    value = dict(document.read(DEFAULTS).value)
    if not path.is_file():
        return Policy.model_validate(value)
    source = document.read(path)
    problems = list(source.problems)
    own = source.value if source.value is not None else {}
    try:
        merged = {**value, **own} if isinstance(own, dict) else own
        policy = Policy.model_validate(merged)
    except ValidationError as error:
        problems += validation_messages.problems(error, source, Policy)
    if problems:
        raise Problems(list(dict.fromkeys(problems)))
    return policy
