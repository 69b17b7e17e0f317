"""Sums over a vector, in an order that the compiler chooses but that depends on the length only.

The same vector has the same sum wherever it lies and whichever thread adds it up, and the loops
vectorise, unlike sums from first to last.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sklearn_nn.jit.host import HELPER_OPTIONS

_reassociated = njit(**{**HELPER_OPTIONS, "fastmath": {"contract", "nsz", "reassoc"}})


@_reassociated
def total(values: np.ndarray) -> float:
    """Return the sum of the values."""
    result = values.dtype.type(0)
    for i in range(values.size):
        result += values[i]
    return result


@_reassociated
def total_of_squares(values: np.ndarray, center: float) -> float:
    """Return the sum of (value - center)^2; `center` has the values' type."""
    result = values.dtype.type(0)
    for i in range(values.size):
        difference = values[i] - center
        result += difference * difference
    return result


@_reassociated
def total_of_magnitudes(values: np.ndarray) -> float:
    """Return the sum of the absolute values."""
    result = values.dtype.type(0)
    for i in range(values.size):
        result += abs(values[i])
    return result


@_reassociated
def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Return the sum of a[i] b[i]."""
    result = a.dtype.type(0)
    for i in range(a.size):
        result += a[i] * b[i]
    return result
