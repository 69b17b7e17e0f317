"""The machine: right gradients and updates, the same bits however the work is shared, no stray
write."""

import sys
from functools import partial

import naive
import numpy as np
import pytest
from cases import (
    DTYPES,
    LOSSES,
    OPTIMIZERS,
    RESIDUAL,
    activation,
    dense,
    dropout,
    names,
    sample,
)
from extra_layers import Grouped
from gradcheck import LIMIT, check_gradient, gradient_error
from harness import Gradient, assert_close, build, draw_theta, forward, no_state, nothing, train
from scipy import sparse

from sklearn_nn.layers.activation import ACTIVATIONS, HIDDEN_ACTIVATIONS
from sklearn_nn.network import machine, memory
from sklearn_nn.network.machine import Machine, predict
from sklearn_nn.network.source import source
from sklearn_nn.training.losses import Poisson, SoftmaxLogLoss, SquaredError
from sklearn_nn.training.optimizers import SGD, Adam

BY_NAME = {case.name: case for case in LOSSES}
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def parameters_of(stack, program, theta):
    """The parameters in theta, layer by layer: the form of the twins."""
    found = []
    for k in range(len(stack)):
        own = program.layers.get(f"layer{k}", {})
        found.append([placed.view(theta).astype("float64") for placed in own.values()])
    return found


def random_stack(rng, n_outputs):
    """A random network: any layer, any width, residual branches."""
    # No exp: stacked, it takes a log loss to its limit, where value and gradient part.
    choices = [name for name in ACTIVATIONS if name != "exp"]
    stack = []
    for _ in range(rng.integers(1, 5)):
        stack.append(dense(int(rng.integers(1, 8))))
        for _ in range(rng.integers(0, 3)):
            kind = rng.integers(0, 4)
            if kind == 0:
                stack.append(dropout(float(rng.uniform(0, 0.7))))
            elif kind == 1:
                stack.append(RESIDUAL)
            else:
                stack.append(activation(str(rng.choice(choices))))
    return [*stack, dense(n_outputs)]


def random_problem(rng, dtype="float64"):
    """A random network with a random loss, data, targets and weights."""
    case = LOSSES[rng.integers(len(LOSSES))]
    stack = random_stack(rng, case.n_outputs)
    width, n = (int(k) for k in rng.integers(1, 10, 2))
    program = build(stack, width, dtype, case.loss)
    X, y, weight = sample(rng, case, n, width, dtype)
    return case, stack, program, X, y, weight if rng.random() < 0.5 else None


# --- gradients -----------------------------------------------------------------------------


def test_gradients_of_random_networks():
    """Two hundred of them, without a failure."""
    failures = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        case, stack, program, X, y, weight = random_problem(rng)
        alpha = float(rng.choice([0.0, 0.3])) if case.gradient_factor == 1 else 0.0
        theta = draw_theta(program, rng)
        error = gradient_error(
            program, case, X, y, weight, alpha=alpha, theta=theta, seed=seed, step=7
        )
        if not error <= LIMIT:
            failures.append((seed, error, [layer.name for layer in stack]))
    assert not failures


@dtypes
def test_batch_equals_naive(dtype):
    """Loss and gradient of random networks, dropout and branches among them."""
    for seed in range(40):
        rng = np.random.default_rng(1000 + seed)
        case, stack, program, X, y, weight = random_problem(rng, dtype)
        theta = draw_theta(program, rng, 0.4)
        batch = Gradient(program, X, case.loss.targets(y, weight, dtype), seed=seed, step=5)
        loss, gradient = batch.loss(theta), batch.gradient(theta)
        weights = np.ones(len(X)) if weight is None else weight.astype("float64")
        expected, gradients = naive.batch_gradient(
            stack, parameters_of(stack, program, theta), X.astype("float64"),
            case.naive, y.astype(dtype).astype("float64"), weights, np.finfo(dtype).eps,
            seed=seed, step=5,
        )  # fmt: skip
        assert_close(loss, expected, dtype, factor=10)
        got = parameters_of(stack, program, gradient)
        for own, wanted in zip(got, gradients, strict=True):
            for a, b in zip(own, wanted, strict=True):
                assert_close(a, b, dtype, factor=20)


def test_network_equals_torch(torch):
    """Loss and every gradient of a classifier, by automatic differentiation."""
    rng = np.random.default_rng(0)
    for name in sorted(set(HIDDEN_ACTIVATIONS) - {"identity"}):
        program = build([dense(6), activation(name), dense(3)], 4, "float64", SoftmaxLogLoss())
        X, y, weight = sample(rng, BY_NAME["multiclass"], 9, 4)
        theta = draw_theta(program, rng)
        targets = SoftmaxLogLoss().targets(y, weight, "float64")
        batch = Gradient(program, X, targets, alpha=0.3)
        loss, gradient = batch.loss(theta), batch.gradient(theta)
        w = [torch.tensor(p.view(theta).copy(), requires_grad=True) for p in program.parameters]
        functions = torch.nn.functional
        theirs = {"logistic": "sigmoid", "hard_sigmoid": "hardsigmoid"}
        act = getattr(functions, theirs.get(name, name))
        z = act(torch.tensor(X) @ w[0] + w[1]) @ w[2] + w[3]
        rows = functions.cross_entropy(z, torch.tensor(y[:, 0].astype(int)), reduction="none")
        penalty = 0.15 * (w[0].square().sum() + w[2].square().sum())
        total = (rows @ torch.tensor(weight) + penalty) / weight.sum()
        total.backward()
        assert loss == pytest.approx(total.item(), rel=1e-12)
        for placed, parameter in zip(program.parameters, w, strict=True):
            # PyTorch's slope of hard_sigmoid is a float32.
            factor = 1000 if name == "hard_sigmoid" else 1
            assert_close(placed.view(gradient), parameter.grad.numpy(), "float64", factor)


# --- the graph of slots ----------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared_error", "multiclass", "multilabel"])
def test_gradient_of_branches(loss, rng):
    """A slot read by two instructions gets the sum of two gradients."""
    case = BY_NAME[loss]
    stack = [dense(5), RESIDUAL, activation("tanh"), RESIDUAL, RESIDUAL, dense(case.n_outputs)]
    program = build(stack, 3, "float64", case.loss)
    X, y, weight = sample(rng, case, 7, 3)
    check_gradient(program, case, X, y, weight, alpha=0.1)


@dtypes
def test_branches_do_not_depend_on_n_jobs(dtype, rng):
    stack = [dense(19), RESIDUAL, activation("gelu"), RESIDUAL, dense(3)]
    program = build(stack, 5, dtype, SoftmaxLogLoss())
    X, y, _ = sample(rng, BY_NAME["multiclass"], 37, 5, dtype)
    targets = SoftmaxLogLoss().targets(y, None, dtype)
    theta = draw_theta(program, rng)
    alone = Gradient(program, X, targets).gradient(theta)
    for n_jobs in (2, 3, 4):
        got = Gradient(program, X, targets, n_jobs=n_jobs).gradient(theta)
        np.testing.assert_array_equal(got, alone)


# --- training --------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rule", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_training_equals_naive(rule, weighted, rng):
    """Every batch's loss and the parameters after three epochs, with penalty and dropout."""
    case = BY_NAME["multiclass"]
    stack = [dense(7), activation("tanh"), dropout(0.3), RESIDUAL, dense(3)]
    program = build(stack, 4, "float64", case.loss)
    X, y, weight = sample(rng, case, 23, 4)
    order = np.concatenate([rng.permutation(23)[:20] for _ in range(3)])
    theta = draw_theta(program, rng)
    options = {"order": order, "batch_size": 5, "alpha": 0.2, "seed": 8}
    targets = case.loss.targets(y, weight if weighted else None, "float64")
    got, losses, _ = train(program, theta, X, targets, rule.optimizer, rate=0.02, **options)
    parameters = parameters_of(stack, program, theta)
    expected = naive.train(
        stack, parameters, X, case.naive, y, weight if weighted else np.ones(23),
        np.finfo("float64").eps, rule=partial(rule.naive, rate=0.02), **options,
    )  # fmt: skip
    assert_close(losses, expected, "float64")
    for own, wanted in zip(parameters_of(stack, program, got), parameters, strict=True):
        for a, b in zip(own, wanted, strict=True):
            assert_close(a, b, "float64")


def test_gaps_between_parameters_stay_zero(rng):
    case = BY_NAME["squared_error"]
    program = build([dense(3), dense(1)], 5, "float64", case.loss)
    X, y, _ = sample(rng, case, 16, 5)
    theta, _, moments = train(
        program, draw_theta(program, rng), X, case.loss.targets(y, None, "float64"), Adam(),
        order=np.arange(16), batch_size=4, alpha=0.5,
    )  # fmt: skip
    places = [np.arange(p.start, p.start + p.parameter.size) for p in program.parameters]
    for vector in (theta, *moments):
        assert np.delete(vector, np.concatenate(places)).any() == np.False_


@pytest.mark.parametrize("rule", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_groups_of_parameters(rule, rng):
    """A rate of 0 freezes, 0.5 halves; factors of the penalty multiply it."""
    case, alpha, rate = BY_NAME["squared_error"], 0.3, 0.05
    factors = {
        "layer0": {"kernel": {"rate": 0.0, "decay": 3.0}, "bias": {"rate": 0.5}},
        "layer1": {"kernel": {"rate": 0.5, "decay": 0.0}, "bias": {"rate": 2.0, "decay": 1.5}},
    }
    layers = [Grouped(4, factors["layer0"]), Grouped(1, factors["layer1"])]
    program = build(layers, 3, "float64", case.loss)
    X, y, _ = sample(rng, case, 10, 3)
    theta = draw_theta(program, rng)
    targets = case.loss.targets(y, None, "float64")
    order = np.tile(np.arange(10), 3)
    got, losses, _ = train(
        program, theta, X, targets, rule.optimizer, order=order, batch_size=10, rate=rate,
        alpha=alpha,
    )  # fmt: skip
    stack = [dense(4), dense(1)]
    parameters = parameters_of(stack, program, theta)
    moments = [[np.zeros((2, *p.shape)) for p in own] for own in parameters]
    for t in range(3):
        value, gradients = naive.batch_gradient(
            stack, parameters, X, case.naive, y, np.ones(10), 1e-16
        )
        for k, own in enumerate(parameters):
            for name, p, g, m in zip(
                ("kernel", "bias"), own, gradients[k], moments[k], strict=True
            ):
                factor = {"rate": 1.0, "decay": float(name == "kernel")}
                factor |= factors[f"layer{k}"][name]
                # What is frozen is not penalised.
                strength = alpha * factor["decay"] / 10 * bool(factor["rate"])
                value += strength / 2 * (p**2).sum()
                g += strength * p
                if factor["rate"]:
                    rule.naive(p, g, m, t + 1, rate * factor["rate"])
        assert losses[t] == pytest.approx(value, rel=1e-12)
    for own, wanted in zip(parameters_of(stack, program, got), parameters, strict=True):
        for a, b in zip(own, wanted, strict=True):
            assert_close(a, b, "float64")
    frozen = program.layers["layer0"]["kernel"]
    np.testing.assert_array_equal(frozen.view(got), frozen.view(theta))
    assert (program.layers["layer0"]["bias"].view(got) != 0).all()


def test_gradient_alone_changes_nothing(rng):
    case = BY_NAME["binary"]
    program = build([dense(3), dense(1)], 4, "float64", case.loss)
    X, y, _ = sample(rng, case, 6, 4)
    theta = draw_theta(program, rng)
    batch = Gradient(program, X, case.loss.targets(y, None, "float64"), alpha=1.0)
    assert batch.gradient(theta).any()
    np.testing.assert_array_equal(batch.machine.theta, theta)


def test_batch_of_total_weight_zero(rng):
    """It has no gradient and no loss; the others train as if it were not there."""
    case = BY_NAME["multiclass"]
    program = build([dense(3)], 4, "float64", case.loss)
    X, y, _ = sample(rng, case, 10, 4)
    weight = np.repeat([0.0, 1.0], 5)
    theta = draw_theta(program, rng)
    targets = case.loss.targets(y, weight, "float64")
    options = {"batch_size": 5, "alpha": 0.5}
    got, losses, _ = train(
        program, theta, X, targets, SGD(0.0, False), order=np.arange(10), **options
    )
    alone, other, _ = train(
        program, theta, X, targets, SGD(0.0, False), order=np.arange(5, 10), **options
    )
    assert losses[0] == 0
    assert losses[1] == other[0]
    np.testing.assert_array_equal(got, alone)


@dtypes
def test_sparse_rows_train_as_dense_ones(dtype, rng):
    X, y, _ = sample(rng, BY_NAME["poisson"], 30, 6, dtype)
    X[np.abs(X) < 1] = 0
    program = build([dense(5), activation("relu"), dense(1)], 6, dtype, Poisson())
    theta, targets = draw_theta(program, rng), Poisson().targets(y, None, dtype)
    results = [
        train(program, theta, given, targets, Adam(), order=rng.permutation(30), batch_size=8)
        for given, rng in [
            (X, np.random.default_rng(3)),
            (sparse.csr_matrix(X), np.random.default_rng(3)),
        ]
    ]
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(
        forward(program, theta, X), forward(program, theta, sparse.csr_matrix(X))
    )


def test_nan_in_the_data_reaches_the_loss(rng):
    case = BY_NAME["squared_error"]
    program = build([dense(3), activation("relu"), dense(1)], 4, "float64", case.loss)
    X, y, _ = sample(rng, case, 6, 4)
    X[2, 1] = np.nan
    batch = Gradient(program, X, case.loss.targets(y, None, "float64"))
    assert np.isnan(batch.loss(draw_theta(program, rng)))


# --- the same bits -------------------------------------------------------------------------


@dtypes
def test_training_does_not_depend_on_n_jobs(dtype):
    """Odd batch sizes and widths, every hidden activation, threads beyond the cores."""
    for seed, name in enumerate(HIDDEN_ACTIVATIONS):
        rng = np.random.default_rng(seed)
        case = LOSSES[seed % len(LOSSES)]
        widths = rng.integers(1, 70, 2)
        stack = [
            dense(int(widths[0])), activation(name), dropout(0.2), dense(int(widths[1])),
            activation(name), dense(case.n_outputs),
        ]  # fmt: skip
        program = build(stack, 13, dtype, case.loss)
        X, y, weight = sample(rng, case, 131, 13, dtype)
        targets = case.loss.targets(y, weight, dtype)
        rule = OPTIMIZERS[seed % len(OPTIMIZERS)].optimizer
        options = {
            "order": rng.permutation(131), "batch_size": int(rng.choice([1, 7, 33, 50])),
            "alpha": 0.1, "seed": seed,
        }  # fmt: skip
        theta = draw_theta(program, rng, 0.2)
        alone = train(program, theta, X, targets, rule, n_jobs=1, **options)
        assert np.isfinite(alone[0]).all()
        for n_jobs in (2, 3, 4):
            team = train(program, theta, X, targets, rule, n_jobs=n_jobs, **options)
            for got, expected in zip(team, alone, strict=True):
                np.testing.assert_array_equal(got, expected)


def test_parameters_of_several_chunks_do_not_depend_on_n_jobs(rng):
    """Threads own whole chunks of theta."""
    case = BY_NAME["multiclass"]
    program = build([dense(150), activation("relu"), dense(3)], 61, "float32", case.loss)
    assert program.n_theta > 2 * 4096
    X, y, _ = sample(rng, case, 50, 61, "float32")
    targets, theta = case.loss.targets(y, None, "float32"), draw_theta(program, rng, 0.1)
    options = {"order": np.arange(50), "batch_size": 23, "alpha": 0.1}
    alone = train(program, theta, X, targets, Adam(), **options)
    for n_jobs in (2, 3, 4):
        team = train(program, theta, X, targets, Adam(), n_jobs=n_jobs, **options)
        for got, expected in zip(team, alone, strict=True):
            np.testing.assert_array_equal(got, expected)


@dtypes
def test_twenty_runs_are_one(dtype, rng):
    case = BY_NAME["multilabel"]
    stack = [dense(17), activation("silu"), dropout(0.5), dense(4)]
    program = build(stack, 5, dtype, case.loss)
    X, y, _ = sample(rng, case, 60, 5, dtype)
    targets, theta = case.loss.targets(y, None, dtype), draw_theta(program, rng)
    runs = [
        train(
            program, theta, X, targets, Adam(), order=np.arange(60), batch_size=9, seed=4,
            n_jobs=1 + run % 3,
        )[0].tobytes()
        for run in range(20)
    ]  # fmt: skip
    assert len(set(runs)) == 1


def test_the_seed_counts(rng):
    case = BY_NAME["multilabel"]
    program = build([dense(9), dropout(0.5), dense(4)], 5, "float64", case.loss)
    X, y, _ = sample(rng, case, 20, 5)
    targets, theta = case.loss.targets(y, None, "float64"), draw_theta(program, rng)
    one, other = (
        train(program, theta, X, targets, Adam(), order=np.arange(20), batch_size=5, seed=seed)[0]
        for seed in (1, 2)
    )
    assert (one != other).any()


@dtypes
def test_slices_of_an_epoch_are_one(dtype, rng):
    """However often the machine returns to Python: the step goes on, and so do the masks."""
    case = BY_NAME["binary"]
    program = build([dense(9), dropout(0.3), dense(1)], 5, dtype, case.loss)
    X, y, _ = sample(rng, case, 50, 5, dtype)
    targets, theta = case.loss.targets(y, None, dtype), draw_theta(program, rng)
    options = {"order": np.arange(50), "batch_size": 7, "seed": 3}
    whole = train(program, theta, X, targets, Adam(), **options)
    for slices in (2, 3, 8):
        parts = train(program, theta, X, targets, Adam(), slices=slices, **options)
        for got, expected in zip(parts, whole, strict=True):
            np.testing.assert_array_equal(got, expected)


# --- prediction ------------------------------------------------------------------------------


@pytest.fixture(params=DTYPES)
def network(request):
    """A network with every activation in it, data, and its output for all rows at once."""
    dtype, rng = request.param, np.random.default_rng(5)
    stack = [dense(11)]
    for name in ACTIVATIONS:
        stack += [activation(name), dense(int(rng.integers(5, 36)))]
    stack += [dropout(0.5), dense(3)]
    program = build(stack, 7, dtype, SoftmaxLogLoss())
    X = rng.standard_normal((701, 7)).astype(dtype)
    theta = draw_theta(program, rng, 0.3)
    return stack, program, theta, X, forward(program, theta, X)


def test_prediction_equals_naive(network):
    """After the link, and without dropout."""
    whole, program, theta, X, out = network
    stack = [case for case in whole if not case.name.startswith("dropout")]
    parameters = parameters_of(whole, program, theta)
    parameters = [p for p, case in zip(parameters, whole, strict=True) if case in stack]
    places = naive.contexts(stack, 0, 0)
    raw = naive.outputs(stack, parameters, X.astype("float64"), places)[-1]
    assert_close(out, naive.softmax_forward(None, raw), program.dtype, factor=4)
    assert out.dtype == program.dtype


def test_prediction_does_not_depend_on_the_batch(network, rng):
    """One row at a time, permuted, repeated, in other orders: the same bits."""
    _, program, theta, X, out = network
    for n in (1, 2, 3, 15, 16, 17, 255, 256, 257, 700):
        np.testing.assert_array_equal(forward(program, theta, X[:n]), out[:n])
    for i in range(0, 701, 23):
        np.testing.assert_array_equal(forward(program, theta, X[i : i + 1]), out[i : i + 1])
    for rows in (rng.permutation(701), rng.integers(0, 701, 1500), np.arange(700, -1, -1)):
        np.testing.assert_array_equal(forward(program, theta, X, rows=rows), out[rows])
        np.testing.assert_array_equal(forward(program, theta, X[rows]), out[rows])
    for n_jobs in (2, 3, 4):
        np.testing.assert_array_equal(forward(program, theta, X, n_jobs=n_jobs), out)


@pytest.mark.parametrize("block", [1, 7, 16, 100, 1000])
def test_prediction_does_not_depend_on_the_block(network, block, monkeypatch):
    _, program, theta, X, out = network
    monkeypatch.setattr(machine, "PREDICT_ROWS", block)
    for n_jobs in (1, 3):
        np.testing.assert_array_equal(forward(program, theta, X, n_jobs=n_jobs), out)


def test_prediction_changes_nothing(network):
    _, program, theta, X, _ = network
    before = theta.copy(), X.copy(), program.table.copy()
    for array in (theta, X):
        array.flags.writeable = False
    forward(program, theta, X, n_jobs=2)
    for now, then in zip((theta, X, program.table), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_no_rows():
    program = build([dense(3)], 2, "float32")
    out = forward(program, draw_theta(program, np.random.default_rng(0)), np.zeros((0, 2)))
    assert out.shape == (0, 3)


def test_a_network_without_layers_is_its_link():
    program = build([], 3, "float64", SoftmaxLogLoss())
    X = np.random.default_rng(0).standard_normal((5, 3))
    out = forward(program, np.zeros(0), X)
    np.testing.assert_allclose(out, naive.softmax_forward(None, X), rtol=1e-14)


# --- memory ----------------------------------------------------------------------------------

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

    def check():
        assert buffers
        for raw, start, stop in buffers:
            assert (raw[:start] == SENTINEL).all(), "wrote before a buffer"
            assert (raw[stop:] == SENTINEL).all(), "wrote behind a buffer"
        buffers.clear()

    return check


@dtypes
def test_guard_words(dtype, guarded):
    """No write outside the buffers in many random configurations."""
    for seed in range(150):
        rng = np.random.default_rng(seed)
        case, _, program, X, y, weight = random_problem(rng, dtype)
        if rng.random() < 0.3:
            X = sparse.csr_matrix(np.where(X > 0, X, 0))
        theta = program.initialize(np.random.RandomState(seed))
        machine.allocate(program.n_theta, dtype)
        batch_size = int(rng.integers(1, X.shape[0] + 1))
        n_jobs = int(rng.integers(1, 4)) if seed % 5 == 0 else 1
        rule = OPTIMIZERS[seed % len(OPTIMIZERS)].optimizer
        train(
            program, theta, X, case.loss.targets(y, weight, dtype), rule,
            order=rng.permutation(X.shape[0]), batch_size=batch_size,
            alpha=float(rng.choice([0.0, 0.1])), seed=seed, n_jobs=n_jobs,
        )  # fmt: skip
        rows = rng.integers(0, X.shape[0], int(rng.integers(1, 600)))
        forward(program, theta, X, rows=rows, n_jobs=n_jobs)
        guarded()


def test_guard_words_notice(guarded):
    """The check above can fail."""
    buffer = machine.allocate(4, "float64")
    np.lib.stride_tricks.as_strided(buffer, (6,), (8,))[5] = 1.0
    with pytest.raises(AssertionError, match="behind"):
        guarded()


@pytest.mark.parametrize("shape", [0, 1, 17, (3, 16), (2, 0)])
@dtypes
def test_buffers_begin_on_a_cache_line(shape, dtype):
    buffer = memory.allocate(shape, dtype)
    assert buffer.shape == (shape if isinstance(shape, tuple) else (shape,))
    assert buffer.dtype == dtype
    assert buffer.size == 0 or buffer.ctypes.data % 64 == 0
    assert not buffer.any()


def test_memory_does_not_grow_with_samples(monkeypatch):
    sizes = []

    def allocate(shape, dtype):
        sizes.append(int(np.prod(shape)))
        return memory.allocate(shape, dtype)

    monkeypatch.setattr(machine, "allocate", allocate)
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
