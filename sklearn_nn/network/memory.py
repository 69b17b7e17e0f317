"""Allocation of the machine's buffers."""

from __future__ import annotations

import numpy as np

from sklearn_nn.layers.base import CTX_SIZE, LENGTHS, SEED, STOP_AT, TRAINING

_LINE = 64


def allocate(shape: int | tuple[int, int], dtype: str) -> np.ndarray:
    """Return zeros that begin on a cache line.

    NumPy begins 16 bytes into a line. Every vector load then touches two lines, and an update of
    the parameters, which streams five vectors, takes almost three times as long.
    """
    length = shape[0] * shape[1] if isinstance(shape, tuple) else shape
    size = length * np.dtype(dtype).itemsize
    raw = np.zeros(size + _LINE, dtype=np.uint8)
    start = -raw.__array_interface__["data"][0] % _LINE
    return raw[start : start + size].view(dtype).reshape(shape)


def contexts(
    parts: int,
    n_scratch: int,
    dtype: str,
    *,
    seed: int = 0,
    usual_rows: int = 0,
    n_lengths: int = 0,
    stop_at: int = 0,
) -> np.ndarray:
    """Return the `ctx` of kernels, an int64 row for each part.

    Behind the numbers is room for scratch, `n_scratch` elements of `dtype`, and then for the
    lengths of sequences in a batch, `n_lengths`. `seed` is the key of random numbers in kernels,
    `usual_rows` the size of training batches (0 is prediction), `stop_at` the address of the stop
    flag (0 is never).
    """
    words = -(-n_scratch * np.dtype(dtype).itemsize // _LINE) * _LINE // 8
    end = CTX_SIZE + words
    rows = allocate((parts, end + -(-n_lengths // 8) * 8), "int64")
    rows[:, LENGTHS] = end if n_lengths else 0
    rows[:, SEED] = seed
    rows[:, TRAINING] = usual_rows
    rows[:, STOP_AT] = stop_at
    return rows
