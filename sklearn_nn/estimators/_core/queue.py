"""Queue of the networks of a fit: threads train several of them at once.

A fit of several networks draws random numbers for one after the other, such as the order of the
rows in each epoch. Those of a network are therefore known when all networks before it are trained,
or sooner, if these are trained for as many epochs as planned. So the next network begins with the
numbers that follow from the plan. If a training does not follow it, the networks that have begun
after it are discarded, and the rest are trained one by one. The result is always that of training
one by one.
"""

from __future__ import annotations

import copy
from collections import deque
from queue import Empty, SimpleQueue

import numpy as np
from sklearn import config_context, get_config

from sklearn_nn.jit.team import SideThread, resolve_n_jobs

#: Multiplications and additions in the time by which a batch takes longer with several threads,
#: since they wait for one another.
_OVERHEAD = 2**22
#: Multiplications and additions in an epoch, below which networks are not trained at once: then
#: most of the time is spent in Python, between two epochs, which one thread at a time can do.
_LEAST_EPOCH = 2**23
#: Seconds of a wait; on Windows, an interrupt is handled only between two waits.
_WAIT = 0.1


def in_turn(fit, times):
    """Yield the trainings of `times` networks in order, each after it has run.

    The estimator is then in the state in which the training has left it. The caller concludes each
    training. An error in a training is raised, and an interrupt ends the trainings that run: those
    that come before the first interrupted one, and that one, are yielded.
    """
    number = 0
    if not fit.begins:  # it changes what the last fit has left
        yield _run(fit, number, times)
        number = 1
    crew = _Crew(fit, number, times)
    if crew.size > 1:
        try:
            yield from crew.trainings()
        finally:
            crew.halt()
        number = crew.n_concluded
    for k in range(number, times):
        yield _run(fit, k, times)


def _run(fit, number, times):
    """Return a training that has run in this thread."""
    training = fit.nth(number, times)
    training.run()
    return training


def _useful(threads, work):
    """Return the number of threads that train a batch fastest: all of these, or one."""
    return threads if work / threads + _OVERHEAD < work else 1


def _seconds(threads, work):
    """Return the time of a batch, in multiplications and additions."""
    n = _useful(threads, work)
    return work / n + (_OVERHEAD if n > 1 else 0)


def _best_size(n, jobs, work):
    """Return how many of `n` networks to train at once on `jobs` threads."""

    def seconds(size):
        rounds, rest = divmod(n, size)
        last = _seconds(jobs // rest, work) if rest else 0
        return rounds * _seconds(jobs // size, work) + last

    return min(range(1, min(n, jobs) + 1), key=seconds)


def _size_for(fit, n, jobs, work, work_of_epoch):
    """Return how many of `n` networks of a fit are trained at once."""
    est = fit.estimator
    is_watched = est.verbose or est.callbacks or getattr(est, "_skl_callbacks", None)
    is_watched = is_watched or fit.stream is not None  # one after another reads it
    if min(n, jobs) < 2 or is_watched or work_of_epoch < _LEAST_EPOCH:
        return 1
    # Most trainings use all epochs; little is lost if a small network does not.
    may_follow = not est.early_stopping and _useful(jobs, work) == 1
    return _best_size(n, jobs, work) if may_follow or fit.follows_plan() else 1


def _next_draws(generator):
    """Return the next random numbers, which tell whether generators are in the same state."""
    return copy.deepcopy(generator).bytes(16)


def _branch(fit):
    """Return a copy of a fit whose estimator and generator can change independently."""
    branch = copy.copy(fit)
    branch.estimator = est = fit.estimator._twin()
    est._random_state = copy.deepcopy(est._random_state)
    return branch


class _Turn:
    """Network that a thread trains, with an estimator of its own."""

    def __init__(self, fit, training, n_threads, done):
        self.estimator = fit.estimator
        self.training = training
        self.n_threads = n_threads
        self.thread = SideThread(_as_in_this_thread(training.run), done)
        #: Next random numbers after a training that follows the plan.
        self.next_draws = None


def _as_in_this_thread(function):
    """Return a function that acts in any thread under the settings of this one."""
    errors, config = np.geterr(), get_config()

    def run():
        with np.errstate(**errors), config_context(**config):
            function()

    return run


class _Crew:
    """Threads that train the networks of a fit from number `first` on, `size` at a time."""

    def __init__(self, fit, first, times):
        self.fit, self.times = fit, times
        self.n_concluded = self.n_begun = first
        self._jobs = resolve_n_jobs(fit.estimator.n_jobs)
        self._work, of_epoch = fit.work()
        self.size = _size_for(fit, times - first, self._jobs, self._work, of_epoch)
        # Networks of the last round, if they are fewer, have more threads each.
        self._n_last = (times - first) % self.size
        self._turns = deque()  # not concluded, in order
        self._tip = fit  # after the last network that has begun, if all follow the plan
        self._has_departed = False  # whether a training has not followed the plan
        self._done = SimpleQueue()

    def trainings(self):
        """Yield trainings that have run; end before the first whose random numbers are others."""
        est = self.fit.estimator
        try:
            while self.n_concluded < self.times and not self._has_departed:
                while self._has_room():
                    self._begin()
                self._wait()
                yield from self._ended()
        except KeyboardInterrupt as interrupt:
            self.halt()
            yield from self._ended()
            if self.n_concluded:
                est._stopped_by = interrupt
            raise

    def halt(self):
        """Interrupt all trainings, and wait until they have ended, also after a new interrupt."""
        while True:
            try:
                for turn in self._turns:
                    turn.thread.interrupt()
                for turn in self._turns:
                    while turn.thread.is_alive():
                        turn.thread.join(_WAIT)
                return
            except KeyboardInterrupt:
                continue

    def _n_threads(self, number):
        """Return the number of threads that train a network."""
        is_last = number >= self.times - self._n_last
        return _useful(self._jobs // (self._n_last if is_last else self.size), self._work)

    def _has_room(self):
        """Return whether the next network can begin."""
        if self.n_begun == self.times or any(turn.thread.problem for turn in self._turns):
            return False
        in_use = sum(turn.n_threads for turn in self._turns if not turn.thread.has_ended)
        has_threads = in_use + self._n_threads(self.n_begun) <= self._jobs
        return has_threads and len(self._turns) < 2 * self.size

    def _begin(self):
        """Prepare the next network, and let a thread train it."""
        number = self.n_begun
        fit = _branch(self._tip)
        n_threads = vars(fit.estimator)["n_jobs"] = self._n_threads(number)
        turn = _Turn(fit, fit.nth(number, self.times), n_threads, self._done)
        self._tip = _branch(fit)
        self._turns.append(turn)
        turn.thread.start()
        self.n_begun += 1
        if self.n_begun < self.times:
            self._foresee(turn, self._tip.estimator._random_state)

    def _foresee(self, turn, generator):
        """Draw from a generator what a training that has begun draws."""
        turn.training.skip(generator, lambda: turn.thread.has_ended)
        if turn.thread.has_ended:  # its numbers are known
            generator.set_state(turn.estimator._random_state.get_state(legacy=False))
        turn.next_draws = _next_draws(generator)

    def _wait(self):
        """Wait until one more training has ended."""
        while True:
            try:
                self._done.get(timeout=_WAIT)
                return
            except Empty:
                continue

    def _ended(self):
        """Yield the trainings that have ended, in order, up to one that departs from the plan."""
        while self._turns and self._turns[0].thread.has_ended:
            turn = self._turns[0]
            turn.thread.join()
            self.fit.adopt(turn.estimator)
            if turn.thread.problem is not None:
                raise turn.thread.problem
            yield turn.training
            self._turns.popleft()
            self.n_concluded += 1
            draws = _next_draws(self.fit.estimator._random_state)
            if self.n_concluded < self.times and turn.next_draws != draws:
                self._has_departed = True
                self.halt()
                self._turns.clear()
