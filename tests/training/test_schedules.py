"""Schedules against closed forms, scikit-learn's, PyTorch's, and a loop that remembers."""

import math
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

from sklearn_nn import training
from sklearn_nn.training.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    CosLog4,
    Exponential,
    FlatCos,
    Function,
    InverseScaling,
    InverseTime,
    Listed,
    OneCycle,
    Plateau,
    Polynomial,
    Progress,
    Schedule,
    StepDecay,
    get_schedule,
)

EPOCHS, PER_EPOCH = 12, 50
TOTAL = EPOCHS * PER_EPOCH

#: One or more of each class, with parameters of their own.
EXAMPLES = [
    *(kind() for kind in SCHEDULES.values()),
    InverseScaling(0.3),
    Adaptive(1e-3),
    StepDecay(0.7, 3),
    Exponential(0.8),
    InverseTime(2.0),
    Polynomial(0.9, 0.1),
    Cosine(1.5, 2, 0.05),
    OneCycle(0.2, 10.0, 100.0),
    Plateau(0.5, 3, 0.01, 1e-4, "loss"),
    Function(math.exp),
]
IDS = [repr(example) for example in EXAMPLES]


def progress(steps, samples_seen=0, per_epoch=PER_EPOCH, epochs=EPOCHS):
    return Progress(np.asarray(steps, np.int64), per_epoch, epochs, samples_seen)


def name(value):
    """A test's name: nothing with an address in it."""
    return type(value).__name__ if isinstance(value, Function) or callable(value) else repr(value)


def at(schedule, *steps, **where):
    """Factors at some steps."""
    return np.asarray(schedule.factors(progress(steps, **where)))


def curve(schedule, per_epoch=PER_EPOCH, epochs=EPOCHS):
    """Factors of a whole training."""
    return at(schedule, *range(per_epoch * epochs), per_epoch=per_epoch, epochs=epochs)


@pytest.mark.parametrize("schedule", [Constant(), Schedule()])
def test_constant(schedule):
    assert schedule.factors(progress([0, 1])) == 1.0
    assert schedule.after_epoch(0.3, {"loss": [1.0], "learning_rate": [0.3]}) == 0.3
    assert schedule.at_plateau(0.3) is None


@pytest.mark.parametrize("power_t", [0.0, 0.5, 1.3])
def test_inverse_scaling(power_t):
    reference = SGDOptimizer([], 0.4, lr_schedule="invscaling", power_t=power_t)
    schedule = InverseScaling(power_t)
    assert schedule.factors(progress([0, 1])) == 1.0  # scikit-learn's first epoch
    for seen in range(0, 2000, 150):
        reference.iteration_ends(seen)
        factor = schedule.factors(progress([7, 8], seen))
        assert isinstance(factor, float)
        assert 0.4 * factor == pytest.approx(reference.learning_rate, rel=1e-15)
    assert schedule.after_epoch(0.4, {}) == 0.4
    assert schedule.at_plateau(0.4) is None
    assert reference.trigger_stopping("", False)


def test_adaptive():
    reference = SGDOptimizer([], 0.4, lr_schedule="adaptive")
    schedule, rate = Adaptive(), 0.4
    for _ in range(100):
        reference.iteration_ends(100)
        rate = schedule.after_epoch(rate, {}) * schedule.factors(progress([100]))
        stops, lower = reference.trigger_stopping("", False), schedule.at_plateau(rate)
        assert stops == (lower is None)
        if stops:
            break
        rate = lower
        assert rate == reference.learning_rate
    else:
        pytest.fail("never stops")
    assert Adaptive(0.01).at_plateau(0.011) == 0.011 / 5
    assert Adaptive(0.01).at_plateau(0.01) is None


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        # Steps 0, 25, 50, 300 (half of it), 599 (the last), 700 (beyond), of 12 epochs of 50.
        (StepDecay(0.5, 6), [1, 1, 1, 0.5, 0.5, 0.25]),
        (StepDecay(0.1, 1), [1, 1, 0.1, 1e-6, 1e-11, 1e-14]),
        (Exponential(0.81), [1, 0.9, 0.81, 0.81**6, 0.81 ** (599 / 50), 0.81**14]),
        (InverseTime(0.5), [1, 1 / 1.25, 1 / 1.5, 1 / 4, 1 / 6.99, 1 / 8]),
        (Polynomial(), [1, 23 / 24, 11 / 12, 0.5, 1 / 600, 0]),
        (Polynomial(2.0, 0.2), [*(0.2 + 0.8 * (1 - s / 600) ** 2 for s in (0, 25, 50, 300, 599)),
                                0.2]),
        (FlatCos(), [1, 1, 1, 1, (1 + math.cos(math.pi * 299 / 300)) / 2, 0]),
        (Cosine(), [*((1 + math.cos(math.pi * s / 600)) / 2 for s in (0, 25, 50)), 0.5,
                    (1 + math.cos(math.pi * 599 / 600)) / 2, 0]),
        (Cosine(end=0.2, restarts=1), [*(0.6 + 0.4 * math.cos(math.pi * s / 300)
                                         for s in (0, 25, 50, 0, 299)), 0.2]),
        (Cosine(warmup=1.0), [1 / 50, 26 / 50, 1, *((1 + math.cos(math.pi * s / 550)) / 2
                                                    for s in (250, 549)), 0]),
        (Cosine(warmup=0.5), [1 / 25, 1, *((1 + math.cos(math.pi * s / 575)) / 2
                                           for s in (25, 275, 574)), 0]),
        (CosLog4(), [*((1 - math.cos(2 * math.pi * math.log2(1 + 15 * s / 600))) / 2
                       for s in (0, 25, 50, 300, 599)), 0]),
        (Function(lambda epoch: 1 / (1 + epoch)), [1, 1 / 1.5, 1 / 2, 1 / 7, 1 / 12.98, 1 / 15]),
    ],
    ids=name,
)  # fmt: skip
def test_closed_forms(schedule, expected):
    got = at(schedule, 0, 25, 50, 300, 599, 700)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)
    assert got.dtype == np.float64
    assert schedule.after_epoch(0.3, {}) == 0.3
    assert schedule.at_plateau(0.3) is None


def test_shapes_of_curves():
    """Compare with the figures in the papers."""
    waves = curve(CosLog4(), per_epoch=1000, epochs=15)
    # Peaks at log2(1 + 15 t) = 1/2, 3/2, ...; zeros at 0, 1, 2, 3 and 4.
    peaks = 15000 * (2.0 ** np.array([0.5, 1.5, 2.5, 3.5]) - 1) / 15
    np.testing.assert_allclose(
        at(CosLog4(), *peaks.round(), per_epoch=15000, epochs=1), 1, atol=1e-6
    )
    np.testing.assert_allclose(waves[[0, 1000, 3000, 7000]], 0, atol=1e-12)
    flat = curve(FlatCos())
    assert (flat[: TOTAL // 2 + 1] == 1).all()
    assert (np.diff(flat[TOTAL // 2 :]) < 0).all()
    cycle = curve(OneCycle())
    assert cycle[0] == pytest.approx(1 / 25)
    assert cycle.argmax() == 0.3 * TOTAL - 1
    assert cycle.max() == 1
    assert cycle[-1] == pytest.approx(1 / 25e4, rel=1e-9)
    assert at(OneCycle(), TOTAL, TOTAL + 7) == pytest.approx(cycle[-1])
    restarts = curve(Cosine(warmup=2.0, restarts=4))
    assert np.flatnonzero(restarts == 1).tolist() == [99, 100, 200, 300, 400, 500]


@pytest.mark.parametrize("restarts", [0, 1, 2, 6, 10, 48])
@pytest.mark.parametrize("warmup", [0.0, 1.0, 3.0])
def test_restarts_fall_on_their_step(warmup, restarts):
    """Rounding must not let a restart come a step late."""
    per_epoch = 7
    epochs = (restarts + 1) * 3 + int(warmup)
    got = curve(Cosine(warmup, restarts), per_epoch, epochs)
    starts = int(warmup) * per_epoch + 3 * per_epoch * np.arange(restarts + 1)
    assert (got[starts] == 1).all()


@pytest.mark.parametrize(("per_epoch", "epochs"), [(1, 1), (1, 2), (2, 1), (3, 1), (1, 10)])
@pytest.mark.parametrize("pct_start", [0.0, 0.1, 0.3, 0.5, 1.0])
def test_short_cycles(per_epoch, epochs, pct_start):
    """A rise or a fall without steps is no division by zero."""
    total = per_epoch * epochs
    got = at(OneCycle(pct_start), *range(total + 2), per_epoch=per_epoch, epochs=epochs)
    assert (got >= 1 / 25e4 * 0.999).all()
    assert (got <= 1).all()
    np.testing.assert_allclose(got[total:], 1 / 25e4)


def torch_rates(make, n=TOTAL):
    """The rates of a scheduler of PyTorch's over a base rate of 1."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR calls what PyTorch itself deprecates
        scheduler = make(torch.optim.lr_scheduler, optimizer)
        for _ in range(n):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return np.array(rates)


def warmed_up(lr, optimizer):
    rise = lr.LinearLR(optimizer, start_factor=1 / 100, total_iters=99)
    fall = lr.CosineAnnealingLR(optimizer, TOTAL - 100, eta_min=0.1)
    return lr.SequentialLR(optimizer, [rise, fall], [100])


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        (StepDecay(0.3, 2), lambda lr, o: lr.StepLR(o, 2 * PER_EPOCH, 0.3)),
        (Exponential(0.9), lambda lr, o: lr.ExponentialLR(o, 0.9 ** (1 / PER_EPOCH))),
        (Polynomial(1.7), lambda lr, o: lr.PolynomialLR(o, TOTAL, 1.7)),
        (Polynomial(1.0, 0.25), lambda lr, o: lr.LinearLR(o, 1, 0.25, TOTAL)),
        (Cosine(), lambda lr, o: lr.CosineAnnealingLR(o, TOTAL)),
        (Cosine(end=0.2), lambda lr, o: lr.CosineAnnealingLR(o, TOTAL, eta_min=0.2)),
        (Cosine(restarts=3), lambda lr, o: lr.CosineAnnealingWarmRestarts(o, TOTAL // 4)),
        (Cosine(warmup=2.0, end=0.1), warmed_up),
        (OneCycle(), lambda lr, o: lr.OneCycleLR(o, 1.0, TOTAL, cycle_momentum=False)),
        (OneCycle(0.123, 7.0, 30.0), lambda lr, o: lr.OneCycleLR(
            o, 1.0, TOTAL, pct_start=0.123, cycle_momentum=False, div_factor=7.0,
            final_div_factor=30.0)),
    ],
    ids=name,
)  # fmt: skip
def test_against_torch(schedule, make):
    got, expected = curve(schedule), torch_rates(make)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=IDS)
def test_a_slice_has_the_same_bits(schedule):
    """Resuming is exact: what a step gets does not depend on the steps around it."""
    n = TOTAL + 30
    whole = np.broadcast_to(schedule.factors(progress(range(n), 77)), n)
    for length in (1, 2, 3, 7, 64):
        parts = []
        for first in range(0, n, length):
            steps = range(first, min(n, first + length))
            parts.append(np.broadcast_to(schedule.factors(progress(steps, 77)), len(steps)))
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert np.size(schedule.factors(progress([], 77))) in (0, 1)


def remembering_plateau(values, rate, factor, patience, min_delta, min_rate):
    """Keras's ReduceLROnPlateau, with its state, in mode "min" and without cooldown."""
    best, wait, rates = np.inf, 0, []
    for value in values:
        rates.append(rate)
        if value < best - min_delta:
            best, wait = value, 0
        else:
            wait += 1
            if wait >= patience and rate > min_rate:
                rate, wait = max(rate * factor, min_rate), 0
    return [*rates, rate]


def test_plateau_against_a_loop_that_remembers():
    reductions = []
    for seed in range(100):
        rng = np.random.RandomState(seed)
        values = np.exp(-np.arange(80) / rng.uniform(5, 60)) + rng.uniform(0, 0.2) * rng.rand(80)
        values[rng.rand(80) < 0.03] = np.nan
        given = {
            "factor": rng.uniform(0.05, 0.95),
            "patience": int(rng.randint(0, 9)),
            "min_delta": rng.choice([0.0, 1e-4, 0.05]),
            "min_rate": rng.choice([0.0, 1e-3, 0.2]),
        }
        expected = remembering_plateau(values.tolist(), 0.5, **given)
        schedule, rate = Plateau(**given), 0.5
        history = {"loss": [], "learning_rate": []}
        for epoch, value in enumerate(values.tolist()):
            assert rate == expected[epoch], f"seed {seed}, epoch {epoch}"
            history["loss"].append(value)
            history["learning_rate"].append(rate)
            rate = clone(schedule).after_epoch(rate, history)
        assert rate == expected[-1]
        reductions.append(len(set(expected)) - 1)
    assert np.mean(np.array(reductions) > 1) > 0.5  # there was something to see
    assert schedule.factors(progress([3])) == 1.0


def test_plateau_watches():
    rates = [1.0] * 3
    better, worse = [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]

    def after(monitor=None, **history):
        return Plateau(0.5, 2, monitor=monitor).after_epoch(
            1.0, {**history, "learning_rate": rates}
        )

    assert after(loss=worse) == 0.5
    assert after(loss=better) == 1.0
    assert after(loss=worse, val_loss=better) == 1.0
    assert after(loss=better, val_loss=worse) == 0.5
    assert after(loss=worse, val_loss=[]) == 0.5
    assert after("loss", loss=better, val_loss=worse) == 1.0
    with pytest.raises(ValueError, match="monitor='f1' is not recorded; use one of loss, learn"):
        after("f1", loss=worse)


def test_plateau_never_raises_the_rate():
    history = {"loss": [1.0] * 5, "learning_rate": [0.1] * 5}
    assert Plateau(patience=2, min_rate=0.2).after_epoch(0.1, history) == 0.1
    assert Plateau(patience=2, min_rate=0.05).after_epoch(0.1, history) == 0.05


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (InverseScaling(-1), r"power_t=-1 does not suit InverseScaling; use a number in \[0, inf"),
        (StepDecay(drop=1.5), r"drop=1.5 .* use a number in \(0, 1\], such as 0.5\."),
        (StepDecay(drop=0), "drop=0 "),
        (StepDecay(epochs=2.5), r"epochs=2.5 .* use a whole number in \[1, inf\), such as 10\."),
        (Exponential("fast"), "gamma='fast' "),
        (Exponential(np.nan), "gamma=nan "),
        (InverseTime(np.inf), "decay=inf "),
        (Polynomial(power=0.0), "power=0.0 "),
        (Polynomial(end=1.1), "end=1.1 "),
        (Cosine(warmup=-0.5), "warmup=-0.5 "),
        (Cosine(warmup=12.0), "warmup=12.0 takes all of the 12 epochs planned; reduce it"),
        (Cosine(restarts=1.5), "restarts=1.5 "),
        (OneCycle(pct_start=30), r"pct_start=30 .*\[0, 1\], such as 0.3"),
        (OneCycle(div_factor=None), "div_factor=None "),
        (Function(lambda epoch: -epoch - 1), r"returned -1.0 for epoch 0; return a factor"),
        (Function(lambda epoch: epoch * np.nan), "returned nan"),
        (Function(lambda epoch: [epoch]), r"returned \[0.0\] for epoch 0"),
        (Function(lambda epoch: None if epoch else 1), r"returned None for epoch 0.02"),
    ],
    ids=name,
)  # fmt: skip
def test_errors_come_late(schedule, message):
    """Not when it is made or cloned, but when it is used or checked."""
    with pytest.raises(ValueError, match=message):
        clone(schedule).factors(progress([0, 1]))


def test_errors_of_what_has_no_factors():
    for bad in (
        Plateau(factor=1.0),
        Plateau(patience=2.5),
        Plateau(min_delta=-1),
        Plateau(min_rate=-1),
    ):
        with pytest.raises(ValueError, match="does not suit Plateau"):
            bad.after_epoch(0.1, {"loss": [1.0], "learning_rate": [0.1]})
    with pytest.raises(ValueError, match="smallest=-1 does not suit Adaptive"):
        Adaptive(-1).at_plateau(0.1)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=IDS)
def test_is_a_plain_value(schedule):
    assert clone(schedule) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    before = repr(schedule)
    schedule.factors(progress([0, 5]))
    schedule.at_plateau(0.1)
    schedule.after_epoch(0.1, {"loss": [1.0], "learning_rate": [0.1]})
    assert repr(schedule) == before
    assert set(vars(schedule)) == set(schedule.get_params())
    schedule.check()


def test_every_schedule_is_exported():
    exported = {getattr(training, name) for name in training.schedules.__all__}
    assert exported == {*SCHEDULES.values(), Function, Listed, Schedule}


def test_get_schedule():
    shared = {"power_t": 0.25, "epochs": 3, "power": 7.0, "patience": 1}
    for name, kind in SCHEDULES.items():
        got = get_schedule(name, shared)
        assert got == (InverseScaling(0.25) if name == "invscaling" else kind())
    assert get_schedule("invscaling", {}) == InverseScaling()
    own = Cosine(warmup=1.0)
    assert get_schedule(own, shared) is own
    halves = get_schedule(lambda epoch: 0.5**epoch, shared)
    assert isinstance(halves, Function)
    assert at(halves, 0, 25, 100).tolist() == [1.0, 0.5**0.5, 0.25]
    for bad in ("cosin", 0.1, None, ["cosine"], Cosine):
        with pytest.raises(ValueError) as caught:
            get_schedule(bad, shared)
        assert f"learning_rate={bad!r} is not known; use one of constant, inv" in str(caught.value)
        assert f"{[*SCHEDULES][-1]}, a schedule object or a function of the epoch." in str(
            caught.value
        )
