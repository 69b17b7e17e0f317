"""Threads with a barrier: in step, however few cores there are, and never left behind."""

import gc
import itertools
import math
import os
import sys
import threading
import time
from queue import SimpleQueue

import numpy as np
import pytest
from numba import njit

from helpers.interrupts import At, interrupt_when, raising, sends_signals
from sklearn_nn.jit import team
from sklearn_nn.jit.host import OPTIONS, available_cores
from sklearn_nn.jit.team import (
    SideThread,
    Team,
    agree_to_stop,
    barrier,
    claim,
    load_word,
    resolve_n_jobs,
    share,
)


@njit(**OPTIONS)
def in_step(part, parts, sync, rounds, board, errors):
    """Every part writes the round's number; behind the barrier all must have done so."""
    for k in range(1, rounds + 1):
        board[part * 16] = k
        barrier(sync.ctypes.data, parts)
        for other in range(parts):
            if board[other * 16] != k:
                errors[part] += 1
        barrier(sync.ctypes.data, parts)


@njit(**OPTIONS)
def owned(n, part, parts, grain):
    return share(n, part, parts, grain)


@njit(**OPTIONS)
def claimed(part, parts, sync, counters, pieces, takers):
    """Write who has taken each piece; the last part begins when the others are done."""
    place = counters.ctypes.data
    if part == parts - 1:
        barrier(sync.ctypes.data, parts)
    piece = claim(place, part, parts, pieces, -1)
    while piece >= 0:
        takers[piece] += 1 + part
        piece = claim(place, part, parts, pieces, piece)
    if part != parts - 1:
        barrier(sync.ctypes.data, parts)


@njit(**OPTIONS)
def next_piece(part, parts, counters, pieces):
    return claim(counters.ctypes.data, part, parts, pieces, -1)


@njit(**OPTIONS)
def claimed_at_once(part, parts, sync, counters, pieces, takers):
    """Count how often each piece is taken."""
    piece = claim(counters.ctypes.data, part, parts, pieces, -1)
    while piece >= 0:
        takers[part, piece] += 1
        piece = claim(counters.ctypes.data, part, parts, pieces, piece)


@pytest.mark.parametrize("pieces", [1, 5])
@pytest.mark.parametrize("parts", [2, 3])
def test_pieces_of_a_part_that_does_not_run_are_taken(parts, pieces):
    counters, takers = np.zeros(8 * parts, np.int64), np.zeros(parts * pieces, np.int64)
    Team(parts).run(claimed, counters, pieces, takers)
    assert (takers >= 1).all()
    assert (takers < parts).all()  # none by the last part


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_each_piece_is_taken_once(parts):
    for _ in range(20):
        counters, takers = np.zeros(8 * parts, np.int64), np.zeros((parts, parts * 50), np.int64)
        Team(parts).run(claimed_at_once, counters, 50, takers)
        np.testing.assert_array_equal(takers.sum(axis=0), 1)


def test_a_part_takes_its_own_pieces_first():
    counters = np.zeros(16, np.int64)
    taken = [next_piece(1, 2, counters, 3) for _ in range(7)]
    assert taken == [3, 4, 5, 0, 1, 2, -1]


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 9])
def test_barrier(parts):
    """With more threads than cores too."""
    board, errors = np.zeros(16 * parts, np.int64), np.zeros(parts, np.int64)
    Team(parts).run(in_step, 300, board, errors)
    assert not errors.any()
    assert (board[::16] == 300).all()


def test_barrier_of_teams_at_once():
    """Teams do not share their barriers."""
    results = []

    def one_team():
        board, errors = np.zeros(16 * 3, np.int64), np.zeros(3, np.int64)
        Team(3).run(in_step, 100, board, errors)
        results.append(errors.sum())

    threads = [threading.Thread(target=one_team) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0, 0, 0, 0]


@pytest.mark.parametrize("grain", [1, 8, 16])
def test_shares_are_a_partition(grain):
    for n in (0, 1, 7, 8, 9, 64, 100, 4097):
        for parts in (1, 2, 3, 4, 7):
            spans = [owned(n, part, parts, grain) for part in range(parts)]
            assert spans[0][0] == 0
            assert spans[-1][1] == n
            for (_, stop), (start, _) in itertools.pairwise(spans):
                assert stop == start
            blocks = [-(-(hi - lo) // grain) for lo, hi in spans]
            assert max(blocks) - min(blocks) <= 1
            assert all(lo % grain == 0 or lo == n for lo, _ in spans)


# --- how many ----------------------------------------------------------------------------------


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(team, "available_cores", lambda: 8)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("n_jobs", "expected"),
    [(None, 1), (1, 1), (3, 3), (8, 8), (100, 8), (-1, 8), (-2, 7), (-8, 1), (-100, 1)],
)
def test_resolve_n_jobs(eight_cores, n_jobs, expected):
    assert resolve_n_jobs(n_jobs) == expected


def test_no_jobs_are_an_error():
    with pytest.raises(ValueError, match="n_jobs=0 has no meaning; use None or 1"):
        resolve_n_jobs(0)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"NUMBA_NUM_THREADS": "2"}, 2),
        ({"NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "5"}, 2),
        ({"OMP_NUM_THREADS": "50"}, 8),
        ({"OMP_NUM_THREADS": "0"}, 8),
        ({"OMP_NUM_THREADS": ""}, 8),
        ({"OMP_NUM_THREADS": "4,2"}, 8),
        ({"NUMBA_NUM_THREADS": "many", "OMP_NUM_THREADS": "3"}, 3),
    ],
)
def test_limits_of_the_environment(eight_cores, monkeypatch, environment, expected):
    """joblib sets them for the threads of its workers."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert resolve_n_jobs(-1) == expected
    assert resolve_n_jobs(100) == expected
    assert resolve_n_jobs(None) == 1


def test_cores():
    cores = available_cores()
    assert 1 <= cores <= os.cpu_count()
    if hasattr(os, "sched_getaffinity"):
        assert cores == len(os.sched_getaffinity(0))


# --- interrupts and failures -------------------------------------------------------------------


def test_every_part_runs_once_with_its_arguments():
    seen = []

    def part_of(part, parts, sync, a, b):
        seen.append((part, parts, sync.sum(), a, b))

    for parts in (4, 1):
        own = Team(parts)
        for _ in range(3):
            own.run(part_of, "a", "b")
            assert sorted(seen) == [(k, parts, 0, "a", "b") for k in range(parts)]
            seen.clear()


def test_a_team_is_kept_from_job_to_job():
    own = Team(3)
    for rounds in (1, 50, 7):
        board, errors = np.zeros(48, np.int64), np.zeros(3, np.int64)
        own.run(in_step, rounds, board, errors)
        assert not errors.any()
        assert (board[::16] == rounds).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("culprit", [0, 2])
def test_an_error_waits_for_all_parts(culprit, error):
    """Until all have come back they write to the caller's arrays."""
    done, own = [], Team(4)

    def work(part, parts, sync):
        if part == culprit:
            raise error
        time.sleep(0.05 * (part + 1))
        done.append(part)

    with pytest.raises(error):
        own.run(work)
    assert sorted(done) == sorted({0, 1, 2, 3} - {culprit})
    again = []
    own.run(lambda *arguments: again.append(arguments[0]))
    assert sorted(again) == [0, 1, 2, 3]


@pytest.mark.parametrize("culprit", [0, 1, 2])
def test_nobody_waits_at_the_barrier_for_a_part_that_failed(culprit):
    own, board, errors = Team(3), np.zeros(48, np.int64), np.zeros(3, np.int64)

    def work(part, parts, sync):
        if part == culprit:
            raise MemoryError("mine")
        in_step(part, parts, sync, 10, board, errors)

    with pytest.raises(MemoryError, match="mine"):
        own.run(work)
    check_in_step(own)


def check_in_step(own):
    """A team does its next job as if nothing had been."""
    parts = own.parts
    board, errors = np.zeros(16 * parts, np.int64), np.zeros(parts, np.int64)
    own.run(in_step, 20, board, errors)
    assert not errors.any()
    assert (board[::16] == 20).all()


@njit(**OPTIONS)
def until_stopped(part, parts, sync, stop_at, board, rounds):
    """Count rounds until all agree to stop: for some minutes, if nobody wants that."""
    for k in range(rounds):
        board[part * 16] = k + 1
        for _ in range(1000):
            if load_word(stop_at) != 0:  # half a round
                break
        if agree_to_stop(sync.ctypes.data, parts):
            return


ROUNDS = 100_000_000


@sends_signals
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_an_interrupt_stops_all_parts_in_the_same_round(parts):
    own, board = Team(parts), np.zeros(16 * parts, np.int64)
    for _ in range(5):
        board[:] = 0
        watch = interrupt_when(lambda: board[::16].all())
        with pytest.raises(KeyboardInterrupt):
            own.run(until_stopped, own.stop_at, board, ROUNDS)
        watch.join()
        assert len(set(board[::16])) == 1
        assert board[0] < ROUNDS
        check_in_step(own)


@pytest.mark.parametrize(("parts", "work"), [(1, 0), (1, math.inf), (2, math.inf), (3, math.inf)])
def test_a_side_thread_is_interrupted_by_another(parts, work):
    """Its teams stop as in the main thread, and can be used again."""
    own, board, done = Team(parts), np.zeros(16 * parts, np.int64), SimpleQueue()

    def job():
        own.run(until_stopped, own.stop_at, board, ROUNDS, work=work)

    thread = SideThread(job, done)
    thread.start()
    while not board[::16].all():
        time.sleep(0.001)
    assert not thread.has_ended
    thread.interrupt()
    assert done.get() is thread
    thread.join()
    assert thread.has_ended
    assert isinstance(thread.problem, KeyboardInterrupt)
    assert len(set(board[::16])) == 1
    assert board[0] < ROUNDS
    check_in_step(own)


def test_a_side_thread_answers_an_interrupt_between_two_jobs_once():
    own, done, found = Team(1), SimpleQueue(), []

    def jobs():
        thread.interrupt()
        for _ in range(3):
            try:
                check_in_step(own)
                found.append("done")
            except KeyboardInterrupt:
                found.append("interrupted")
        raise ValueError("mine")

    thread = SideThread(jobs, done)
    thread.start()
    done.get()
    assert found == ["interrupted", "done", "done"]
    assert isinstance(thread.problem, ValueError)


@sends_signals
def test_a_second_interrupt_while_waiting(monkeypatch):
    """Nor is the job of the first one left at work."""
    own, board = Team(2), np.zeros(32, np.int64)
    plain, more = team._Job.wait, iter([True, True, True, False])

    def wait(job):
        if job.function is None and next(more, False):
            raise KeyboardInterrupt
        plain(job)

    monkeypatch.setattr(team._Job, "wait", wait)
    watch = interrupt_when(board[::16].all)
    with pytest.raises(KeyboardInterrupt):
        own.run(until_stopped, own.stop_at, board, ROUNDS)
    watch.join()
    found = board.copy()
    check_in_step(own)
    np.testing.assert_array_equal(found, board)


def test_unfinished_work_is_stopped_before_the_next_job(monkeypatch):
    own, board = Team(2), np.zeros(32, np.int64)
    with monkeypatch.context() as patch:
        patch.setattr(team._Job, "wait", raising(KeyboardInterrupt))
        patch.setattr(own, "_call_off", lambda: None)
        with pytest.raises(KeyboardInterrupt):
            own.run(until_stopped, own.stop_at, board, ROUNDS)
    check_in_step(own)


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
@pytest.mark.parametrize("parts", [1, 3])
def test_interrupt_at_any_line(parts, error):
    """At every line that the caller runs: all parts come back, and none is left behind."""
    before, own = set(threading.enumerate()), Team(parts)
    check_in_step(own)
    for k in itertools.count(1):
        board, errors = np.zeros(16 * parts, np.int64), np.zeros(parts, np.int64)
        at = At(team.__file__, k, error)
        try:
            with at:
                own.run(in_step, 20, board, errors)
        except error:
            found = board.copy()
            assert not errors.any()
            assert set(board[::16]) <= {0, 20}
        check_in_step(own)
        if at.left > 0:
            break
        np.testing.assert_array_equal(found, board)
    assert k > 5
    assert len(set(threading.enumerate()) - before) == parts
    del own
    gc.collect()
    assert ended(set(threading.enumerate()) - before)


def test_an_interrupt_while_threads_are_started():
    before = set(threading.enumerate())
    for k in itertools.count(1):
        at, own = At(team.__file__, k), None
        try:
            with at:
                own = Team(3)
        except KeyboardInterrupt:
            pass
        del own
        if at.left > 0:
            break
    gc.collect()
    assert ended(set(threading.enumerate()) - before)


def test_without_threads_a_job_of_one_part_is_done_by_the_caller(monkeypatch):
    """As when the interpreter is about to end."""
    monkeypatch.setattr(threading.Thread, "start", raising(RuntimeError("can't start new thread")))
    seen = []
    Team(1).run(lambda *arguments: seen.append((threading.current_thread(), *arguments[:2])))
    assert seen == [(threading.main_thread(), 0, 1)]


def test_a_brief_job_of_one_part_takes_no_other_thread():
    seen, own = [], Team(1)
    own._sync[team._STOP] = 1  # as an interrupt before has left it
    own.run(lambda *given: seen.append((threading.current_thread(), given[2].any())), work=0)
    assert seen == [(threading.main_thread(), False)]


@pytest.mark.parametrize(("limit", "expected"), [(math.inf, True), (0, False)])
def test_a_team_of_one_knows_from_its_last_job_whether_a_job_is_brief(limit, expected, monkeypatch):
    monkeypatch.setattr(team, "BRIEF_SECONDS", limit)
    seen, own = [], Team(1)
    for _ in range(2):
        own.run(lambda *_: seen.append(threading.current_thread()), work=team.BRIEF)
    assert [thread is threading.main_thread() for thread in seen] == [False, expected]
    own.run(lambda *_: seen.append(threading.current_thread()))  # of unknown length
    assert seen[-1] is not threading.main_thread()


@pytest.mark.parametrize("parts", [2, 3])
def test_a_tiny_job_has_one_part_which_is_the_caller(parts, monkeypatch):
    monkeypatch.setattr(team, "TINY", 100)
    seen, own = [], Team(parts)
    for work in (99, 100):
        own.run(lambda *given: seen.append((threading.current_thread(), *given[:2])), work=work)
    assert seen[0] == (threading.main_thread(), 0, 1)
    assert sorted(places for _, *places in seen[1:]) == [[part, parts] for part in range(parts)]


def ended(threads):
    for thread in threads:
        thread.join(timeout=300)
    return not any(thread.is_alive() for thread in threads)


def test_without_the_whole_team_none_begins(monkeypatch):
    """And those that had started end."""
    started, plain = [], threading.Thread.start

    def start(thread):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        plain(thread)
        started.append(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="start new thread"):
        Team(4)
    monkeypatch.undo()
    gc.collect()
    assert len(started) == 2
    assert ended(started)


def test_threads_end_with_their_team():
    before = set(threading.enumerate())
    own = Team(3)
    own.run(in_step, 5, np.zeros(48, np.int64), np.zeros(3, np.int64))
    threads = set(threading.enumerate()) - before
    assert len(threads) == 3
    del own
    gc.collect()
    assert ended(threads)


def test_the_interpreter_is_free_meanwhile():
    """Parts hold no lock of Python's: another thread goes on while they work."""

    @njit(**OPTIONS)
    def long_work(part, parts, sync, out):
        total = 0.0
        for k in range(300_000_000):
            total += 1.0 / (k + 1 + part)
        out[part] = total

    out, ticks = np.zeros(2), []
    Team(1).run(long_work, np.zeros(1))  # compiled

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    stop, other = threading.Event(), threading.Thread(target=tick)
    other.start()
    begin = time.perf_counter()
    Team(2).run(long_work, out)
    end = time.perf_counter()
    stop.set()
    other.join()
    assert (out > 0).all()
    during = [t for t in ticks if begin < t < end]
    # Were the lock held, there would be one tick at most for each switch.
    assert len(during) > (end - begin) / (10 * max(sys.getswitchinterval(), 0.01))
