"""A crew of workers: shards run on dask.distributed, in this process by default, or on a site's own cluster.

The scheduler gives the shard of a worker that died to another one. A coordinator that loses the scheduler
waits for it and hands in what is unfinished; each shard's ledger knows what is done.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from infra.errors import UserError
from infra.rollout.crews.shards import Job, Shard, work
from infra.rollout.crews.site_cluster import security_for
from infra.rollout.ledger import State, Step, StepRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from distributed import Client, Future

    from infra.rollout.crews.local import Noted
    from infra.rollout.ledger import Ledger

LOST = {"cancelled", "lost"}
PAGES = "127.0.0.1:0"
CONNECT_S = 10.0
RETURN_S = 600.0
"""How long a scheduler may be away; its unit starts it again within seconds."""


@dataclass(frozen=True, slots=True)
class SchedulerTurns:
    """See `Turns`: kept by the scheduler of the cluster.

    Attributes:
        client: of the cluster; a task needs none.
    """

    client: Client | None = None

    @contextmanager
    def lease(self, name: str) -> Iterator[None]:
        """See `Turns`."""
        from distributed import Semaphore  # noqa: PLC0415

        lease = Semaphore(max_leases=1, name=f"lease {name}")
        lease.acquire()
        try:
            yield
        finally:
            with suppress(Exception):  # the scheduler may be gone, and the lease with it
                lease.release()

    def take(self, name: str, least: int) -> int:
        """See `Turns`."""
        turn = max(self.current(name), least) + 1
        self._client().set_metadata(_place(name), turn)
        return turn

    def current(self, name: str) -> int:
        """See `Turns`."""
        return int(self._client().get_metadata(_place(name), 0))

    def _client(self) -> Client:
        from distributed import get_client  # noqa: PLC0415

        return self.client or get_client()


def _place(name: str) -> list[str]:
    return ["gigasite", "turns", name]


def run_shard(job: Job, shard: Shard, topic: str) -> list[StepRow]:
    """Take a shard's machines through all steps, on a worker; see `work`.

    Raises:
        UserError: the worker's own system refuses something; where no scheduler is, nobody hears it.
    """
    from distributed import get_worker  # noqa: PLC0415

    worker = get_worker()

    def send(kind: str, what: Any) -> None:
        worker.log_event(topic, json.dumps([kind, what]))

    try:
        return work(job, shard, SchedulerTurns(), send)
    except OSError as error:
        raise UserError(f"shard {shard.name}: {error}", where=f"worker {worker.address}") from error


class Lost(Exception):  # noqa: N818 (the scheduler is)
    """The scheduler went away."""


@dataclass
class ClusterCrew:
    """See `Crew`.

    Attributes:
        job: what workers must know.
        ledger: of the rollout; the coordinator's.
        shard_of: name of each machine's shard.
        connect: makes a client of the cluster.
        tell: told that the scheduler is away, or that there are no workers.
    """

    job: Job
    ledger: Ledger
    shard_of: Mapping[str, str]
    connect: Callable[[], Client]
    tell: Callable[[str], object] = lambda _: None
    _client: Client | None = None

    def run(self, hosts: Sequence[str], noted: Noted) -> None:
        """See `Crew`."""
        shards: dict[str, list[str]] = {}
        for host in hosts:
            shards.setdefault(self.shard_of[host], []).append(host)
        left = [Shard(name, tuple(members)) for name, members in shards.items()]
        away = 0.0  # since when; none
        while left:
            try:
                for shard in self._dispatch(left, noted):
                    left.remove(shard)
                    away = 0.0
            except (Lost, OSError) as error:
                self.close()
                away = away or time.monotonic()
                if time.monotonic() - away > RETURN_S:
                    raise UserError(
                        f"the scheduler of the shards is away: {error}",
                        hint="start it, then resume the rollout",
                    ) from error
                self.tell(f"the scheduler of the shards is away ({error}); {len(left)} shards wait for it")
                time.sleep(1)

    def close(self) -> None:
        """Leave the cluster; an embedded one ends."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                cluster = client.cluster
                client.close(timeout=2)
                if cluster is not None:
                    cluster.close(timeout=2)

    def _dispatch(self, shards: Sequence[Shard], noted: Noted) -> Iterator[Shard]:
        """Hand shards in, and yield each as it is done."""
        client = self._connected()
        topic = f"{self.job.rollout} {time.monotonic_ns()}"
        events: SimpleQueue[str] = SimpleQueue()
        client.subscribe_topic(topic, lambda event: events.put(event[1]))
        pending: dict[Future[Any], Shard] = {
            client.submit(run_shard, self.job, shard, topic, pure=False): shard for shard in shards
        }
        idle = time.monotonic()
        try:
            while pending:
                self._drain(events, noted)
                for future in [future for future in pending if future.done() or future.status in LOST]:
                    self._drain(events, noted)
                    shard = pending.pop(future)
                    self.ledger.absorb(self._result(future, shard))
                    idle = time.monotonic()
                    yield shard
                if client.status != "running":
                    raise Lost("its connection broke")  # noqa: TRY301 (read where it is decided)
                if time.monotonic() - idle > CONNECT_S and not client.scheduler_info()["workers"]:
                    self.tell(f"{len(pending)} shards wait for a worker")
                    idle = time.monotonic()
        except (Lost, OSError):
            raise
        except BaseException:
            self._recall(client, pending)
            raise
        finally:
            with suppress(Exception):
                client.unsubscribe_topic(topic)

    def _recall(self, client: Client, pending: Mapping[Future[Any], Shard]) -> None:
        """Let shards that are not done begin no further step: each is told that its turn is over."""
        with suppress(Exception):
            client.cancel(list(pending))
            for shard in pending.values():
                SchedulerTurns(client).take(f"{self.job.rollout} {shard.name}", 0)

    def _drain(self, events: SimpleQueue[str], noted: Noted) -> None:
        wait = 0.05
        with suppress(Empty):
            while True:
                kind, what = json.loads(events.get(timeout=wait))
                wait = 0.0001
                if kind == "rows":
                    self.ledger.absorb(StepRow(row[0], Step(row[1]), State(row[2]), *row[3:]) for row in what)
                else:
                    step, outcomes = what
                    noted(Step(step), outcomes)

    def _result(self, future: Future[Any], shard: Shard) -> list[StepRow]:
        from distributed import KilledWorker  # noqa: PLC0415
        from distributed.client import FutureCancelledError  # noqa: PLC0415

        if future.status in LOST:
            raise Lost("it forgot its tasks")
        try:
            return list(future.result(timeout=CONNECT_S))
        except (FutureCancelledError, TimeoutError) as error:
            raise Lost(str(error)) from error
        except KilledWorker as error:
            raise UserError(
                f"shard {shard.name} ended {error.allowed_failures + 1} workers",
                hint="look at the workers' logs; then resume the rollout",
            ) from error

    def _connected(self) -> Client:
        if self._client is None:
            try:
                self._client = self.connect()
            except OSError as error:
                if refusal := _refusal(error):
                    raise UserError(
                        f"the scheduler of the shards and this controller do not trust each other: {refusal}",
                        hint="both need a certificate of the same CA that is still valid",
                    ) from error
                raise Lost(str(error)) from error
        return self._client


def _refusal(error: BaseException | None) -> ssl.SSLError | None:
    """Return the refusal of a certificate, which waiting does not mend; None for a broken connection."""
    while error:
        if isinstance(error, ssl.SSLError) and not isinstance(
            error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)
        ):
            return error
        error = error.__cause__ or error.__context__
    return None


def connector(workers: int, scheduler: str = "", site: str = "") -> Callable[[], Client]:
    """Makes a client of a cluster: of a scheduler, or of one inside this process.

    Args:
        workers: of the cluster inside this process.
        scheduler: address of the scheduler in its place.
        site: whose scheduler it is.
    """

    def connect() -> Client:
        import dask  # noqa: PLC0415
        from distributed import Client, LocalCluster  # noqa: PLC0415 (slow to import)

        if scheduler:
            security = security_for(site) if scheduler.startswith("tls://") else None
            return Client(scheduler, timeout=CONNECT_S, set_as_default=False, security=security)
        # Its pages cannot be left out: they are empty, and on loopback alone.
        quiet: dict[str, list[str]] = {
            f"distributed.{part}.http.routes": [] for part in ("scheduler", "worker")
        }
        with dask.config.set(quiet):
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=False, memory_limit=None,
                dashboard_address=PAGES, worker_dashboard_address=PAGES, silence_logs=logging.CRITICAL,
            )  # fmt: skip
        return Client(cluster, set_as_default=False)

    return connect
