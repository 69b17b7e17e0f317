"""Machine that trains a program in batches, and functions that run it on many rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_nn.jit.driver import Frame
from sklearn_nn.jit.kernel import Kernel
from sklearn_nn.jit.team import BRIEF, SYNC_SIZE, TINY, Team
from sklearn_nn.layers.base import CONTINUES, STEP
from sklearn_nn.network.batch_loops import (
    DIFFERENTIATE,
    PREDICT,
    PREDICT_FEW,
    RUN_BACKWARD,
    RUN_FORWARD,
    TAKE_LOSSES,
    TRAIN,
    UPDATE,
    add_rows,
    count_not_finite,
    counters_size,
    weigh,
)
from sklearn_nn.network.frame import FRAME
from sklearn_nn.network.parameter_update import (
    CHUNK,
    DESCEND,
    SETTINGS_SIZE,
    limit_norms,
    measure,
    penalize,
    shrink,
    update_average,
)
from sklearn_nn.network.program import OUTPUT_WIDTH, PIECE_COST, Program, allocate, contexts
from sklearn_nn.network.source import Source, readonly

#: Multiplications and additions of a batch for each thread that trains: with fewer, waiting for one
#: another would take longer than it saves.
WORK_OF_THREAD = 2**20


@dataclass(frozen=True)
class Targets:
    """Loss kernel with its targets and weights."""

    loss_at: int  # address of the loss kernel
    options: np.ndarray  # float64 hyperparameters of the loss
    values: np.ndarray  # targets, of shape (n_samples, n_targets)
    weight: np.ndarray  # sample weights, of shape (n_samples,); empty if there are none

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of kernels by name."""
        return {
            "loss_at": self.loss_at, "options": self.options, "target": self.values,
            "weight": self.weight,
        }  # fmt: skip


@dataclass(frozen=True)
class Update:
    """Update of the parameters in a run of batches."""

    kernel_at: int  # address of the update kernel; 0 computes gradients and changes nothing
    scalars: np.ndarray  # numbers of the optimizer, of shape (n_batches, n_scalars)
    moments: np.ndarray  # of shape (n_moments, n_theta)
    decays: np.ndarray | None = None  # share of each weight subtracted before each update; None: 0
    average: np.ndarray | None = None  # running average of the parameters, if one is kept
    #: Elapsed fraction of the planned training before each batch; None is 0.
    progress: np.ndarray | None = None


class Machine:
    """Program with its parameters and the memory to train it in batches.

    `theta` and `state`, of shape (n_theta,) and (n_state,), are changed in place. `capacity` is the
    size of the largest batch; layers may give smaller ones less weight in running statistics. The
    penalty has strength `alpha`, divided by the batch's sum of weights as in scikit-learn, and the
    share `l1_ratio` of it is L1. `clipnorm` and `max_norm` limit the norm of the gradient of all
    parameters, and of the weights into one unit; 0 is no limit. `average_keep` is the decay rate of
    the running average of the parameters, in [0, 1), and `seed` the key of random numbers in
    kernels. Results do not depend on the number of threads, which is at most `n_jobs`, and smaller
    for small batches.
    """

    def __init__(
        self, program: Program, theta: np.ndarray, state: np.ndarray, capacity: int, *,
        alpha: float = 0.0, l1_ratio: float = 0.0, clipnorm: float = 0.0, max_norm: float = 0.0,
        average_keep: float = 0.0, seed: int = 0, n_jobs: int = 1,
    ) -> None:  # fmt: skip
        dtype = program.dtype
        n_jobs = max(1, min(n_jobs, 3 * capacity * program.cost // WORK_OF_THREAD))
        self.program, self.theta, self.state = program, theta, state
        self.grad = allocate(program.n_theta, dtype)
        self.capacity = -(-capacity // 16) * 16
        self._team = Team(n_jobs)
        self._contexts = contexts(
            n_jobs, program.n_scratch, dtype, seed=seed, usual_rows=capacity,
            n_lengths=self.capacity if program.ragged else 0, stop_at=self._team.stop_at,
        )  # fmt: skip
        arena, darena = (allocate((1, self.capacity * program.width), dtype) for _ in range(2))
        self._arena = arena[0]
        assert theta.flags.writeable
        assert state.flags.writeable
        settings = np.array([alpha, l1_ratio, clipnorm, max_norm, average_keep])
        assert settings.size == SETTINGS_SIZE
        groups, factors = program.groups()
        # If rows are mixed: also the losses for the partners' targets.
        n_targets = self.capacity * program.steps
        room = n_targets if program.mixes_rows else 0
        n_chunks = -(-program.n_theta // CHUNK)
        self._counters = allocate(counters_size(program.n_trained, n_jobs), "int64")
        self._penalties, self._totals = (
            allocate(n_chunks, "float64"),
            allocate(8 * n_jobs, "float64"),
        )

        def at(kernel: Kernel, needed: object) -> int:
            return kernel.address(dtype) if needed else 0

        self._frame = Frame(
            FRAME, dtype, contexts=self._contexts, table=program.table[: program.n_trained],
            ends=program.raw_ends, capacity=self.capacity, settings=readonly(settings),
            groups=readonly(groups), factors=readonly(factors),
            matrices=readonly(program.matrices()), theta=theta, grad=self.grad, state=state,
            piece_rows=program.piece_rows, piece_cost=PIECE_COST, counters=self._counters,
            kept=allocate(program.n_state, dtype), works=allocate((1, program.n_work), dtype),
            arenas=arena, darenas=darena, all_losses=allocate(n_targets + room, "float64"),
            numbers=allocate(n_targets, "int64"), penalties=self._penalties,
            norms=allocate(n_chunks, "float64"), totals=self._totals,
            add_at=at(add_rows, program.adds_gradients or program.mixes_rows),
            penalize_at=at(penalize, alpha), measure_at=at(measure, clipnorm),
            limit_at=at(limit_norms, max_norm), forward_at=RUN_FORWARD.address,
            backward_at=RUN_BACKWARD.address, take_losses_at=TAKE_LOSSES.address,
            descend_at=DESCEND.address,
        )  # fmt: skip
        self._clips = clipnorm > 0
        self._no_average = np.zeros(0, dtype=dtype)

    @property
    def step(self) -> int:
        """Total number of batches trained, also after an interrupt."""
        return int(self._contexts[0, STEP])

    def go_on_from(self, step: int) -> None:
        """Set the number of batches trained."""
        self._contexts[:, STEP] = step

    def train(
        self, data: Source, targets: Targets, order: np.ndarray, batch_size: int,
        first: int, last: int, update: Update, step: int = 0, windows: int = 1, epochs: int = 1,
    ) -> np.ndarray:  # fmt: skip
        """Train on batches `first` to `last` (exclusive) and return their losses.

        `order` holds the row numbers of an epoch, or of `epochs` epochs with equally many, and
        `step` is the number of batches trained before. Of `windows` consecutive batches each
        continues the one before, except the first. Losses are taken before each update and include
        the penalty. After an interrupt, which raises KeyboardInterrupt, every batch is complete or
        untouched, and `step` is their number.
        """
        losses = np.empty(last - first)
        zeros = np.zeros(last - first)
        decays = zeros if update.decays is None else update.decays
        progress = zeros if update.progress is None else update.progress
        self.go_on_from(step)
        n_rows = min(order.size, (last - first) * batch_size)
        dtype, average = self.program.dtype, update.average
        self._frame.set(
            **data.arguments(dtype), **targets.arguments(), batch_size=batch_size, first=first,
            last=last, windows=windows, order=order, n_rows=order.size // epochs,
            update_at=update.kernel_at, decays=decays, all_scalars=update.scalars,
            progress=progress, moments=update.moments, batch_losses=losses,
            average=self._no_average if average is None else average,
            weigh_at=weigh.address(dtype) if targets.weight.size else 0,
            shrink_at=shrink.address(dtype) if self._clips or decays.any() else 0,
            average_at=0 if average is None else update_average.address(dtype),
        )  # fmt: skip
        self._counters[:] = 0
        self._team.run(TRAIN.run, self._frame, work=3 * n_rows * self.program.cost)
        return losses

    def descend(self, total: float, update: Update, step: int = 0) -> float:
        """Update the parameters by a gradient from elsewhere, and return the penalty.

        `grad` is the gradient of the mean loss over targets whose weights sum to `total`, without
        the penalty; that of the penalty is added to it. `update` is that of one batch, as in
        `train`, and `step` the number of batches before.
        """
        zeros, average = np.zeros(1), update.average
        decays = zeros if update.decays is None else update.decays
        self.go_on_from(step)
        dtype = self.program.dtype
        self._frame.set(
            update_at=update.kernel_at, decays=decays, all_scalars=update.scalars,
            moments=update.moments, average=self._no_average if average is None else average,
            shrink_at=shrink.address(dtype) if self._clips or decays.any() else 0,
            average_at=0 if average is None else update_average.address(dtype),
        )  # fmt: skip
        self._counters[:] = 0
        self._totals[0] = total
        self._team.run(UPDATE.run, self._frame, work=self.program.n_theta)
        return float(self._penalties.sum())

    def raw_output(self, n_rows: int) -> np.ndarray:
        """Return the raw output of the batch trained last, before its update."""
        first, width = self.program.raw_slot
        start = self.capacity * first
        return self._arena[start : start + n_rows * width].reshape(n_rows, width).copy()


#: Largest number of rows, and of elements of all slots, per block of prediction in each thread:
#: enough for the tiles, and small enough for the cache. The second limits blocks of long rows, such
#: as images.
PREDICT_ROWS, PREDICT_SIZE = 256, 2**20
#: Rows of a block that are enough for the tiles where a row is one of a product's.
_TILE_ROWS = 16


def _rows_at_a_time(program: Program, most: int) -> int:
    """Return the number of rows in a block of prediction in each thread, which is at most `most`.

    Every block reads all weights. A block of fewer rows than a tile therefore has at least as many
    elements in its slots as there are weights, and recurrences, which multiply the weights by a
    row of each sample at every step, are given whole tiles.
    """
    rows = PREDICT_SIZE // program.width
    if rows < _TILE_ROWS:
        of_weights = _TILE_ROWS if program.is_recurrent else program.n_theta // program.width
        return min(most, max(1, rows, min(_TILE_ROWS, of_weights)))
    return min(most, rows // _TILE_ROWS * _TILE_ROWS)


class Predictor:
    """Program prepared to run the same rows of `data` forward repeatedly.

    `rows=None` means all rows. With `targets`, the loss of each row is computed too. The output,
    which may be large, is stored only if `keeps_output`.

    Attributes
    ----------
    out : ndarray of shape (n_rows, n_outputs)
        Output after the link of the last run, all windows of a row side by side; without columns if
        it is not stored.
    losses : ndarray of shape (n_rows * n_targets,) or (0,)
        Loss of each target times its weight, of the last run; the mean over members.
    """

    def __init__(
        self, program: Program, data: Source, rows: np.ndarray | None = None,
        targets: Targets | None = None, n_jobs: int = 1, *, keeps_output: bool = True,
    ) -> None:  # fmt: skip
        if PREDICT_SIZE // program.width < _TILE_ROWS:
            program = program.compact
        order = np.arange(data.n_rows) if rows is None else rows
        windows, dtype = data.windows, program.dtype
        # Sorted by length, since a block takes the time of its longest sequence.
        self._places = None
        if data.lengths is not None:
            self._places = np.argsort(data.lengths[order], kind="stable")
            order = order[self._places]
        n_rows, self._windows = order.size, windows
        n_targets = 0 if targets is None else program.steps
        ends = program.output_ends if keeps_output else program.no_output_ends
        self._out = np.empty((windows * n_rows, ends[OUTPUT_WIDTH]), dtype=dtype)
        self._losses = np.zeros((windows * n_rows, n_targets))
        self._has_members = program.has_members and n_targets > 0
        self._arrange()
        rows_at_a_time = _rows_at_a_time(program, PREDICT_ROWS)
        parts = max(1, min(n_jobs, -(-n_rows // rows_at_a_time)))
        capacity = min(rows_at_a_time, -(-n_rows // 16) * 16)
        self._is_at_once = parts * capacity >= n_rows
        width = program.width + (0 if targets is None else program.raw_slot[1])
        self._team = Team(parts)
        n_lengths = capacity if program.ragged else 0
        self._contexts = contexts(
            parts, program.n_scratch, dtype, n_lengths=n_lengths, stop_at=self._team.stop_at
        )
        # Recurrent state is kept by part, so that the number of parts must not change.
        self._work_of_run = max(windows * n_rows * program.cost, TINY if parts > 1 else 0)
        self._frame = Frame(
            FRAME, dtype, contexts=self._contexts, table=program.table, ends=ends,
            capacity=capacity, windows=windows, order=data.numbers(order), out=self._out,
            arenas=allocate((parts, capacity * width), dtype), forward_at=RUN_FORWARD.address,
            **data.arguments(dtype),
        )  # fmt: skip
        if targets is not None:
            self._frame.set(
                **targets.arguments(), take_losses_at=TAKE_LOSSES.address,
                all_losses=self._losses.reshape(-1), numbers=np.empty(self._losses.size, np.int64),
            )  # fmt: skip

    def _arrange(self) -> None:
        """Set `out` and `losses` from the results of the kernel."""
        losses = self._losses.mean(axis=1, keepdims=True) if self._has_members else self._losses
        self.out, self.losses = self._arranged(self._out), self._arranged(losses).reshape(-1)

    def _arranged(self, found: np.ndarray) -> np.ndarray:
        """Return results by window as results by row, in the order of the rows given."""
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
        """Return the output with these parameters and update `losses`.

        With `continues`, sequences continue those of the last run; there must be few enough for
        one block in each part.
        """
        assert self._is_at_once or not continues
        if self._out.shape[0]:
            self._contexts[:, CONTINUES] = continues
            self._frame.set(theta=theta, state=state)
            self._team.run(PREDICT.run, self._frame, work=self._work_of_run)
        self._arrange()
        return self.out


class FewRows:
    """Program with its parameters, prepared to run up to `MOST` rows of numbers forward.

    What a call of `predict` prepares takes many times as long as a row of a small network. Only one
    thread may use an object at a time. Parameters may change in place between two runs.
    """

    MOST = 16

    def __init__(self, program: Program, theta: np.ndarray, state: np.ndarray) -> None:
        dtype, most = program.dtype, self.MOST
        arena = allocate(most * program.width, dtype)
        first, width = program.output_slot
        self._x = arena[: most * program.input_width].reshape(most, -1)
        self._y = arena[most * first : most * (first + width)].reshape(most, width)
        self._faults = np.zeros(1, dtype=np.int64)
        self._frame = Frame(
            FRAME, dtype, contexts=contexts(1, program.n_scratch, dtype), table=program.table,
            ends=program.output_ends, capacity=most, theta=theta, state=state,
            arenas=arena.reshape(1, -1), numbers=self._faults, forward_at=RUN_FORWARD.address,
            count_at=count_not_finite.address(dtype),
        )  # fmt: skip
        self._sync = np.zeros(SYNC_SIZE, dtype=np.int64)

    @classmethod
    def suits(cls, program: Program) -> bool:
        """Return whether rows are numbers, few enough for an interrupt to wait, and not large."""
        size, cost = cls.MOST * program.width, cls.MOST * program.cost
        return not program.ragged and size <= PREDICT_SIZE and cost < BRIEF

    def run(self, rows: np.ndarray) -> np.ndarray | None:
        """Return the output after the link, or None if it, or a value of the rows, is not finite.

        `rows`, of shape (n_rows, ...), may be of another type and order.
        """
        n_rows = len(rows)
        if rows.ndim > 2:
            rows = rows.reshape(n_rows, -1)
        if rows.itemsize > self._x.itemsize:
            with np.errstate(over="ignore"):  # the result is not finite
                self._x[:n_rows] = rows
        else:
            self._x[:n_rows] = rows
        self._frame.set(n_rows=n_rows)
        PREDICT_FEW.run(0, 1, self._sync, self._frame)
        return None if self._faults[0] else self._y[:n_rows].copy()


def predict(
    program: Program, theta: np.ndarray, state: np.ndarray, data: Source,
    rows: np.ndarray | None = None, n_jobs: int = 1,
) -> np.ndarray:  # fmt: skip
    """Return the network's output after the link for rows of `data`, by default all of them."""
    return Predictor(program, data, rows, None, n_jobs).run(theta, state)


#: Most rows per block of gradients in each thread, which take twice the memory of prediction.
GRADIENT_ROWS = 64


def input_gradient(
    program: Program, theta: np.ndarray, state: np.ndarray, data: Source, seeds: np.ndarray,
    n_jobs: int = 1,
) -> np.ndarray:  # fmt: skip
    """Return the gradient of a weighted sum of raw outputs with respect to each row of the input.

    It is taken in prediction mode: dropout is off and batch normalization uses running statistics,
    so that a row's output depends on that row only. `seeds`, of shape (n_rows, n_raw_outputs),
    weights the raw outputs. The program must be lowered with ``input_gradient=True`` and without a
    link. The gradient, of shape (n_rows, n_features), does not depend on `n_jobs`.
    """
    dtype, n = program.dtype, data.n_rows
    out = np.empty((n, program.input_width), dtype=dtype)
    if not n:
        return out
    rows_at_a_time = _rows_at_a_time(program, GRADIENT_ROWS)
    parts = max(1, min(n_jobs, -(-n // rows_at_a_time)))
    capacity = min(rows_at_a_time, -(-n // 16) * 16)
    work = allocate((parts, program.n_work), dtype)
    arenas, darenas = (allocate((parts, capacity * program.width), dtype) for _ in range(2))
    team, n_lengths = Team(parts), capacity if program.ragged else 0
    frame = Frame(
        FRAME, dtype, contexts=contexts(
            parts, program.n_scratch, dtype, n_lengths=n_lengths, stop_at=team.stop_at
        ),
        table=program.table, ends=program.raw_ends, capacity=capacity,
        order=np.arange(n), **data.arguments(dtype),
        seeds=np.ascontiguousarray(seeds, dtype=dtype), theta=theta, state=state,
        works=work, arenas=arenas, darenas=darenas, out=out, forward_at=RUN_FORWARD.address,
        backward_at=RUN_BACKWARD.address,
        add_at=add_rows.address(dtype) if program.adds_gradients else 0,
    )  # fmt: skip
    team.run(DIFFERENTIATE.run, frame, work=2 * n * program.cost)
    return out


#: Largest number of rows that data-dependent initialization uses.
MOST_ROWS = 10_000


def adapt(
    program: Program, theta: np.ndarray, state: np.ndarray, data: Source,
    rng: np.random.RandomState, *, kept: Collection[str] = (), n_jobs: int = 1,
) -> None:  # fmt: skip
    """Let layers with data-dependent initialization set their parameters in `theta`, in order.

    Each layer gets its output on the data, with layers before it already set; layers named in
    `kept` are not changed. Of more than `MOST_ROWS` rows a sample is drawn. Without such layers
    nothing is drawn from `rng`. The result does not depend on `n_jobs`.
    """
    layers = [(name, layer) for name, layer in program.adapting if name not in kept]
    if not layers:
        return
    rows = np.arange(data.n_rows)
    if rows.size > MOST_ROWS:
        rows = np.sort(rng.choice(rows.size, MOST_ROWS, replace=False))
    for name, layer in layers:
        outputs = predict(program.cut(name), theta, state, data, rows, n_jobs)
        found = {key: placed.view(theta) for key, placed in program.layers[name].items()}
        layer.adapt(rng, outputs.astype(np.float64), found)
