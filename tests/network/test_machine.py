"""The machine: right gradients and training, the same bits however the work is shared."""

import numpy as np
import pytest
from scipy import sparse

from helpers.comparison import assert_close, assert_same_bits
from helpers.gradient_check import LIMIT, check_gradient, gradient_error
from helpers.layer_cases.vectors import (
    RESIDUAL,
    activation,
    batch_norm,
    dense,
    dropout,
    layer_norm,
    noise,
)
from helpers.loss_cases import LOSSES, sample
from helpers.naive import training as naive_training
from helpers.optimizer_cases import OPTIMIZERS
from helpers.parametrize import dtypes, names
from helpers.programs import Gradient, build, draw_theta, forward, train
from helpers.random_networks import BY_NAME, assert_parameters_close, parameters_of, random_problem
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.training.losses import Poisson, SoftmaxLogLoss
from sklearn_nn.training.optimizers import SGD, Adam

#: Sums over the batch between layers that are split by row.
NORMALISED = [
    noise(0.1), dense(19), batch_norm(), activation("tanh"), dense(70), layer_norm(),
    activation("relu"), batch_norm(), dense(3),
]  # fmt: skip


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
    """Loss and gradient of random networks: noise, norms and branches among them."""
    for seed in range(40):
        rng = np.random.default_rng(1000 + seed)
        case, stack, program, X, y, weight = random_problem(rng, dtype)
        theta = draw_theta(program, rng, 0.4)
        batch = Gradient(program, X, case.loss.targets(y, weight, dtype), seed=seed, step=5)
        loss, gradient = batch.loss(theta), batch.gradient(theta)
        weights = np.ones(len(X)) if weight is None else weight.astype("float64")
        expected, gradients = naive_training.batch_gradient(
            stack, parameters_of(stack, program, theta), X.astype("float64"),
            case.naive, y.astype(dtype).astype("float64"), weights, np.finfo(dtype).eps,
            seed=seed, step=5, dtype=dtype,
        )  # fmt: skip
        assert_close(loss, expected, dtype, factor=10)
        got = parameters_of(stack, program, gradient)
        assert_parameters_close(got, gradients, dtype, factor=20)


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
    options["rate"] = 0.02
    got = train(program, theta, X, targets, rule.optimizer, **options)
    parameters = parameters_of(stack, program, theta)
    losses = naive_training.train(
        stack, parameters, X, case.naive, y, weight if weighted else np.ones(23),
        np.finfo("float64").eps, rule=rule.naive, **options,
    )  # fmt: skip
    assert_close(got.losses, losses, "float64")
    assert_parameters_close(parameters_of(stack, program, got.theta), parameters, "float64")


def test_gaps_between_parameters_stay_zero(rng):
    case = BY_NAME["squared_error"]
    program = build([dense(3), dense(1)], 5, "float64", case.loss)
    X, y, _ = sample(rng, case, 16, 5)
    got = train(
        program, draw_theta(program, rng), X, case.loss.targets(y, None, "float64"), Adam(),
        order=np.arange(16), batch_size=4, alpha=0.5,
    )  # fmt: skip
    places = [np.arange(p.start, p.start + p.parameter.size) for p in program.parameters]
    for vector in (got.theta, *got.moments):
        assert np.delete(vector, np.concatenate(places)).any() == np.False_


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
    both, alone = (
        train(program, theta, X, targets, SGD(momentum=0.0, nesterov=False), order=order, **options)
        for order in (np.arange(10), np.arange(5, 10))
    )
    assert both.losses[0] == 0
    assert both.losses[1] == alone.losses[0]
    np.testing.assert_array_equal(both.theta, alone.theta)


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
    np.testing.assert_array_equal(results[0].theta, results[1].theta)
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
        assert np.isfinite(alone.theta).all()
        for n_jobs in (2, 3, 4):
            team = train(program, theta, X, targets, rule, n_jobs=n_jobs, **options)
            assert_same_bits(team, alone)


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
        assert_same_bits(team, alone)


@dtypes
@pytest.mark.parametrize("batch_size", [1, 9, 33])
def test_normalised_network_does_not_depend_on_n_jobs(batch_size, dtype, rng):
    """Nor do its running means; threads may be more than there are blocks of rows."""
    case = BY_NAME["multiclass"]
    program = build(NORMALISED, 13, dtype, case.loss)
    X, y, weight = sample(rng, case, 10 * batch_size, 13, dtype)
    targets, theta = case.loss.targets(y, weight, dtype), draw_theta(program, rng)
    options = {"order": rng.permutation(len(X)), "batch_size": batch_size, "alpha": 0.1, "seed": 5}
    alone = train(program, theta, X, targets, Adam(), **options)
    assert np.isfinite(alone.theta).all()
    # One row has no variance to remember.
    assert (alone.state != program.initial_state()).any() == (batch_size > 1)
    for n_jobs in (2, 3, 4):
        team = train(program, theta, X, targets, Adam(), n_jobs=n_jobs, **options)
        assert_same_bits(team, alone)


@dtypes
def test_twenty_runs_are_one(dtype, rng):
    """With all that waits for other threads: sums over the batch, clipping, max-norm."""
    case = BY_NAME["multiclass"]
    stack = [*NORMALISED[:-1], dropout(0.5), dense(3)]
    program = build(stack, 5, dtype, case.loss)
    X, y, _ = sample(rng, case, 60, 5, dtype)
    targets, theta = case.loss.targets(y, None, dtype), draw_theta(program, rng)
    runs = [
        train(
            program, theta, X, targets, Adam(), order=np.arange(60), batch_size=19, seed=4,
            n_jobs=1 + run % 4, averaged=True, average_keep=0.9, clipnorm=0.1, max_norm=1.0,
        )
        for run in range(20)
    ]  # fmt: skip
    for run in runs:
        assert_same_bits(run, runs[0])


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
        assert_same_bits(parts, whole)
