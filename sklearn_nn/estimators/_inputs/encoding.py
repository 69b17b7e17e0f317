"""What users pass, to contiguous arrays and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_nn.network.source import Source, source

#: Bytes of X that prediction converts at a time, where its type is not the network's.
_BLOCK_BYTES = 8 * 2**20


def check_some_weight(
    weights: np.ndarray | None, what: str, given_by: str = "sample_weight"
) -> None:
    """Raise a ValueError if all weights are zero."""
    if weights is not None and not np.any(weights > 0):
        raise ValueError(
            f"{given_by} is zero for every {what}; give at least one a positive weight."
        )


def check_fits(name: str, values: np.ndarray, dtype: str) -> None:
    """Raise a ValueError if `dtype` cannot hold values, which are finite in their own type."""
    if values.dtype.itemsize <= np.dtype(dtype).itemsize or values.dtype.kind != "f":
        return
    largest = np.finfo(dtype).max
    if values.size and not (values.max() <= largest and values.min() >= -largest):
        raise ValueError(
            f"{name} holds values too large for dtype({dtype!r}); scale {name} or use "
            "dtype='float64'."
        )


def check_no_dates(X: Any) -> None:
    """Raise a ValueError if X holds dates, which NumPy would make numbers of."""
    dtypes = np.ravel(np.asarray(getattr(X, "dtypes", getattr(X, "dtype", None)), dtype=object))
    dates = [dtype for dtype in dtypes if getattr(dtype, "kind", "") in ("m", "M")]
    if dates:
        raise ValueError(
            f"X has columns of dtype {dates[0]}; turn dates into numbers first, such as year, "
            "month and weekday."
        )


def is_bytes(X: Any) -> bool:
    """Whether X is an array of whole numbers of one byte, which the machine reads as they are."""
    return isinstance(X, np.ndarray) and X.dtype == np.uint8


def in_planes(X: Any, planes: int) -> Any:
    """Rows of several planes with an axis for these; rows of one are what they are."""
    return X if planes == 1 else X.reshape(X.shape[0], planes, X.shape[1] // planes)


def encode_rows(X: Any, dtype: str, divisor: int = 1) -> Source:
    """X, checked before, in the form the machine gathers batches from.

    `divisor` is what bytes are divided by. An X of three axes holds rows in planes.

    Raises
    ------
    ValueError
        If X holds numbers that `dtype` cannot.
    """
    with np.errstate(over="ignore"):  # looked for below
        data = source(X.tocsr() if sparse.issparse(X) else X, dtype, divisor)
    if data.values.dtype.itemsize < X.dtype.itemsize and not np.isfinite(data.values).all():
        raise ValueError(
            f"Input X contains values too large for dtype({dtype!r}); scale X or use "
            "dtype='float64'."
        )
    return data


def row_blocks(X: Any, dtype: str, divisor: int = 1) -> Iterator[Source]:
    """X a block of rows at a time, so that converting it takes little memory.

    X that the machine reads as it is makes one block, since it is not copied.
    """
    n_rows = X.shape[0]
    ready = not sparse.issparse(X) and X.flags.c_contiguous and X.flags.aligned
    if ready and (X.dtype == dtype or is_bytes(X)):
        yield source(X, dtype, divisor)
        return
    X = X.tocsr() if sparse.issparse(X) else X
    step = max(1, _BLOCK_BYTES // (8 * max(1, math.prod(X.shape[1:]))))
    for start in range(0, n_rows, step):
        yield encode_rows(X[start : start + step], dtype, divisor)
