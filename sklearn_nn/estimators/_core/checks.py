"""Checks of what users pass, and warnings that point to a line of theirs."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np


def check_some_weight(
    weights: np.ndarray | None, what: str, given_by: str = "sample_weight"
) -> None:
    """Raise ValueError if all weights are zero."""
    if weights is not None and not np.any(weights > 0):
        raise ValueError(
            f"{given_by} is zero for every {what}; give at least one a positive weight."
        )


def check_fits(name: str, values: np.ndarray, dtype: str) -> None:
    """Raise ValueError if `dtype` cannot hold values, which are finite in their own type."""
    if values.dtype.itemsize <= np.dtype(dtype).itemsize or values.dtype.kind != "f":
        return
    largest = np.finfo(dtype).max
    if values.size and not (values.max() <= largest and values.min() >= -largest):
        raise ValueError(
            f"{name} holds values too large for dtype({dtype!r}); scale {name} or use "
            "dtype='float64'."
        )


def check_no_dates(X: Any) -> None:
    """Raise ValueError if X holds dates, which NumPy would convert to numbers."""
    dtypes = np.ravel(np.asarray(getattr(X, "dtypes", getattr(X, "dtype", None)), dtype=object))
    dates = [dtype for dtype in dtypes if getattr(dtype, "kind", "") in ("m", "M")]
    if dates:
        raise ValueError(
            f"X has columns of dtype {dates[0]}; turn dates into numbers first, such as year, "
            "month and weekday."
        )


def is_bytes(X: Any) -> bool:
    """Return whether X is an array of bytes (uint8), which the machine reads as they are."""
    return isinstance(X, np.ndarray) and X.dtype == np.uint8


#: What stands between a user's line and the code that warns.
_BETWEEN = {"sklearn_nn", "sklearn", "joblib"}


def warn(message, category=UserWarning):
    """Warn at the line that called into this package, directly or through scikit-learn.

    The number of calls in between differs: a prediction may come from a pipeline, a score or a
    display.
    """
    frame, level = sys._getframe(1), 2
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level if frame is not None else 2)
