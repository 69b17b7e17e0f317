"""Threads that run one jitted function together, with a barrier between their steps.

Python threads each enter the same compiled function, which holds no GIL, with their own `part`
of `parts`. No threading layer of Numba is involved: those abort under concurrent callers, die
in forked children, and add sums in an order that depends on the number of threads.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from sklearn_nn.jit.host import HELPER_OPTIONS, available_cores

# The count and the generation stand on cache lines of their own.
_COUNT, _GENERATION, SYNC_SIZE = 0, 16, 32
_SPINS = 4000
_YIELDS = 200


@intrinsic
def _atomic_add(typing_context: Any, address: types.Type, value: types.Type) -> Any:
    """Add to the int64 at `address`; returns what it was before."""

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        pointer = builder.inttoptr(values[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, values[1], "seq_cst")

    return types.int64(types.intp, types.int64), codegen


@intrinsic
def _atomic_load(typing_context: Any, address: types.Type) -> Any:
    """The int64 at `address`, read after all that the thread that wrote it had written before."""

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        pointer = builder.inttoptr(values[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.intp), codegen


if sys.platform == "win32":
    _yield = types.ExternalFunction("SwitchToThread", types.int32())
    _sleep_milliseconds = types.ExternalFunction("Sleep", types.void(types.uint32))

    @njit(**HELPER_OPTIONS)
    def _sleep() -> None:
        """Give the processor away for the shortest time the system knows."""
        _sleep_milliseconds(1)

else:
    _yield = types.ExternalFunction("sched_yield", types.int32())
    _sleep_microseconds = types.ExternalFunction("usleep", types.int32(types.uint32))

    @njit(**HELPER_OPTIONS)
    def _sleep() -> None:
        """Give the processor away for about 50 microseconds."""
        _sleep_microseconds(50)


@njit(**HELPER_OPTIONS)
def barrier(sync: np.ndarray, parts: int) -> None:
    """Wait until all parts are here. Spins briefly, then yields, then sleeps.

    A thread that spins while others need its core burns its own time slice, so it gives up soon.
    """
    if parts == 1:
        return
    count = sync.ctypes.data + 8 * _COUNT
    generation = sync.ctypes.data + 8 * _GENERATION
    arrived_in = _atomic_load(generation)
    if _atomic_add(count, 1) == parts - 1:
        _atomic_add(count, -parts)
        _atomic_add(generation, 1)
        return
    tries = 0
    while _atomic_load(generation) == arrived_in:
        tries += 1
        if tries > _SPINS + _YIELDS:
            _sleep()
        elif tries > _SPINS:
            _yield()


@njit(**HELPER_OPTIONS)
def share(n: int, part: int, parts: int, grain: int) -> tuple[int, int]:
    """The span [lo, hi) of n outputs that `part` of `parts` owns, in multiples of `grain`."""
    blocks = (n + grain - 1) // grain
    lo = blocks * part // parts * grain
    hi = blocks * (part + 1) // parts * grain
    return min(lo, n), min(hi, n)


def resolve_n_jobs(n_jobs: int | None) -> int:
    """How many threads `n_jobs` asks for, never more than there are cores.

    None is 1; -1 all cores, -2 all but one, as in scikit-learn. Inside a joblib worker the
    limit that joblib set for the worker's threads is kept to.

    Raises
    ------
    ValueError
        If `n_jobs` is 0.
    """
    if n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning; use None or 1 for one thread, -1 for all cores.")
    cores = available_cores()
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        limit = os.environ.get(name, "")
        if limit.isdigit() and int(limit) > 0:
            cores = min(cores, int(limit))
            break
    if n_jobs is None:
        return 1
    if n_jobs < 0:
        return max(1, cores + 1 + n_jobs)
    return min(n_jobs, cores)


def _work(part: int, jobs: SimpleQueue[Any], done: SimpleQueue[BaseException | None]) -> None:
    """What a thread of a team does: its part of one job after another, until there is None."""
    while (job := jobs.get()) is not None:
        function, arguments = job
        try:
            function(part, *arguments)
            done.put(None)
        except BaseException as error:
            done.put(error)


def _dismiss(queues: list[SimpleQueue[Any]]) -> None:
    for jobs in queues:
        jobs.put(None)


class Team:
    """A calling thread and `parts - 1` others that wait for it between jobs.

    They are kept because a thread that is woken finds an idle core, and one that is new often
    does not. They end with the team.

    Parameters
    ----------
    parts : int
        Number of threads, the calling one included.
    """

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self._sync = np.zeros(SYNC_SIZE, dtype=np.int64)
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._jobs: list[SimpleQueue[Any]] = [SimpleQueue() for _ in range(1, parts)]
        if parts > 1:  # The threads know the queues, not the team, which can thus be collected.
            weakref.finalize(self, _dismiss, self._jobs)
        for part, jobs in enumerate(self._jobs, 1):
            arguments = (part, jobs, self._done)
            threading.Thread(target=_work, args=arguments, daemon=True).start()

    def run(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call `function(part, parts, sync, *arguments)` for every part at once.

        The calling thread is part 0. An interrupt or an error is raised after all parts have
        come back, since until then they write to the caller's arrays.
        """
        job = (self.parts, self._sync, *arguments)
        for jobs in self._jobs:
            jobs.put((function, job))
        problem: BaseException | None = None
        try:
            function(0, *job)
        except BaseException as error:
            problem = error
        waiting = len(self._jobs)
        while waiting:
            try:
                problem = self._done.get() or problem
                waiting -= 1
            except KeyboardInterrupt as interrupt:
                problem = interrupt
        if problem is not None:
            raise problem
