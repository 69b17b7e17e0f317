"""Display of attributions: bars of columns, of words and characters, and maps of images."""

import numpy as np
from sklearn.base import is_regressor

from sklearn_nn.estimators._core.fitted_network import data_format_of, network_of
from sklearn_nn.inspection import _plotting as plots
from sklearn_nn.inspection._explained import LOG_ODDS
from sklearn_nn.inspection._fitted import checked_shape, network_and_input
from sklearn_nn.inspection.attribution import attributions
from sklearn_nn.layers.shape import CHANNELS_FIRST

#: Colours of positive and negative attributions, as those of signed maps.
_UP, _DOWN = "C3", "C0"


class AttributionDisplay(plots.Display):
    """Display of attributions: bars, or images and signals beside maps.

    For a single row of a table, the bars are its largest attributions; for several, the mean
    magnitudes of the attributions of each column. Words and characters get a bar each, in their
    order, and images and signals a map beside them, added up over channels: red increases the
    prediction, blue decreases it.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), or (n_samples, height, width, channels), or \
            (n_samples, steps, channels)
        The samples. NaN follows the end of sequences of unequal length, also in `values`.
    values : ndarray of the shape of X
        Their attributions; see `attributions`.
    base_values, outputs : array-like of shape (n_samples,), default=None
        The mean prediction of the background, and the predictions.
    feature_names : list of str, default=None
        Names of the columns. None is x0, x1, ...
    target : array-like of shape (n_samples,), default=None
        The classes that are explained, or output columns.
    in_order : bool, default=False
        Whether X of two dimensions is words or characters, whose bars keep their order.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One for the bars of a table, one for each sequence of words, or two for each image.
    figure_ : matplotlib Figure

    See Also
    --------
    attributions : Computes the values.
    SaliencyDisplay : Draws the gradient and the effect of occlusion.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.inspection import AttributionDisplay
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = MLPClassifier(10, solver="lbfgs", random_state=0).fit(X, y)
    >>> display = AttributionDisplay.from_estimator(model, X[::30], background=X[::10])
    >>> display.values.shape
    (5, 4)
    """

    def __init__(
        self,
        X,
        values,
        base_values=None,
        outputs=None,
        *,
        feature_names=None,
        target=None,
        in_order=False,
    ):
        self.X = X
        self.values = values
        self.base_values = base_values
        self.outputs = outputs
        self.feature_names = feature_names
        self.target = target
        self.in_order = in_order

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        background,
        target=None,
        *,
        output=LOG_ODDS,
        input_shape=None,
        max_features=10,
        share_scale=False,
        axes=None,
        figure=None,
    ):
        """Plot the attributions of predictions of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted network of sklearn_nn, or a pipeline or search that contains one.
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples as the estimator takes them: a few of images and sequences, any number of rows
            of a table.
        background, target, output : optional
            Parameters of `attributions`.
        input_shape : tuple of int, default=None
            Shape of a sample, (height, width, channels) or (steps, channels), for a network that
            reads images as vectors.
        max_features : int, default=10
            Number of columns that get a bar of their own; the others are added up.
        share_scale : bool, default=False
            Whether to use one scale for the maps of all samples.
        axes : sequence of matplotlib Axes, default=None
            One for a table, one for each sequence of words, or for each image one for itself and
            one for its map.
        figure : matplotlib Figure or SubFigure, default=None
            Figure to draw a grid in. None makes a new one unless `axes` are passed.

        Returns
        -------
        display : AttributionDisplay

        Raises
        ------
        NotFittedError, TypeError
            If the estimator is not fitted, or is not a network of sklearn_nn.
        ValueError
            If X, the background or a parameter is invalid.
        """
        found = attributions(estimator, X, background, target, output=output)
        network, _ = network_and_input(estimator)
        first = network_of(network).plan.layers[0][1]
        in_order = first.reads_whole_numbers
        is_turned = data_format_of(network) == CHANNELS_FIRST
        X, values = (_stacked(arrays, is_turned) for arrays in (found.data, found.values))
        shape = None if in_order else getattr(network, "input_shape_", None)
        if input_shape is not None:
            shape = checked_shape(input_shape, int(np.prod(values.shape[1:])))
        if shape is not None and plots.is_map(shape):
            steps = [-1] if len(shape) == 2 and input_shape is None else shape[:-1]
            X, values = (array.reshape(len(X), *steps, shape[-1]) for array in (X, values))
        display = cls(
            X,
            values.reshape(len(values), -1) if in_order else values,
            found.base_values,
            found.outputs,
            feature_names=found.feature_names,
            target=None if is_regressor(network) and network.n_outputs_ == 1 else found.target,
            in_order=in_order,
        )
        return display.plot(
            max_features=max_features, share_scale=share_scale, axes=axes, figure=figure
        )

    def plot(self, *, max_features=10, share_scale=False, axes=None, figure=None):
        """Draw the bars or maps.

        Parameters
        ----------
        max_features, share_scale, axes, figure : optional
            See `from_estimator`, also for the errors.

        Returns
        -------
        display : AttributionDisplay
        """
        values = np.asarray(self.values)
        if values.ndim > 2:
            self._plot_maps(values, share_scale, axes, figure)
        elif self.in_order:
            self._plot_sequences(values, axes, figure)
        else:
            self._plot_bars(values, max_features, axes, figure)
        return self

    def _plot_maps(self, values, share_scale, axes, figure):
        """Draw each sample beside the sum of its attributions over channels."""
        X = np.asarray(self.X)
        self._use_grid(2 * len(X), 2, axes, figure, (1.7, 1.8) if X.ndim == 4 else (2.6, 1.5))
        self.axes_ = self.axes_.reshape(len(X), 2)
        maps = values.sum(axis=-1)
        limits, scales = plots.limits_of(X), plots.scales_of(maps, share_scale)
        for number, (of_sample, of_map) in enumerate(self.axes_):
            plots.draw_sample(of_sample, X[number], limits)
            plots.bare(of_sample, self._label(number))
            plots.draw_map(of_map, maps[number], signed=True, limit=scales[number])
            plots.bare(of_map, "attribution")

    def _plot_sequences(self, values, axes, figure):
        """Draw a bar for each word or character, in their order."""
        self._use_grid(len(values), 1, axes, figure, (6, 1.6))
        for number, (ax, row, words) in enumerate(zip(self.axes_, values, self.X, strict=True)):
            own = ~np.isnan(row)
            row, words = row[own], [_shown(word) for word in np.asarray(words).ravel()[: own.sum()]]
            ax.bar(np.arange(len(row)), row, color=np.where(row < 0, _DOWN, _UP))
            ax.set_xticks(np.arange(len(row)), words, fontsize="small")
            ax.axhline(0, color=plots.MARK, linewidth=0.8)
            ax.set_title(self._label(number) or "", fontsize="small")
            ax.set_ylabel("attribution", fontsize="small")

    def _plot_bars(self, values, max_features, axes, figure):
        """Draw bars of the columns with the largest attributions, and one of all others."""
        is_one = len(values) == 1
        sizes = values[0] if is_one else np.abs(values).mean(axis=0)
        names = self.feature_names or [f"x{k}" for k in range(len(sizes))]
        order = np.argsort(-np.abs(sizes), kind="stable")
        shown, rest = order[:max_features], order[max_features:]
        bars = [sizes[k] for k in shown]
        labels = [f"{names[k]} = {_shown(self.X[0][k])}" if is_one else names[k] for k in shown]
        if rest.size:
            bars.append(sizes[rest].sum())
            labels.append(f"{rest.size} others")
        self._use_grid(1, 1, axes, figure, (6, 0.8 + 0.3 * len(bars)))
        (ax,) = self.axes_
        colors = [_DOWN if size < 0 else _UP for size in bars] if is_one else "C0"
        ax.barh(np.arange(len(bars)), bars, color=colors)
        ax.set_yticks(np.arange(len(bars)), labels, fontsize="small")
        ax.invert_yaxis()
        ax.axvline(0, color=plots.MARK, linewidth=0.8)
        ax.set_xlabel("attribution" if is_one else "mean |attribution|")
        if is_one:
            ax.set_title(self._label(0) or "", fontsize="small")

    def _label(self, number):
        """Return the title of a sample: its class, prediction and mean prediction."""
        label = "" if self.target is None else f"{self.target[number]}: "
        if self.outputs is None:
            return label.removesuffix(": ") or None
        label += f"{self.outputs[number]:.3g}"
        return (
            label if self.base_values is None else f"{label} (mean {self.base_values[number]:.3g})"
        )


def _stacked(arrays, is_turned):
    """Return samples in one array with channels last, and NaN or empty text after each end.

    If `is_turned`, channels come first.
    """
    if not isinstance(arrays, list):
        return np.moveaxis(arrays, 1, -1) if is_turned and arrays.ndim > 2 else arrays
    arrays = [array.T if is_turned else array for array in arrays]
    longest = max(map(len, arrays))
    filler = "" if arrays[0].dtype.kind == "U" else np.nan
    found = np.full((len(arrays), longest, *arrays[0].shape[1:]), filler, arrays[0].dtype)
    for row, array in zip(found, arrays, strict=True):
        row[: len(array)] = array
    return found


def _shown(value):
    """Return a value as text: numbers in few digits, spaces as a visible sign."""
    try:
        return f"{float(value):.4g}"
    except (TypeError, ValueError):
        return str(value).replace(" ", "␣").replace("\n", "⏎")
