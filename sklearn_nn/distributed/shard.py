"""Calls on workers: they begin the estimator, encode the rows of a group, and train on them.

Calls are functions of their arguments only, so that repeating one, elsewhere, gives the same bits.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
from sklearn.base import is_classifier

from sklearn_nn.distributed.partitions import Partition, Summary, joined
from sklearn_nn.estimators._core.parts import FitMode
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import Machine, Targets, Update
from sklearn_nn.network.program import aligned
from sklearn_nn.network.source import Source
from sklearn_nn.training.lbfgs import no_update
from sklearn_nn.training.optimizers import Optimizer
from sklearn_nn.training.trainer import Batches, plan_epoch


@dataclass(frozen=True)
class Order:
    """Task of all groups in a round: the weights to begin with, the batches, and their updates."""

    theta: np.ndarray
    state: np.ndarray
    #: Optimizer, whose kernel workers know, and update of each batch; None for gradients.
    optimizer: Optimizer | None
    update: Update | None
    #: Key of the order of the rows in the epoch; None keeps their order.
    key: tuple[int, int] | None
    #: Batches of the epoch, `first` to `last` (exclusive).
    first: int
    last: int
    #: Number of batches before the round.
    step: int


class Trained(NamedTuple):
    """Weights of a group after a round, or the gradient in the place of parameters.

    `loss` is the sum of the losses times the weights of the targets, which sum to `weight`.
    """

    theta: np.ndarray
    state: np.ndarray
    moments: np.ndarray | None
    average: np.ndarray | None
    loss: float
    weight: float


def begin(
    estimator: Any, summary: Summary, *samples: Partition
) -> tuple[Any, list[tuple[str, type[Warning]]]]:
    """Return the estimator with reader, codec and initial weights, learnt from a sample.

    What `summary` holds, of all rows, is exact: classes and their weights, scale of the targets.
    Warnings are returned as well, for the process of the user.
    """
    fit = estimator._fit_kind(estimator, FitMode.FRESH, *joined(samples))
    fit.n_rows_of_all = summary.n_rows
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit.initialize()
    codec = estimator._codec
    if is_classifier(estimator) and summary.counts:
        weights = np.array([summary.counts[label] for label in codec.classes.tolist()])
        numbers = np.arange(len(weights)).reshape(-1, 1)
        codec.learn_class_weights(numbers, weights, FitMode.FRESH)
    elif hasattr(codec, "scale") and summary.moments is not None:
        total, mean, squares, least, most = summary.moments
        codec.learn_moments(mean, np.sqrt(squares / (total or 1.0)), least, most)
    return estimator, [(str(one.message), one.category) for one in told]


class Shard:
    """Encoded rows of a group, with the estimator whose network is trained on them.

    Machine code and its memory are made when they are first needed, and stay out of pickles.
    """

    def __init__(self, estimator: Any, number: int, samples: Any, target: Any, weight: Any) -> None:
        self.estimator, self.number = estimator, number
        self.samples, self.target, self.weight = samples, target, weight
        self._ready: _Ready | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_ready": None}

    def ready(self, batch_size: int) -> _Ready:
        """Return machine and data, with memory for batches of a size."""
        if self._ready is None or self._ready.batch_size != batch_size:
            self._ready = _Ready(self, batch_size)
        return self._ready


def encode(estimator: Any, number: int, *partitions: Partition) -> Shard:
    """Return the encoded rows of the partitions of group `number`."""
    estimator = copy.copy(estimator)
    if estimator._seed:  # other random numbers in each group
        estimator._seed = int(
            np.random.SeedSequence([estimator._seed, number]).generate_state(1)[0]
        )
    network, reader, codec = estimator._network, estimator._reader, estimator._codec
    fit = estimator._fit_kind(estimator, FitMode.FRESH, None, None)
    samples, target, weight = fit.encoded(reader, codec, network.dtype, *joined(partitions))
    if getattr(getattr(samples, "dtype", None), "kind", "") == "f":
        samples = samples.astype(network.dtype, copy=False)
    if reader.source(samples, network.dtype, network).windows > 1:
        raise ValueError("Sequences that are read in windows are not trained on several machines.")
    return Shard(estimator, number, samples, target, weight)


def size_of(shard: Shard) -> int:
    """Return the number of rows."""
    return int(shard.samples.shape[0])


class _Ready:
    """Machine, data and targets of a group."""

    def __init__(self, shard: Shard, batch_size: int) -> None:
        est, self.number, self.batch_size = shard.estimator, shard.number, batch_size
        network, codec = est._network, est._codec
        self.data: Source = est._reader.source(shard.samples, network.dtype, network)
        program = network.program_for(self.data)
        self.machine = Machine(
            program, aligned(network.theta), aligned(network.state), batch_size, alpha=est.alpha,
            l1_ratio=est.l1_ratio, clipnorm=est.clipnorm, max_norm=est.max_norm,
            average_keep=est.ema_momentum, seed=est._seed, n_jobs=resolve_n_jobs(est.n_jobs),
        )  # fmt: skip
        self.targets: Targets = codec.loss.targets(shard.target, shard.weight, program.dtype)
        self._weights = self._row_weights(shard.weight)
        self._plan: tuple[Any, Batches] | None = None

    def _row_weights(self, weight: np.ndarray | None) -> np.ndarray:
        """Return the sum of the weights of the losses of each row, as batches are averaged by."""
        n, steps = self.data.n_rows, self.machine.program.steps
        if weight is None:
            return np.full(n, float(steps))
        rows = weight.reshape(n, -1)
        return rows.sum(axis=1, dtype=np.float64) * (steps // rows.shape[1])

    def batches(self, key: tuple[int, int] | None) -> Batches:
        """Return the batches of an epoch, with their weights."""
        if self._plan is None or self._plan[0] != key:
            rows, generator = np.arange(self.data.n_rows), None
            if key is not None:
                seed = np.random.SeedSequence([*key, self.number]).generate_state(4)
                generator = np.random.RandomState(seed)
                generator.shuffle(rows)
            (plan,) = plan_epoch(self.data, rows, self.batch_size, generator, self._weights)
            self._plan = key, plan
        return self._plan[1]

    def run(self, order: Order, update: Update) -> tuple[float, float]:
        """Train on the batches of a round that the group has; return loss and weight."""
        batches, machine = self.batches(order.key), self.machine
        last = min(order.last, batches.n_batches)
        if order.first >= last:
            return 0.0, 0.0
        losses = machine.train(
            self.data, self.targets, batches.order, batch_size=self.batch_size,
            first=order.first, last=last, update=update, step=order.step,
        )  # fmt: skip
        weights = cast(np.ndarray, batches.counts)[order.first : last]
        return float(losses @ weights), float(weights.sum())

    def start_from(self, order: Order) -> None:
        """Set the weights to those that a round begins with."""
        np.copyto(self.machine.theta, order.theta)
        np.copyto(self.machine.state, order.state)


def train(shard: Shard, order: Order, batch_size: int) -> Trained:
    """Return the weights of a group after the batches of a round."""
    ready = shard.ready(batch_size)
    ready.start_from(order)
    machine, given = ready.machine, cast(Update, order.update)
    average = None if given.average is None else aligned(given.average)
    update = replace(
        given, kernel_at=cast(Optimizer, order.optimizer).kernel.address(machine.program.dtype),
        moments=aligned(given.moments), average=average,
    )  # fmt: skip
    loss, weight = ready.run(order, update)
    return Trained(
        machine.theta.copy(), machine.state.copy(), update.moments, average, loss, weight
    )


def differentiate(shard: Shard, order: Order, batch_size: int) -> Trained:
    """Return the sum of the gradients of the losses of the batches of a round, in float64."""
    ready = shard.ready(batch_size)
    ready.start_from(order)
    total, update = np.zeros(ready.machine.theta.size), no_update(ready.machine.program.dtype)
    loss = weight = 0.0
    for k in range(order.first, min(order.last, ready.batches(order.key).n_batches)):
        one = replace(order, first=k, last=k + 1)
        found, of = ready.run(one, update)
        total += ready.machine.grad * of
        loss, weight = loss + found, weight + of
    return Trained(total, ready.machine.state.copy(), None, None, loss, weight)
