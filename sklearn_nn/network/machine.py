"""The machine: a program, its parameters, and the memory they are trained in."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_nn.jit.team import TINY, Team
from sklearn_nn.layers.base import CONTINUES, STEP
from sklearn_nn.network.epoch_loop import predict_rows, train_batches
from sklearn_nn.network.memory import allocate, contexts
from sklearn_nn.network.parameter_update import CHUNK, SETTINGS_SIZE
from sklearn_nn.network.program import OUTPUT_WIDTH, Program
from sklearn_nn.network.source import Source, readonly


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
    decays : ndarray of shape (n_batches,) or None
        The share of each weight that each batch takes away before the update; None is nothing.
    average : ndarray of shape (n_theta,) or None
        Running average of the parameters, where one is kept.
    progress : ndarray of shape (n_batches,) or None
        The part of the training planned that is over before each batch; None is nothing.
    """

    kernel_at: int
    scalars: np.ndarray
    moments: np.ndarray
    decays: np.ndarray | None = None
    average: np.ndarray | None = None
    progress: np.ndarray | None = None


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
        The largest batch. Memory grows with it, and not with the number of samples. What a layer
        remembers of the data may count smaller batches for less.
    alpha : float
        Strength of the penalty; divided by the batch's sum of weights, as in scikit-learn.
    l1_ratio : float
        Share of the penalty that is L1; the rest is L2.
    clipnorm : float
        Largest norm of the gradient of all parameters; 0 for no limit.
    max_norm : float
        Largest norm of the weights that lead to one unit; 0 for no limit.
    average_keep : float
        How much of the running average of the parameters is kept at each step.
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
        l1_ratio: float = 0.0,
        clipnorm: float = 0.0,
        max_norm: float = 0.0,
        average_keep: float = 0.0,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.program = program
        self.theta = theta
        self.state = state
        self.grad = allocate(program.n_theta, program.dtype)
        self.capacity = -(-capacity // 16) * 16
        settings = np.array([alpha, l1_ratio, clipnorm, max_norm, average_keep])
        assert settings.size == SETTINGS_SIZE
        self._settings = readonly(settings)
        self._team = Team(n_jobs)
        self._contexts = contexts(
            n_jobs,
            program.n_scratch,
            program.dtype,
            seed=seed,
            usual_rows=capacity,
            n_lengths=self.capacity if program.ragged else 0,
            stop_at=self._team.stop_at,
        )
        self._arenas = [allocate(self.capacity * program.width, program.dtype) for _ in range(2)]
        self._work = allocate(program.n_work, program.dtype)
        self._kept_state = allocate(program.n_state, program.dtype)
        # Where rows are mixed, also their losses with the targets of others, and whose those are.
        n_targets = self.capacity * program.steps
        room = n_targets if program.mixes_rows or program.steps > 1 else 0
        self._losses = allocate(n_targets + room, "float64")
        self._numbers = allocate(room, "int64")
        n_chunks = -(-program.n_theta // CHUNK)
        self._penalties, self._norms = (allocate(n_chunks, "float64") for _ in range(2))
        self._table = program.table[: program.n_trained]
        groups = (*program.groups(), program.matrices())
        self._groups = tuple(readonly(array) for array in groups)
        self._nothing = np.zeros(0, dtype=program.dtype)
        self._train = train_batches.compiled(program.dtype)

    @property
    def step(self) -> int:
        """Number of batches trained in all: also where an interrupt has cut a call short."""
        return int(self._contexts[0, STEP])

    def go_on_from(self, step: int) -> None:
        """Take it that so many batches have been trained."""
        self._contexts[:, STEP] = step

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
        windows: int = 1,
    ) -> np.ndarray:
        """Train on batches `first` to `last` (exclusive) of an epoch.

        Of so many `windows`, one a batch, each goes on where the one before ended, but the first.

        Parameters
        ----------
        data, targets : Source, Targets
        order : ndarray of int64
            Row numbers of the epoch, in the order of training.
        batch_size, first, last : int
        update : Update
        step : int
            Number of batches trained before, over all epochs.
        windows : int
            In how many windows rows are read.

        Returns
        -------
        losses : ndarray of shape (last - first,)
            Each batch's loss before its update, penalty included.

        Raises
        ------
        KeyboardInterrupt
            If an interrupt came meanwhile. Batches are trained as a whole or not at all; `step`
            says how many have been.
        """
        losses = np.empty(last - first)
        decays, progress = (
            np.zeros(last - first) if given is None else given
            for given in (update.decays, update.progress)
        )
        average = self._nothing if update.average is None else update.average
        self.go_on_from(step)
        n_rows = min(order.size, last * batch_size) - first * batch_size
        self._team.run(
            self._train, self._contexts, self._table, self.program.raw_ends, self.capacity,
            batch_size, first, last, windows, readonly(order),
            data.gather.address(self.program.dtype), data.values, data.indices, data.indptr,
            *_as_arguments(targets),
            self._settings, *self._groups, update.kernel_at, readonly(decays),
            readonly(update.scalars), readonly(progress),
            self.theta, self.grad, self.state, self._kept_state, self._work, *self._arenas,
            update.moments, average, self._losses, self._numbers, self._penalties, self._norms,
            losses, work=3 * n_rows * self.program.cost,
        )  # fmt: skip
        return losses

    def raw_output(self, n_rows: int) -> np.ndarray:
        """Raw output of the rows of the batch trained last, as it was before the update."""
        first, width = self.program.raw_slot
        start = self.capacity * first
        return self._arenas[0][start : start + n_rows * width].reshape(n_rows, width).copy()


#: Rows that prediction runs at a time in each thread: enough for the tiles, small in the cache.
#: Where rows are long, as of images, they are fewer: all slots together have so many elements.
PREDICT_ROWS, PREDICT_SIZE = 256, 2**20


def _rows_at_a_time(width: int) -> int:
    """Rows of all slots, which have `width` columns, that prediction runs at a time."""
    return max(16, min(PREDICT_ROWS, PREDICT_SIZE // width // 16 * 16))


class Predictor:
    """A program made ready to run some rows of some data forward, as often as is asked.

    Parameters
    ----------
    program : Program
    data : Source
    rows : ndarray of int64 or None
        Rows of `data`; None is all of them.
    targets : Targets or None
        Where given, the loss of each row is taken too.
    n_jobs : int
        Number of threads.
    keeps_output : bool
        Whether the output is wanted, and not the losses alone: it may be large.

    Attributes
    ----------
    out : ndarray of shape (n_rows, n_outputs)
        Output of the network, after the link, of the last run: that of all windows of a row.
        There are no columns where it is not kept.
    losses : ndarray of shape (n_rows * n_targets,) or (0,)
        Loss of each target times its weight, of the last run; of members' losses, the mean.
    """

    def __init__(
        self,
        program: Program,
        data: Source,
        rows: np.ndarray | None = None,
        targets: Targets | None = None,
        n_jobs: int = 1,
        *,
        keeps_output: bool = True,
    ) -> None:
        order = np.arange(data.n_rows) if rows is None else rows
        windows, dtype = data.windows, program.dtype
        # Short sequences together: a block takes the time of its longest.
        self._places = (
            None if data.lengths is None else np.argsort(data.lengths[order], kind="stable")
        )
        order = order if self._places is None else order[self._places]
        n_rows, self._windows = order.size, windows
        n_targets = 0 if targets is None else program.steps
        ends = program.output_ends if keeps_output else program.no_output_ends
        self._out = np.empty((windows * n_rows, ends[OUTPUT_WIDTH]), dtype=dtype)
        self._losses = np.zeros((windows * n_rows, n_targets))
        self._has_members = program.has_members and n_targets > 0
        self._arrange()
        rows_at_a_time = _rows_at_a_time(program.width)
        parts = max(1, min(n_jobs, -(-n_rows // rows_at_a_time)))
        capacity = min(rows_at_a_time, -(-n_rows // 16) * 16)
        self._is_at_once = parts * capacity >= n_rows
        width = program.width + (0 if targets is None else program.raw_slot[1])
        self._team = Team(parts)
        self._run = predict_rows.compiled(dtype)
        n_lengths = capacity if program.ragged else 0
        self._contexts = contexts(
            parts, program.n_scratch, dtype, n_lengths=n_lengths, stop_at=self._team.stop_at
        )
        # Parts keep what their rows remember, so that there is none that has the others' too.
        self._work_of_run = max(windows * n_rows * program.cost, TINY if parts > 1 else 0)
        self._before = (
            self._contexts, program.table, ends, capacity, windows,
            readonly(data.numbers(order)),
            data.gather.address(dtype), data.values, data.indices, data.indptr,
            *(_no_targets(dtype) if targets is None else _as_arguments(targets)),
        )  # fmt: skip
        self._after = (
            np.empty((parts, 0), dtype=dtype), allocate((parts, capacity * width), dtype),
            self._out, self._losses.reshape(-1), np.empty(self._losses.size, dtype=np.int64),
        )  # fmt: skip

    def _arrange(self) -> None:
        """Publish what was found."""
        losses = self._losses
        if self._has_members:
            losses = losses.mean(axis=1, keepdims=True)
        self.out, self.losses = self._arranged(self._out), self._arranged(losses).reshape(-1)

    def _arranged(self, found: np.ndarray) -> np.ndarray:
        """What was found for each window, row by row in the order that was asked for."""
        if self._windows > 1:
            n, width = found.shape
            windows = found.reshape(self._windows, n // self._windows, width).transpose(1, 0, 2)
            found = windows.reshape(n // self._windows, self._windows * width)
        if self._places is not None:
            arranged = np.empty_like(found)
            arranged[self._places] = found
            return arranged
        return found

    def run(self, theta: np.ndarray, state: np.ndarray, *, continues: bool = False) -> np.ndarray:
        """The output with these parameters; `losses` has been filled where there are targets.

        With `continues`, the sequences go on where those of the last run ended. They must be so
        few that each part runs its own at once.
        """
        assert self._is_at_once or not continues
        if self._out.shape[0]:
            self._contexts[:, CONTINUES] = continues
            arguments = (*self._before, readonly(theta), readonly(state), *self._after)
            self._team.run(self._run, *arguments, work=self._work_of_run)
        self._arrange()
        return self.out


def _as_arguments(targets: Targets) -> tuple[Any, ...]:
    return targets.loss_at, targets.options, targets.values, targets.weight


@functools.cache
def _no_targets(dtype: str) -> tuple[Any, ...]:
    nothing = np.zeros((0, 0), dtype=dtype)
    return 0, readonly(np.zeros(0)), readonly(nothing), readonly(nothing.reshape(0))


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
    return Predictor(program, data, rows, None, n_jobs).run(theta, state)
