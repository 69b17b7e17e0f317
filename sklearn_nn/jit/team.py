"""Threads that run one jitted function together, with a barrier between their steps.

Python threads each enter the same compiled function, which holds no GIL, with their own `part`
of `parts`. No threading layer of Numba is involved: those abort under concurrent callers, die
in forked children, and add sums in an order that depends on the number of threads.

Python delivers an interrupt (Ctrl-C) to the main thread alone, between two of its bytecodes. So
the thread that calls a team is not a part of it, but waits where an interrupt reaches it. It then
sets a flag, which the functions look at, and waits on until all parts have come back. Whatever
instant the interrupt comes at, all parts are woken or none is.
"""

from __future__ import annotations

import contextlib
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

# On cache lines of their own: the count and the generation of the barrier; whether the caller wants
# the parts to stop; what they last agreed on; whether one of them has failed and will not come.
_COUNT, _GENERATION, _STOP, _AGREED, _FAILED, SYNC_SIZE = 0, 16, 32, 40, 48, 64
_SPINS = 4000
_YIELDS = 200
#: On Windows an interrupt is seen only between two waits: they are so short, in seconds.
_WAIT = 0.1
#: Multiplications and additions of a job that is over before anybody has taken the hand from the
#: keys, and of one that is over before another thread is awake.
BRIEF, TINY = 2**29, 2**22


@intrinsic
def _atomic_add(typing_context: Any, address: types.Type, value: types.Type) -> Any:
    """Add to the int64 at `address`; returns what it was before."""

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        pointer = builder.inttoptr(values[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, values[1], "seq_cst")

    return types.int64(types.intp, types.int64), codegen


@intrinsic
def load_word(typing_context: Any, address: types.Type) -> Any:
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
    Where a part has failed, nobody waits for it.
    """
    if parts == 1:
        return
    count = sync.ctypes.data + 8 * _COUNT
    generation = sync.ctypes.data + 8 * _GENERATION
    arrived_in = load_word(generation)
    if _atomic_add(count, 1) == parts - 1:
        _atomic_add(count, -parts)
        # All are here, so what they find below is the same for all.
        sync[_AGREED] = load_word(sync.ctypes.data + 8 * _STOP)
        _atomic_add(generation, 1)
        return
    tries = 0
    while load_word(generation) == arrived_in:
        tries += 1
        if tries > _SPINS + _YIELDS:
            _sleep()
        elif tries > _SPINS:
            _yield()
        if load_word(sync.ctypes.data + 8 * _FAILED) != 0:
            return


@njit(**HELPER_OPTIONS)
def agree_to_stop(sync: np.ndarray, parts: int) -> bool:
    """Wait until all parts are here; returns whether to stop, to all of them the same.

    If any part has seen the flag before, they stop.
    """
    if parts == 1:
        return load_word(sync.ctypes.data + 8 * _STOP) != 0
    barrier(sync, parts)
    failed = load_word(sync.ctypes.data + 8 * _FAILED)
    return load_word(sync.ctypes.data + 8 * _AGREED) != 0 or failed != 0


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


class _Job:
    """A function that all parts of a team are to call, and how that ended.

    Attributes
    ----------
    problem : BaseException or None
        What one of the parts has raised.
    """

    def __init__(self, function: Callable[..., Any] | None, arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self.problem: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def call(self, part: int) -> None:
        """Call the function as one of the parts. Where that fails, nobody waits for it."""
        try:
            if self.function is not None:
                self.function(part, *self.arguments)
        except BaseException as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Let the parts stop, and out of where they wait for one another."""
        self.problem, sync = error, self.arguments[1]
        sync[_STOP] = sync[_FAILED] = 1

    def end(self) -> None:
        """All parts have come back."""
        self._running.release()

    def wait(self) -> None:
        """Wait until all parts have come back."""
        while not self._running.acquire(timeout=_WAIT):
            pass


def _lead(jobs: _Jobs, others: Sequence[_Jobs], done: SimpleQueue[None], sync: np.ndarray) -> None:
    """What the first thread of a team does: wake the others, do its part, gather them.

    No interrupt comes in between, since this is not the main thread.
    """
    while (job := jobs.get()) is not None:
        woken = 0
        if not sync[_STOP]:
            try:
                for other in others:
                    other.put(job)
                    woken += 1
                job.call(0)
            except BaseException as error:
                job.fail(error)
        for _ in range(woken):
            done.get()
        sync[_COUNT] = sync[_FAILED] = 0
        job.end()
        del job  # with its arrays


def _follow(part: int, jobs: _Jobs, done: SimpleQueue[None]) -> None:
    """What the other threads of a team do: their part of one job after another."""
    while (job := jobs.get()) is not None:
        job.call(part)
        del job
        done.put(None)


_Jobs = SimpleQueue[_Job | None]


def _dismiss(queues: Sequence[_Jobs]) -> None:
    for jobs in queues:
        jobs.put(None)


class Team:
    """So many threads that wait between jobs.

    They are kept because a thread that is woken finds an idle core, and one that is new often
    does not. They end with the team.

    Parameters
    ----------
    parts : int
        Number of threads, the calling one not included.

    Attributes
    ----------
    stop_at : int
        Address of a number that is not 0 once the caller wants the parts to stop: functions that
        take long look at it (see `load_word`), and return with their work half done.
    """

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self._sync = np.zeros(SYNC_SIZE, dtype=np.int64)
        # `ctypes.data` takes as long as all else here.
        self.stop_at = int(self._sync.__array_interface__["data"][0]) + 8 * _STOP
        self._jobs: _Jobs | None = None
        self._is_waiting = False
        if parts > 1:
            self._begin()

    def _begin(self) -> None:
        """Start the threads. They know the queues and not the team, which can be collected."""
        queues: list[_Jobs] = [SimpleQueue() for _ in range(self.parts)]
        done: SimpleQueue[None] = SimpleQueue()
        weakref.finalize(self, _dismiss, queues)
        lead = (queues[0], queues[1:], done, self._sync)
        threading.Thread(target=_lead, args=lead, daemon=True).start()
        for part, jobs in enumerate(queues[1:], 1):
            threading.Thread(target=_follow, args=(part, jobs, done), daemon=True).start()
        self._jobs = queues[0]

    def run(self, function: Callable[..., Any], *arguments: Any, work: int = BRIEF) -> None:
        """Call `function(part, parts, sync, *arguments)` for every part at once.

        An interrupt or an error is raised after all parts have come back, since until then they
        write to the caller's arrays. Where there is so little `work`, in multiplications and
        additions, that an interrupt may wait for it, one part is the calling thread; where there is
        next to none, that is the only part.

        Raises
        ------
        KeyboardInterrupt
            If an interrupt came meanwhile. The function may have been stopped.
        """
        if self._is_waiting:  # a second interrupt has come while the first was dealt with
            self._call_off()
        self._sync[_STOP] = 0
        alone = self.parts == 1 and (work < BRIEF or not self._has_begun())
        if alone or work < TINY:
            function(0, 1, self._sync, *arguments)
            return
        assert self._jobs is not None
        job = _Job(function, (self.parts, self._sync, *arguments))
        try:
            self._is_waiting = True
            self._jobs.put(job)
            job.wait()
            self._is_waiting = False
        except BaseException:
            self._call_off()
            raise
        if job.problem is not None:
            raise job.problem

    def _has_begun(self) -> bool:
        """Start the threads if they have not been; returns whether there are any.

        There is none to be had where the interpreter is about to end.
        """
        if self._jobs is None:
            with contextlib.suppress(RuntimeError):
                self._begin()
        return self._jobs is not None

    def _call_off(self) -> None:
        """Stop a job that may have begun or not, and wait until no part is at work."""
        assert self._jobs is not None
        while True:
            try:
                self._sync[_STOP] = 1
                # Jobs are done in order: once this one is over, so are those before it.
                last = _Job(None, ())
                self._jobs.put(last)
                last.wait()
                self._is_waiting = False
                return
            except BaseException:  # another interrupt: again, with a job of its own
                continue
