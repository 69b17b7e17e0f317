"""Precisions that are asked of results."""

import numpy as np

#: How far a result may lie from its naive twin: relative, or absolute below one.
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def assert_close(actual, expected, dtype, factor=1.0):
    """Assert equality to the precision that a dtype promises."""
    tolerance = factor * TOLERANCE[dtype]
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def assert_same_bits(actual, expected):
    """Assert that two runs of `train` left the same arrays, to the bit."""
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)
