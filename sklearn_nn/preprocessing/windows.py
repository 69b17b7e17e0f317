"""Sliding windows of a time series, the samples of a forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.utils import check_array

from sklearn_nn.layers.layer import whole_numbers


def sliding_windows(
    series: Any, width: int, horizon: int = 1, stride: int = 1, *, gap: int = 0, target: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a time series into windows, each with the following values as targets of a forecast.

    Parameters
    ----------
    series : array-like or DataFrame of shape (n_steps,) or (n_steps, n_channels)
        Numbers at equal intervals of time, the earliest first.
    width : int
        Steps of a window, on which a forecast is based.
    horizon : int, default=1
        Steps to forecast.
    stride : int, default=1
        Steps between the starts of successive windows.
    gap : int, default=0
        Steps between the end of a window and the first step to forecast.
    target : int, str, list of int or list of str, or None, default=None
        Channels to forecast, by position, or by name if `series` is a DataFrame; None is all.

    Returns
    -------
    X : ndarray of shape (n_windows, width, n_channels)
        The windows, in the dtype of the series; a read-only view if it is an array. A series of
        one axis has one channel.
    y : ndarray of shape (n_windows,) or (n_windows, horizon * n_targets)
        The values to forecast: all targets of the first step, then those of the second. A single
        column has one axis, as regressors expect.

    Raises
    ------
    ValueError
        If the series contains anything but finite numbers or is shorter than
        ``width + gap + horizon``, or a parameter is invalid.

    See Also
    --------
    sklearn.model_selection.TimeSeriesSplit : Splits windows in the order of time.

    Notes
    -----
    Window i contains steps ``i * stride`` to ``i * stride + width - 1`` of the series, and row i of
    y the `horizon` steps from ``i * stride + width + gap`` on. There are ``(n_steps - width - gap -
    horizon) // stride + 1`` windows. ``y.reshape(n_windows, horizon, n_targets)`` has an axis of
    targets. ``series[-width:]``, reshaped to (1, width, n_channels), is the window that forecasts
    the steps beyond the series.

    Neighbouring windows overlap, so do not shuffle them into training and test sets:
    :class:`~sklearn.model_selection.TimeSeriesSplit` trains on earlier windows and tests on later
    ones. With its `gap` of ``ceil((horizon + gap) / stride) - 1`` windows, all training targets
    were known at the end of the first test window. For several series, concatenate the windows of
    each.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import sliding_windows
    >>> X, y = sliding_windows([0, 10, 20, 30, 40, 50], width=3, horizon=2)
    >>> X.shape
    (2, 3, 1)
    >>> X[..., 0]
    array([[ 0, 10, 20],
           [10, 20, 30]])
    >>> y
    array([[30, 40],
           [40, 50]])

    Forecast one of two channels, and test on windows after the training windows:

    >>> from sklearn.model_selection import TimeSeriesSplit
    >>> hours = np.arange(200)
    >>> series = np.column_stack([np.sin(hours / 4), hours % 24])
    >>> X, y = sliding_windows(series, width=24, horizon=6, target=0)
    >>> X.shape, y.shape
    ((171, 24, 2), (171, 6))
    >>> for train, test in TimeSeriesSplit(n_splits=2, gap=6 - 1).split(X):
    ...     print(train[-1], test[0])
    51 57
    108 114
    """
    values = _steps(series)
    (width,), (horizon,), (stride,) = (
        whole_numbers(name, value, 1)
        for name, value in (("width", width), ("horizon", horizon), ("stride", stride))
    )
    if not _is_whole(gap) or gap < 0:
        raise ValueError(f"gap={gap!r} must be a non-negative whole number of steps.")
    channels = _positions(target, getattr(series, "columns", None), values.shape[1])
    first = width + int(gap)
    n = (len(values) - first - horizon) // stride + 1
    if n < 1:
        raise ValueError(
            f"series has {len(values)} steps, but width={width}, gap={gap} and horizon={horizon} "
            f"need {first + horizon}; use a longer series or a smaller width."
        )
    X = sliding_window_view(values, width, axis=0)[::stride][:n].transpose(0, 2, 1)
    # y is copied: it is small, and users scale it in place.
    after = sliding_window_view(values[first:, channels], horizon, axis=0)[::stride]
    y = after.transpose(0, 2, 1).copy().reshape(n, -1)
    return X, y.ravel() if y.shape[1] == 1 else y


def _steps(series: Any) -> np.ndarray:
    """Return a series as an array of finite numbers of shape (n_steps, n_channels)."""
    try:
        values = check_array(
            series, ensure_2d=False, allow_nd=True, ensure_all_finite=False, ensure_min_samples=0,
            ensure_min_features=0,
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"series cannot be read as numbers: {error} Encode or leave out other columns."
        ) from error
    if values.dtype.kind in "mM":
        raise ValueError(
            f"series has dtype {values.dtype}; leave times out, or convert them to numbers such as "
            "the hour of the day."
        )
    if values.ndim not in (1, 2) or 0 in values.shape[1:]:
        raise ValueError(
            f"series has shape {values.shape}; a series is (n_steps,) or (n_steps, n_channels). "
            "For several series, call this for each and concatenate."
        )
    if values.ndim == 1:
        values = values[:, np.newaxis]
    if not np.isfinite(values).all():
        step, channel = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"series holds {values[step, channel]} at step {step}, channel {channel}; fill gaps "
            "first, as with DataFrame.interpolate()."
        )
    return values


def _positions(target: Any, names: Any, n_channels: int) -> list[int]:
    """Return the positions of the channels to forecast."""
    if target is None:
        return list(range(n_channels))
    asked = list(target) if isinstance(target, list | tuple | np.ndarray) else [target]
    known = [] if names is None else [name for name in names if isinstance(name, str)]
    found = []
    for one in asked:
        if isinstance(one, str) and known.count(one) == 1:
            found.append(list(names).index(one))
        elif _is_whole(one) and -n_channels <= one < n_channels:
            found.append(int(one) % n_channels)
        else:
            have = f", or one of the columns {', '.join(known)}" if known else ""
            raise ValueError(
                f"target={target!r}: {one!r} is not a channel of the series; use a position from 0 "
                f"to {n_channels - 1}{have}."
            )
    if not found or len(set(found)) < len(found):
        raise ValueError(f"target={target!r} must name channels, each once; None is all of them.")
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
