"""A step of descent: penalty, clipping, decay, average and max-norm against an obvious loop."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from helpers.comparison import assert_close, assert_same_bits
from helpers.layer_cases.custom_layers import Grouped
from helpers.layer_cases.vectors import LayerCase, activation, dense
from helpers.loss_cases import LossCase, sample
from helpers.naive import optimizers as naive
from helpers.naive import training as naive_training
from helpers.optimizer_cases import OPTIMIZERS, rule
from helpers.parametrize import dtypes, names
from helpers.programs import Gradient, build, draw_theta, train
from helpers.random_networks import BY_NAME, assert_parameters_close, parameters_of
from sklearn_nn.network.parameter_update import CHUNK
from sklearn_nn.network.program import Program
from sklearn_nn.training.optimizers import SGD, Adam, AdamW

OPTIONS = {
    "plain": {},
    "l2": {"alpha": 0.5},
    "l1": {"alpha": 0.5, "l1_ratio": 1.0},
    "both": {"alpha": 0.5, "l1_ratio": 0.3},
    "clipnorm": {"clipnorm": 3.3},
    "decay": {"weight_decay": 2.0},
    "average": {"average_keep": 0.9},
    "max_norm": {"max_norm": 0.8},
}
OPTIONS["all"] = OPTIONS["both"] | OPTIONS["clipnorm"] | OPTIONS["decay"]
OPTIONS["all"] |= OPTIONS["average"] | OPTIONS["max_norm"]
FACTORS = {
    "layer0": {"kernel": {"rate": 0.0, "decay": 3.0}, "bias": {"rate": 0.5}},
    "layer2": {"kernel": {"rate": 0.5, "decay": 0.3}, "bias": {"rate": 2.0, "decay": 1.5}},
}
#: The same, (rate, decay) of every parameter, in the form of the twins.
PAIRS = [[(0.0, 3.0), (0.5, 0.0)], [], [(0.5, 0.3), (2.0, 1.5)]]
RULES = [
    rule("momentum", SGD(momentum=0.8, nesterov=False), naive.sgd),
    rule("nesterov", SGD(), naive.sgd),
    rule("adam", Adam(), naive.adam),
]

every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
rules = pytest.mark.parametrize("case", RULES, ids=names(RULES))


@dataclass
class Problem:
    """A classifier with more parameters than two chunks hold, and data for twelve batches."""

    loss: LossCase
    stack: list[LayerCase]
    program: Program
    theta: np.ndarray
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    order: np.ndarray

    def train(self, optimizer, **options):
        """Train with an average, whether or not much is kept of it."""
        targets = self.loss.loss.targets(self.y, self.weight, self.program.dtype)
        return train(
            self.program, self.theta, self.X, targets, optimizer, order=self.order, batch_size=5,
            averaged=True, **{"rate": 0.05} | options,
        )  # fmt: skip

    def assert_equals_twin(self, got, twin, factor=1.0, factors=None, **options):
        """Losses with their penalty, parameters and average are those of the obvious loop."""
        dtype, parts = self.program.dtype, partial(parameters_of, self.stack, self.program)
        parameters, average = parts(self.theta), parts(self.theta)
        losses = naive_training.train(
            self.stack, parameters, self.X.astype("float64"), self.loss.naive, self.y, self.weight,
            np.finfo(dtype).eps, order=self.order, batch_size=5, rule=twin, rate=0.05,
            factors=factors, average=average, **options,
        )  # fmt: skip
        assert_close(got.losses, losses, dtype, factor)
        assert_parameters_close(parts(got.theta), parameters, dtype, factor)
        assert_parameters_close(parts(got.average), average, dtype, factor)


def problem(dtype="float64", factors=None, units=150):
    rng, loss = np.random.default_rng(0), BY_NAME["multiclass"]
    stack = [dense(units), activation("tanh"), dense(3)]
    layers = stack
    if factors is not None:
        first, last = (Grouped(n, factors[k]) for n, k in ((units, "layer0"), (3, "layer2")))
        layers = [first, stack[1], last]
    program = build(layers, 61, dtype, loss.loss)
    X, y, weight = sample(rng, loss, 40, 61, dtype)
    theta = draw_theta(program, rng, 0.1)
    return Problem(loss, stack, program, theta, X, y, weight, rng.permutation(np.arange(60) % 40))


# --- against the twin ------------------------------------------------------------------------


@every_option
@rules
def test_step_equals_naive(case, options):
    """After twelve batches, over parameters of several chunks."""
    given = problem()
    assert given.program.n_theta > 2 * CHUNK
    got = given.train(case.optimizer, **options)
    given.assert_equals_twin(got, case.naive, **options)


@every_option
def test_step_equals_naive_in_float32(options):
    """By plain descent, which does not enlarge the rounding of a small gradient."""
    given = problem("float32")
    given.assert_equals_twin(given.train(SGD(), **options), naive.sgd, factor=10, **options)


def test_every_option_acts():
    """The comparisons above see clipped and whole gradients, columns at the limit and below."""
    given = problem()
    plain = given.train(SGD())
    for name, options in OPTIONS.items():
        got = given.train(SGD(), **options)
        same = name in ("plain", "average")
        assert np.array_equal(got.theta, plain.theta) == same, name
        assert np.array_equal(got.average, got.theta) == ("average_keep" not in options), name
    kernel = given.program.layers["layer0"]["kernel"].view(given.train(SGD(), max_norm=0.8).theta)
    norms = np.linalg.norm(kernel, axis=0)
    assert norms.max() == pytest.approx(0.8, rel=1e-12)
    assert 0 < (norms < 0.8 - 1e-6).sum() < norms.size - 1
    lengths = [np.linalg.norm(g) for g in gradients_along(given)]
    assert min(lengths) < OPTIONS["clipnorm"]["clipnorm"] < max(lengths)


def gradients_along(given):
    """The gradient of every batch, at the parameters before training."""
    for first in range(0, 60, 5):
        rows = given.order[first : first + 5]
        targets = given.loss.loss.targets(given.y[rows], given.weight[rows], "float64")
        yield Gradient(given.program, given.X[rows], targets).gradient(given.theta)


@dtypes
@every_option
@pytest.mark.parametrize("optimizer", [SGD(), Adam()], ids=["sgd", "adam"])
def test_step_does_not_depend_on_n_jobs(optimizer, options, dtype):
    given = problem(dtype)
    alone = given.train(optimizer, **options)
    assert np.isfinite(alone.theta).all()
    for n_jobs in (2, 3):
        assert_same_bits(given.train(optimizer, n_jobs=n_jobs, **options), alone)


@dtypes
def test_few_parameters_for_many_threads(dtype):
    """One chunk: the other threads wait with it."""
    given = problem(dtype, units=2)
    alone = given.train(Adam(), **OPTIONS["all"])
    for n_jobs in (2, 3, 4):
        assert_same_bits(given.train(Adam(), n_jobs=n_jobs, **OPTIONS["all"]), alone)


def test_slices_are_one():
    """The average begins with the first batch of all, not of every call."""
    given = problem()
    whole = given.train(Adam(), **OPTIONS["all"])
    for slices in (2, 5, 12):
        assert_same_bits(given.train(Adam(), slices=slices, **OPTIONS["all"]), whole)


# --- groups ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_groups_of_parameters(case):
    """A rate of 0 freezes, 0.5 halves; factors multiply the penalty and the decay."""
    given = problem(factors=FACTORS, units=20)
    options = OPTIONS["all"] | {"clipnorm": 1.0}
    got = given.train(case.optimizer, **options)
    given.assert_equals_twin(got, case.naive, factors=PAIRS, **options)


@dtypes
@every_option
@pytest.mark.parametrize("optimizer", [SGD(), Adam()], ids=["sgd", "adam"])
def test_frozen_parameters_stay_to_the_last_bit(optimizer, options, dtype):
    """And so does its average."""
    given = problem(dtype, FACTORS)
    got = given.train(optimizer, **options)
    places = given.program.layers
    for vector in (got.theta, got.average):
        frozen = places["layer0"]["kernel"]
        np.testing.assert_array_equal(frozen.view(vector), frozen.view(given.theta))
        moved = places["layer0"]["bias"]
        assert (moved.view(vector) != moved.view(given.theta)).all()
    for moment in got.moments:
        assert not places["layer0"]["kernel"].view(moment).any()


def test_gradient_of_the_frozen_does_not_clip_the_rest():
    """The norm is that of what is trained, as in PyTorch, where the rest has no gradient."""
    free = {"layer0": {"kernel": {"rate": 0.0}}, "layer2": {"kernel": {}}}
    given = problem(factors=free)
    # The kernel's gradient is the data, large; that of the other parameters is not.
    given.X *= 100
    plain, clipped = given.train(SGD()), given.train(SGD(), clipnorm=10.0)
    assert_same_bits(clipped, plain)


def test_gradient_alone_changes_nothing():
    given = problem(units=20)
    targets = given.loss.loss.targets(given.y, given.weight, "float64")
    options = {k: v for k, v in OPTIONS["all"].items() if k != "weight_decay"}
    batch = Gradient(given.program, given.X, targets, **options)
    assert batch.gradient(given.theta).any()
    np.testing.assert_array_equal(batch.machine.theta, given.theta)


# --- clipping and max-norm ---------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("name", ["clipnorm", "max_norm"])
def test_a_limit_out_of_reach_is_none(name, dtype):
    given = problem(dtype)
    assert_same_bits(given.train(Adam(), **{name: 1e6}), given.train(Adam()))


def test_clipped_step_has_the_norm():
    """Penalty included: the step of plain descent is as long as rate * clipnorm."""
    given = problem()
    given.order = given.order[:5]
    got = given.train(
        SGD(momentum=0.0, nesterov=False), rate=0.5, clipnorm=0.1, alpha=50.0, l1_ratio=0.5
    )
    assert np.linalg.norm(got.theta - given.theta) == pytest.approx(0.05, rel=1e-12)


@dtypes
def test_max_norm_holds_for_weights_and_their_average(dtype):
    """For every unit, after every step; biases are free."""
    given = problem(dtype)
    for placed in given.program.parameters:
        placed.view(given.theta)[...] *= 10
    got = given.train(Adam(), max_norm=0.7, average_keep=0.9)
    for vector in (got.theta, got.average):
        for layer in given.program.layers.values():
            norms = np.linalg.norm(layer["kernel"].view(vector).astype("float64"), axis=0)
            assert norms.max() <= 0.7 * (1 + 4 * np.finfo(dtype).eps)
        assert np.linalg.norm(given.program.layers["layer0"]["bias"].view(vector)) > 5


def test_nan_is_not_clipped_away():
    given = problem()
    given.X[3, 5] = np.nan
    for name in ("clipnorm", "max_norm"):
        assert np.isnan(given.train(SGD(), **{name: 0.1}).theta).any()


# --- the average -------------------------------------------------------------------------------


@dtypes
def test_first_step_copies(dtype):
    given = problem(dtype)
    given.order = given.order[:5]
    got = given.train(Adam(), average_keep=0.999)
    np.testing.assert_array_equal(got.average, got.theta)


@dtypes
@pytest.mark.parametrize("keep", [0.6, 0.85, 0.9, 0.999])
def test_average_of_what_stands_still_is_that(keep, dtype):
    """To the last bit, though 0.6 and 1 - 0.6 do not add up to 1 in float32."""
    given = problem(dtype)
    given.order = np.tile(given.order, 20)
    got = given.train(SGD(), rate=0.0, average_keep=keep)
    np.testing.assert_array_equal(got.theta, given.theta)
    np.testing.assert_array_equal(got.average, given.theta)


# --- PyTorch -----------------------------------------------------------------------------------


@pytest.fixture
def there(torch):
    """Parameters of PyTorch and what takes a step's gradient there, for the problem's batches."""

    def start(given):
        w = [
            torch.tensor(p.view(given.theta).copy(), requires_grad=True)
            for p in given.program.parameters
        ]
        X, y = torch.tensor(given.X), torch.tensor(given.y[:, 0].astype(int))
        weight = torch.tensor(given.weight)

        def gradient(step):
            rows = given.order[5 * step : 5 * step + 5]
            z = torch.tanh(X[rows] @ w[0] + w[1]) @ w[2] + w[3]
            losses = torch.nn.functional.cross_entropy(z, y[rows], reduction="none")
            for p in w:
                p.grad = None
            (losses @ weight[rows] / weight[rows].sum()).backward()

        return w, gradient

    return start


def twenty_batches():
    given = problem()
    given.order = np.random.default_rng(1).permutation(np.arange(100) % 40)
    return given


def assert_equals_torch(given, theta, w):
    for placed, parameter in zip(given.program.parameters, w, strict=True):
        np.testing.assert_allclose(
            placed.view(theta), parameter.detach().numpy(), rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("clipnorm", [0.5, 3.3])
def test_clipping_equals_torch(clipnorm, there, torch):
    given = twenty_batches()
    w, gradient = there(given)
    optimizer = torch.optim.SGD(w, lr=0.05, momentum=0.8)
    for step in range(20):
        gradient(step)
        norm = torch.nn.utils.get_total_norm([p.grad for p in w])
        # PyTorch divides by norm + 1e-6.
        torch.nn.utils.clip_grad_norm_(w, clipnorm * (norm + 1e-6) / norm)
        optimizer.step()
    got = given.train(SGD(momentum=0.8, nesterov=False), clipnorm=clipnorm)
    assert_equals_torch(given, got.theta, w)


def test_decay_equals_torch(there, torch):
    """Weights alone are decayed there: biases are a group of their own."""
    given = twenty_batches()
    w, gradient = there(given)
    groups = [
        {"params": [p for p in w if p.ndim == 2], "weight_decay": 0.7},
        {"params": [p for p in w if p.ndim == 1], "weight_decay": 0.0},
    ]
    # PyTorch adds epsilon to a corrected root: none of it is left here.
    optimizer = torch.optim.AdamW(groups, lr=0.05, eps=1e-30)
    for step in range(20):
        gradient(step)
        optimizer.step()
    got = given.train(AdamW(epsilon=1e-30, weight_decay=0.7))
    assert_equals_torch(given, got.theta, w)


def test_average_equals_torch(there, torch):
    given = twenty_batches()
    w, gradient = there(given)
    optimizer = torch.optim.SGD(w, lr=0.05)
    average = [p.detach().clone() for p in w]
    for step in range(20):
        gradient(step)
        optimizer.step()
        for mean, p in zip(average, w, strict=True):
            mean.lerp_(p.detach(), 0.2 if step else 1.0)
    got = given.train(SGD(momentum=0.0, nesterov=False), average_keep=0.8)
    assert_equals_torch(given, got.average, average)
