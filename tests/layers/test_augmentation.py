"""Augmentation: what its draws depend on, how they are spread, and the losses of Mixup."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from helpers.comparison import assert_same_bits
from helpers.gradient_check import check_gradient
from helpers.layer_cases.augmentation import CASES, LINEAR, MIXED, SIGNAL
from helpers.layer_cases.base import CONTEXT
from helpers.layer_runs import LayerRun
from helpers.loss_cases import LOSSES, sample
from helpers.naive import augmentation as twins
from helpers.naive.random_numbers import Context
from helpers.parametrize import DTYPES, dtypes, names
from helpers.programs import Gradient, build, draw_theta, nothing
from helpers.stacks import MULTICLASS, Stack
from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Cutout,
    Dense,
    Flatten,
    GaussianNoise,
    Mixup,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Residual,
)
from sklearn_nn.layers.base import TRAINING
from sklearn_nn.network.lowering import ProgramBuilder, lower
from sklearn_nn.network.machine import Machine
from sklearn_nn.network.source import source

#: One layer of a kind, on images.
KINDS = [
    RandomFlip(), RandomCrop(padding=3), RandomCrop(4, 4), RandomTranslation(0.3, 0.3),
    RandomTranslation(0.3, 0.3, interpolation="nearest"), RandomRotation(0.1), RandomZoom(0.3),
    RandomBrightness(0.3), RandomContrast(0.5), Cutout(3), Mixup(),
]  # fmt: skip
kinds = pytest.mark.parametrize("layer", KINDS, ids=str)


def test_every_layer_is_random():
    assert all(case.layer.is_random for case in CASES)


@pytest.mark.parametrize("case", [*LINEAR, *MIXED], ids=names([*LINEAR, *MIXED]))
def test_backward_is_the_transpose(case):
    """<dy, f(x) - f(0)> = <f'(x)^T dy, x>, to rounding."""
    run = LayerRun(case.layer, case.shape, "float64", CONTEXT)
    rng = np.random.default_rng(3)
    x, dy = rng.standard_normal((9, int(np.prod(case.shape)))), rng.standard_normal((9, run.units))
    none = np.zeros(0)
    image = run.forward(none, x) - run.forward(none, np.zeros_like(x))
    np.testing.assert_allclose((dy * image).sum(), (run.backward(none, x, dy)[0] * x).sum(), 1e-12)


# --- what the draws depend on -------------------------------------------------------------------


def changed(layer, n=40, shape=(8, 8, 2), dtype="float64", same=True, **context):
    """Images as a layer makes them: n times one image, unless not `same`."""
    run = LayerRun(layer, shape, dtype, Context(**context))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1 if same else n, int(np.prod(shape)))).astype(dtype)
    return run.forward(np.zeros(0, dtype), np.repeat(x, n, axis=0) if same else x)


@kinds
def test_samples_and_steps_draw_apart(layer):
    same = not isinstance(layer, Mixup)
    whole = changed(layer, seed=5, step=9, same=same)
    np.testing.assert_array_equal(changed(layer, seed=5, step=9, same=same), whole)
    for seed, step in [(6, 9), (5, 10), (9, 5)]:
        assert (changed(layer, seed=seed, step=step, same=same) != whole).mean() > 0.1
    if same:
        assert len(np.unique(whole, axis=0)) > (1 if isinstance(layer, RandomFlip) else 10)
        # Not on how many samples there are.
        np.testing.assert_array_equal(changed(layer, n=7, seed=5, step=9), whole[:7])


@kinds
def test_both_types_draw_the_same(layer):
    one, other = (
        changed(layer, seed=1, step=2, dtype=dtype, same=isinstance(layer, Mixup) is False)
        for dtype in DTYPES
    )
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@kinds
def test_layers_draw_apart(layer):
    builder = ProgramBuilder()
    slot = builder.slot((8, 8, 1))
    for _ in range(2):
        slot = layer.lower(builder, slot)
    if len(builder.instructions) == 2:
        assert len({op.geometry[0] for op in builder.instructions}) == 2


@dtypes
@kinds
def test_prediction_is_the_identity(layer, dtype, rng):
    """Forward and backward; a crop takes the centre."""
    run = LayerRun(layer, (8, 8, 2), dtype, Context(seed=3, training=True))
    x = rng.standard_normal((21, 128)).astype(dtype)
    assert (run.forward(np.zeros(0, dtype), x).shape != x.shape) or (
        run.forward(np.zeros(0, dtype), x) != x
    ).any()
    run.ctx[TRAINING] = 0
    images, expected = x.reshape(21, 8, 8, 2), x
    y = run.forward(np.zeros(0, dtype), x)
    if y.shape != x.shape:
        expected = images[:, 2:6, 2:6].reshape(21, -1)
    np.testing.assert_array_equal(y, expected)
    dy = rng.standard_normal(y.shape).astype(dtype)
    dx, _ = run.backward(np.zeros(0, dtype), x, dy)
    back = np.zeros_like(images)
    if y.shape != x.shape:
        back[:, 2:6, 2:6] = dy.reshape(21, 4, 4, 2)
    else:
        back[...] = dy.reshape(images.shape)
    np.testing.assert_array_equal(dx, back.reshape(21, -1))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (RandomCrop(), (5, 6, 1)),
        (RandomCrop(5, 6), (5, 6, 1)),
        (RandomTranslation(0, 0), (5, 6, 1)),
        (RandomTranslation(0, 0.01, interpolation="nearest"), (5, 6, 1)),
        (RandomRotation(0), (5, 6, 1)),
        (RandomZoom(0, (0, 0)), (5, 6, 1)),
    ],
)
def test_layers_that_do_nothing_are_no_instruction(layer, shape):
    builder = ProgramBuilder()
    slot = builder.slot(shape)
    assert layer.lower(builder, slot) == slot
    assert not builder.instructions


# --- how they are spread ------------------------------------------------------------------------


def test_half_of_the_images_are_flipped():
    image = np.arange(4.0).reshape(1, 4)
    run = LayerRun(RandomFlip("horizontal_and_vertical"), (2, 2, 1), "float64", Context())
    seen = run.forward(np.zeros(0), np.repeat(image, 4000, axis=0))
    ways = [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    counts = [(seen == way).all(axis=1).sum() for way in ways]
    assert sum(counts) == 4000
    assert stats.chisquare(counts).pvalue > 1e-6


def test_every_corner_of_a_crop_is_as_likely():
    run = LayerRun(RandomCrop(padding=2), (3, 4, 1), "float64", Context())
    seen = run.forward(np.zeros(0), np.repeat(np.arange(1.0, 13).reshape(1, 12), 5000, axis=0))
    _, counts = np.unique(seen, axis=0, return_counts=True)
    # 25 corners, of which some lose sight of the image alike: none here.
    assert len(counts) == 25
    assert stats.chisquare(counts).pvalue > 1e-6


def test_brightness_is_uniform_in_the_range():
    run = LayerRun(RandomBrightness((-0.1, 0.3), (0, 10)), (1, 1, 1), "float64", Context())
    added = run.forward(np.zeros(0), np.full((3000, 1), 5.0))[:, 0] - 5
    assert stats.kstest(added, stats.uniform(-1, 4).cdf).pvalue > 1e-6


@pytest.mark.parametrize("alpha", [0.001, 0.2, 0.7, 1.0, 2.5, 40.0])
def test_lambda_is_beta(alpha):
    run = LayerRun(Mixup(alpha), (1,), "float64", Context(seed=8))
    x = np.array([[0.0], [1.0]])
    shares = []
    for step in range(1500):
        run.ctx[0] = step
        shares.append(run.forward(np.zeros(0), x)[0, 0])
    assert np.all((np.array(shares) >= 0) & (np.array(shares) <= 1))
    if alpha > 0.01:
        assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-6
    else:  # on one side or the other, each for half of the steps
        assert np.mean(np.abs(np.array(shares) - 0.5) > 0.49) > 0.95
        assert 0.4 < np.mean(np.array(shares) > 0.5) < 0.6


def test_rotation_is_counter_clockwise_and_translation_down_and_right():
    image = np.arange(20.0).reshape(1, 5, 4)
    quarter = LayerRun(RandomRotation((0.25, 0.25)), (5, 5, 1), "float64", Context())
    square = np.arange(25.0).reshape(5, 5)
    turned = quarter.forward(np.zeros(0), square.reshape(1, -1)).reshape(5, 5)
    np.testing.assert_allclose(turned, np.rot90(square), atol=1e-12)
    moved = LayerRun(
        RandomTranslation((0.2, 0.2), (0.25, 0.25), "constant"), (5, 4, 1), "float64", Context()
    ).forward(np.zeros(0), image.reshape(1, -1))
    np.testing.assert_allclose(moved.reshape(5, 4)[1:, 1:], image[0, :-1, :-1], atol=1e-12)
    assert not moved.reshape(5, 4)[0].any()


# --- what does not fit --------------------------------------------------------------------------

IMAGE = (8, 6, 3)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (RandomFlip("left"), IMAGE, "mode='left' of RandomFlip is not known; use one of horizont"),
        (RandomFlip("vertical"), SIGNAL, "mode='vertical' of RandomFlip is for images; signals"),
        (RandomFlip(), (8,), r"RandomFlip takes images .* got samples of shape \(8,\)"),
        (RandomCrop(9), IMAGE, r"height=9 of RandomCrop does not fit .* with padding=0"),
        (RandomCrop(0), IMAGE, "height=0 must be a positive whole number"),
        (RandomCrop(width=2.5), IMAGE, r"width=2\.5 must be a positive whole number"),
        (RandomCrop(padding=-1), IMAGE, "padding=-1 of RandomCrop must be a whole number >= 0"),
        (RandomCrop(padding=(1, 2)), SIGNAL, r"padding=\(1, 2\) of RandomCrop must be"),
        (RandomCrop(3), SIGNAL, "height=3 of RandomCrop is for images"),
        (RandomCrop(fill_mode="edge"), IMAGE, "fill_mode='edge' of RandomCrop is not known; use"),
        (RandomCrop(fill_value=np.nan), IMAGE, "fill_value=nan does not suit RandomCrop"),
        (RandomTranslation(-0.1, 0), IMAGE, "height_factor=-0.1 of RandomTranslation must be >= 0"),
        (RandomTranslation(0, 1.5), IMAGE, "width_factor=1.5 .* with low <= high, within"),
        (RandomTranslation(0, (0.3, 0.1)), IMAGE, r"width_factor=\(0.3, 0.1\) .* low <= high"),
        (RandomTranslation(0, "a"), IMAGE, "width_factor='a' of RandomTranslation must be a num"),
        (RandomTranslation(0.1, 0), SIGNAL, "height_factor=0.1 of RandomTranslation is for images"),
        (RandomTranslation(0, 0, "reflect", "cubic"), IMAGE, "interpolation='cubic'"),
        (RandomRotation(np.inf), IMAGE, "factor=inf of RandomRotation must be a number"),
        (RandomRotation(15), IMAGE, r"factor=15 of .* fraction of a full turn, .* 15/360"),
        (RandomRotation((-1.5, 0)), IMAGE, "is a fraction of a full turn"),
        (RandomRotation(0.1), SIGNAL, r"RandomRotation takes images .*signals of shape \(11, 2\)"),
        (RandomZoom(1.0), IMAGE, r"height_factor=1.0 of RandomZoom .* from -0.99"),
        (RandomZoom(0.1), SIGNAL, "RandomZoom takes images"),
        (RandomBrightness(1.5), IMAGE, "factor=1.5 of RandomBrightness must be a range"),
        (RandomBrightness(0.1, 1), IMAGE, "value_range=1 of RandomBrightness must be a pair"),
        (RandomBrightness(0.1, (1, 1)), IMAGE, r"value_range=\(1, 1\) of RandomBrightness must"),
        (RandomBrightness(0.1), SIGNAL, "RandomBrightness takes images"),
        (RandomContrast(1.5), IMAGE, "factor=1.5 of RandomContrast must not lower"),
        (RandomContrast("a"), IMAGE, "factor='a' of RandomContrast must be a number in"),
        (RandomContrast((-0.1, 1)), IMAGE, r"factor=\(-0.1, 1\) of RandomContrast"),
        (Cutout(0), IMAGE, "size=0 must be a positive whole number"),
        (Cutout((2, 2)), SIGNAL, r"size=\(2, 2\) must be"),
        (Mixup(0), IMAGE, "alpha=0 does not suit Mixup; use a number in"),
        (Mixup(np.nan), IMAGE, "alpha=nan does not suit Mixup"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)
    with pytest.raises(ValueError, match=f"layer 'a': .*{message}"):
        lower([("a", layer)], shape, "float32")


def test_one_mixup_and_not_in_a_branch():
    with pytest.raises(ValueError, match="layer 'b': a network can have only one Mixup"):
        lower([("a", Mixup()), ("b", Mixup())], (4,), "float32")
    branch = Residual([Dense(4), Mixup()])
    with pytest.raises(ValueError, match=r"Mixup mixes whole samples .* nested in 'a'"):
        lower([("a", branch)], (4,), "float32")


# --- in the machine -----------------------------------------------------------------------------

SHAPE = (6, 5, 2)
STACKS = {
    # Behind trained layers, so that their gradients go through every kind of augmentation.
    "moved": Stack(SHAPE, [
        Conv2D(2, 1), RandomFlip(), RandomCrop(padding=1, fill_mode="reflect"),
        RandomTranslation(0.1, 0.2, "nearest"), RandomRotation(0.1), RandomZoom(0.2, 0.1),
        RandomCrop(5, 4), Flatten(), Dense(3),
    ]),
    "lit": Stack(SHAPE, [
        Conv2D(3, 1), RandomBrightness(0.3), RandomContrast(0.5, (-9, 9)), Cutout(2), Flatten(),
        Dense(3),
    ]),
    "mixed": Stack(SHAPE, [Mixup(1.0), Conv2D(3, 3), Activation("tanh"), Flatten(), Dense(3)]),
    "manifold": Stack(SHAPE, [
        RandomFlip(), Conv2D(3, 3), BatchNorm(epsilon=0.5), Activation("tanh"), Mixup(1.0),
        Flatten(), Dense(5), Activation("tanh"), Dense(3),
    ]),
}  # fmt: skip
stacks = pytest.mark.parametrize("stack", STACKS.values(), ids=list(STACKS))


@stacks
def test_gradient(stack, rng):
    for seed in (3, 4):
        stack.check_gradient(rng, seed)


@dtypes
@stacks
def test_training_does_not_depend_on_n_jobs(stack, dtype, rng):
    again, alone = stack.check_threads(rng, dtype)
    # Slices of an epoch are of no account, either.
    assert_same_bits(again(slices=3), alone)
    assert (again(seed=6).theta != alone.theta).any()


@dtypes
@stacks
def test_guard_words(stack, dtype, rng, monkeypatch):
    stack.check_guard_words(rng, dtype, monkeypatch)


@stacks
def test_prediction_of_a_row_is_its_own(stack, rng):
    stack.check_rows(rng)


# --- the loss of a mixed batch ------------------------------------------------------------------

losses = pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))


def mixed_problem(case, rng, dtype, n=21, width=5, alpha=1.0):
    program = build([Mixup(alpha), Dense(case.n_outputs)], (width,), dtype, case.loss)
    return program, *sample(rng, case, n, width, dtype)


@dtypes
@losses
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_of_a_mixed_batch(case, dtype, weighted, rng):
    """Lambda times the loss with a row's own target, the rest with its partner's."""
    program, X, y, weight = mixed_problem(case, rng, dtype)
    theta = draw_theta(program, rng, 0.3)
    targets = case.loss.targets(y, weight if weighted else None, dtype)
    batch = Gradient(program, X, targets, seed=11, step=17)
    share = twins.partner_share(1.0, Context(seed=11, step=17))
    kernel, bias = (p.view(theta).astype("float64") for p in program.parameters)
    z = ((1 - share) * X + share * X[::-1]).astype("float64") @ kernel + bias
    eps = np.finfo(dtype).eps
    own, partners = (case.naive(z, t.astype(dtype), eps)[0] for t in (y, y[::-1]))
    w = (weight if weighted else np.ones(len(X))).astype("float64")
    expected = ((1 - share) * w * own + share * w[::-1] * partners).sum() / w.sum()
    np.testing.assert_allclose(
        batch.loss(theta), expected, rtol=2e-5 if dtype == "float32" else 1e-10
    )


@losses
def test_gradient_of_every_loss(case, rng):
    program, X, y, weight = mixed_problem(case, rng, "float64", n=7)
    check_gradient(program, case, X, y, weight, seed=2, step=5, theta=draw_theta(program, rng, 0.3))


@losses
def test_an_even_mix_of_equal_rows_is_the_plain_loss(case, rng):
    """Rows that equal their partners are not changed; the middle one is its own."""
    program, X, y, weight = mixed_problem(case, rng, "float64", n=9)
    for array in (X, y, weight):
        array[5:] = array[:4][::-1]
    plain = build([Dense(case.n_outputs)], (5,), "float64", case.loss)
    theta, targets = draw_theta(program, rng, 0.3), case.loss.targets(y, weight, "float64")
    mixed, alone = (Gradient(p, X, targets, seed=4) for p in (program, plain))
    np.testing.assert_allclose(mixed.loss(theta), alone.loss(theta), rtol=1e-13)
    np.testing.assert_allclose(mixed.gradient(theta), alone.gradient(theta), rtol=1e-11, atol=1e-14)


def test_partners_change_from_batch_to_batch(rng):
    """Each step draws a lambda of its own; the last, smaller batch has partners within it."""
    program, X, y, weight = mixed_problem(MULTICLASS, rng, "float64", n=10)
    theta = draw_theta(program, rng, 0.3)
    machine = Machine(program, theta, program.initial_state(), 4, seed=3)
    targets, order = MULTICLASS.loss.targets(y, weight, "float64"), rng.permutation(10)
    update = replace(nothing(program), scalars=np.zeros((3, 1)))
    found = machine.train(source(X, "float64"), targets, order, 4, 0, 3, update, 5)
    kernel, bias = (p.view(theta) for p in program.parameters)
    for b, rows in enumerate((order[:4], order[4:8], order[8:])):
        share = twins.partner_share(1.0, Context(seed=3, step=5 + b))
        x = (1 - share) * X[rows] + share * X[rows[::-1]]
        eps = np.finfo("float64").eps
        own, partners = (
            MULTICLASS.naive(x @ kernel + bias, t, eps)[0] for t in (y[rows], y[rows[::-1]])
        )
        w = weight[rows]
        expected = ((1 - share) * w * own + share * w[::-1] * partners).sum() / w.sum()
        np.testing.assert_allclose(found[b], expected, rtol=1e-12)


def test_the_partners_gradient_has_room_of_its_own(rng):
    """Also where no slot of a link lies behind the raw output."""
    with_link, X, y, weight = mixed_problem(MULTICLASS, rng, "float64")
    alone = build([Mixup(1.0), Dense(3)], (5,), "float64")
    assert alone.width == 5 + 5 + 3 + 3
    theta, targets = draw_theta(alone, rng, 0.3), MULTICLASS.loss.targets(y, weight, "float64")
    one, other = (Gradient(p, X, targets, seed=4).gradient(theta) for p in (with_link, alone))
    np.testing.assert_array_equal(one, other)


def test_only_what_mixes_takes_the_room():
    plain, mixed = (
        Machine(program, *program.new_buffers(), 32)._frame.arrays
        for program in (
            build([*layers, Dense(3)], (5,), "float32")
            for layers in ([GaussianNoise(0.1)], [Mixup()])
        )
    )
    assert plain["all_losses"].size == 32
    assert mixed["all_losses"].size == 64
