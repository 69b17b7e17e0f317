"""The contract of all layers, over the table of layers: naive twins, parts, rows, gradients.

A row of the table has one layer at several sizes; its family's plan says at which batch sizes, and
to which precision, it is tested.
"""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from helpers.comparison import assert_close
from helpers.gradient_check import SQUARED, check_gradient
from helpers.guarded_memory import Guards
from helpers.layer_cases import CASES, sequences, tabular, vectors
from helpers.layer_cases.base import CONTEXT, prepared
from helpers.layer_cases.checks import check_against_twin, check_nan, check_parts, check_rows
from helpers.layer_cases.ragged import LENGTHS, Batch, check_padding
from helpers.layer_runs import LayerRun
from helpers.loss_cases import LOSSES, sample
from helpers.parametrize import dtypes, names
from helpers.programs import build, draw_theta, train
from sklearn_nn import layers as public
from sklearn_nn.layers import (
    Activation,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MemberHeads,
    MemberLinear,
)
from sklearn_nn.layers.base import TRAINING
from sklearn_nn.network.lowering import ProgramBuilder, lower
from sklearn_nn.training.losses import SquaredError
from sklearn_nn.training.optimizers import SGD

#: More parameters are not checked by central differences here, which take two passes for each.
#: The gradients of every row are compared with its twin's; those of a convolution are one code for
#: all sizes, and are checked at the small ones.
MOST_PARAMETERS, MOST_OF_A_CONVOLUTION = 600, 150
#: Base classes, of which there is no row.
ABSTRACT = {"Layer"}


def rows(cases):
    """Return the mark that runs a test over rows of the table."""
    return pytest.mark.parametrize("case", cases, ids=names(cases))


every_layer = rows(CASES)
RAGGED = [case for case in CASES if case.ragged or any(other.ragged for other in case.others)]
ragged_layers = rows(RAGGED)


def ragged_sizes(case):
    """Return the row at the sizes that are tested with unequal lengths."""
    return [each for each in case.each() if each.ragged]


def test_every_layer_has_a_row():
    found = {type(each.layer).__name__ for case in CASES for each in case.each()}
    exported = {
        name for name in public.__all__ if issubclass(getattr(public, name), Layer)
    } - ABSTRACT
    assert exported <= found
    assert set(public.__all__) >= ABSTRACT


def test_names_of_rows_are_unique():
    found = names([*CASES, *sequences.WITHOUT_TWIN])
    assert len(set(found)) == len(found)


# --- naive twins ---------------------------------------------------------------------------------


@dtypes
@every_layer
def test_equals_naive(case, dtype):
    """In float32 too, against the twin in float64; in training and in prediction."""
    for each in case.each():
        check_against_twin(each, dtype)


@dtypes
@every_layer
def test_prediction_needs_no_work(case, dtype):
    """Reading any is an error in runs that check bounds."""
    run, theta, x, _ = prepared(case.largest, dtype, 3)
    run.ctx[TRAINING] = False
    expected = run.forward(theta, x)
    run._work = [slice(0, 0)] * len(run.instructions)
    np.testing.assert_array_equal(run.forward(theta, x), expected)


# --- parts and rows ------------------------------------------------------------------------------


@dtypes
@every_layer
def test_parts_own_their_outputs(case, dtype):
    """Any number of parts, in any order, gives the same bits and leaves nothing unwritten."""
    for each in case.each():
        check_parts(each, dtype)


@every_layer
def test_no_place_is_written_by_two_parts(case):
    """Else threads that write it at once may leave something else there."""
    case = case.largest
    run, theta, x, dy = prepared(case, "float64", 37)
    owners = OwnerRun(case.layer, case.shape, "float64", CONTEXT)
    (dx, grad), expected = owners.backward(theta, x, dy, 3), run.backward(theta, x, dy)
    np.testing.assert_array_equal(dx, expected[0])
    np.testing.assert_array_equal(grad, expected[1])


class OwnerRun(LayerRun):
    """A run where each part of a kernel sees nothing of the others; no two write one place."""

    def _every_part(self, kernel, parts, op, *arguments):
        if kernel is None:
            return
        geometry = np.zeros(max(16, len(op.geometry)), np.int64)
        geometry[: len(op.geometry)] = op.geometry
        before = [array.copy() for array in arguments]
        owned = [np.zeros(array.shape, bool) for array in arguments]
        for part in range(parts):
            copies = [array.copy() for array in before]
            self.ctx[self._room] = np.iinfo(np.int64).max
            kernel(self.ctx, geometry, part, parts, *copies)
            for array, old, new, own in zip(arguments, before, copies, owned, strict=True):
                written = (old != new) & ~(np.isnan(old) & np.isnan(new))
                assert not (own & written).any(), "two parts write one place"
                own |= written
                array[written] = new[written]


@dtypes
@every_layer
def test_a_row_does_not_depend_on_the_rows_beside_it(case, dtype):
    """In prediction, and in training where no layer sums over the batch."""
    check_rows(case.largest, dtype)


@dtypes
@every_layer
def test_nan_and_infinity_stay_in_their_row(case, dtype):
    """A window reads nothing between its cells, or beyond an edge, that could be a NaN."""
    check_nan(case.largest, dtype)


# --- values and shapes ---------------------------------------------------------------------------


@every_layer
def test_is_a_plain_value(case):
    layer = case.layer
    for copied in (clone(layer), pickle.loads(pickle.dumps(layer))):
        assert copied == layer
        assert hash(copied) == hash(layer)
    assert layer != Layer()
    assert repr(layer).startswith(f"{type(layer).__name__}(")


@every_layer
def test_shape_rule_is_what_lower_makes(case):
    for each in case.each():
        builder = ProgramBuilder()
        out = each.layer.lower(builder, builder.slot(each.shape))
        assert builder.shape(out) == each.layer.output_shape(each.shape)
        if case.plan is vectors.PLAN:
            assert builder.shape(out) == (case.units or each.shape[0],)
        if case.n_slots is not None:
            assert len(builder.slots) == 1 + case.n_slots


# --- gradients through the machine ---------------------------------------------------------------


def network_around(case):
    """Return the layers of a network with the row's among them, and the shape of its samples.

    The gradient of the layer before it, where there may be one, rests on that of its input.
    """
    shape, end = case.shape, case.layer.output_shape(case.shape)
    before = []
    if case.plan is tabular.PLAN and len(shape) == 2:
        before, shape = [MemberLinear(shape[1], shape[0])], (3,)
    elif not case.categories and not case.whole_numbers:
        channels = shape[-1]
        by_axes = {1: Dense(channels), 2: Conv1D(channels, 1), 3: Conv2D(channels, 1)}
        before = [by_axes[len(shape)]] if len(shape) in by_axes else []
    behind = [Activation("tanh")]
    if case.plan is tabular.PLAN and len(end) == 2:
        behind.append(MemberHeads(2))
    else:
        behind += [Flatten(), Dense(2)] if len(end) > 1 else [Dense(2)]
    return [*before, case.layer, *behind], shape


def _is_checked(case):
    first = next(other for other in CASES if type(other.layer) is type(case.layer))
    if not (case.plan.all_gradients or case is first):
        return False
    program = build(*network_around(case), "float64")
    most = MOST_OF_A_CONVOLUTION if isinstance(case.layer, Conv1D | Conv2D) else MOST_PARAMETERS
    return sum(p.parameter.size for p in program.parameters) <= most


CHECKED = [
    *vectors.GROUPED,
    *(case for case in CASES if case.plan is not vectors.PLAN and _is_checked(case)),
]


def test_every_layer_has_a_gradient_check():
    found = {type(case.layer) for case in [*CHECKED, *vectors.CASES]}
    assert found == {type(case.layer) for case in CASES}


@rows(CHECKED)
def test_gradient(case, rng):
    """Against central differences, weighted and not, in a network of trained layers."""
    network, shape = network_around(case)
    program = build(network, shape, "float64", SQUARED.loss)
    n = 5
    x = case.draw(rng, n) if shape == case.shape else rng.standard_normal((n, np.prod(shape)))
    theta = draw_theta(program, rng)
    for weight in (None, rng.uniform(0.5, 2, n)):
        y = rng.standard_normal((n, 2))
        check_gradient(program, SQUARED, x, y, weight, theta=theta, seed=3, step=2)


@pytest.mark.parametrize("loss", LOSSES, ids=names(LOSSES))
@rows([*vectors.CASES, vectors.RESIDUAL])
def test_gradient_with_every_loss(case, loss, rng):
    """Each layer between two dense layers: with every loss, weighted and not, penalised."""
    program = build(
        [vectors.dense(4), case, vectors.dense(loss.n_outputs)], 3, "float64", loss.loss
    )
    X, y, weight = sample(rng, loss, 5, 3)
    check_gradient(program, loss, X, y, seed=3, step=2)
    check_gradient(program, loss, X, y, weight, seed=3, step=2)
    if loss.gradient_factor == 1:
        check_gradient(program, loss, X, y, weight, alpha=0.7, seed=3, step=2)


@dtypes
@rows([case for case in tabular.CASES if prepared(case, "float64", 1)[0].n_theta])
def test_no_memory_is_touched_that_is_not_its_own(case, dtype, monkeypatch):
    guards = Guards()
    guards.install(monkeypatch)
    loss, rng = SquaredError(), np.random.default_rng(0)
    shape = case.layer.output_shape(case.shape)
    program = lower([("own", case.layer)], case.shape, dtype, loss.link_layer())
    n_targets = 37 * (shape[0] if len(shape) == 2 and not program.has_members else 1)
    targets = loss.targets(rng.standard_normal((n_targets, shape[-1])), None, dtype)
    X = case.draw(rng, 37).astype(dtype)
    theta = draw_theta(program, rng)
    train(
        program,
        theta,
        X,
        targets,
        SGD(momentum=0.0, nesterov=False),
        order=np.arange(37),
        batch_size=16,
        n_jobs=2,
    )
    guards.check()


# --- sequences of unequal length -----------------------------------------------------------------


def twin_of_rows(case, batch, lengths):
    """Return y and dx of every row by the twin, and the gradient of the parameters."""
    parameters = [p.astype("float64") for p in batch.run.parameters(batch.theta)]
    y, dx, total = [], [], np.zeros(batch.grad.size)
    for i, steps in enumerate(lengths):
        x = batch.x[i, :steps].astype("float64").reshape(1, -1)
        y.append(case.forward(parameters, x, CONTEXT)[0])
        dx.append(np.zeros((0, case.shape[-1])))
        if steps:
            slope = batch.dy[i][batch.own[i]].astype("float64").reshape(1, -1)
            own, gradients = case.backward(parameters, x, slope, CONTEXT)
            dx[-1] = own.reshape(steps, -1)
            total += np.concatenate([np.zeros(0), *(g.ravel() for g in gradients)])
    return y, dx, total


@dtypes
@rows([case for case in RAGGED if not case.layer.is_random])
def test_unequal_lengths_equal_naive(case, dtype):
    """Full rows and unequal ones, in room for more."""
    tolerance = case.plan.tolerance
    for each in ragged_sizes(case):
        several = ((LENGTHS, 9), ([9] * 5, 9), ([1], 1), ([0, 0], 4))
        for lengths, most in ((LENGTHS, 11), *(several if case.plan.all_lengths else ())):
            batch = Batch(each, dtype, lengths, most)
            y, dx, grad = twin_of_rows(each, batch, lengths)
            scale = max(1.0, np.abs(grad).max(initial=0))
            assert_close(batch.grad / scale, grad / scale, dtype, tolerance.parameter_gradient)
            for i, steps in enumerate(lengths):
                assert_close(batch.y[i], y[i], dtype, tolerance.output)
                assert_close(batch.dx[i][:steps], dx[i], dtype, tolerance.input_gradient)
                assert (batch.dx[i][steps:] == 0).all()


@dtypes
@rows([*RAGGED, *sequences.WITHOUT_TWIN])
def test_padding_changes_nothing(case, dtype):
    for each in ragged_sizes(case):
        check_padding(each, dtype)


@dtypes
@ragged_layers
def test_parts_own_their_outputs_of_unequal_length(case, dtype):
    """Any number of parts, in any order, gives the same bits and leaves nothing unwritten."""
    for each in ragged_sizes(case):
        for lengths in (LENGTHS, [7] * 21):
            whole = Batch(each, dtype, lengths, 9)
            expected = (*whole.y, *whole.dx, whole.grad)
            for array in expected:
                assert not np.isnan(array).any()
            for parts in case.plan.parts:
                other = Batch(each, dtype, lengths, 9, parts=parts)
                for got, wanted in zip((*other.y, *other.dx, other.grad), expected, strict=True):
                    np.testing.assert_array_equal(got, wanted)
