"""Optimizers: a hundred steps against the twins, scikit-learn's and PyTorch's; what each is for."""

import itertools

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from helpers.comparison import assert_close
from helpers.naive import optimizers as naive
from helpers.optimizer_cases import OPTIMIZERS, RMSPROP
from helpers.parametrize import dtypes, names
from sklearn_nn import training
from sklearn_nn.training import optimizers
from sklearn_nn.training.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    OptimizerState,
    RMSprop,
    get_optimizer,
)
from sklearn_nn.training.schedules import Constant

N, STEPS, RATE = 37, 100, 0.02
RULES = [*OPTIMIZERS, RMSPROP]
rules = pytest.mark.parametrize("case", RULES, ids=names(RULES))


def start(dtype="float64"):
    """Parameters, and the gradients of a hundred steps."""
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(N).astype(dtype)
    scales = 10.0 ** rng.uniform(-3, 1, N)
    return theta, (scales * rng.standard_normal((STEPS, N))).astype(dtype)


def fresh_moments(optimizer, theta):
    return OptimizerState.start(optimizer, Constant(), RATE, theta).moments


def descend(optimizer, theta, gradients, *, rate=RATE, factor=1.0, lo=0, hi=None):
    """The parameters after each step, and the moments. Decay is done here, as by the machine."""
    theta, hi = theta.copy(), theta.size if hi is None else hi
    moments = fresh_moments(optimizer, theta)
    scalars = optimizer.scalars(np.arange(1, len(gradients) + 1), np.full(len(gradients), rate))
    path = []
    for row, gradient in zip(scalars, gradients, strict=True):
        theta[lo:hi] *= 1 - rate * factor * optimizer.weight_decay
        optimizer.kernel(row, factor, lo, hi, theta, gradient, moments)
        path.append(theta.copy())
    return np.array(path), moments


def ours(optimizer, dtype="float64", **options):
    path, moments = descend(optimizer, *start(dtype), **options)
    return path[-1], moments


def steps_of(optimizer, gradients, dtype="float64", **options):
    """Return the size of each update of one parameter against its gradients, from 0."""
    gradients = np.asarray(gradients, dtype)[:, None]
    path, _ = descend(optimizer, np.zeros(1, dtype), gradients, **options)
    return -np.diff(path[:, 0], prepend=0)


def twin(naive_step, theta, gradients, rate=RATE):
    theta, gradients = theta.astype("float64"), gradients.astype("float64")
    moments = np.zeros((3, theta.size))
    for t, gradient in enumerate(gradients, 1):
        naive_step(theta, gradient, moments, t, rate)
    return theta


def assert_equal(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


# --- against others --------------------------------------------------------------------------


@dtypes
@rules
def test_equals_naive(case, dtype):
    got, expected = ours(case.optimizer, dtype)[0], twin(case.naive, *start(dtype))
    assert got.dtype == dtype
    if dtype == "float64":
        assert_equal(got, expected)
    else:
        assert_close(got, expected, dtype, factor=10)


def test_every_optimizer_has_a_row():
    classes = {type(case.optimizer) for case in RULES}
    assert classes == set(optimizers.OPTIMIZERS.values())
    exported = {getattr(training, name) for name in optimizers.__all__}
    assert exported == classes | {Optimizer}


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_sgd_equals_scikit_learn(momentum, nesterov):
    theta, gradients = start()
    reference = SGDOptimizer([theta], RATE, momentum=momentum, nesterov=nesterov)
    for gradient in gradients:
        reference.update_params([theta], [gradient])
    got, moments = ours(SGD(momentum=momentum, nesterov=nesterov))
    assert_equal(got, theta)
    assert_equal(moments[0], reference.velocities[0])


def test_adam_equals_scikit_learn():
    for options in ({}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-4}, {"beta_1": 0.0}):
        theta, gradients = start()
        reference = AdamOptimizer([theta], RATE, **options)
        for gradient in gradients:
            reference.update_params([theta], [gradient])
        got, moments = ours(Adam(**options))
        assert_equal(got, theta)
        assert_equal(moments, [reference.ms[0], reference.vs[0]])


#: Ours, PyTorch's class, its options.
TORCH = [
    (SGD(momentum=0.0, nesterov=False), "SGD", {}),
    (SGD(momentum=0.9, nesterov=False), "SGD", {"momentum": 0.9}),
    (SGD(momentum=0.9, nesterov=True), "SGD", {"momentum": 0.9, "nesterov": True}),
    (Adam(), "Adam", {}),
    (Adam(beta_1=0.5, beta_2=0.9), "Adam", {"betas": (0.5, 0.9)}),
    (AdamW(), "AdamW", {}),
    (AdamW(weight_decay=0.3), "AdamW", {"weight_decay": 0.3}),
    (NAdam(), "NAdam", {}),
    (
        NAdam(beta_1=0.8, beta_2=0.9, epsilon=1e-3, momentum_decay=0.3),
        "NAdam",
        {"betas": (0.8, 0.9), "eps": 1e-3, "momentum_decay": 0.3},
    ),
    (Adamax(), "Adamax", {}),
    (Adamax(beta_1=0.8, beta_2=0.9, epsilon=1e-3), "Adamax", {"betas": (0.8, 0.9), "eps": 1e-3}),
    (Adadelta(), "Adadelta", {}),
    (Adadelta(rho=0.7, epsilon=1e-3), "Adadelta", {"rho": 0.7, "eps": 1e-3}),
    # From 0, and without an epsilon, PyTorch's are the same as Keras's.
    (Adagrad(initial_accumulator_value=0.0, epsilon=1e-30), "Adagrad", {"eps": 0.0}),
    (RMSprop(epsilon=1e-30), "RMSprop", {"alpha": 0.9, "eps": 0.0}),
    (
        RMSprop(rho=0.8, momentum=0.7, centered=True, epsilon=1e-30),
        "RMSprop",
        {"alpha": 0.8, "momentum": 0.7, "centered": True, "eps": 0.0},
    ),
]


@pytest.mark.parametrize(
    ("optimizer", "name", "options"), TORCH, ids=[repr(row[0]) for row in TORCH]
)
def test_equals_torch(torch, optimizer, name, options, rng):
    """On gradients of order 1: there it does not matter where Adam adds its epsilon."""
    theta = rng.standard_normal(N)
    gradients = rng.uniform(0.5, 2, (STEPS, N)) * rng.choice([-1.0, 1.0], (STEPS, N))
    parameter = torch.tensor(theta, requires_grad=True)
    theirs = getattr(torch.optim, name)([parameter], lr=RATE, **options)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        theirs.step()
    got = descend(optimizer, theta, gradients)[0][-1]
    np.testing.assert_allclose(got, parameter.detach().numpy(), rtol=0, atol=1e-6)
    assert np.abs(got - theta).max() > 1e-3


def test_adam_equals_torch_without_epsilon(torch):
    """On gradients of any size."""
    theta, gradients = start()
    parameter = torch.tensor(theta, requires_grad=True)
    theirs = torch.optim.Adam([parameter], lr=RATE, eps=1e-30)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        theirs.step()
    assert_equal(ours(Adam(epsilon=1e-30))[0], parameter.detach().numpy())


# --- what each is for ------------------------------------------------------------------------


@dtypes
def test_adagrad_steps_shrink(dtype):
    """Keras's: rate g / sqrt(initial + sum of g^2 + epsilon)."""
    got = steps_of(Adagrad(), np.full(STEPS, 3.0), dtype)
    expected = RATE * 3 / np.sqrt(0.1 + 9 * np.arange(1, STEPS + 1) + 1e-7)
    np.testing.assert_allclose(got, expected, rtol=1e-3 if dtype == "float32" else 1e-10)
    assert (np.diff(got) < 0).all()


def test_adagrad_begins_where_it_is_told():
    assert fresh_moments(Adagrad(initial_accumulator_value=0.7), np.zeros(5)).tolist() == [
        [0.7] * 5
    ]
    assert steps_of(Adagrad(initial_accumulator_value=8.0, epsilon=1.0), [4.0]) == pytest.approx(
        [RATE * 4 / 5]
    )


def test_rmsprop_is_keras_formula():
    """Written out for one parameter, with what it keeps in variables of their own."""
    gradients = np.random.default_rng(3).standard_normal(STEPS)
    for momentum, centered in itertools.product((0.0, 0.6), (False, True)):
        velocity = last_step = average = 0.0
        expected = []
        for g in gradients:
            velocity = 0.9 * velocity + 0.1 * g * g
            average = 0.9 * average + 0.1 * g
            denominator = velocity - average**2 + 1e-7 if centered else velocity + 1e-7
            last_step = momentum * last_step + RATE * g / denominator**0.5
            expected.append(last_step)
        optimizer = RMSprop(momentum=momentum, centered=centered)
        assert_equal(steps_of(optimizer, gradients), expected)
        assert optimizer.n_moments == 1 + (momentum > 0) + centered


def test_rmsprop_forgets():
    """Adagrad never takes its full step again after one large gradient; rmsprop does."""
    gradients = [1e3] + [1.0] * 300
    assert steps_of(RMSprop(), gradients)[-1] == pytest.approx(RATE, rel=1e-3)
    assert steps_of(Adagrad(), gradients)[-1] < 0.01 * RATE


def test_rmsprop_momentum_adds_up_steps():
    """With momentum mu, a constant gradient's steps come to 1 / (1 - mu) of the rate."""
    got = steps_of(RMSprop(momentum=0.75), np.full(400, 2.0))
    assert got[-1] == pytest.approx(4 * RATE, rel=1e-6)


def test_rmsprop_centered_divides_by_the_deviation():
    """Gradients of 10 +- 1 deviate by 1, though their mean square is 101."""
    gradients = 10 + (-1.0) ** np.arange(2000)
    got = steps_of(RMSprop(rho=0.99, centered=True), gradients)[-2:]
    np.testing.assert_allclose(got, RATE * gradients[-2:], rtol=0.02)
    got = steps_of(RMSprop(rho=0.99), gradients)[-2:]
    np.testing.assert_allclose(got, RATE * gradients[-2:] / np.sqrt(101), rtol=0.02)


@dtypes
def test_rmsprop_centered_survives_rounding(dtype):
    """The variance of a constant gradient is 0, and may round to less than that."""
    gradients = np.random.default_rng(0).uniform(10, 1e4, 50) * np.ones((1000, 1))
    for rho in (0.5, 0.8, 0.9, 0.95, 0.99):
        optimizer = RMSprop(rho=rho, centered=True)
        path, _ = descend(optimizer, np.zeros(50, dtype), gradients.astype(dtype))
        assert np.isfinite(path).all()


def test_adam_takes_equal_steps_for_all_scales():
    for size in (1e-3, 1.0, 1e4):
        got = steps_of(Adam(), np.full(STEPS, size))
        np.testing.assert_allclose(got, RATE, rtol=1e-3)


def test_adamw_carries_its_decay_and_moves_as_adam():
    assert (AdamW().weight_decay, Adam().weight_decay, Lion().weight_decay) == (0.01, 0.0, 0.0)
    assert AdamW().kernel is Adam.kernel
    theta, gradients = start()
    assert_equal(ours(AdamW(weight_decay=0.0))[0], ours(Adam())[0])
    for optimizer, step in (
        (AdamW(weight_decay=0.2), naive.adamw),
        (Lion(weight_decay=0.2), naive.lion),
    ):
        expected = twin(lambda *given, s=step: s(*given, weight_decay=0.2), theta, gradients)
        assert_equal(ours(optimizer)[0], expected)
        assert OptimizerState.start(optimizer, Constant(), 0.1, theta).weight_decay == 0.2


def test_nadam_looks_ahead():
    """After a gradient turns, nadam turns before adam does."""
    gradients = [1.0] * 20 + [-1.0] * 20
    turned = [np.argmax(steps_of(rule, gradients) < 0) for rule in (NAdam(), Adam())]
    assert 20 <= turned[0] < turned[1]


def test_nadam_momentum_is_a_product_over_all_steps():
    """The closed form: rates of g and of m from momenta multiplied one after another."""
    optimizer = NAdam(beta_1=0.95, momentum_decay=0.02)
    steps = np.arange(1, 3001)
    momenta = [0.95 * (1 - 0.5 * 0.96 ** (0.02 * t)) for t in range(1, 3002)]
    scalars, product = optimizer.scalars(steps, RATE), 1.0
    for t in range(3000):
        product *= momenta[t]
        rate_g = RATE * (1 - momenta[t]) / (1 - product)
        rate_m = RATE * momenta[t + 1] / (1 - product * momenta[t + 1])
        assert scalars[t, 0] == pytest.approx(rate_g, rel=1e-14)
        assert scalars[t, 4] == pytest.approx(rate_m, rel=1e-14)


def test_nadam_stops_multiplying_where_it_makes_no_difference(monkeypatch):
    """A late step costs no more than an early one, to the same bits."""
    lengths = []
    monkeypatch.setattr(
        np, "cumprod", lambda a: lengths.append(a.size) or np.multiply.accumulate(a)
    )
    for beta_1 in (0.0, 0.5, 0.9, 0.99):
        optimizer = NAdam(beta_1=beta_1, momentum_decay=1.0)
        steps = np.arange(1, 20_001)
        momenta = optimizer._momentum(np.arange(1, 20_002))
        products = np.multiply.accumulate(momenta)
        scalars = optimizer.scalars(steps, 1.0)
        np.testing.assert_array_equal(scalars[:, 0], (1 - momenta[:-1]) / (1 - products[:-1]))
        np.testing.assert_array_equal(
            scalars[:, 4], momenta[1:] / (1 - products[:-1] * momenta[1:])
        )
    assert max(lengths) < 5000


def test_adamax_remembers_the_largest_gradient():
    """Steps never exceed the rate, and a large gradient fades by beta_2 a step."""
    assert_equal(steps_of(Adamax(epsilon=0.0), np.full(STEPS, 7.0)), RATE)
    optimizer = Adamax(beta_1=0.0, beta_2=0.5)
    got = steps_of(optimizer, [8.0, 1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(got, RATE * np.array([1, 1 / 4, 1 / 2, 1, 1]), rtol=1e-7)


def test_adadelta_does_not_depend_on_scale():
    gradients = np.random.default_rng(1).standard_normal(STEPS)
    got = [steps_of(Adadelta(epsilon=1e-10), size * gradients) for size in (1.0, 1e3, 1e6)]
    np.testing.assert_allclose(got[1], got[0], rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(got[2], got[1], rtol=1e-7, atol=1e-12)


def test_adadelta_steps_grow_from_small_ones():
    got = steps_of(Adadelta(), np.ones(1000), rate=1.0)
    assert got[0] == pytest.approx(np.sqrt(10 * 1e-6), rel=1e-4)
    assert got[-1] > 2 * got[0]


@dtypes
def test_lion_steps_have_the_size_of_the_rate(dtype):
    theta, gradients = start(dtype)
    path, _ = descend(Lion(), theta, gradients)
    moves = np.abs(np.diff(path, axis=0, prepend=theta[None]))
    np.testing.assert_allclose(moves, RATE, rtol=2e-5 if dtype == "float32" else 1e-12)
    assert steps_of(Lion(), [0.0, 0.0]).tolist() == [0, 0]


def test_lion_follows_the_mean():
    """One small gradient against the mean does not turn it."""
    got = steps_of(Lion(), [1.0] * 50 + [-0.1, -100.0])
    np.testing.assert_allclose(got[-2:], [RATE, -RATE])


@rules
def test_goes_downhill(case, rng):
    """A bowl whose axes differ by a thousand; two need rates of another order."""
    curvature = np.logspace(-1.5, 1.5, 20)
    theta = rng.standard_normal(20)
    before = curvature @ theta**2
    moments = fresh_moments(case.optimizer, theta)
    rate = {Adagrad: 0.5, Adadelta: 0.1}.get(type(case.optimizer), 0.005)
    for row in case.optimizer.scalars(np.arange(1, 2001), rate):
        case.optimizer.kernel(row, 1.0, 0, 20, theta, curvature * theta, moments)
    assert curvature @ theta**2 < 0.05 * before


# --- what all have in common -------------------------------------------------------------------


@rules
def test_rate_factor(case):
    """It multiplies the learning rate, step by step."""
    theta, gradients = start()
    expected = twin(case.naive, theta, gradients, 0.3 * RATE)
    assert_equal(ours(case.optimizer, factor=0.3)[0], expected)
    assert_equal(ours(case.optimizer, factor=0.0)[0], theta)


@dtypes
@rules
def test_a_span_is_updated_alone(case, dtype):
    whole, whole_moments = ours(case.optimizer, dtype)
    part, part_moments = ours(case.optimizer, dtype, lo=5, hi=22)
    before = start(dtype)[0]
    fresh = fresh_moments(case.optimizer, before)
    np.testing.assert_array_equal(part[5:22], whole[5:22])
    np.testing.assert_array_equal(part_moments[:, 5:22], whole_moments[:, 5:22])
    for outside in (slice(5), slice(22, None)):
        np.testing.assert_array_equal(part[outside], before[outside])
        np.testing.assert_array_equal(part_moments[:, outside], fresh[:, outside])


@dtypes
@rules
@pytest.mark.parametrize("epsilon", [None, 0.0, 1e-60])
def test_gaps_stay_zero(case, dtype, epsilon):
    """Between parameters theta and gradient are 0, and 0 / 0 would be NaN."""
    optimizer = clone(case.optimizer)
    if epsilon is not None and hasattr(optimizer, "epsilon"):
        optimizer.set_params(epsilon=epsilon)
    if epsilon is not None and isinstance(optimizer, Adagrad):
        optimizer.set_params(initial_accumulator_value=0.0)
    path, moments = descend(optimizer, np.zeros(9, dtype), np.zeros((STEPS, 9), dtype))
    assert not path.any()
    assert np.isfinite(moments).all()


@rules
def test_scalars_continue(case):
    """Whatever steps are asked for, a step has its own numbers, to the bit: training resumes."""
    steps = np.arange(1, 3001)
    rates = np.random.default_rng(0).uniform(0.1, 0.2, 3000)
    together = case.optimizer.scalars(steps, rates)
    assert together.dtype == np.float64
    assert np.isfinite(together).all()
    for k in [*range(20), *range(20, 3000, 97)]:
        alone = case.optimizer.scalars(steps[k : k + 1], rates[k : k + 1])
        np.testing.assert_array_equal(alone[0], together[k])
    for first in (0, 1, 7, 390, 1234):
        for n in (2, 3, 9, 16, 500):
            some = case.optimizer.scalars(steps[first : first + n], rates[first : first + n])
            np.testing.assert_array_equal(some, together[first : first + n])


@dtypes
@rules
def test_resumes_to_the_bit(case, dtype):
    theta, gradients = start(dtype)
    straight, moments = ours(case.optimizer, dtype)
    kept = fresh_moments(case.optimizer, theta)
    for first, last in itertools.pairwise((0, 1, 14, 60, STEPS)):
        theta, kept = theta.copy(), kept.copy()
        scalars = case.optimizer.scalars(np.arange(first + 1, last + 1), RATE)
        for row, gradient in zip(scalars, gradients[first:last], strict=True):
            case.optimizer.kernel(row, 1.0, 0, N, theta, gradient, kept)
    np.testing.assert_array_equal(theta, straight)
    np.testing.assert_array_equal(kept, moments)


@rules
def test_descent_hands_out_steps(case):
    descent = OptimizerState.start(case.optimizer, Constant(), 0.5, np.zeros(4, "float32"))
    assert descent.moments.shape == (case.optimizer.n_moments, 4)
    assert descent.moments.dtype == np.float32
    for row, value in zip(descent.moments, case.optimizer.initial_moments(), strict=True):
        assert (row == np.float32(value)).all()
    first = descent.update(3)
    np.testing.assert_array_equal(
        first.scalars, case.optimizer.scalars(np.arange(1, 4), np.full(3, 0.5))
    )
    descent.step += 3
    np.testing.assert_array_equal(
        descent.update(2).scalars, case.optimizer.scalars(np.array([4, 5]), np.full(2, 0.5))
    )
    assert first.moments is descent.moments
    assert first.kernel_at == case.optimizer.kernel.address("float32")


@rules
def test_is_a_plain_value(case):
    assert clone(case.optimizer) == case.optimizer


@rules
def test_nan_gradient_shows(case):
    theta = np.ones(3)
    gradient = np.array([1.0, np.nan, 1.0])
    path, _ = descend(case.optimizer, theta, [gradient], rate=0.1)
    assert np.isnan(path[-1]).tolist() == [False, True, False]


def test_base_asks_for_what_is_missing():
    with pytest.raises(TypeError, match="Optimizer must define scalars"):
        Optimizer().scalars(np.array([1]), np.array([0.1]))
    with pytest.raises(TypeError, match="Optimizer must define initial_moments"):
        _ = Optimizer().n_moments


# --- by name -----------------------------------------------------------------------------------

SHARED = {"momentum": 0.7, "nesterovs_momentum": False, "beta_1": 0.8, "beta_2": 0.95}
SHARED |= {"epsilon": 1e-3, "alpha": 5.0}
BY_NAME = {
    "sgd": SGD(momentum=0.7, nesterov=False),
    "adagrad": Adagrad(),
    "rmsprop": RMSprop(),
    "adam": Adam(beta_1=0.8, beta_2=0.95, epsilon=1e-3),
    "adamw": AdamW(beta_1=0.8, beta_2=0.95, epsilon=1e-3),
    "nadam": NAdam(beta_1=0.8, beta_2=0.95, epsilon=1e-3),
    "adamax": Adamax(beta_1=0.8, beta_2=0.95, epsilon=1e-3),
    "adadelta": Adadelta(),
    "lion": Lion(),
}


def test_by_name():
    """A name takes from an estimator what is the estimator's, and the rest from the class."""
    assert set(optimizers.OPTIMIZERS) == set(BY_NAME)
    for name, expected in BY_NAME.items():
        assert get_optimizer(name, SHARED) == expected
        assert get_optimizer(name, {}) == type(expected)()
    assert get_optimizer("adam", {"beta_2": 0.9}) == Adam(beta_2=0.9)


def test_an_object_comes_back():
    optimizer = Lion(beta_1=0.5)
    assert get_optimizer(optimizer, SHARED) is optimizer


@pytest.mark.parametrize("solver", ["sdg", "Adam", "", None, 3, Adam, ["adam"]])
def test_unknown_name(solver):
    with pytest.raises(ValueError) as error:
        get_optimizer(solver, SHARED)
    assert str(error.value).startswith(f"solver={solver!r} is not known; use one of sgd, ")
    assert all(name in str(error.value) for name in BY_NAME)


@pytest.mark.parametrize("kind", optimizers.OPTIMIZERS.values(), ids=lambda kind: kind.__name__)
def test_values_need_names(kind):
    """In other libraries the first value is the learning rate; here it would be another one."""
    with pytest.raises(TypeError, match=r"by name only, but got 0\.001; they are .*_init of the"):
        kind(0.001)
