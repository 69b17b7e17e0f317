"""Networks of members: one target a row, the mean of losses, the mean of predictions."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from helpers.comparison import assert_close, assert_same_bits
from helpers.gradient_check import check_gradient
from helpers.loss_cases import LOSSES, sample
from helpers.parametrize import dtypes, names
from helpers.programs import Gradient, draw_theta, train
from sklearn_nn.layers import (
    Activation,
    Dense,
    Dropout,
    MemberHeads,
    MemberLinear,
    MemberScale,
    Mixup,
    TimeDistributed,
)
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import Predictor, predict
from sklearn_nn.network.source import source
from sklearn_nn.training.losses import SigmoidLogLoss, SoftmaxLogLoss, SquaredError
from sklearn_nn.training.optimizers import AdamW

losses = pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))


def members_of(k, n_outputs, *, mini=False, dropout=0.0):
    """TabM of k members, or TabM-mini."""
    first = [MemberScale(k), TimeDistributed(Dense(6))] if mini else [MemberLinear(6, k)]
    second = TimeDistributed(Dense(5)) if mini else MemberLinear(5)
    layers = [*first, Activation("tanh"), Dropout(dropout), second, MemberHeads(n_outputs)]
    return [(f"layer{i}", layer) for i, layer in enumerate(layers)]


def tabm(k, n_outputs, loss, dtype="float64", width=4):
    """The program of TabM: parameters are those of its first, second and last dense layer."""
    return lower(members_of(k, n_outputs), (width,), dtype, loss.link_layer())


def alone(program, theta, m, x):
    """The raw output of member m, computed by itself."""
    first, second, heads = (
        {name: placed.view(theta).astype("float64") for name, placed in own.items()}
        for own in program.layers.values()
    )
    for p in (first, second):
        x = ((x * p["input_scale"][m]) @ p["kernel"]) * p["output_scale"][m] + p["bias"][m]
        x = np.tanh(x) if p is first else x
    return x @ heads["kernel"][m] + heads["bias"][m]


@dtypes
@losses
def test_loss_is_the_mean_of_the_members(case, dtype, rng):
    """And each member sees its row's target and weight; in training and in prediction."""
    n, k = 21, 5
    X, y, weight = sample(rng, case, n, 4, dtype)
    program = tabm(k, case.n_outputs, case.loss, dtype)
    assert (program.steps, program.n_targets, program.has_members) == (k, 1, True)
    theta = draw_theta(program, rng)
    raw = [alone(program, theta, m, X.astype("float64")) for m in range(k)]
    eps = np.finfo(dtype).eps
    for w in (None, weight):
        ones = np.ones(n) if w is None else w.astype("float64")
        each = np.mean([case.naive(z, y, eps)[0] for z in raw], axis=0)
        targets = case.loss.targets(y, w, dtype)
        got = Gradient(program, X, targets, n_jobs=2).loss(theta)
        assert_close(got, (ones * each).sum() / ones.sum(), dtype, factor=50)
        predictor = Predictor(program, source(X, dtype), None, targets, 2)
        predictor.run(theta, program.initial_state())
        assert predictor.losses.shape == (n,)
        assert_close(predictor.losses, ones * each, dtype, factor=50)


@pytest.mark.parametrize("mini", [False, True])
@losses
def test_gradient(case, mini, rng):
    layers = members_of(3, case.n_outputs, mini=mini, dropout=0.3)
    program = lower(layers, (4,), "float64", case.loss.link_layer())
    X, y, weight = sample(rng, case, 5, 4)
    check_gradient(program, case, X, y, weight, seed=3, step=2)


@dtypes
@pytest.mark.parametrize(
    ("loss", "n_outputs", "link"),
    [
        (SoftmaxLogLoss(), 3, lambda z: softmax(z, axis=-1)),
        (SigmoidLogLoss(), 1, expit),
        (SquaredError(), 2, lambda z: z),
    ],
)
def test_prediction_is_the_mean_of_the_members(loss, n_outputs, link, dtype, rng):
    """The mean is one of probabilities, not of raw outputs."""
    X = rng.standard_normal((300, 4)).astype(dtype)
    for k in (1, 7):
        program = tabm(k, n_outputs, loss, dtype)
        theta = draw_theta(program, rng, 1.0)
        found = np.mean(
            [link(alone(program, theta, m, X.astype("float64"))) for m in range(k)], axis=0
        )
        out = predict(program, theta, program.initial_state(), source(X, dtype), n_jobs=3)
        assert out.shape == (300, n_outputs)
        assert_close(out, found, dtype, factor=50)


@dtypes
def test_one_member_is_a_network(dtype, rng):
    """With factors of 1 the same training as that of dense layers."""
    loss, k = SquaredError(), 1
    program = tabm(k, 2, loss, dtype)
    plain = lower(
        [("a", Dense(6)), ("b", Activation("tanh")), ("c", Dense(5)), ("d", Dense(2))],
        (4,), dtype, loss.link_layer(),
    )  # fmt: skip
    X, y = rng.standard_normal((40, 4)).astype(dtype), rng.standard_normal((40, 2))
    theta = draw_theta(plain, rng)
    mine = np.zeros(program.n_theta, dtype)
    for name, twin in (("layer0", "a"), ("layer3", "c"), ("layer4", "d")):
        for key, placed in program.layers[name].items():
            view = placed.view(mine)
            view[...] = 1.0
            if key in plain.layers[twin]:
                view[...] = plain.layers[twin][key].view(theta).reshape(view.shape)
    targets = loss.targets(y, None, dtype)
    got, twin = Gradient(program, X, targets), Gradient(plain, X, targets)
    assert_close(got.loss(mine), twin.loss(theta), dtype)
    for name, other in (("layer0", "a"), ("layer4", "d")):
        ours = program.layers[name]["kernel"].view(got.gradient(mine))
        theirs = plain.layers[other]["kernel"].view(twin.gradient(theta))
        assert_close(ours.reshape(theirs.shape), theirs, dtype, factor=5)


@dtypes
def test_same_bits_for_any_number_of_threads(dtype, rng):
    loss = SoftmaxLogLoss()
    for mini in (False, True):
        layers = members_of(8, 3, mini=mini, dropout=0.2)
        program = lower(layers, (19,), dtype, loss.link_layer())
        X, y = rng.standard_normal((90, 19)).astype(dtype), rng.integers(0, 3, (90, 1))
        theta = draw_theta(program, rng)
        runs = [
            train(
                program, theta, X, loss.targets(y.astype(dtype), None, dtype), AdamW(),
                order=np.arange(90), batch_size=32, seed=4,
                n_jobs=n_jobs, slices=slices,
            )
            for n_jobs, slices in ((1, 1), (2, 1), (3, 3))
        ]  # fmt: skip
        assert np.isfinite(runs[0].theta).all()
        assert (runs[0].theta != theta).any()
        for other in runs[1:]:
            assert_same_bits(other[:4], runs[0][:4])


def test_members_are_not_mixed():
    layers = [("mixup", Mixup()), *members_of(3, 2)]
    with pytest.raises(ValueError, match="Mixup and members cannot be combined"):
        lower(layers, (4,), "float64", SquaredError().link_layer())
