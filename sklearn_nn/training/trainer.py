"""Trainer: the loop over epochs, with validation, callbacks and interrupts."""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from sklearn_nn.network.machine import Machine, Predictor, Targets
from sklearn_nn.network.source import Source
from sklearn_nn.training.callbacks import Callback
from sklearn_nn.training.history import History
from sklearn_nn.training.optimizers import Epoch, OptimizerState
from sklearn_nn.training.schedules import Schedule

#: Duration of a slice: seconds after which the machine returns to Python, which handles Ctrl-C.
_SLICE_SECONDS = 0.1
#: Speed assumed before the first slice is timed, in multiply-adds per second.
_ASSUMED_SPEED = 1e10
#: Most epochs that are trained at once, and the most seconds that they may take.
_MOST_AT_ONCE, _SECONDS_AT_ONCE = 32, 0.02
#: A loss has exploded if it exceeds that of the first batch, and that of weights of 0, by the first
#: factor; or by the second, if the largest weight exceeds 1, and the largest at the beginning, by
#: the third. The second rule is for losses with an upper bound.
_EXPLODED, _WORSE, _LARGE = 1e4, 1.0, 100.0
#: Batches in a pool of sequences that is sorted by length. Larger pools need less padding, but
#: their batches are less random.
_POOL = 32


class Batches(NamedTuple):
    """Consecutive batches of one size, which the machine trains on slice by slice."""

    order: np.ndarray  # row numbers, batch by batch
    batch_size: int
    n_batches: int
    windows: int = 1  # consecutive batches that continue one another: windows of the same rows
    counts: np.ndarray | None = None  # weight of each batch in the loss; None: number of its rows

    @property
    def size(self) -> float:
        """Sum of the weights of all batches."""
        return float(self.order.size if self.counts is None else self.counts.sum())

    def total(self, losses: np.ndarray) -> Any:
        """Return the weighted sum of the batches' mean losses, along the last axis."""
        if self.counts is not None:
            return losses @ self.counts
        rest = self.order.size - (self.n_batches - 1) * self.batch_size
        whole = losses[..., :-1].sum(axis=-1) * self.batch_size if self.n_batches > 1 else 0.0
        return whole + losses[..., -1] * rest


def plan_epoch(
    data: Source, rows: np.ndarray, batch_size: int, random_state: np.random.RandomState | None,
    weights: np.ndarray | None = None,
) -> list[Batches]:  # fmt: skip
    """Divide rows of `data` into batches, in their order.

    With a random state, sequences of similar length share a batch, which reduces padding, and the
    batches are shuffled. If rows are read in windows, each window of these rows is a batch, which
    the next batch continues; the number of windows is that of the longest row. `weights`, of shape
    (n_rows * n_windows,), holds the sum of the target weights of each window of each row of `data`
    and weights the batches' losses; None weights batches by their rows.
    """
    if data.lengths is not None and random_state is not None and rows.size > batch_size:
        rows = _with_similar(rows, data.lengths[rows], batch_size, random_state)
    if data.windows == 1:
        return [_in_batches(rows, batch_size, 1, weights)]
    batches = [rows[k : k + batch_size] for k in range(0, rows.size, batch_size)]
    counted = [(batch, _windows_of_longest(data, batch)) for batch in batches]
    plan = []
    for (size, windows), group in itertools.groupby(counted, lambda c: (c[0].size, c[1])):
        order = np.concatenate([data.numbers(batch, windows) for batch, _ in group])
        plan.append(_in_batches(order, size, windows, weights))
    return plan


def _in_batches(
    order: np.ndarray, batch_size: int, windows: int, weights: np.ndarray | None
) -> Batches:
    """Return batches of one size, of which the last may be smaller, with their weights."""
    counts = None
    if weights is not None:
        counts = np.add.reduceat(weights[order], np.arange(0, order.size, batch_size))
    return Batches(order, batch_size, -(-order.size // batch_size), windows, counts)


def _windows_of_longest(data: Source, rows: np.ndarray) -> int:
    """Return the number of windows of the longest of these rows."""
    steps = data.steps(rows)
    return data.windows if steps is None else max(1, int((steps > 0).any(axis=0).sum()))


def _with_similar(
    rows: np.ndarray, lengths: np.ndarray, batch_size: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Return the rows sorted by length within pools of batches, with the batches shuffled."""
    n_batches = rows.size // batch_size
    whole = n_batches * batch_size
    by_length = np.lexsort((lengths[:whole], np.arange(whole) // (_POOL * batch_size)))
    batches = rows[by_length].reshape(n_batches, batch_size)
    return np.concatenate([*batches[random_state.permutation(n_batches)], rows[whole:]])


class Ending(Enum):
    """Reason why a run ended."""

    CONVERGED = "no more improvement"
    CALLED_OFF = "a callback asked to stop"
    EXHAUSTED = "all epochs used"
    INTERRUPTED = "interrupted by the user"
    DIVERGED = "the loss or the parameters became infinite or NaN"


def say(text: str) -> None:
    """Print a line of progress."""
    sys.stdout.write(text + "\n")


class _Counts(NamedTuple):
    """Counts that an epoch advances."""

    n_epochs: int  # epochs trained by the run
    ahead: Epoch  # the next epoch
    planned: float | None  # epochs that schedules see


class _Before(NamedTuple):
    """Values that are restored if an epoch is interrupted."""

    counts: _Counts
    base_rate: float
    learning_rate: float
    history: Any  # see `History.mark`


class _Trained(NamedTuple):
    """Results of an epoch whose batches are all trained, before they are recorded."""

    log: dict[str, float]
    counts: _Counts


@dataclass
class Trainer:
    """Training loop that runs epochs until there is no more improvement."""

    machine: Machine
    data: Source
    targets: Targets
    descent: OptimizerState
    history: History
    rows: np.ndarray  # rows of `data` to train on, in the order of the last epoch
    batch_size: int
    #: Shuffles the rows before each epoch; None keeps their order.
    random_state: np.random.RandomState | None
    tol: float  # smallest improvement; training stops after more than `patience` epochs without one
    patience: float
    #: Returns "val_loss" and "val_score" of the machine's present parameters.
    evaluate: Callable[[], dict[str, float]] | None = None
    callbacks: Sequence[Callback] = ()
    estimator: Any = None  # passed to callbacks
    verbose: bool = False
    #: Whether an epoch's loss weights batches by their rows even if targets have weights, as in
    #: scikit-learn; otherwise it is the weighted mean over targets.
    counts_rows: bool = False
    #: Epochs trained by this run and those that it continues, without interrupted ones.
    n_epochs: int = 0
    #: Makes the blocks of an epoch, by the number of epochs before it: the data and targets in
    #: memory are then those of the present block. None: the data are the only block.
    blocks: Callable[[int], Iterable[tuple[Source, Targets]]] | None = None
    #: Numbers of rows and batches of an epoch of several blocks, as far as they are known.
    block_totals: tuple[int, int] = (0, 0)
    #: Whether the schedule had ended when the last epoch began, if that was a call of partial_fit.
    schedule_ended: bool = False
    batch_losses: np.ndarray = field(default_factory=lambda: np.zeros(0))  # of the last epoch
    callback_failed: bool = False  # whether an error in a callback has ended the run
    #: Loss at the beginning: of the first batch, before its update, or, if this run continues
    #: others, of the first epoch of all.
    first_loss: float = math.nan
    _loss_before: float = -math.inf  # of the last epoch before this run
    _largest_before: float = 0.0  # largest absolute weight before this run
    _weights: np.ndarray | None = None
    _slice: int = 0
    _kept: list[np.ndarray] = field(default_factory=list)
    _kept_step: int = 0
    _kept_epochs: float | None = None
    #: State of the generator before epochs were first trained at once, and shuffles since then.
    _first_draws: dict[str, Any] | None = None
    _n_shuffles: int = 0
    _ahead: Epoch = (1, 1, 0)
    _before: _Before | None = None
    _trained: _Trained | None = None
    _is_evaluated: bool = False
    _turns_back: bool = False
    _is_left: bool = False

    def run(self, max_epochs: int, *, once: bool = False) -> Ending:
        """Train until `max_epochs` epochs are reached in total, or for one epoch if `once`.

        The resulting parameters are finite: those of the best score if validation is watched, those
        before the epoch if it diverged. After an interrupt they are those of the last complete
        batch, and the epoch counts if all of its batches were complete.
        """
        ending = Ending.CONVERGED if self.history.stopped and not once else Ending.EXHAUSTED
        begun: list[Callback] = []
        self._is_left = False
        self.machine.go_on_from(self.descent.step)
        self._largest_before = float(np.abs(self.machine.theta).max(initial=0.0))
        try:
            self._take_up_last()
            self.descent.hide_average(self.machine.theta)
            for callback in self.callbacks:
                with self._calling_back():
                    callback.on_fit_begin(self.estimator)
                begun.append(callback)
            while ending is Ending.EXHAUSTED and self.n_epochs < max_epochs:
                if not once and self._run_several(max_epochs):
                    continue
                ending = self._run_epoch(max_epochs, alone=once)
                if once:
                    break
                if ending is Ending.EXHAUSTED:
                    self.descent.hide_average(self.machine.theta)
            self._finish(begun, once=once)
        except KeyboardInterrupt:
            ending = Ending.INTERRUPTED
            self._finish_in_spite_of_interrupts(begun, once=once)
        except BaseException:
            self._finish_in_spite_of_interrupts(begun, once=once)
            raise
        return ending

    def _n_at_once(self, max_epochs: int, n_batches: int) -> int:
        """Return how many epochs can be trained at once: brief ones after which nothing happens.

        Training can end, and a rate change, only after more epochs without improvement than there
        is patience for.
        """
        schedule, descent = self.descent.schedule, self.descent
        is_watched = self.callbacks or self.verbose or self.evaluate is not None
        is_plain = self.blocks is None and self.data.windows == 1 and self.data.lengths is None
        changes = schedule.varies() or type(schedule).after_epoch is not Schedule.after_epoch
        averages = descent.average is not None or descent.decay_schedule is not None
        if is_watched or not is_plain or changes or averages or not self.batch_losses.size:
            return 0
        in_time = self._slice * _SECONDS_AT_ONCE / (_SLICE_SECONDS * n_batches)
        rest = self.patience - self.history.no_improvement
        return int(min(_MOST_AT_ONCE, in_time, max_epochs - self.n_epochs, rest))

    def _run_several(self, max_epochs: int) -> bool:
        """Train and record several brief epochs at once, if possible; return whether it was.

        The result is that of `_run_epoch`, which takes longer than some batches of a small network.
        Epochs one of which diverges are undone, to be repeated one by one. So are, if there is an
        interrupt, those that are trained at once.
        """
        n_batches = -(-self.rows.size // self.batch_size)
        n = self._n_at_once(max_epochs, n_batches)
        if n < 2:
            return False
        descent = self.descent
        if self._first_draws is None and self.random_state is not None:
            self._first_draws, self._n_shuffles = self.random_state.get_state(legacy=False), 0
        n_shuffles = self._n_shuffles
        self._keep()
        self._begin_epochs()
        self._turns_back = True
        orders = [self._shuffled(self.rows)]
        while len(orders) < n:
            orders.append(self._shuffled(orders[-1]))
        epoch, started = (n_batches, max_epochs, self.history.samples_seen), time.perf_counter()
        found = self.machine.train(
            self.data, self.targets, np.concatenate(orders), self.batch_size, 0, n * n_batches,
            descent.update(n * n_batches, epoch), descent.step, epochs=n,
        )  # fmt: skip
        seconds = (time.perf_counter() - started) / n
        is_finite = np.isfinite(found).all() and np.isfinite(self.machine.theta).all()
        if is_finite:
            descent.step += n * n_batches
            losses = found.reshape(n, n_batches)
            for loss in self._mean_losses(orders, losses):
                self._record_in_history(
                    {"loss": loss, "learning_rate": descent.learning_rate, "seconds": seconds}
                )
            self._count(self._counted(n_batches, max_epochs, n))
            self.batch_losses, self.rows = losses[-1], orders[-1]
        else:
            self._turn_back()
            self._draw_again(n_shuffles)
        self._turns_back = False
        self._before = None
        return bool(is_finite)

    def _mean_losses(self, orders: Sequence[np.ndarray], losses: np.ndarray) -> list[float]:
        """Return the mean losses of epochs with these orders, from those of their batches."""
        weights, size = self._target_weights(), self.batch_size
        if weights is None:
            batches = _in_batches(orders[0], size, 1, None)
            means: list[float] = (batches.total(losses) / (batches.size or 1)).tolist()
            return means
        plans = [_in_batches(order, size, 1, weights) for order in orders]
        return [float(p.total(own) / (p.size or 1)) for p, own in zip(plans, losses, strict=True)]

    def _begin_epochs(self) -> None:
        """Note the values that are restored if there is an interrupt."""
        self._trained, self._is_evaluated = None, False
        counts, descent = _Counts(self.n_epochs, self._ahead, self.descent.epochs), self.descent
        mark = self.history.mark()
        self._before = _Before(counts, descent.base_rate, descent.learning_rate, mark)

    def _run_epoch(self, max_epochs: int, *, alone: bool) -> Ending:
        """Train and record an epoch; return whether and how training ends with it."""
        theta = self.machine.theta
        self._keep()
        for callback in self.callbacks:
            with self._calling_back():
                callback.on_epoch_begin(self.history.n_epochs + 1, self.estimator)
        self._begin_epochs()
        log = self.train_epoch(max_epochs, alone=alone)
        if not (math.isfinite(log["loss"]) and np.isfinite(theta).all()):
            self._turns_back, self._before = True, None
            return Ending.DIVERGED
        self.descent.show_average(theta)
        ending = self._close_epoch(log)
        self._before = None
        if self.callbacks and self._call_back(log) and ending is Ending.EXHAUSTED:
            ending = Ending.CALLED_OFF
        return ending

    def _finish_in_spite_of_interrupts(self, begun: list[Callback], *, once: bool) -> None:
        while True:
            try:
                self._finish(begun, once=once)
                return
            except KeyboardInterrupt:
                continue

    def _finish(self, begun: list[Callback], *, once: bool) -> None:
        """Finish the run. After an interrupt a second call continues where the first stopped."""
        if not self._is_left:
            self._leave(once=once)
            self._is_left = True
        with self._calling_back():
            while begun:
                begun.pop(0).on_fit_end(self.estimator)

    def _leave(self, *, once: bool) -> None:
        """Complete or undo an interrupted epoch, and restore average and best weights."""
        history, descent, before, trained = self.history, self.descent, self._before, self._trained
        if before is not None:
            history.back_to(before.history)
            descent.step = self.machine.step
            descent.base_rate, descent.learning_rate = before.base_rate, before.learning_rate
            self.n_epochs, self._ahead, descent.epochs = before.counts
            loss = 0.0 if trained is None else trained.log["loss"]
            finite = math.isfinite(loss) and np.isfinite(self.machine.theta).all()
            self._turns_back = self._turns_back or not finite
        if self._turns_back:
            self._turn_back()
        descent.show_average(self.machine.theta)
        if before is not None and trained is not None and not self._turns_back:
            self._count(trained.counts)
            # Without validation figures if these were interrupted.
            record = self._record if self._is_evaluated else self._record_in_history
            record(trained.log)
            if history.validated:
                for name in ("val_loss", "val_score"):
                    history.curves.setdefault(name, [math.nan] * history.n_epochs)
        self._before, self._turns_back = None, False
        if not once or history.stopped:
            self._restore_best()

    def train_epoch(self, max_epochs: int, *, alone: bool = False) -> dict[str, float]:
        """Train on every batch once and return the epoch's figures.

        `alone` marks an epoch of partial_fit, whose data differ from call to call.
        """
        epoch: Epoch | None = None
        total = size = started = 0.0
        n_rows, losses = 0, []
        for plan in self._plans():
            if epoch is None:
                n_batches = sum(batches.n_batches for batches in plan)
                n_batches = max(n_batches, self.block_totals[1])
                epoch = self._begin_epoch(n_batches, max_epochs, alone=alone)
                started = time.perf_counter()
            for batches in plan:
                own = self._train_batches(batches, epoch)
                losses.append(own)
                total, size = total + batches.total(own), size + batches.size
            n_rows += self.rows.size
            if not math.isfinite(total):
                break  # the epoch has diverged
        self.batch_losses = losses[0] if len(losses) == 1 else np.concatenate(losses)
        n_batches = self.batch_losses.size
        if self.blocks is not None:
            self.block_totals = n_rows, n_batches
        if math.isnan(self.first_loss):
            before = self.history.curves.get("loss") or [float(self.batch_losses[0]), -math.inf]
            self.first_loss, self._loss_before = before[0], before[-1]
        log = {
            "loss": float(total / (size or 1)),
            "learning_rate": self.descent.learning_rate,
            "seconds": time.perf_counter() - started,
        }
        self._end_epoch(log, n_batches, max_epochs)
        return log

    def _begin_epoch(self, n_batches: int, max_epochs: int, *, alone: bool) -> Epoch:
        """Prepare the optimizer for an epoch of so many batches."""
        epoch = n_batches, max_epochs, self.history.samples_seen
        begins_again = self.descent.begin_epoch(epoch, alone=alone)
        if not self.batch_losses.size:  # later epochs have looked ahead already
            self.descent.look_ahead(epoch)
        if alone:
            before = self.history.curves.get("learning_rate", ())
            self.schedule_ended = begins_again or self.descent.is_without_rate(epoch, before)
        return epoch

    def _end_epoch(self, log: dict[str, float], n_batches: int, max_epochs: int) -> None:
        """Count an epoch whose batches are all trained."""
        counts = self._counted(n_batches, max_epochs)
        self._trained = _Trained(log, counts)
        self._count(counts)

    def _plans(self) -> Iterator[list[Batches]]:
        """Shuffle the rows of each block of an epoch, and yield its batches, block by block.

        A block of as many rows as the last one continues from its order.
        """
        blocks = [(self.data, self.targets)] if self.blocks is None else self.blocks(self.n_epochs)
        for block in blocks:
            if self.blocks is not None:
                self.data, self.targets = block
                self._weights = None
                if self.rows.size != self.data.n_rows:
                    self.rows = np.arange(self.data.n_rows)
            self.rows = self._shuffled(self.rows)
            yield plan_epoch(
                self.data, self.rows, self.batch_size, self.random_state, self._target_weights()
            )

    def _shuffled(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows in another order, with the same draws as scikit-learn."""
        if self.random_state is None:
            return rows
        rows = rows.copy()
        self.random_state.shuffle(rows)
        self._n_shuffles += 1
        return rows

    def _draw_again(self, n_shuffles: int) -> None:
        """Put the generator back to where it was after `n_shuffles` shuffles.

        It was read once, because that takes longer than several shuffles.
        """
        if self.random_state is not None and self._first_draws is not None:
            self.random_state.set_state(self._first_draws)
            for _ in range(n_shuffles):
                self.random_state.shuffle(self.rows.copy())
            self._n_shuffles = n_shuffles

    def skip(
        self, random_state: np.random.RandomState, epochs: int, until: Callable[[], bool]
    ) -> None:
        """Draw from another generator what training for some epochs draws, or end sooner."""
        rows, batch_size = self.rows.copy(), self.batch_size
        for _ in range(0 if self.random_state is None else epochs):
            if until():
                return
            random_state.shuffle(rows)
            if self.data.lengths is not None and rows.size > batch_size:  # see `plan_epoch`
                random_state.permutation(rows.size // batch_size)

    def _counted(self, n_batches: int, max_epochs: int, n: int = 1) -> _Counts:
        """Return the counts after n more epochs."""
        n_rows = self.rows.size if self.blocks is None else self.block_totals[0]
        ahead = n_batches, max_epochs, self.history.samples_seen + n * n_rows
        return _Counts(self.n_epochs + n, ahead, (self.descent.epochs or 0.0) + n)

    def has_exploded(self) -> bool:
        """Return whether the loss has become finite, but absurdly large, in this run.

        It is compared with the beginning and with weights of 0, whose outputs are 0: the first
        batch may be easy by chance, and data in large units have a large loss at the beginning.
        """
        last, first = (self.history.curves.get("loss") or [math.nan])[-1], self.first_loss
        if not self._loss_before <= first + abs(first) < last:
            return False
        program, data, weight = self.machine.program, self.data, self.targets.weight
        rows, theta = np.sort(self.rows), self.machine.theta
        predictor = Predictor(program, data, rows, self.targets, keeps_output=False)
        predictor.run(np.zeros_like(theta), program.initial_state())
        n = weight.reshape(data.n_rows, -1)[rows].sum() if weight.size else predictor.losses.size
        usual = max(first, float(predictor.losses.sum() / n))
        largest = float(np.abs(theta if self.history.last is None else self.history.last[0]).max())
        grown = largest > _LARGE * max(1.0, self._largest_before)
        return last - usual > (_WORSE if grown else _EXPLODED) * abs(usual)

    def _count(self, counts: _Counts) -> None:
        """Count a trained epoch."""
        self.n_epochs, self._ahead, self.descent.epochs = counts
        self.history.samples_seen = counts.ahead[-1]

    def _target_weights(self) -> np.ndarray | None:
        """Return the sum of target weights of each row or window; None if all are equal.

        Time steps beyond the end of a sequence have weight 0.
        """
        weight, data = self.targets.weight, self.data
        if self.counts_rows or not weight.size:
            return None
        if self._weights is None:
            in_rows = weight.reshape(data.n_rows * data.windows, -1)
            self._weights = in_rows.sum(axis=1, dtype=np.float64)
        return self._weights

    def _train_batches(self, batches: Batches, epoch: Epoch) -> np.ndarray:
        """Train on batches, a slice at a time, and return their losses."""
        losses, first = np.empty(batches.n_batches), 0
        while first < batches.n_batches:
            last = min(batches.n_batches, first + self._slice_length())
            begun = time.perf_counter()
            losses[first:last] = self.machine.train(
                self.data, self.targets, batches.order, batch_size=batches.batch_size,
                first=first, last=last, update=self.descent.update(last - first, epoch),
                step=self.descent.step, windows=batches.windows,
            )  # fmt: skip
            seconds = (time.perf_counter() - begun) / (last - first)
            self._slice = max(1, int(_SLICE_SECONDS / seconds))
            self.descent.step += last - first
            first = last
        return losses

    def _slice_length(self) -> int:
        """Return the number of batches until the machine returns to Python."""
        if self._slice == 0:
            work = 3 * self.machine.program.cost * self.batch_size
            self._slice = max(1, int(_SLICE_SECONDS * _ASSUMED_SPEED / max(1, work)))
        return self._slice

    def _close_epoch(self, log: dict[str, float]) -> Ending:
        """Validate and record an epoch; return whether training has converged."""
        if self.evaluate is not None:
            log.update(self.evaluate())
        self._is_evaluated = True
        if self.verbose:
            say(f"Iteration {self.n_epochs}, loss = {log['loss']:.8f}")
            if "val_score" in log:
                say(f"Validation score: {log['val_score']:f}")
        return self._record(log)

    def _record_in_history(self, log: dict[str, float]) -> None:
        self.history.record(log, (self.machine.theta, self.machine.state), self.tol)

    def _record(self, log: dict[str, float]) -> Ending:
        """Record an epoch and advance the learning rate; return whether training has converged."""
        history, descent = self.history, self.descent
        self._record_in_history(log)
        descent.base_rate = float(descent.schedule.after_epoch(descent.base_rate, history.curves))
        ending = Ending.CONVERGED if self._stops_improving() else Ending.EXHAUSTED
        history.stopped = ending is Ending.CONVERGED
        descent.look_ahead(self._ahead)
        return ending

    @contextlib.contextmanager
    def _calling_back(self) -> Iterator[None]:
        """Set `callback_failed` if a callback raises an error."""
        try:
            yield
        except BaseException:
            self.callback_failed = True
            raise

    def _call_back(self, log: dict[str, float]) -> bool:
        """Run the callbacks, those that save last; return whether one stops training."""
        for callback in sorted(self.callbacks, key=lambda c: c.sees_others):
            log["learning_rate"] = self.descent.base_rate
            with self._calling_back():
                stop = callback.on_epoch_end(self.history.n_epochs, log, self.estimator)
            if log["learning_rate"] != self.descent.base_rate:
                self.descent.base_rate = float(log["learning_rate"])
                self.descent.look_ahead(self._ahead)
            self.history.stopped = self.history.stopped or bool(stop)
        return self.history.stopped

    def _stops_improving(self) -> bool:
        """Return whether patience has run out and the schedule has no lower rate."""
        if self.history.no_improvement <= self.patience:
            return False
        of_validation = "Validation loss" if self.history.watches_loss else "Validation score"
        watched = of_validation if self.history.validated else "Training loss"
        message = (
            f"{watched} did not improve more than tol={self.tol:f} "
            f"for {self.patience:.0f} consecutive epochs."
        )
        rate = self.descent.schedule.at_plateau(self.descent.base_rate)
        if rate is not None:
            self.descent.base_rate = float(rate)
            self.history.no_improvement = 0
            message += f" Setting learning rate to {rate:f}"
        else:
            message += " Stopping."
        if self.verbose:
            say(message)
        return rate is None

    def _restore_best(self) -> None:
        """Restore the best weights if validation is watched, and keep the last ones."""
        best, theta, state = self.history, self.machine.theta, self.machine.state
        if best.validated and best.best_theta is not None and best.best_state is not None:
            if best.last is None and not best.stopped:  # else an interrupt occurred between
                best.last = theta.copy(), state.copy()
            theta[:], state[:] = best.best_theta, best.best_state

    def _take_up_last(self) -> None:
        """Continue from the last weights if the best ones are in use and unchanged by the user."""
        history, theta, state = self.history, self.machine.theta, self.machine.state
        last, best_theta, best_state = history.last, history.best_theta, history.best_state
        if last is None or best_theta is None or best_state is None:
            history.last = None
            return
        if np.array_equal(theta, best_theta) and np.array_equal(state, best_state):
            theta[:], state[:] = last
        history.last = None  # last, so that an interrupt does not lose them

    def _changed_arrays(self) -> list[np.ndarray]:
        average = self.descent.average
        arrays = [self.machine.theta, self.machine.state, self.descent.moments]
        return arrays if average is None else [*arrays, average]

    def _keep(self) -> None:
        """Copy all arrays that the next epoch changes, in case it diverges."""
        self._kept_step, self._kept_epochs = self.descent.step, self.descent.epochs
        arrays = self._changed_arrays()
        if not self._kept:
            self._kept = [np.empty_like(array) for array in arrays]
        for kept, array in zip(self._kept, arrays, strict=True):
            np.copyto(kept, array)

    def _turn_back(self) -> None:
        """Undo the epoch, moments included: infinite ones would spoil all later epochs."""
        self.descent.step, self.descent.epochs = self._kept_step, self._kept_epochs
        self.descent.raw = None
        for kept, array in zip(self._kept, self._changed_arrays(), strict=True):
            np.copyto(array, kept)
