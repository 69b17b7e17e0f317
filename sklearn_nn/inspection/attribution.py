"""Attributions: shares of the inputs in the difference of a prediction from a mean one."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn._optional import imported
from sklearn_nn._spec import is_number, lies_in
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.estimators._core.parts import warn
from sklearn_nn.estimators._inputs.table.reader import TableReader
from sklearn_nn.estimators._inputs.text import encoded
from sklearn_nn.estimators.text.fit import TextReader
from sklearn_nn.inspection._explained import LOG_ODDS, PROBABILITY, Explained
from sklearn_nn.inspection._fitted import (
    Samples,
    check_network,
    chosen_outputs,
    network_and_input,
    samples,
)
from sklearn_nn.inspection._paths import integrate

_CALLER = "attributions"


@dataclass(frozen=True, eq=False)
class Attributions:
    """Attributions of predictions to inputs; see `attributions`.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_features) or (n_samples, ...), or list of ndarray
        The attribution of each input, in the shape of X: of a table, of each column; of sequences
        of unequal length, a list with an array for each.
    base_values : ndarray of shape (n_samples,)
        The mean prediction of the background.
    outputs : ndarray of shape (n_samples,)
        The predictions that are explained: the number, log-odds or probability.
    data : ndarray or list of ndarray
        The inputs, in the shape of `values`.
    feature_names : list of str or None
        Names of the columns.
    target : ndarray of shape (n_samples,)
        The class, or output column, of each prediction.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.inspection import attributions
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", max_iter=2000).fit(X, y)
    >>> found = attributions(model, X[:3], background=X[::20])
    >>> found.feature_names[:3]
    ['age', 'sex', 'bmi']
    >>> bool((found.outputs == model.predict(X[:3])).all())
    True
    """

    values: Any
    base_values: np.ndarray
    outputs: np.ndarray
    data: Any = None
    feature_names: Any = None
    target: Any = None

    @property
    def errors(self):
        """Sum of a row's attributions, minus the difference that they are to add up to.

        Returns
        -------
        errors : ndarray of shape (n_samples,)
            ``values.sum() - (outputs - base_values)`` for each sample.
        """
        sums = np.array([np.sum(value, dtype=np.float64) for value in self.values])
        return sums - (self.outputs - self.base_values)

    def to_shap(self):
        """Return the attributions for the plots of shap.

        Columns of text become numbers in its `data`, by which plots choose colours; `display_data`
        holds the values themselves.

        Returns
        -------
        explanation : shap.Explanation

        Raises
        ------
        ImportError
            If shap is not installed.
        """
        shap = imported("shap", "to_shap needs shap", "ecosystem")
        values, data = _one_array(self.values), _one_array(self.data)
        given = {"base_values": self.base_values, "feature_names": self.feature_names}
        if data.dtype == object and data.ndim == 2:
            given |= {"display_data": data}
            data = np.column_stack([_as_numbers(column) for column in data.T])
        return shap.Explanation(values, data=data, **given)


def _one_array(arrays):
    """Return a list of arrays of unequal length as an array of objects."""
    if not isinstance(arrays, list):
        return arrays
    found = np.empty(len(arrays), dtype=object)
    found[:] = arrays
    return found


def _as_numbers(column):
    """Return a column of objects as numbers: as they are, or the rank of each text."""
    missing = np.array([value is None or value != value for value in column], dtype=bool)
    found = np.full(len(column), np.nan)
    try:
        found[~missing] = column[~missing].astype(np.float64)
    except (TypeError, ValueError):
        _, found[~missing] = np.unique(column[~missing].astype(str), return_inverse=True)
    return found


def attributions(
    estimator, X, background, target=None, *, output=LOG_ODDS, tol=1e-3, max_points=1000
):
    """Attribute predictions to inputs by gradients between background samples and each sample.

    The input moves on a straight line from a background sample to the sample, and the change of the
    prediction along this path is shared out by the gradient. With one background sample, these are
    integrated gradients (Sundararajan, Taly & Yan, 2017); with several, expected gradients (Erion
    et al., 2021), the mean over all of them, without sampling. A row's attributions add up to its
    prediction minus the mean prediction of the background. This is checked, and paths where it is
    not so get more points.

    Of a table, each column gets one value: those of its scaled number, its indicator of missing
    values and its one-hot columns are added up. Codes of categories, words and characters move
    along a line between their vectors.

    Parameters
    ----------
    estimator : estimator
        A fitted network of sklearn_nn, or a pipeline or search that contains one. The steps of a
        pipeline before the network are applied, and attributions are those of their results.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        Samples as the estimator takes them; for a TextGenerator, a text or a list of texts, whose
        next character is explained.
    background : array-like of shape (n_background, n_features) or (n_background, ...), or float
        Samples that the prediction is compared with, such as 10 to 100 rows of the training data. A
        number stands for a sample of that value everywhere, as the network reads it: 0 is a black
        image, or the word 0 at each step. Background sequences are cut to the length of a sample;
        for texts, a single character is repeated.
    target : label, int or array-like of shape (n_samples,), default=None
        The class, or one for each sample; for a regressor, the index of the output. None is the
        only output, the second of two classes, or the most probable of several classes.
    output : {"log_odds", "probability"}, default="log_odds"
        What is explained of a classifier: the log-odds log(p / (1 - p)) of the class, which is the
        raw output of a network with two classes, or its probability p. Of regressors it is the
        prediction, in units of y.
    tol : float, default=1e-3
        Largest error of the sum of a row's attributions, relative to the difference that they add
        up to, or to a hundredth of the sum of their magnitudes where that is more.
    max_points : int, default=1000
        Largest number of points on the paths to a sample, on average over these.

    Returns
    -------
    attributions : Attributions
        With `values`, `base_values`, `outputs` and `errors`, and the method `to_shap`.

    Raises
    ------
    NotFittedError, TypeError
        If the estimator is not fitted, or is not a network of sklearn_nn.
    ValueError
        If X, the background or a parameter is invalid, the class or output does not exist, or the
        network looks up codes elsewhere than in its first layer.

    Warns
    -----
    ConvergenceWarning
        If sums do not agree within `tol` with `max_points`.

    See Also
    --------
    AttributionDisplay : Draws attributions as bars and images.
    saliency_map : The gradient at the sample.

    Notes
    -----
    With `return_sequences`, the output of the last step is explained. Tabular estimators average
    the predictions of several networks, after their temperatures, and so does the function that is
    explained. Its gradient is integrated over segments of the paths by three-point Gauss-Legendre
    quadrature. Segments whose attributions differ most from the difference of the predictions at
    their ends are halved until the sums agree.

    References
    ----------
    Sundararajan, M., Taly, A., & Yan, Q. (2017). Axiomatic attribution for deep networks. ICML.

    Erion, G., Janizek, J. D., Sturmfels, P., Lundberg, S. M., & Lee, S.-I. (2021). Improving
    performance of deep learning models with axiomatic attribution priors and expected gradients.
    Nature Machine Intelligence 3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.inspection import attributions
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = MLPClassifier(10, solver="lbfgs", random_state=0).fit(X, y)
    >>> found = attributions(model, X[:5], background=X[::10], output="probability")
    >>> found.values.shape
    (5, 4)
    >>> bool(abs(found.errors).max() < 1e-3)
    True
    """
    _check(output, tol, max_points)
    network, X = network_and_input(estimator, X)
    check_network(network, _CALLER)
    explained = Explained(network, output)
    given = _read(network, X)
    others = _background(estimator, background, given)
    lengths, others = _aligned(given, others)
    rows = explained.encode(given.rows, lengths)
    chosen = _chosen(explained, rows, lengths, target)
    most = None if lengths is None else np.full(len(others), lengths.max())
    values, outputs, base, excess = integrate(
        explained, (rows, lengths, chosen), explained.encode(others, most),
        given.rows.shape[1], tol, max_points,
    )  # fmt: skip
    if (excess > 1).any():
        warn(
            f"The attributions of {np.count_nonzero(excess > 1)} of {len(values)} rows miss the "
            f"difference of predictions by up to {excess.max() * tol:.1g} of it with "
            f"max_points={max_points}; increase that number.",
            ConvergenceWarning,
        )
    values, data, names = _in_shape(given, X, values)
    labels = _labels(network, chosen)
    return Attributions(values, base, outputs, data, names, labels)


def _check(output, tol, max_points):
    """Raise ValueError if a parameter is invalid."""
    if output not in (LOG_ODDS, PROBABILITY):
        raise ValueError(f"output={output!r} must be {LOG_ODDS!r} or {PROBABILITY!r}.")
    if not (is_number(tol) and lies_in(tol, "(0, inf)")):
        raise ValueError(f"tol={tol!r} must be a positive number.")
    if not (is_number(max_points, Integral) and max_points >= 1):
        raise ValueError(f"max_points={max_points!r} must be a whole number from 1.")


def _read(network, X):
    """Return `Samples` of X, or of the codes of texts."""
    fitted = network_of(network)
    if not isinstance(network._reader, TextReader):
        return samples(network, X, _CALLER)
    codes = network._reader.encoded(X)
    lengths = np.array([len(text) for text in codes])
    if not lengths.size or lengths.min() < 1:
        raise ValueError("X holds an empty text; leave it out.")
    rows = np.zeros((len(codes), lengths.max()), dtype=fitted.dtype)
    for row, text in zip(rows, codes, strict=True):
        row[: len(text)] = text
    return Samples(network, rows, (len(codes), lengths.max()), lengths, rows.shape[1])


def _background(estimator, background, given):
    """Return `Samples` of the background, one value everywhere if it is a number or character."""
    network, width = given.network, given.rows.shape[1]
    if isinstance(network._reader, TextReader):
        if isinstance(background, str) and len(background) == 1:
            background = background * width
        return _read(network, background)
    if not is_number(background):
        _, background = network_and_input(estimator, background)
        return samples(network, background, f"the background of {_CALLER}")
    if isinstance(network._reader, TableReader):
        raise ValueError(
            f"background={background!r} is not a row of a table; pass rows, such as 100 of the "
            "training data."
        )
    row = np.full((1, width), background, dtype=given.rows.dtype)
    first = network_of(network).plan.layers[0][1]
    if first.reads_whole_numbers:
        first.check_values(float(background), float(background), float(background).is_integer())
    lengths = None if given.lengths is None else np.array([given.lengths.max()])
    return given._replace(rows=row, lengths=lengths)


def _aligned(given, others):
    """Return numbers of steps of the samples, or None, and background rows of at least as many."""
    width, lengths = given.rows.shape[1], given.lengths
    if lengths is None and others.lengths is not None:  # samples are as long as in training
        lengths = np.full(len(given.rows), width // given._channels)
    if lengths is None:
        return None, others.rows
    steps = others.rows.shape[1] // given._channels
    shortest = steps if others.lengths is None else others.lengths.min()
    if shortest < lengths.max():
        raise ValueError(
            f"The background has a sequence of {shortest} steps, but X one of {lengths.max()}; "
            "pass background sequences at least as long as the samples, which are cut to the "
            "length of each, or a number."
        )
    return lengths, np.ascontiguousarray(others.rows[:, :width])


def _chosen(explained, rows, lengths, target):
    """Return the number of the class or output that is explained, for each row."""
    scores = explained.scores(rows, lengths)
    if not isinstance(explained.estimator._reader, TextReader):
        return chosen_outputs(explained.estimator, target, scores)
    if target is None:
        return scores.argmax(axis=1)
    wanted = [target] * len(scores) if isinstance(target, str) else list(target)
    if len(wanted) != len(scores) or not all(isinstance(x, str) and len(x) == 1 for x in wanted):
        raise ValueError(
            f"target={target!r} must be a single character, or one for each of {len(scores)} texts."
        )
    return encoded("".join(wanted), explained.estimator.vocabulary_, "target").astype(np.intp)


def _labels(network, chosen):
    """Return the names of classes or output columns."""
    if isinstance(network._reader, TextReader):
        return np.array(list(network.vocabulary_))[chosen]
    return network.classes_[chosen] if is_classifier(network) else chosen


def _in_shape(given, X, values):
    """Return attributions, the inputs in their shape, and names of columns if known."""
    network = given.network
    if isinstance(network._reader, TableReader):
        encoder = network._reader.encoder
        columns = np.zeros((values.shape[0], encoder.n_features_in_))
        np.add.at(columns.T, encoder.origins(), values.T)
        names = getattr(encoder, "feature_names_in_", None)
        return columns, _cells(X, names), None if names is None else names.tolist()
    data = given.as_given(given.rows)
    if isinstance(network._reader, TextReader):
        letters = np.array(list(network.vocabulary_))
        as_text = [letters[np.asarray(row, dtype=np.intp)] for row in data]
        data = np.array(as_text) if isinstance(data, np.ndarray) else as_text
    names = getattr(X, "columns", None)
    return given.as_given(values), data, None if names is None else [str(name) for name in names]


def _cells(X, names):
    """Return the cells of a table, columns in the order of `names`, as an array of objects."""
    if names is not None and hasattr(X, "columns"):
        X = X[list(names)]
    return np.asarray(X.to_numpy() if hasattr(X, "to_numpy") else X, dtype=object)
