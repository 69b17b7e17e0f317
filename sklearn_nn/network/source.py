"""Sources of rows: dense numbers, bytes, sparse data and sequences, gathered by row number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_nn.jit import register_jitable
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.kernel import Kernel, Kind, kernel
from sklearn_nn.jit.views import octets, vector
from sklearn_nn.layers.base import LENGTHS, LONGEST, owned_rows
from sklearn_nn.network.program import contexts

GATHER = Kind(
    "gather",
    ctx="int64[:]", part="int64", parts="int64", values="const real[:]",
    indices="const int64[:]", indptr="const int64[:]", rows="const int64[:]", x="real[:,:]",
)  # fmt: skip


@kernel(GATHER)
def gather_dense(ctx, part, parts, values, indices, indptr, rows, x):
    """Set x[i] = row rows[i] of a dense matrix. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    width = x.shape[1]
    for i in range(lo, hi):
        row, out = vector(values, rows[i] * width, width), vector(x, i * width, width)
        for j in range(width):
            out[j] = row[j]


@kernel(GATHER)
def gather_planes(ctx, part, parts, values, indices, indptr, rows, x):
    """Set x[i, k C + c] = value k of plane c of row rows[i]; C = indices[0]. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    width, planes = x.shape[1], indices[0]
    size = width // planes
    for i in range(lo, hi):
        row, out = vector(values, rows[i] * width, width), vector(x, i * width, width)
        for c in range(planes):
            plane = vector(row, c * size, size)
            for k in range(size):
                out[k * planes + c] = plane[k]


@register_jitable
def _quotient(byte, divisor, inverse):
    """Return byte / divisor, rounded once, as a product with a correction step.

    A division of vectors takes ten times as long (Markstein, 1990, section 4).
    """
    whole = np.float32(byte)
    quotient = whole * inverse
    return fma(fma(-quotient, divisor, whole), inverse, quotient)


@kernel(GATHER)
def gather_bytes(ctx, part, parts, values, indices, indptr, rows, x):
    """Set x[i] = row rows[i] of the bytes at indptr[0], divided by indptr[1]. Owners: rows.

    The quotients are rounded to float32, also if x is float64.
    """
    lo, hi = owned_rows(x, part, parts)
    width, divisor = x.shape[1], np.float32(indptr[1])
    inverse = np.float32(1) / divisor
    for i in range(lo, hi):
        row, out = octets(indptr[0] + rows[i] * width, width), vector(x, i * width, width)
        for j in range(width):
            out[j] = _quotient(row[j], divisor, inverse)


@kernel(GATHER)
def gather_byte_planes(ctx, part, parts, values, indices, indptr, rows, x):
    """Gather as `gather_bytes` does, from planes as in `gather_planes`. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    width, planes, divisor = x.shape[1], indices[0], np.float32(indptr[1])
    size, inverse = width // planes, np.float32(1) / divisor
    for i in range(lo, hi):
        out = vector(x, i * width, width)
        for c in range(planes):
            plane = octets(indptr[0] + rows[i] * width + c * size, size)
            for k in range(size):
                out[k * planes + c] = _quotient(plane[k], divisor, inverse)


@kernel(GATHER)
def gather_sparse(ctx, part, parts, values, indices, indptr, rows, x):
    """Set x[i] = row rows[i] of a CSR matrix, duplicate entries added up. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        for j in range(x.shape[1]):
            x[i, j] = 0
        for k in range(indptr[rows[i]], indptr[rows[i] + 1]):
            x[i, indices[k]] += values[k]


@register_jitable
def _note_lengths(ctx, lengths, rows):
    """Write the lengths of all rows of the batch into the `ctx` of this part."""
    most = 0
    for i in range(rows.size):
        steps = lengths[rows[i]]
        ctx[ctx[LENGTHS] + i] = steps
        most = max(most, steps)
    ctx[LONGEST] = most


@register_jitable
def _fill(row, out):
    """Copy row to the beginning of out and fill the rest with zeros."""
    for j in range(row.size):
        out[j] = row[j]
    padding = vector(out, row.size, out.size - row.size)
    for j in range(padding.size):
        padding[j] = 0


@kernel(GATHER)
def gather_sequences(ctx, part, parts, values, indices, indptr, rows, x):
    """Set x[i] = sequence rows[i] and zeros after it. Owners: rows.

    Sequence k begins at values[indptr[k]] and has indices[k] steps of indices[-1] values.
    """
    _note_lengths(ctx, indices, rows)
    lo, hi = owned_rows(x, part, parts)
    width = x.shape[1]
    for i in range(lo, hi):
        size = indices[rows[i]] * indices[indices.size - 1]
        row = vector(values, indptr[rows[i]], size)
        _fill(row, vector(x, i * width, width))


@kernel(GATHER)
def gather_byte_sequences(ctx, part, parts, values, indices, indptr, rows, x):
    """Gather as `gather_sequences` does, from bytes; k begins at indptr[0] + indptr[1 + k]."""
    _note_lengths(ctx, indices, rows)
    lo, hi = owned_rows(x, part, parts)
    width = x.shape[1]
    for i in range(lo, hi):
        size = indices[rows[i]] * indices[indices.size - 1]
        row = octets(indptr[0] + indptr[1 + rows[i]], size)
        _fill(row, vector(x, i * width, width))


def readonly(array: np.ndarray) -> np.ndarray:
    """Return a read-only view, the type that kernels declare for users' arrays."""
    view = array.view()
    view.flags.writeable = False
    return view


_NONE = readonly(np.zeros(0, dtype=np.int64))


class _Pointing:
    """Owner of an int64 array whose first number is the address of another array.

    A NumPy array made of it keeps the other array alive.
    """

    def __init__(self, array: np.ndarray, numbers: Sequence[int] | np.ndarray) -> None:
        self._array = array
        self._numbers = np.array([array.ctypes.data, *numbers], dtype=np.int64)
        self.__array_interface__ = self._numbers.__array_interface__


class Source(NamedTuple):
    """Data in the form from which the machine gathers batches; see `source`.

    `lengths` are the time steps of each row, if rows are sequences of unequal length. If rows are
    read in `windows`, `width` is that of one window, and the machine treats each as a row.
    """

    gather: Kernel
    values: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    n_rows: int
    width: int
    lengths: np.ndarray | None = None
    windows: int = 1

    def arguments(self, dtype: str) -> dict[str, Any]:
        """Return the arguments of kernels by name."""
        return {
            "gather_at": self.gather.address(dtype), "values": self.values,
            "indices": self.indices, "indptr": self.indptr,
        }  # fmt: skip

    def numbers(self, rows: np.ndarray, windows: int | None = None) -> np.ndarray:
        """Return the machine's row numbers: the first windows of all `rows`, the second ones, ...

        `windows` is the number of windows; None is all of them.
        """
        if self.windows == 1:
            return rows
        count = self.windows if windows is None else windows
        return (rows * self.windows + np.arange(count)[:, np.newaxis]).ravel()

    def steps(self, rows: np.ndarray) -> np.ndarray | None:
        """Return the time steps of rows by window, (n_rows, n_windows); None if all are full."""
        if self.lengths is None:
            return None
        return self.indices[:-1].reshape(self.n_rows, self.windows)[rows]


def source(X: Any, dtype: str, divisor: int = 1) -> Source:
    """Return a source of the rows of X, for computation in `dtype`.

    X is an array or CSR matrix of shape (n_samples, n_features), or an array of shape (n_samples,
    n_planes, n_pixels), such as images with the channel axis first, whose feature k n_planes + c is
    pixel k of plane c. It is copied only if its type or order differs; bytes (uint8) are read
    directly and divided by `divisor` in float32. Raises ValueError if a sparse X has an index
    outside its shape, which kernels do not check.
    """
    if sparse.issparse(X):
        X.check_format(full_check=True)
        values = np.ascontiguousarray(X.data, dtype=dtype)
        indices = np.ascontiguousarray(X.indices, dtype=np.int64)
        indptr = np.ascontiguousarray(X.indptr, dtype=np.int64)
        arrays = (readonly(values), readonly(indices), readonly(indptr))
        return Source(gather_sparse, *arrays, *X.shape)
    n_rows, planes, size = X.shape if X.ndim == 3 else (len(X), 1, X.shape[1])
    indices = _NONE if planes == 1 else readonly(np.array([planes], dtype=np.int64))
    if X.dtype == np.uint8:
        gather = gather_bytes if planes == 1 else gather_byte_planes
        held = _Pointing(np.ascontiguousarray(X), [divisor])
        nothing = np.zeros(0, dtype=dtype)
        arrays = (readonly(nothing), indices, readonly(np.asarray(held)))
        return Source(gather, *arrays, n_rows, planes * size)
    gather = gather_dense if planes == 1 else gather_planes
    # asarray: a memmap becomes a plain view of the mapped file.
    values = np.asarray(np.require(X, dtype=dtype, requirements=["C", "A"])).reshape(-1)
    return Source(gather, readonly(values), indices, _NONE, n_rows, planes * size)


def sequences(
    values: np.ndarray, starts: np.ndarray, lengths: np.ndarray, channels: int, dtype: str,
    window: int | None = None,
) -> Source:  # fmt: skip
    """Return a source of sequences of unequal length, in rows as wide as the longest.

    `values` holds the sequences step by step, as numbers or unscaled bytes; `starts` and `lengths`,
    of shape (n_sequences,), are the first element and the number of time steps of each, which may
    overlap; a step has `channels` values. With `window`, sequences are read in windows of this
    number of steps.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    longest = max(1, int(lengths.max(initial=1)))
    window = longest if window is None else window
    first = np.arange(0, longest, window)
    steps = np.clip(lengths[:, np.newaxis] - first, 0, window)
    begins = np.where(steps, np.asarray(starts)[:, np.newaxis] + first * channels, 0)
    begins = np.ascontiguousarray(begins.ravel(), dtype=np.int64)
    gather = gather_sequences
    if values.dtype == np.uint8:
        gather = gather_byte_sequences
        held = _Pointing(np.ascontiguousarray(values), begins)
        values, begins = np.zeros(0, dtype=dtype), np.asarray(held)
    values = np.require(values, dtype=dtype, requirements=["C", "A"])
    arrays = (readonly(values), readonly(np.append(steps, channels)), readonly(begins))
    return Source(gather, *arrays, lengths.size, window * channels, lengths, first.size)


def in_windows(X: np.ndarray, windows: int, dtype: str, divisor: int = 1) -> Source:
    """Return a source like `source` whose rows are read in windows of equal width."""
    data = source(X.reshape(len(X) * windows, -1), dtype, divisor)
    return data._replace(n_rows=len(X), windows=windows)


def dense_rows(data: Source, dtype: str) -> np.ndarray:
    """Return all rows as the first layer reads them, of shape (n_rows, n_windows * width)."""
    n = data.n_rows * data.windows
    x = np.empty((n, data.width), dtype=dtype)
    rows = readonly(np.arange(n))
    ctx = contexts(1, 0, dtype, n_lengths=n)[0]
    data.gather(ctx, 0, 1, data.values, data.indices, data.indptr, rows, x)
    return x.reshape(data.n_rows, data.windows * data.width)
