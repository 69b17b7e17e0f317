"""Where a batch's rows come from: dense or sparse data, gathered by row number."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_nn.jit.kernel import Kernel, Kind, kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import owned_rows

GATHER = Kind(
    "gather",
    part="int64",
    parts="int64",
    values="const real[:]",
    indices="const int64[:]",
    indptr="const int64[:]",
    rows="const int64[:]",
    x="real[:,:]",
)


@kernel(GATHER)
def gather_dense(part, parts, values, indices, indptr, rows, x):
    """x[i] = row rows[i] of a dense matrix. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    width = x.shape[1]
    for i in range(lo, hi):
        row, out = vector(values, rows[i] * width, width), vector(x, i * width, width)
        for j in range(width):
            out[j] = row[j]


@kernel(GATHER)
def gather_sparse(part, parts, values, indices, indptr, rows, x):
    """x[i] = row rows[i] of a CSR matrix, dense. Entries of one place add. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        for j in range(x.shape[1]):
            x[i, j] = 0
        for k in range(indptr[rows[i]], indptr[rows[i] + 1]):
            x[i, indices[k]] += values[k]


def readonly(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written: the type that kernels declare for what users pass."""
    view = array.view()
    view.flags.writeable = False
    return view


_NONE = readonly(np.zeros(0, dtype=np.int64))


class Source(NamedTuple):
    """Data in the form the machine gathers batches from; see `source`."""

    gather: Kernel
    values: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    n_rows: int
    width: int


def source(X: Any, dtype: str) -> Source:
    """Make the rows of X available to the machine.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
        Copied only where its type or order is not the machine's.
    dtype : {"float32", "float64"}
        The type the machine computes in.

    Raises
    ------
    ValueError
        If a sparse X holds an index outside its shape: kernels do not check.
    """
    n_rows, width = X.shape
    if sparse.issparse(X):
        X.check_format(full_check=True)
        values = np.ascontiguousarray(X.data, dtype=dtype)
        indices = np.ascontiguousarray(X.indices, dtype=np.int64)
        indptr = np.ascontiguousarray(X.indptr, dtype=np.int64)
        arrays = (readonly(values), readonly(indices), readonly(indptr))
        return Source(gather_sparse, *arrays, n_rows, width)
    values = np.require(X, dtype=dtype, requirements=["C", "A"]).reshape(-1)
    return Source(gather_dense, readonly(values), _NONE, _NONE, n_rows, width)
