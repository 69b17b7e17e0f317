"""Teams of threads that run one jitted function together, with barriers.

Python threads each enter the same compiled function, which releases the GIL, with their own `part`
of `parts`. Numba's threading layers are not used: they abort under concurrent callers, die in
forked children, and add sums in an order that depends on the number of threads.

Python delivers an interrupt (Ctrl-C) to the main thread only, between two of its bytecodes.
Therefore, the thread that calls a team is not a part of it, but waits where an interrupt reaches
it. After an interrupt, it sets a flag, which the functions test, and waits until all parts have
returned. Either all parts of a job are woken, or none, whenever the interrupt occurs.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
from llvmlite import ir

from sklearn_nn.jit import Later, intrinsic, njit, types
from sklearn_nn.jit.emit import emitted
from sklearn_nn.jit.host import HELPER_OPTIONS, LINE, available_cores
from sklearn_nn.jit.views import words

# On separate cache lines: count and generation of the barrier, the stop flag; then the decision of
# the last barrier, and whether a part has failed and will not arrive.
_COUNT, _GENERATION, _STOP, _AGREED, _FAILED, SYNC_SIZE = 0, 16, 32, 40, 48, 64
_SPINS = 4000
_YIELDS = 200
#: Duration of a wait in seconds; on Windows, an interrupt is handled only between two waits.
_WAIT = 0.1
#: Numbers of multiplications and additions. A job of fewer than BRIEF is so short that an interrupt
#: can wait for it; a job of fewer than TINY ends before another thread is awake. So is a job that
#: takes less than BRIEF_SECONDS at the pace of the team's last one.
BRIEF, TINY = 2**31, 2**22
BRIEF_SECONDS = 0.2
_WORD = ir.IntType(64).as_pointer()


@intrinsic
def _atomic_add(typing_context: Any, address: types.Type, value: types.Type) -> Any:
    """Add to the int64 at `address` and return its previous value."""

    def emit(builder: Any, address: Any, value: Any) -> Any:
        return builder.atomic_rmw("add", builder.inttoptr(address, _WORD), value, "seq_cst")

    return emitted(types.int64(types.intp, types.int64), emit)


@intrinsic
def load_word(typing_context: Any, address: types.Type) -> Any:
    """Read the int64 at `address` with acquire order."""

    def emit(builder: Any, address: Any) -> Any:
        return builder.load_atomic(builder.inttoptr(address, _WORD), "acquire", 8)

    return emitted(types.int64(types.intp), emit)


if sys.platform == "win32":
    _yield = Later(lambda: types.ExternalFunction("SwitchToThread", types.int32()))
    _sleep_milliseconds = Later(lambda: types.ExternalFunction("Sleep", types.void(types.uint32)))

    @njit(**HELPER_OPTIONS)
    def _sleep() -> None:
        """Sleep for the shortest time that the system supports."""
        _sleep_milliseconds(1)

else:
    _yield = Later(lambda: types.ExternalFunction("sched_yield", types.int32()))
    _sleep_microseconds = Later(lambda: types.ExternalFunction("usleep", types.int32(types.uint32)))

    @njit(**HELPER_OPTIONS)
    def _sleep() -> None:
        """Sleep for about 50 microseconds."""
        _sleep_microseconds(50)


@njit(**HELPER_OPTIONS)
def barrier(sync: int, parts: int) -> None:
    """Wait until all parts have arrived: spin briefly, then yield, then sleep.

    `sync` is the address of the team's memory. Spinning is short, since other threads may need the
    core. If a part has failed, the others do not wait for it.
    """
    if parts == 1:
        return
    count = sync + 8 * _COUNT
    generation = sync + 8 * _GENERATION
    arrived_in = load_word(generation)
    if _atomic_add(count, 1) == parts - 1:
        _atomic_add(count, -parts)
        # All parts have arrived and will read the same value.
        words(sync)[_AGREED] = load_word(sync + 8 * _STOP)
        _atomic_add(generation, 1)
        return
    tries = 0
    while load_word(generation) == arrived_in:
        tries += 1
        if tries > _SPINS + _YIELDS:
            _sleep()
        elif tries > _SPINS:
            _yield()
        if load_word(sync + 8 * _FAILED) != 0:
            return


@njit(**HELPER_OPTIONS)
def agree_to_stop(sync: int, parts: int) -> bool:
    """Wait for all parts and return whether to stop, the same in all of them.

    `sync` is the address of the team's memory. Parts stop if the flag was set when the last of them
    arrived.
    """
    if parts == 1:
        return load_word(sync + 8 * _STOP) != 0
    barrier(sync, parts)
    failed = load_word(sync + 8 * _FAILED)
    return load_word(sync + 8 * _AGREED) != 0 or failed != 0


#: Bytes between the counters of `claim`.
COUNTER_BYTES = LINE


@njit(**HELPER_OPTIONS)
def claim(counters: int, part: int, parts: int, pieces: int, last: int) -> int:
    """Return the number of a piece of work that no part has taken yet, or -1 if there is none.

    Each part owns `pieces` of them, and takes those of others when its own are taken, so that a
    part that is slow, or does not run, delays a piece and not its whole share. At `counters` is a
    counter for each part, 0 at first; `last` is the piece that this part took last, -1 at first.
    """
    if parts == 1:
        return last + 1 if last + 1 < pieces else -1
    for turn in range(parts):
        owner = (part + turn) % parts
        counter = counters + COUNTER_BYTES * owner
        if load_word(counter) < pieces:
            taken = _atomic_add(counter, 1)
            if taken < pieces:
                return owner * pieces + taken
    return -1


@njit(**HELPER_OPTIONS)
def share(n: int, part: int, parts: int, grain: int) -> tuple[int, int]:
    """Return the span [lo, hi) of n outputs that `part` owns, in multiples of `grain`."""
    blocks = (n + grain - 1) // grain
    lo = blocks * part // parts * grain
    hi = blocks * (part + 1) // parts * grain
    return min(lo, n), min(hi, n)


def resolve_n_jobs(n_jobs: int | None) -> int:
    """Return the number of threads for `n_jobs`, at most the number of cores.

    None is 1; -1 all cores, -2 all but one, as in scikit-learn. Within a joblib worker, joblib's
    limit on threads applies. Raises ValueError if `n_jobs` is 0.
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
    """Function that all parts of a team call; `problem` is the exception of a part, if any."""

    def __init__(self, function: Callable[..., Any] | None, arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self.problem: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def call(self, part: int) -> None:
        """Call the function as one of the parts; if it fails, release the others."""
        try:
            if self.function is not None:
                self.function(part, *self.arguments)
        except BaseException as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Record an error, stop the parts and release them from barriers."""
        self.problem, sync = error, self.arguments[1]
        sync[_STOP] = sync[_FAILED] = 1

    def end(self) -> None:
        """Record that all parts have returned."""
        self._running.release()

    def wait(self) -> None:
        """Wait until all parts have returned."""
        while not self._running.acquire(timeout=_WAIT):
            pass


def _lead(jobs: _Jobs, others: Sequence[_Jobs], done: SimpleQueue[None], sync: np.ndarray) -> None:
    """Run jobs in the first thread: wake the others, compute part 0, wait for the others.

    No interrupt occurs in between, since this is not the main thread.
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
        del job  # releases its arrays


def _follow(part: int, jobs: _Jobs, done: SimpleQueue[None]) -> None:
    """Run jobs in another thread: compute one part of each."""
    while (job := jobs.get()) is not None:
        job.call(part)
        del job
        done.put(None)


_Jobs = SimpleQueue[_Job | None]


def _dismiss(queues: Sequence[_Jobs]) -> None:
    for jobs in queues:
        jobs.put(None)


class SideThread(threading.Thread):
    """Thread for a function that runs teams, which another thread can interrupt.

    `done` is a queue that the thread is put in when it ends. An interrupt raises KeyboardInterrupt
    where the function runs a team, as Ctrl-C does in the main thread.

    Attributes
    ----------
    has_ended : bool
        Whether the function has returned or failed.
    problem : BaseException or None
        Exception of the function.
    """

    def __init__(self, function: Callable[[], Any], done: SimpleQueue[Any]) -> None:
        super().__init__(daemon=True)
        self.has_ended = False
        self.problem: BaseException | None = None
        self._function, self._done = function, done
        self._is_interrupted = False
        self._sync: np.ndarray | None = None  # memory of the team that runs

    def run(self) -> None:
        """Call the function."""
        try:
            self._function()
        except BaseException as error:
            self.problem = error
        del self._function  # releases its arrays
        self.has_ended = True
        self._done.put(self)

    def interrupt(self) -> None:
        """Stop the team that runs, and raise KeyboardInterrupt in the function."""
        self._is_interrupted = True
        if (sync := self._sync) is not None:
            sync[_STOP] = 1

    def enter(self, sync: np.ndarray) -> None:
        """Note the memory of a team before it runs, and answer an interrupt."""
        self._sync = sync
        self.answer()

    def leave(self) -> None:
        """Answer an interrupt after a team has run."""
        self._sync = None
        self.answer()

    def answer(self) -> None:
        """Raise KeyboardInterrupt if there was an interrupt."""
        if self._is_interrupted:
            self._is_interrupted = False
            raise KeyboardInterrupt


class Team:
    """Threads that wait between jobs and end with the team.

    They are kept because a woken thread finds an idle core, while a new one often does not.
    `parts` is the number of threads without the calling one. `stop_at` is the address of the stop
    flag, which is not 0 if the parts should stop: long functions test it (see `load_word`) and
    return early.
    """

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self._sync = np.zeros(SYNC_SIZE, dtype=np.int64)
        # Faster than `ctypes.data`.
        self.stop_at = int(self._sync.__array_interface__["data"][0]) + 8 * _STOP
        self._jobs: _Jobs | None = None
        self._is_waiting = False
        self._pace = math.inf  # seconds per multiplication and addition of the last job
        if parts > 1:
            self._begin()

    def _begin(self) -> None:
        """Start the threads, which do not refer to the team, so that it can be collected."""
        queues: list[_Jobs] = [SimpleQueue() for _ in range(self.parts)]
        done: SimpleQueue[None] = SimpleQueue()
        weakref.finalize(self, _dismiss, queues)
        lead = (queues[0], queues[1:], done, self._sync)
        threading.Thread(target=_lead, args=lead, daemon=True).start()
        for part, jobs in enumerate(queues[1:], 1):
            threading.Thread(target=_follow, args=(part, jobs, done), daemon=True).start()
        self._jobs = queues[0]

    def run(self, function: Callable[..., Any], *arguments: Any, work: float = math.inf) -> None:
        """Call `function(part, parts, sync, *arguments)` for every part at once.

        An interrupt (KeyboardInterrupt) or an error is raised after all parts have returned, since
        they write to the caller's arrays. `work` is the number of multiplications and additions:
        a team of one runs brief jobs in the calling thread, whose caches hold the arrays, and any
        team those below `TINY`.
        """
        if self._is_waiting:  # a second interrupt occurred while the first was handled
            self._call_off()
        self._sync[_STOP] = 0
        thread = threading.current_thread()
        if not isinstance(thread, SideThread):
            self._run(function, arguments, work)
            return
        thread.enter(self._sync)
        self._run(function, arguments, work)
        thread.leave()

    def _run(self, function: Callable[..., Any], arguments: tuple[Any, ...], work: float) -> None:
        """Run a job, see `run`."""
        is_brief = work < BRIEF or work * self._pace < BRIEF_SECONDS
        alone = self.parts == 1 and (is_brief or not self._has_begun())
        if alone or work < TINY:
            function(0, 1, self._sync, *arguments)
            return
        assert self._jobs is not None
        job, begun = _Job(function, (self.parts, self._sync, *arguments)), time.perf_counter()
        try:
            self._is_waiting = True
            self._jobs.put(job)
            job.wait()
            self._is_waiting = False
        except BaseException:
            self._call_off()
            raise
        if work < math.inf:
            self._pace = (time.perf_counter() - begun) / work
        if job.problem is not None:
            raise job.problem

    def _has_begun(self) -> bool:
        """Start the threads if needed; return False if the interpreter is shutting down."""
        if self._jobs is None:
            with contextlib.suppress(RuntimeError):
                self._begin()
        return self._jobs is not None

    def _call_off(self) -> None:
        """Stop a job that may have begun, and wait until no part is running."""
        assert self._jobs is not None
        while True:
            try:
                self._sync[_STOP] = 1
                # Jobs run in order: when this one ends, those before it have ended.
                last = _Job(None, ())
                self._jobs.put(last)
                last.wait()
                self._is_waiting = False
                return
            except BaseException:  # another interrupt: try again
                continue
