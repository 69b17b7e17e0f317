"""Checks of the contract of all layers, for a row of the table at one size."""

import itertools
from dataclasses import replace

import numpy as np

from helpers.comparison import TOLERANCE, assert_close
from helpers.layer_cases.base import CONTEXT, in_float64, prepared
from sklearn_nn.layers.base import CTX_SIZE, TRAINING


def _assert_values(case, dtype, found, expected, factor):
    """Assert that an output, or the gradient of an input, is the twin's."""
    expected = expected.reshape(len(expected), -1)
    assert found.shape == expected.shape
    size = max(1, np.abs(expected).max()) if case.plan.tolerance.unit == "largest" else 1
    assert_close(found / size, expected / size, dtype, factor)


def _assert_parameter_gradient(case, dtype, found, expected, n):
    """Assert that the gradient of a parameter, by a batch of n rows, is the twin's."""
    tolerance, size = case.plan.tolerance, 1
    if tolerance.parameter_unit == "largest":
        size = max(1, np.abs(expected).max(initial=0))
    elif tolerance.parameter_unit == "sum":
        size = np.sqrt(n * np.prod(case.shape))
    expected = expected.reshape(found.shape)
    assert_close(found / size, expected / size, dtype, tolerance.parameter_gradient)


def check_against_twin(case, dtype, batches=None):
    """Assert that output, dx and the gradients of parameters are those of the twin in float64.

    Layers that sum over the batch have no gradients of parameters in prediction.
    """
    tolerance = case.plan.tolerance
    of_input = max(tolerance.input_gradient, tolerance.twin_error / TOLERANCE[dtype])
    for training in case.plan.training:
        context = replace(CONTEXT, training=training, dtype=dtype)
        for n in case.plan.batches if batches is None else batches:
            run, theta, x, dy = prepared(case, dtype, n)
            run.ctx[TRAINING] = training
            exact = in_float64(run, theta, x, dy)
            assert case.n_parameters in (None, len(exact[0]))
            expected = case.forward(*exact[:2], context)
            assert expected.shape[1:] in {(run.units,), run.shape}
            _assert_values(case, dtype, run.forward(theta, x), expected, tolerance.output)
            dx, grad = run.backward(theta, x, dy)
            expected, gradients = case.backward(*exact, context)
            _assert_values(case, dtype, dx, expected, of_input)
            found = zip(run.parameters(grad), gradients, strict=True)
            for got, wanted in found if training or not case.over_batch else ():
                _assert_parameter_gradient(case, dtype, got, wanted, n)


def check_parts(case, dtype, batches=None):
    """Assert that any number of parts, in any order, gives the same bits and writes everything."""
    for n in case.plan.part_batches if batches is None else batches:
        run, theta, x, dy = prepared(case, dtype, n)
        y, (dx, grad) = run.forward(theta, x), run.backward(theta, x, dy)
        for array in (y, dx, grad):
            assert not np.isnan(array).any()
        for parts in case.plan.parts:
            np.testing.assert_array_equal(run.forward(theta, x, parts), y)
            other, other_grad = run.backward(theta, x, dy, parts)
            np.testing.assert_array_equal(other, dx)
            np.testing.assert_array_equal(other_grad, grad)


def check_rows(case, dtype):
    """Assert that a row does not depend on the rows beside it, forward and backward.

    The random numbers of a row go by its place in the batch: only prefixes have the same. In
    training, layers that sum over the batch are left out.
    """
    n, slices = case.plan.row_batch, case.plan.row_slices
    run, theta, x, dy = prepared(case, dtype, n)
    if slices is None:
        slices = [slice(0, k) for k in range(1, n)] + [slice(i, i + 1) for i in range(n)]
    for training in (False,) if case.over_batch else (True, False):
        run.ctx[TRAINING] = training
        y, (dx, _) = run.forward(theta, x), run.backward(theta, x, dy)
        for part in slices:
            if training and case.layer.is_random and part.start:
                continue
            np.testing.assert_array_equal(run.forward(theta, x[part]), y[part])
            np.testing.assert_array_equal(run.backward(theta, x[part], dy[part])[0], dx[part])


def check_scratch(case):
    """Assert that memory behind the scratch of a kernel stays as it was, in any part."""
    run, theta, x, dy = prepared(case, "float64", 21)
    inside = run.ctx.size
    assert inside == CTX_SIZE + max(op.scratch for op in run.instructions)
    run.ctx = np.concatenate([run.ctx, np.full(64, 77, np.int64)])
    for parts in (1, 2, 3):
        run.forward(theta, x, parts)
        run.backward(theta, x, dy, parts)
        assert (run.ctx[inside:] == 77).all()


def check_nan(case, dtype):
    """Assert that what is not finite stays in its row, and that a NaN is seen there.

    Layers that are random may drop it in training.
    """
    run, theta, x, _ = prepared(case, dtype, 11)
    places = [slice(None)]
    if case.plan.nan_place is not None:
        places.append(case.plan.nan_place)
    for training in (False,) if case.over_batch else (True, False):
        run.ctx[TRAINING] = training
        y = run.forward(theta, x)
        sees_nan = case.sees_nan and (not training or case.keeps_nan)
        for place, bad in itertools.product(places, (np.nan, np.inf, -np.inf)):
            spoilt = x.copy()
            spoilt[4, place] = bad
            got = run.forward(theta, spoilt)
            np.testing.assert_array_equal(np.delete(got, 4, axis=0), np.delete(y, 4, axis=0))
            if np.isnan(bad) and sees_nan:
                assert np.isnan(got[4]).any(), "a NaN was swallowed"
