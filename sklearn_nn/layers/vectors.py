"""Loops over vectors that many kernels have."""

from __future__ import annotations

from typing import Any

from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS


@njit(**INLINED_OPTIONS)
def copy(source: Any, target: Any) -> None:
    """target = source, for vectors of equal size."""
    for j in range(target.size):
        target[j] = source[j]


@njit(**INLINED_OPTIONS)
def clear(target: Any) -> None:
    """target = 0."""
    for j in range(target.size):
        target[j] = 0
