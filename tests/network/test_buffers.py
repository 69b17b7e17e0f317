"""The machine's memory: no write beside a buffer, no buffer that grows with the samples."""

import sys

import numpy as np
import pytest
from scipy import sparse

from helpers.layer_cases.vectors import activation, batch_norm, dense, layer_norm
from helpers.loss_cases import sample
from helpers.optimizer_cases import OPTIMIZERS
from helpers.parametrize import dtypes
from helpers.programs import build, draw_theta, forward, no_state, nothing, train
from helpers.random_networks import BY_NAME, random_problem
from sklearn_nn.layers import Mixup
from sklearn_nn.layers.base import CTX_SIZE, LENGTHS
from sklearn_nn.network import machine
from sklearn_nn.network.machine import Machine, Predictor, predict
from sklearn_nn.network.parameter_update import CHUNK
from sklearn_nn.network.program import allocate, contexts
from sklearn_nn.network.source import source
from sklearn_nn.training.losses import SquaredError
from sklearn_nn.training.optimizers import Adam

SENTINEL, MARGIN = 0xA5, 4096


@pytest.fixture
def guarded(monkeypatch):
    """Every buffer of the machine lies between guard words; the value checks them all."""
    buffers = []

    def allocate(shape, dtype):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        raw = np.full(size + 2 * MARGIN + 64, SENTINEL, np.uint8)
        start = MARGIN - (raw.ctypes.data + MARGIN) % 64
        raw[start : start + size] = 0
        buffers.append((raw, start, start + size))
        return raw[start : start + size].view(dtype).reshape(shape)

    for name, module in list(sys.modules.items()):
        if name.startswith("sklearn_nn.") and hasattr(module, "allocate"):
            monkeypatch.setattr(module, "allocate", allocate)

    def holds(array):
        return any(np.shares_memory(array, raw) for raw, _, _ in buffers)

    def check():
        assert buffers
        for raw, start, stop in buffers:
            assert (raw[:start] == SENTINEL).all(), "wrote before a buffer"
            assert (raw[stop:] == SENTINEL).all(), "wrote behind a buffer"
        buffers.clear()

    check.holds = holds
    return check


def random_step(rng):
    """Options of the step of descent, each of them given or not."""
    options = {
        "alpha": 0.1, "l1_ratio": 0.5, "clipnorm": 0.5, "max_norm": 0.7, "weight_decay": 0.1,
        "average_keep": 0.9, "averaged": True,
    }  # fmt: skip
    return {name: value for name, value in options.items() if rng.random() < 0.5}


@dtypes
def test_guard_words(dtype, guarded):
    """No write outside the buffers in many random configurations."""
    for seed in range(150):
        rng = np.random.default_rng(seed)
        case, _, program, X, y, weight = random_problem(rng, dtype)
        if rng.random() < 0.3:
            X = sparse.csr_matrix(np.where(X > 0, X, 0))
        theta = program.initialize(np.random.RandomState(seed))
        batch_size = int(rng.integers(1, X.shape[0] + 1))
        n_jobs = int(rng.integers(1, 4)) if seed % 5 == 0 else 1
        rule = OPTIMIZERS[seed % len(OPTIMIZERS)].optimizer
        targets = case.loss.targets(y, weight, dtype)
        train(
            program, theta, X, targets, rule, order=rng.permutation(X.shape[0]),
            batch_size=batch_size, seed=seed, n_jobs=n_jobs, **random_step(rng),
        )  # fmt: skip
        rows = rng.integers(0, X.shape[0], int(rng.integers(1, 600)))
        forward(program, theta, X, rows=rows, n_jobs=n_jobs)
        made = Predictor(program, source(X, dtype), rows, targets, n_jobs)
        made.run(theta, program.initial_state())
        guarded()


@pytest.mark.parametrize("n_jobs", [1, 3])
@dtypes
def test_guard_words_of_several_chunks(dtype, n_jobs, guarded):
    """Channels do not fill a block."""
    case, rng = BY_NAME["multiclass"], np.random.default_rng(0)
    stack = [dense(117), batch_norm(), activation("relu"), dense(41), layer_norm(), dense(3)]
    program = build(stack, 61, dtype, case.loss)
    assert program.n_theta > 2 * CHUNK
    X, y, weight = sample(rng, case, 50, 61, dtype)
    train(
        program, draw_theta(program, rng), X, case.loss.targets(y, weight, dtype), Adam(),
        order=np.arange(50), batch_size=17, n_jobs=n_jobs, alpha=0.1, l1_ratio=0.5, clipnorm=0.1,
        max_norm=0.7, weight_decay=0.1, averaged=True, average_keep=0.9,
    )  # fmt: skip
    guarded()


@dtypes
def test_every_array_of_the_machine_is_guarded(dtype, guarded):
    """Whatever kernels write to was made by `allocate`, or is the caller's."""
    program = build([Mixup(), dense(5), batch_norm(), dense(2)], 3, dtype)
    made = Machine(program, *program.new_buffers(), 20)
    arrays = made._frame.arrays
    for name in set(arrays) - {"contexts"}:  # one row a thread
        assert guarded.holds(arrays[name]) or not arrays[name].flags.writeable, name


def test_guard_words_notice(guarded):
    """The check above can fail."""
    buffer = machine.allocate(4, "float64")
    np.lib.stride_tricks.as_strided(buffer, (6,), (8,))[5] = 1.0
    with pytest.raises(AssertionError, match="behind"):
        guarded()


@pytest.mark.parametrize("shape", [0, 1, 17, (3, 16), (2, 0)])
@dtypes
def test_buffers_begin_on_a_cache_line(shape, dtype):
    buffer = allocate(shape, dtype)
    assert buffer.shape == (shape if isinstance(shape, tuple) else (shape,))
    assert buffer.dtype == dtype
    assert buffer.size == 0 or buffer.ctypes.data % 64 == 0
    assert not buffer.any()


def test_memory_does_not_grow_with_samples(monkeypatch):
    sizes = []

    def counted(shape, dtype):
        sizes.append(int(np.prod(shape)))
        return allocate(shape, dtype)

    monkeypatch.setattr(machine, "allocate", counted)
    program = build([dense(5), dense(2)], 3, "float32", SquaredError())
    theta = np.zeros(program.n_theta, "float32")
    Machine(program, theta, no_state(program), 20)
    for n in (1000, 100_000):
        sizes.clear()
        predict(program, theta, no_state(program), source(np.zeros((n, 3), "float32"), "float32"))
        assert sum(sizes) <= machine.PREDICT_ROWS * program.width


def test_batches_need_not_fill_the_memory(rng):
    """A machine of a larger capacity computes the same."""
    case = BY_NAME["multiclass"]
    program = build([dense(5), activation("tanh"), dense(3)], 4, "float64", case.loss)
    X, y, _ = sample(rng, case, 9, 4)
    theta, targets = draw_theta(program, rng), case.loss.targets(y, None, "float64")
    gradients = []
    for capacity in (9, 16, 100):
        made = Machine(program, theta, no_state(program), capacity)
        made.train(source(X, "float64"), targets, np.arange(9), 9, 0, 1, nothing(program))
        gradients.append(made.grad)
    np.testing.assert_array_equal(gradients[1], gradients[0])
    np.testing.assert_array_equal(gradients[2], gradients[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scratch_memory_begins_on_a_cache_line(dtype):
    rows = contexts(3, 37, dtype, n_lengths=5)
    for row in rows:
        address = row[CTX_SIZE:].__array_interface__["data"][0]
        assert address % 64 == 0
    assert (rows[:, LENGTHS] % 8 == 0).all()
