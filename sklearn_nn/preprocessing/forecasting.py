"""Forecasts of the steps after a series by fitted models, direct and recursive."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_nn.layers.layer import whole_numbers
from sklearn_nn.preprocessing.windows import parts_of_channels, read_steps, with_future

#: Attributes by which meta-estimators of scikit-learn hold the fitted estimator.
_INNER = ("best_estimator_", "regressor_", "_final_estimator")


def forecast(
    model: Any,
    history: Any,
    steps: int,
    future: Any = None,
    *,
    target: Any = None,
    horizon: int | None = None,
    quantiles: bool = False,
) -> np.ndarray:
    """Forecast the steps that follow a series, by a model fitted on its sliding windows.

    Up to the horizon of the model, the forecast is direct: one prediction. Beyond it, the forecast
    is recursive: predicted steps become the end of the window from which the next are predicted.

    Parameters
    ----------
    model : estimator
        Fitted on X and y of :func:`sliding_windows` without a `gap`: a network or another
        regressor, a pipeline or a search.
    history : DataFrame, or array-like of shape (width,), (width, n_channels) or (n_series, width, \
n_channels)
        The last steps of the series, as many as a window of the training data has, with the same
        channels; or those of several series.
    steps : int
        Steps to forecast.
    future : DataFrame, or array-like of shape (n_steps, n_channels) or (n_series, n_steps, \
n_channels), or None, default=None
        The channels that were known ahead in the training data, for the steps to forecast; further
        steps are ignored. A data frame has their columns, beside a `history` that is a data frame,
        too; other columns of `history` are unknown. An array has all channels, with NaN in those
        that are not known. As many steps as the model forecasts at a time, or a multiple of it
        that is not below `steps`.
    target : int, str, list of int or list of str, or None, default=None
        Channels that the model forecasts, as for :func:`sliding_windows`. None is all, or all that
        are not known ahead.
    horizon : int or None, default=None
        Steps that the model forecasts at a time. None is the number of its outputs over that of
        the targets, which is read from ``n_outputs_`` if there is a `future`.
    quantiles : bool, default=False
        Whether to return the quantiles that the model predicts with ``loss="quantile"`` and a list
        of levels, in place of its predictions. `steps` must be within the horizon.

    Returns
    -------
    values : ndarray of shape (steps,) or (steps, n_targets)
        The forecast; of several series (n_series, steps) or (n_series, steps, n_targets). With
        `quantiles`, a last axis of levels.

    Raises
    ------
    ValueError
        If `history` or `future` contains anything but finite numbers, `future` is too short, the
        forecast is recursive and not all channels are known or predicted, or a parameter is
        invalid.

    See Also
    --------
    sliding_windows : Windows to train on.

    Notes
    -----
    A recursive forecast takes its own errors for facts, and a model that was not trained on these
    adds to them. A model of ``horizon=steps`` is usually more accurate. Quantiles of a recursive
    forecast would not contain the errors of the steps before, and are refused.

    References
    ----------
    Taieb, S. B., Bontempi, G., Atiya, A. F., & Sorjamaa, A. (2012). A review and comparison of
    strategies for multi-step ahead time series forecasting. Expert Systems with Applications 39(8).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import RNNRegressor, forecast, sliding_windows
    >>> series = np.sin(np.arange(300) / 4)
    >>> X, y = sliding_windows(series, width=24, horizon=6)
    >>> model = RNNRegressor(16, cell="gru", max_iter=2, random_state=0).fit(X, y)
    >>> forecast(model, series[-24:], 6).shape, forecast(model, series[-24:], 20).shape
    ((6,), (20,))
    """
    (steps,) = whole_numbers("steps", steps, 1)
    values = _stacked(history, "history")
    ahead, names = _known_ahead(future, history, values)
    known, targets = parts_of_channels(history, values.shape[2], names, target)
    if horizon is not None:
        (horizon,) = whole_numbers("horizon", horizon, 1)
    elif known is None:
        horizon = _horizon(np.asarray(model.predict(values)).size // len(values), len(targets))
    else:
        horizon = _horizon(_n_outputs(model), len(targets))
    n_rounds = -(-steps // horizon)
    _check(n_rounds, horizon, steps, ahead, quantiles)
    if n_rounds > 1:
        _check_recursion(history, values.shape[2], known, targets, horizon)
    predict = model.predict
    if quantiles:
        predict = getattr(model, "predict_quantiles", None)
        if predict is None:
            raise ValueError(
                f"quantiles=True needs a model with predict_quantiles, but {type(model).__name__} "
                "has none; pass a network with loss='quantile' and a list of levels itself."
            )
    width, found = values.shape[1], []
    for k in range(n_rounds):
        after = ahead[:, k * horizon : (k + 1) * horizon]
        X = values if known is None else with_future(values, after, known)
        predicted = _by_step(predict(X), len(values), horizon, len(targets), quantiles)
        found.append(predicted)
        if k + 1 < n_rounds:
            following = np.empty((len(values), horizon, values.shape[2]), predicted.dtype)
            if known is not None:
                following[:, :, known] = after[:, :, known]
            following[:, :, targets] = predicted
            values = np.concatenate([values, following], axis=1)[:, -width:]
    result = np.concatenate(found, axis=1)[:, :steps]
    result = result[:, :, 0] if len(targets) == 1 else result
    return result if np.ndim(history) == 3 else result[0]


def _stacked(series: Any, name: str) -> np.ndarray:
    """Return one or several series as an array of shape (n_series, n_steps, n_channels)."""
    if np.ndim(series) != 3:
        return read_steps(series, name)[np.newaxis]
    if not len(series):
        raise ValueError(f"{name} has no series; pass at least one.")
    return np.stack([read_steps(one, f"{name}[{i}]") for i, one in enumerate(series)])


def _known_ahead(future: Any, history: Any, values: np.ndarray) -> tuple[np.ndarray, Any]:
    """Return the known steps in the channels of the history, and the channels that are known."""
    n_series, _, n_channels = values.shape
    if future is None:
        return np.empty((n_series, 0, n_channels)), None
    if hasattr(future, "columns"):
        names, columns = list(future.columns), list(getattr(history, "columns", []))
        if strange := [name for name in names if columns.count(name) != 1]:
            raise ValueError(
                f"future has the column {strange[0]!r}, which is not one of history; history must "
                "be a data frame with all columns of future."
            )
        positions = [columns.index(name) for name in names]
        table = read_steps(future, "future")
        ahead = np.zeros((1, len(table), n_channels), table.dtype)
        ahead[0, :, positions] = table.T
        return ahead, positions
    ahead = np.asarray(future)
    if ahead.dtype.kind not in "biuf":
        raise ValueError(f"future has dtype {ahead.dtype}; pass numbers.")
    ahead = ahead if np.ndim(history) == 3 else ahead[np.newaxis]
    if ahead.ndim != 3 or ahead.shape[::2] != values.shape[::2]:
        expected = (
            "(n_steps, n_channels)" if np.ndim(history) != 3 else "(n_series, n_steps, n_channels)"
        )
        raise ValueError(
            f"future has shape {np.shape(future)}, but must have shape {expected} with "
            f"{n_channels} channels, as history has; those that are not known ahead hold NaN."
        )
    positions = np.flatnonzero(~np.isnan(ahead).all(axis=(0, 1))).tolist()
    if not np.isfinite(ahead[:, :, positions]).all():
        series, step, k = np.argwhere(~np.isfinite(ahead[:, :, positions]))[0]
        raise ValueError(
            f"future holds {ahead[series, step, positions[k]]} at step {step}, channel "
            f"{positions[k]}; a channel is known at all steps, or NaN at all of them."
        )
    if not positions:
        raise ValueError("future holds NaN only; pass None if nothing is known ahead.")
    return ahead, positions


def _n_outputs(model: Any) -> int:
    """Return the number of outputs of a fitted model, or of that in a pipeline or search."""
    while (found := getattr(model, "n_outputs_", None)) is None:
        inner = (getattr(model, name, None) for name in _INNER)
        model = next((one for one in inner if one is not None), None)
        if model is None:
            raise ValueError(
                "horizon=None is read from n_outputs_ of the model, which has none; pass the "
                "horizon of its training data."
            )
    return int(found)


def _horizon(n_outputs: int, n_targets: int) -> int:
    """Return the number of steps that a model forecasts at a time."""
    if n_outputs % n_targets or not n_outputs:
        raise ValueError(
            f"the model has {n_outputs} outputs for {n_targets} targets at each step; pass the "
            "target of its training data."
        )
    return n_outputs // n_targets


def _check(n_rounds: int, horizon: int, steps: int, ahead: np.ndarray, quantiles: bool) -> None:
    """Raise ValueError if the future is too short, or quantiles are asked beyond the horizon."""
    have, need = ahead.shape[1], n_rounds * horizon
    if 0 < have < need:
        raise ValueError(
            f"future has {have} steps, but steps={steps} needs {need}, since the model forecasts "
            f"{horizon} at a time; pass more steps."
        )
    if quantiles and n_rounds > 1:
        raise ValueError(
            f"quantiles=True with steps={steps} is beyond the horizon of the model, {horizon}: "
            "quantiles would not contain the errors of the steps before; train a model with "
            f"horizon={steps}."
        )


def _check_recursion(
    history: Any, n_channels: int, known: list[int] | None, targets: list[int], horizon: int
) -> None:
    """Raise ValueError if a channel beyond the horizon is neither known nor predicted."""
    missing = sorted(set(range(n_channels)) - set(known or ()) - set(targets))
    if missing:
        name = getattr(history, "columns", range(n_channels))[missing[0]]
        raise ValueError(
            f"steps is beyond the horizon of the model, {horizon}, so that the forecast is "
            f"recursive, but channel {name!r} is neither a target nor in future; pass it in "
            "future, forecast it too, or train a model with a longer horizon."
        )


def _by_step(
    predicted: Any, n_series: int, horizon: int, n_targets: int, quantiles: bool
) -> np.ndarray:
    """Return predictions with axes of series, steps and targets, and levels of quantiles."""
    predicted = np.asarray(predicted)
    levels = predicted.shape[-1:] if quantiles else ()
    shape = (n_series, horizon, n_targets, *levels)
    if predicted.size != np.prod(shape):
        raise ValueError(
            f"the model predicts an array of shape {predicted.shape} for {n_series} series, but "
            f"horizon={horizon} and {n_targets} targets need {horizon * n_targets} numbers for "
            "each; pass the horizon and target of its training data."
        )
    return predicted.reshape(shape)
