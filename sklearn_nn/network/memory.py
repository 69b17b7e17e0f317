"""Where the machine's buffers come from."""

from __future__ import annotations

import numpy as np

from sklearn_nn.layers.base import CTX_SIZE, LENGTHS, SEED, STOP_AT, TRAINING

_LINE = 64


def allocate(shape: int | tuple[int, int], dtype: str) -> np.ndarray:
    """Zeros that begin on a cache line, as every row of them does if its length is a multiple.

    NumPy begins 16 bytes into a line: then every vector load touches two, and an update of the
    parameters, which streams five vectors, takes almost three times as long.
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
    """What kernels see as `ctx`, a row for each part, and behind it its room for scratch.

    Behind that is room for the lengths of sequences.

    Parameters
    ----------
    parts : int
    n_scratch : int
        Elements of `dtype` that a kernel may want.
    dtype : {"float32", "float64"}
    seed : int
        Key of the random numbers drawn inside kernels.
    usual_rows : int
        Rows that batches have in training, but for smaller ones at an epoch's end; 0 is prediction.
    n_lengths : int
        Rows of a batch, where they are sequences of unequal length; else 0.
    stop_at : int
        Address of what says whether to stop; 0 is never.

    Returns
    -------
    contexts : ndarray of shape (parts, n), int64
    """
    words = -(-n_scratch * np.dtype(dtype).itemsize // _LINE) * _LINE // 8
    end = CTX_SIZE + words
    rows = allocate((parts, end + -(-n_lengths // 8) * 8), "int64")
    rows[:, LENGTHS] = end if n_lengths else 0
    rows[:, SEED] = seed
    rows[:, TRAINING] = usual_rows
    rows[:, STOP_AT] = stop_at
    return rows
