"""Engines that run functions on workers: Dask, Ray, or this process.

`call` begins a function call on a worker and returns a reference to its result, which stays on the
worker; arguments may be such references. `results` waits for results and fetches them. Where a
worker dies, the engine repeats its calls elsewhere, with those before whose results are lost.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sklearn_nn._optional import imported

#: Values of `client` other than a client of Dask.
RAY, LOCAL = "ray", "local"
#: Times that a call is repeated after its worker has died, until Dask's error is passed on.
_REPEATS = 3


class Local:
    """Engine that calls functions in this process at once, one after another."""

    def __init__(self, n_workers: int | None = None) -> None:
        self.n_workers = n_workers or 1

    def call(self, function: Callable[..., Any], *args: Any, group: int | None = None) -> Any:
        """Return the result of a call."""
        return function(*args)

    def share(self, value: Any) -> Any:
        """Return a reference to a value for calls of all groups."""
        return value

    def results(self, references: Sequence[Any]) -> list[Any]:
        """Return results, in the order of the references."""
        return list(references)

    def threads(self, n_jobs: int | None) -> int | None:
        """Return the `n_jobs` of a worker; None is one thread for each processor."""
        return n_jobs

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Set what the engine needs during a fit."""
        yield


def _same(value: Any) -> Any:
    """Return the value, which Dask keeps with the call, in case the worker dies."""
    return value


class Dask(Local):
    """Engine of a `dask.distributed.Client`.

    Results that are lost with a worker are computed again from what the scheduler knows.
    """

    def __init__(self, client: Any, n_workers: int | None = None) -> None:
        threads = client.nthreads()
        if not threads:
            raise ValueError(f"client={client!r} has no workers; start some before the fit.")
        self.client = client
        self.addresses = sorted(threads)
        self.n_workers = n_workers or len(threads)
        self._threads = min(threads.values())

    def where(self, group: int | None) -> dict[str, Any]:
        """Return options that prefer the worker of a group."""
        if group is None:
            return {}
        address = self.addresses[group % len(self.addresses)]
        return {"workers": [address], "allow_other_workers": True}

    def call(self, function: Callable[..., Any], *args: Any, group: int | None = None) -> Any:
        """Begin a call; `group` prefers a worker, else Dask chooses one that holds arguments."""
        return self.client.submit(function, *args, pure=False, **self.where(group))

    def share(self, value: Any) -> Any:
        """Return a reference to a value, which workers fetch from one another."""
        return self.client.submit(_same, value, pure=False)

    def results(self, references: Sequence[Any]) -> list[Any]:
        """Return results; a call whose workers die again and again is repeated a few times."""
        from distributed import KilledWorker

        for _ in range(_REPEATS):
            try:
                return list(self.client.gather(list(references)))
            except KilledWorker:
                self.client.retry(list(references))
        return list(self.client.gather(list(references)))

    def threads(self, n_jobs: int | None) -> int | None:
        """Return the threads that the smallest worker has."""
        return self._threads if n_jobs is None else n_jobs

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Let calls carry weights of any size without a warning."""
        from dask import config

        with config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            yield


class Ray(Local):
    """Engine of an initialised Ray; each group takes `n_jobs` processors."""

    def __init__(self, n_jobs: int | None, n_workers: int | None = None) -> None:
        self._ray = imported("ray", f"client={RAY!r} needs Ray", "cluster")
        if not self._ray.is_initialized():
            raise ValueError(f"client={RAY!r} needs an initialised Ray: call ray.init() before.")
        self._cpus = max(1, n_jobs or 1)
        processors = int(self._ray.cluster_resources().get("CPU", 1))
        self.n_workers = n_workers or max(1, processors // self._cpus)
        self._remote = functools.cache(self._made_remote)

    def _made_remote(self, function: Callable[..., Any]) -> Any:
        return self._ray.remote(num_cpus=self._cpus, max_retries=-1)(function)

    def call(self, function: Callable[..., Any], *args: Any, group: int | None = None) -> Any:
        """Begin a call; Ray chooses a node that holds arguments."""
        return self._remote(function).remote(*args)

    def share(self, value: Any) -> Any:
        """Return a reference to a value in Ray's object store."""
        return self._ray.put(value)

    def results(self, references: Sequence[Any]) -> list[Any]:
        """Return results, in the order of the references."""
        return self._ray.get(list(references))

    def threads(self, n_jobs: int | None) -> int | None:
        """Return the processors of a group."""
        return self._cpus


def engine_of(client: Any, n_workers: int | None, n_jobs: int | None) -> Local:
    """Return the engine for the parameter `client`; None is a default client, or else Ray."""
    if client is None:
        client = _found()
    if isinstance(client, str) and client == LOCAL:
        return Local(n_workers)
    if (isinstance(client, str) and client == RAY) or getattr(client, "__name__", "") == RAY:
        return Ray(n_jobs, n_workers)
    if hasattr(client, "submit") and hasattr(client, "nthreads"):
        return Dask(client, n_workers)
    raise ValueError(
        f"client={client!r} is not a cluster; pass a dask.distributed.Client, 'ray' after "
        "ray.init(), or 'local' for this process."
    )


def _found() -> Any:
    """Return Dask's client of this process, or `RAY` if Ray is initialised."""
    distributed, ray = (sys.modules.get(name) for name in ("distributed", "ray"))
    if distributed is not None:
        with contextlib.suppress(ValueError):
            return distributed.get_client()
    if ray is not None and ray.is_initialized():
        return RAY
    raise ValueError(
        "client=None finds no cluster: make a dask.distributed.Client, call ray.init(), or pass "
        "client='local' for this process."
    )
