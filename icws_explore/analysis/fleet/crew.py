"""Who does the work on many files: this process, processes on this machine, or a cluster of Dask.

Processes on this machine are a cluster of Dask, too, which begins and ends with the work. Its scheduler listens on
loopback and takes nobody in but its own workers and this process (TLS with keys that only they have): whoever can talk
to a scheduler can run any code in its workers. For the same reason ``scheduler`` must be the address of one's own.

Only a few pieces of work wait in the scheduler at a time, so a million files take no memory there. A worker that dies,
for example because memory ran out, costs the file that kills it again and again; the others go on.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from icws_explore.protocol.errors import ArgumentValueError, ConnectError, IcwsError

from ..doctor.many import interrupts_held

if TYPE_CHECKING:
    from distributed import Client
    from distributed.scheduler import KilledWorker

DASK_EXTRA: Final = 'this needs Dask: pip install "icws_explore[dask]"'
CONNECT_S: Final = 10.0  # real seconds until a scheduler must have answered
SMALL: Final = 5_000_000  # bytes of files, which one process has read before others have started
AHEAD: Final = 2  # pieces of work in the scheduler for each thread of a worker
BARE: Final[dict[str, object]] = {  # no web pages, and no samples of what workers do, which only those would show
    "distributed.worker.profile.enabled": False,
    **{f"distributed.{server}.http.routes": [] for server in ("scheduler", "nanny", "worker")},
}
CLOSE_S: Final = 10.0  # real seconds for workers that have nothing left to do


class Sized(Protocol):
    """A piece of work: ``size`` in bytes, and the ``name`` that errors give it."""

    @property
    def size(self) -> int: ...

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Sized)
R = TypeVar("R")
# What to do at an interrupt. It gets a function that runs another one in each worker, beside the work there.
Halt = Callable[[Callable[[Callable[[], object]], object]], object]


@dataclass(frozen=True, slots=True)
class Crew:
    """``workers`` processes on this machine (None: one for each core, or none besides this one if there is little to
    do), or the workers of the cluster whose ``scheduler`` has that address, such as tcp://10.0.0.5:8786 (then
    ``workers`` is how many pieces of work the cluster has at a time).
    """

    workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers <= 1024:
            raise ArgumentValueError(f"workers must be from 1 to 1024, not {self.workers}")

    def each(
        self, work: Callable[[T], R], items: Sequence[T], *, halt: Halt | None = None
    ) -> Generator[tuple[T, R | str], None, None]:
        """Do ``work`` with every item, and yield the item and the result as each is done, in any order.

        A text in place of a result says that the workers died of it. Closing the iterator, or an interrupt, ends the
        processes at once; a cluster's workers finish what they have begun. With ``halt``, which can ask the workers to
        finish soon, the first interrupt calls that; what they still return is yielded, then KeyboardInterrupt raised.
        Raises IcwsError without Dask or with other versions on the workers, ConnectError if the scheduler does not
        answer.
        """
        count = self._count(items)
        if self.scheduler is None and count <= 1:
            for item in items:
                yield item, work(item)
            return
        with ExitStack() as stack:
            client = stack.enter_context(
                _own_cluster(count) if self.scheduler is None else _foreign_cluster(self.scheduler)
            )
            yield from _gathered(client, work, items, None if self.scheduler is None else self.workers, halt)

    def _count(self, items: Sequence[T]) -> int:
        if self.workers is not None:
            return self.workers
        return min(len(items), (os.cpu_count() or 1) if sum(item.size for item in items) > SMALL else 1)


def _gathered(
    client: Client, work: Callable[[T], R], items: Sequence[T], most: int | None, halt: Halt | None
) -> Iterator[tuple[T, R | str]]:
    """Results in the order in which they come. At most ``most`` pieces are with the client at a time.

    Dask blames every piece that a worker had when it died, also those that only waited there. So each of them gets
    another chance in the end, alone.
    """
    from distributed.scheduler import KilledWorker

    blamed: list[T] = []
    for item, result in _completed(client, work, items, most, halt):
        if isinstance(result, KilledWorker):
            blamed.append(item)
        else:
            yield item, result
    for item in blamed:
        for _, result in _completed(client, work, [item], most, halt):
            if isinstance(result, KilledWorker):
                yield item, f"the processes that worked on {item.name} died: out of memory?"
            else:
                yield item, result


def _completed(
    client: Client, work: Callable[[T], R], items: Sequence[T], most: int | None, halt: Halt | None
) -> Iterator[tuple[T, R | KilledWorker]]:
    """Results as they come; for a piece whose workers died, what Dask says of it."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    rest = iter(items)
    doing: dict[object, T] = {}
    done = as_completed(loop=client.loop)

    def begin() -> bool:
        for item in rest:
            future = client.submit(work, item, pure=False)
            doing[future.key] = item
            done.add(future)
            return True
        return False

    def fill() -> None:
        while len(doing) < (most or max(1, AHEAD * sum(client.nthreads().values()))) and begin():
            pass

    fill()
    interrupt: KeyboardInterrupt | None = None
    while doing:
        try:
            future = next(done)
        except KeyboardInterrupt as again:
            if halt is None or interrupt is not None:
                raise
            interrupt = again
            halt(client.run)
            continue
        item = doing.pop(future.key)
        error = future.exception() if future.status != "finished" else None
        if error is not None and not isinstance(error, KilledWorker):
            raise error
        result: R | KilledWorker = future.result() if error is None else error
        future.release()
        yield item, result
        if interrupt is None:
            fill()
    if interrupt is not None:
        raise interrupt


@contextmanager
def _own_cluster(count: int) -> Iterator[Client]:
    """Processes that end with the block, at once if it is left early."""
    try:
        import dask
        from distributed import Client, LocalCluster
        from distributed.security import Security
    except ImportError as error:
        raise IcwsError(DASK_EXTRA) from error
    before = set(multiprocessing.active_children())
    cluster: LocalCluster | None = None
    client: Client | None = None
    with tempfile.TemporaryDirectory(prefix="icws-") as scratch:
        try:
            with interrupts_held(), dask.config.set(BARE):
                cluster = LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    protocol="tls",
                    security=Security.temporary(),
                    dashboard_address="127.0.0.1:0",
                    local_directory=scratch,
                    silence_logs=logging.CRITICAL,
                )
                client = Client(cluster, set_as_default=False)
            yield client
        except BaseException:
            for nanny in () if cluster is None else cluster.workers.values():
                nanny.close_gracefully("interrupted")  # else it starts another in place of the process that ends
            for process in set(multiprocessing.active_children()) - before:
                process.kill()
            raise
        finally:
            for each in (client, cluster):
                if each is not None:
                    each.close(CLOSE_S)


@contextmanager
def _foreign_cluster(address: str) -> Iterator[Client]:
    try:
        from distributed import Client
    except ImportError as error:
        raise IcwsError(DASK_EXTRA) from error
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise ConnectError(
            f"no Dask scheduler answers at {address}: {reason}; start one with dask scheduler"
        ) from error
    try:
        _check_versions(client)
        yield client
    finally:
        with suppress(OSError):
            client.close()


def _check_versions(client: Client) -> None:
    """Raises IcwsError if a worker does not have this package in this version."""
    own = own_version()
    answers: dict[str, Any] = client.run(own_version, on_error="return")
    for worker, version in answers.items():
        if version != own:
            raise IcwsError(f"the worker {worker} has icws_explore {version}, not {own}: install the same one there")


def own_version() -> str:
    """The version of this package here."""
    from importlib.metadata import version

    return version("icws_explore")
