"""The machine: a program, its parameters, and the memory they are trained in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_nn.jit.team import Team
from sklearn_nn.layers.base import CTX_SIZE, SEED, STEP, TRAINING
from sklearn_nn.network.driver import CHUNK, predict_rows, train_batches
from sklearn_nn.network.memory import allocate
from sklearn_nn.network.program import Program
from sklearn_nn.network.source import Source, readonly


def _contexts(parts: int, seed: int, *, training: bool) -> np.ndarray:
    contexts = np.zeros((parts, CTX_SIZE), dtype=np.int64)
    contexts[:, SEED] = seed
    contexts[:, TRAINING] = training
    return contexts


@dataclass(frozen=True)
class Targets:
    """What the loss compares the output with.

    Attributes
    ----------
    loss_at : int
        Address of the loss kernel.
    options : ndarray of float64
        The loss's hyperparameters.
    values : ndarray of shape (n_samples, n_targets)
    weight : ndarray of shape (n_samples,) or (0,)
        Sample weights; empty where there are none.
    """

    loss_at: int
    options: np.ndarray
    values: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Update:
    """What the optimizer does to the parameters in a run of batches.

    Attributes
    ----------
    kernel_at : int
        Address of the update kernel; 0 computes gradients and changes nothing.
    scalars : ndarray of shape (n_batches, n_scalars)
        The optimizer's numbers for each batch, the learning rate among them.
    moments : ndarray of shape (n_moments, n_theta)
        The optimizer's state.
    """

    kernel_at: int
    scalars: np.ndarray
    moments: np.ndarray


class Machine:
    """A program with its parameters, and the memory to train it in batches.

    Parameters
    ----------
    program : Program
    theta : ndarray of shape (n_theta,)
        Parameters, changed in place.
    state : ndarray of shape (n_state,)
        What layers remember that is not trained.
    capacity : int
        The largest batch. Memory grows with it, and not with the number of samples.
    alpha : float
        Strength of the L2 penalty; divided by the batch's sum of weights, as in scikit-learn.
    seed : int
        Key of the random numbers drawn inside kernels.
    n_jobs : int
        Number of threads. Results do not depend on it.
    """

    def __init__(
        self,
        program: Program,
        theta: np.ndarray,
        state: np.ndarray,
        capacity: int,
        *,
        alpha: float = 0.0,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.program = program
        self.theta = theta
        self.state = state
        self.grad = allocate(program.n_theta, program.dtype)
        self.capacity = -(-capacity // 16) * 16
        self.alpha = alpha
        self._team = Team(n_jobs)
        self._contexts = _contexts(n_jobs, seed, training=True)
        self._arenas = [allocate(self.capacity * program.width, program.dtype) for _ in range(2)]
        self._work = allocate(program.n_work, program.dtype)
        self._losses = np.zeros(self.capacity)
        self._penalties = np.zeros(-(-program.n_theta // CHUNK))
        self._table = program.table[: program.n_trained]
        spans = (*program.spans("decay"), *program.spans("rate"))
        self._spans = tuple(readonly(array) for array in spans)
        self._train = train_batches.compiled(program.dtype)

    def train(
        self,
        data: Source,
        targets: Targets,
        order: np.ndarray,
        batch_size: int,
        first: int,
        last: int,
        update: Update,
        step: int = 0,
    ) -> np.ndarray:
        """Train on batches `first` to `last` (exclusive) of an epoch.

        Parameters
        ----------
        data, targets : Source, Targets
        order : ndarray of int64
            Row numbers of the epoch, in the order of training.
        batch_size, first, last : int
        update : Update
        step : int
            Number of batches trained before, over all epochs.

        Returns
        -------
        losses : ndarray of shape (last - first,)
            Each batch's loss before its update, penalty included.
        """
        losses = np.empty(last - first)
        self._contexts[:, STEP] = step
        self._team.run(
            self._train, self._contexts, self._table, self.program.raw_ends, self.capacity,
            batch_size, first, last, readonly(order),
            data.gather.address(self.program.dtype), data.values, data.indices, data.indptr,
            targets.loss_at, targets.options, targets.values, targets.weight,
            self.alpha, *self._spans, update.kernel_at, readonly(update.scalars),
            self.theta, self.grad, self.state, self._work, *self._arenas,
            update.moments, self._losses, self._penalties, losses,
        )  # fmt: skip
        return losses


#: Rows that prediction runs at a time in each thread: enough for the tiles, small in the cache.
PREDICT_ROWS = 256


def predict(
    program: Program,
    theta: np.ndarray,
    state: np.ndarray,
    data: Source,
    rows: np.ndarray | None = None,
    n_jobs: int = 1,
) -> np.ndarray:
    """Output of the network, after the link, for some rows of `data` (all of them by default).

    Returns
    -------
    out : ndarray of shape (n_rows, n_outputs)
    """
    order = np.arange(data.n_rows) if rows is None else rows
    out = np.empty((order.size, program.output_slot[1]), dtype=program.dtype)
    if order.size == 0:
        return out
    parts = min(n_jobs, -(-order.size // PREDICT_ROWS))
    capacity = min(PREDICT_ROWS, -(-order.size // 16) * 16)
    arenas = allocate((parts, capacity * program.width), program.dtype)
    work = np.empty((parts, 0), dtype=program.dtype)
    Team(parts).run(
        predict_rows.compiled(program.dtype), _contexts(parts, 0, training=False),
        program.table, program.output_ends, capacity, readonly(order),
        data.gather.address(program.dtype), data.values, data.indices, data.indptr,
        readonly(theta), readonly(state), work, arenas, out,
    )  # fmt: skip
    return out
