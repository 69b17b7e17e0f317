"""Sliding windows of a time series, the samples of a forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.utils import check_array

from sklearn_nn.layers.layer import whole_numbers


def sliding_windows(
    series: Any,
    width: int,
    horizon: int = 1,
    stride: int = 1,
    *,
    gap: int = 0,
    target: Any = None,
    future: Any = None,
    groups: Any = None,
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
        Channels to forecast, by position, or by name if `series` is a DataFrame; None is all, or
        all that `future` does not name.
    future : int, str, list of int or list of str, or None, default=None
        Channels that are known ahead, such as the calendar, a price or a weather forecast, and what
        never changes, such as the kind of a shop. Windows then go on over the `horizon`, where they
        hold these channels only.
    groups : array-like of shape (n_steps,) or None, default=None
        Label of the series that each step belongs to, such as a shop. The steps of one series are
        successive. No window extends over two series.

    Returns
    -------
    X : ndarray of shape (n_windows, width, n_channels)
        The windows, in the dtype of the series; a read-only view if it is an array. A series of
        one axis has one channel. With `future`, an array of shape (n_windows, width + horizon,
        n_channels + 1) of floats: the steps of the window, then those of the forecast, where
        channels that are not known ahead are 0. The last channel is 0 in the window and 1 after it.
    y : ndarray of shape (n_windows,) or (n_windows, horizon * n_targets)
        The values to forecast: all targets of the first step, then those of the second. A single
        column has one axis, as regressors expect.

    Raises
    ------
    ValueError
        If the series contains anything but finite numbers or is shorter than
        ``width + gap + horizon``, if the steps of a group are not successive, or a parameter is
        invalid.

    See Also
    --------
    forecast : Forecasts the steps after a series by a fitted model.
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
    were known at the end of the first test window.

    With `groups`, windows are in the order of the series, and X is a copy. Windows of step numbers
    tell which steps the targets of each window are:
    ``sliding_windows(np.arange(n_steps), width, horizon, groups=groups)[1]``.

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

    The hour is known ahead; the first channel is not:

    >>> X, y = sliding_windows(series, width=24, horizon=6, future=1)
    >>> X.shape, y.shape
    ((171, 30, 3), (171, 6))
    >>> X[0, 22:26].round(2)
    array([[-0.71, 22.  ,  0.  ],
           [-0.51, 23.  ,  0.  ],
           [ 0.  ,  0.  ,  1.  ],
           [ 0.  ,  1.  ,  1.  ]])
    """
    values = read_steps(series)
    (width,), (horizon,), (stride,) = (
        whole_numbers(name, value, 1)
        for name, value in (("width", width), ("horizon", horizon), ("stride", stride))
    )
    if not _is_whole(gap) or gap < 0:
        raise ValueError(f"gap={gap!r} must be a non-negative whole number of steps.")
    known, targets = parts_of_channels(series, values.shape[1], future, target)
    cuts = [
        _cut(values[begin:end], (width, horizon, stride, int(gap)), targets, known, label)
        for begin, end, label in _spans(groups, len(values))
    ]
    X, y = cuts[0] if len(cuts) == 1 else map(np.concatenate, zip(*cuts, strict=True))
    return X, y.ravel() if y.shape[1] == 1 else y


def parts_of_channels(
    series: Any, n_channels: int, future: Any, target: Any
) -> tuple[list[int] | None, list[int]]:
    """Return the positions of channels known ahead and of those to forecast.

    Parameters
    ----------
    series : array-like or DataFrame
        The series, whose columns have names if it is a data frame.
    n_channels : int
        Number of its channels.
    future, target : int, str, list of int or list of str, or None
        Channels known ahead, and those to forecast, as for `sliding_windows`.

    Returns
    -------
    known : list of int or None
        Channels known ahead, or None if none is.
    targets : list of int
        Channels to forecast.

    Raises
    ------
    ValueError
        If a name or position is not in the series, or a channel is in both.
    """
    names = getattr(series, "columns", None)
    if future is None:
        return None, _positions("target", target, names, n_channels)
    known = _positions("future", future, names, n_channels)
    if target is None:
        target = [i for i in range(n_channels) if i not in known]
        if not target:
            raise ValueError(
                f"future={future!r} names all channels, so that none is left to forecast; leave "
                "out those that are not known ahead."
            )
    targets = _positions("target", target, names, n_channels)
    if both := [i for i in targets if i in known]:
        which = both[0] if names is None else names[both[0]]
        raise ValueError(
            f"future={future!r} and target={target!r} both name channel {which!r}; leave what is "
            "to be forecast out of future."
        )
    return known, targets


def with_future(past: np.ndarray, ahead: np.ndarray, known: list[int]) -> np.ndarray:
    """Return windows that go on over the horizon.

    Parameters
    ----------
    past : ndarray of shape (n, width, n_channels)
        The windows.
    ahead : ndarray of shape (n, horizon, n_channels)
        The steps after them.
    known : list of int
        Channels known ahead; others of `ahead` are not read.

    Returns
    -------
    X : ndarray of shape (n, width + horizon, n_channels + 1)
        The windows of `sliding_windows` with `future`.
    """
    width = past.shape[1]
    shape = len(past), width + ahead.shape[1], past.shape[2] + 1
    X = np.zeros(shape, np.result_type(past.dtype, np.float32))
    X[:, :width, :-1] = past
    X[:, width:, known] = ahead[:, :, known]
    X[:, width:, -1] = 1
    return X


def _cut(
    values: np.ndarray, sizes: tuple[int, ...], targets: list[int], known: Any, label: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows of one series, and the steps that follow each, one row a window."""
    width, horizon, stride, gap = sizes
    first = width + gap
    n = (len(values) - first - horizon) // stride + 1
    if n < 1:
        raise ValueError(
            f"{label} has {len(values)} steps, but width={width}, gap={gap} and horizon={horizon} "
            f"need {first + horizon}; use a longer series or a smaller width."
        )
    X = sliding_window_view(values, width, axis=0)[::stride][:n].transpose(0, 2, 1)
    after = sliding_window_view(values[first:], horizon, axis=0)[::stride].transpose(0, 2, 1)
    if known is not None:
        X = with_future(X, after, known)
    # y is copied: it is small, and users scale it in place.
    return X, after[:, :, targets].copy().reshape(n, -1)


def _spans(groups: Any, n_steps: int) -> list[tuple[int, int, str]]:
    """Return the first step, the end and a description of each series of a panel."""
    if groups is None:
        return [(0, n_steps, "series")]
    labels = np.asarray(groups)
    if labels.shape != (n_steps,):
        raise ValueError(
            f"groups has shape {labels.shape}, but series has {n_steps} steps; pass the label of "
            "each step."
        )
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError(
            f"groups holds nan at step {np.flatnonzero(np.isnan(labels))[0]}; label every step."
        )
    begins = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist()]
    spans: list[tuple[int, int, str]] = []
    seen: dict[Any, int] = {}
    for begin, end in zip(begins, [*begins[1:], n_steps], strict=True):
        label = labels[begin : begin + 1].tolist()[0]
        if label in seen:
            raise ValueError(
                f"groups has {label!r} at step {seen[label]} and again at step {begin}, with "
                "others between; sort the steps by group, and by time within each."
            )
        seen[label] = begin
        spans.append((begin, end, f"the series of group {label!r}"))
    return spans


def read_steps(series: Any, name: str = "series") -> np.ndarray:
    """Return a series as an array of finite numbers.

    Parameters
    ----------
    series : array-like or DataFrame of shape (n_steps,) or (n_steps, n_channels)
        The series.
    name : str, default='series'
        Its name in errors.

    Returns
    -------
    values : ndarray of shape (n_steps, n_channels)
        The numbers.

    Raises
    ------
    ValueError
        If it has other axes, or holds anything but finite numbers.
    """
    try:
        values = check_array(
            series, ensure_2d=False, allow_nd=True, ensure_all_finite=False, ensure_min_samples=0,
            ensure_min_features=0,
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} cannot be read as numbers: {error} Encode or leave out other columns."
        ) from error
    if values.dtype.kind in "mM":
        raise ValueError(
            f"{name} has dtype {values.dtype}; leave times out, or convert them to numbers such as "
            "the hour of the day."
        )
    if values.ndim not in (1, 2) or 0 in values.shape[1:]:
        raise ValueError(
            f"{name} has shape {values.shape}; a series is (n_steps,) or (n_steps, n_channels). "
            "Stack several series, and pass groups."
        )
    if values.ndim == 1:
        values = values[:, np.newaxis]
    if not np.isfinite(values).all():
        step, channel = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"{name} holds {values[step, channel]} at step {step}, channel {channel}; fill gaps "
            "first, as with DataFrame.interpolate()."
        )
    return values


def _positions(parameter: str, value: Any, names: Any, n_channels: int) -> list[int]:
    """Return the positions of the channels that the value of a parameter names; None is all."""
    if value is None:
        return list(range(n_channels))
    asked = list(value) if isinstance(value, list | tuple | np.ndarray) else [value]
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
                f"{parameter}={value!r}: {one!r} is not a channel of the series; use a position "
                f"from 0 to {n_channels - 1}{have}."
            )
    if not found or len(set(found)) < len(found):
        none = "all of them" if parameter == "target" else "for none"
        raise ValueError(f"{parameter}={value!r} must name channels, each once; None is {none}.")
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
