"""Rounds of training: groups train from the present weights, and their changes are averaged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_nn.distributed.engines import Local
from sklearn_nn.distributed.shard import Order, Trained, differentiate, train
from sklearn_nn.training.callbacks import Callback
from sklearn_nn.training.lbfgs import no_update
from sklearn_nn.training.optimizers import Epoch
from sklearn_nn.training.trainer import Ending, Trainer

#: Largest outer momentum that is chosen: that of DiLoCo.
_MOST_MOMENTUM = 0.9
#: Elements that are averaged at a time, which stay in the cache.
_CHUNK = 2**14


@dataclass
class Cluster:
    """Groups of rows on workers, and how they are trained."""

    engine: Local
    shards: list[Any]  # references to them
    sizes: list[int]  # rows of each
    sync_every: int
    outer_learning_rate: float
    outer_momentum: float | None  # None is that of the number of groups
    checkpoint: Path | None
    batch_size: int = 0

    @property
    def is_exact(self) -> bool:
        """True if gradients of single batches are averaged, in the place of changes of weights."""
        return self.sync_every == 1

    @property
    def momentum(self) -> float:
        """Outer momentum; by default steps become as long as those of one process in an epoch."""
        own = self.outer_momentum
        return min(_MOST_MOMENTUM, 1 - 1 / len(self.sizes)) if own is None else own

    @property
    def n_batches(self) -> int:
        """Number of batches of the largest group."""
        return -(-max(self.sizes) // self.batch_size)

    def run(self, function: Callable[..., Trained], order: Order) -> list[Trained]:
        """Return what the groups that have batches in a round have found, in their order."""
        rest = [
            shard
            for shard, size in zip(self.shards, self.sizes, strict=True)
            if order.first * self.batch_size < size
        ]
        shared = self.engine.share(order)
        calls = [self.engine.call(function, shard, shared, self.batch_size) for shard in rest]
        return self.engine.results(calls)


def moved(before: np.ndarray, after: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Return the weighted mean change of a vector, in float64 and in the order of the groups.

    Where no group has changed an element, the mean is 0 to the last bit.
    """
    return _mean(after, weights, before)


def mean(parts: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Return the weighted mean of arrays, none of whose elements is negative if no part's is."""
    shape = parts[0].shape
    return _mean([one.reshape(-1) for one in parts], weights, np.zeros(1)).reshape(shape)


def _mean(parts: Sequence[np.ndarray], weights: Sequence[float], less: np.ndarray) -> np.ndarray:
    """Return the weighted mean of vectors less a vector or a number, in float64."""
    found, total = np.zeros(parts[0].shape if parts else less.shape), sum(weights)
    if not total > 0:
        return found
    for start in range(0, found.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        own, other = found[part], (less if less.size == 1 else less[part]).astype(np.float64)
        for one, weight in zip(parts, weights, strict=True):
            own += (one[part] - other) * (weight / total)
    return found


def begun(seed: int, sizes: Sequence[int], n_theta: int) -> dict[str, Any]:
    """Return the state of rounds before the first: plain values, which a checkpoint holds.

    `seed` is that of the order of rows; `first`, `loss` and `weight` are the batches of the present
    epoch that are done, and the sums of their losses and weights; `velocity` is that of the outer
    momentum.
    """
    return {
        "seed": seed, "sizes": list(sizes), "first": 0, "loss": 0.0, "weight": 0.0,
        "velocity": np.zeros(n_theta),
    }  # fmt: skip


@dataclass
class Rounds(Trainer):
    """Trainer whose epochs are trained by a cluster, in rounds."""

    cluster: Any = None
    #: State of the training besides that of the estimator: see `begun`.
    place: dict[str, Any] = field(default_factory=dict)
    ending: Ending | None = None

    @classmethod
    def of(cls, trainer: Trainer, cluster: Cluster, place: dict[str, Any]) -> Rounds:
        """Return the trainer with the attributes of another."""
        own = {f.name: getattr(trainer, f.name) for f in fields(Trainer)}
        return cls(**own, cluster=cluster, place=place)

    def _run_several(self, max_epochs: int) -> bool:
        return False

    def has_exploded(self) -> bool:
        """Return False: the rows, which this is judged by, are elsewhere."""
        return False

    def run(self, max_epochs: int, *, once: bool = False) -> Ending:
        """Train as `Trainer` does, and remember how it ended."""
        self.ending = super().run(max_epochs, once=once)
        return self.ending

    def _counted(self, n_batches: int, max_epochs: int, n: int = 1) -> Any:
        """Return the counts after n more epochs of the rows of all groups."""
        counts = super()._counted(n_batches, max_epochs, n)
        seen = self.history.samples_seen + n * sum(self.cluster.sizes)
        return counts._replace(ahead=(n_batches, max_epochs, seen))

    def train_epoch(self, max_epochs: int, *, alone: bool = False) -> dict[str, float]:
        """Train on every batch once, or on those that a checkpoint has left, and return figures."""
        cluster, descent, place = self.cluster, self.descent, self.place
        n_batches = cluster.n_batches
        epoch = n_batches, max_epochs, self.history.samples_seen
        descent.begin_epoch(epoch, alone=False)
        descent.look_ahead(epoch)
        started = time.perf_counter()
        while place["first"] < n_batches:
            last = min(n_batches, place["first"] + cluster.sync_every)
            self._round(last, epoch)
            place["first"] = last
            if cluster.checkpoint is not None and last < n_batches:
                self.estimator.save(cluster.checkpoint)
        loss = place["loss"] / (place["weight"] or 1.0)
        place.update(first=0, loss=0.0, weight=0.0)
        log = {
            "loss": loss,
            "learning_rate": descent.learning_rate,
            "seconds": time.perf_counter() - started,
        }
        self._end_epoch(log, n_batches, max_epochs)
        return log

    def _round(self, last: int, epoch: Epoch) -> None:
        """Train on the next batches of each group, up to `last`, and take their mean."""
        descent, machine, place = self.descent, self.machine, self.place
        n = last - place["first"]
        shuffles = self.random_state is not None
        update, exact = descent.update(n, epoch), self.cluster.is_exact
        order = Order(
            machine.theta, machine.state,
            None if exact else descent.optimizer, None if exact else update,
            (place["seed"], self.history.n_epochs) if shuffles else None,
            first=place["first"], last=last, step=descent.step,
        )  # fmt: skip
        found = self.cluster.run(differentiate if exact else train, order)
        weights = [one.weight for one in found]
        machine.state += moved(machine.state, [one.state for one in found], weights)
        loss, weight = sum(one.loss for one in found), sum(weights)
        if exact and weight > 0:
            machine.grad[:] = sum(one.theta for one in found) / weight
            loss += weight * machine.descend(weight, update, descent.step)
        elif weight > 0:
            self._take_mean(found, weights)
        descent.step += n
        machine.go_on_from(descent.step)
        place["loss"] += loss
        place["weight"] += weight

    def _take_mean(self, found: list[Trained], weights: list[float]) -> None:
        """Set the weights by the outer step, and moments and running average to their means."""
        theta, place, momentum = self.machine.theta, self.place, self.cluster.momentum
        change = moved(theta, [one.theta for one in found], weights)
        if momentum:
            place["velocity"] = momentum * place["velocity"] + change
            change = change + momentum * place["velocity"]
        theta[:] = theta + self.cluster.outer_learning_rate * change
        for name, own in (("moments", self.descent.moments), ("average", self.descent.average)):
            if own is not None:
                own[:] = mean([getattr(one, name) for one in found], weights)


class Backup(Callback):
    """Callback that saves the estimator at the end of an epoch, for a fit that is interrupted."""

    sees_others = True

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_parameters(self) -> None:
        """Accept any path."""

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Save the estimator."""
        estimator.save(self.path)


def loss_over_all(machine: Any, cluster: Cluster) -> Callable[[], float]:
    """Return the function that L-BFGS minimizes: the mean loss over the rows of all groups."""
    update, n_batches = no_update(machine.program.dtype), cluster.n_batches

    def loss() -> float:
        order = Order(
            machine.theta, machine.state, None, None, None, first=0, last=n_batches, step=0
        )  # fmt: skip
        found = cluster.run(differentiate, order)
        weight = math.fsum(one.weight for one in found)
        machine.grad[:] = sum(one.theta for one in found) / weight
        return sum(one.loss for one in found) / weight + machine.descend(weight, update)

    return loss
