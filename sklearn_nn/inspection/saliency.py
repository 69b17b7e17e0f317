"""Saliency of inputs: the gradient of a score, and occlusion."""

import itertools
import math
import operator

import numpy as np
from sklearn.base import is_classifier

from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.inspection import _plotting as plots
from sklearn_nn.inspection._fitted import chosen_outputs, is_two_sided, samples
from sklearn_nn.layers.layer import whole_numbers

GRADIENT, OCCLUSION = "gradient", "occlusion"
#: Title of a map, and whether it is signed.
METHODS = {GRADIENT: ("|gradient|", False), OCCLUSION: ("occlusion", True)}
#: Occluded samples that are predicted at a time.
_ROWS = 512


def saliency_map(estimator, X, target=None):
    """Compute the gradient of a class score with respect to the input.

    The score is the raw output of the network before the link (softmax or sigmoid); with a single
    output for two classes, the score of the first class is minus that of the second. The network
    is in prediction mode: dropout is off, and batch norms use their running statistics. The
    absolute value, maximized over channels, is the saliency map of Simonyan, Vedaldi & Zisserman
    (2014).

    Parameters
    ----------
    estimator : estimator
        A fitted network of sklearn_nn, or a pipeline or search that contains one.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        Samples as the estimator takes them. The steps of a pipeline before the network are applied.
    target : label, int or array-like of shape (n_samples,), default=None
        The class, or one for each sample; for a regressor, the index of the output. None is the
        most probable class, or the only output.

    Returns
    -------
    gradient : ndarray of the shape of X, or list of ndarray of shape (n_steps, n_channels)
        Derivatives of the score (of a regressor, in units of y), in the dtype of the network. X is
        taken after the steps of a pipeline before the network. For bytes, which the network scales
        to 0..1, derivatives are with respect to the scaled values. Of sequences of unequal length,
        a list with an array for each, without padding.

    Raises
    ------
    NotFittedError, TypeError
        If the estimator is not fitted, or is not a network of sklearn_nn.
    ValueError
        If X is invalid, or the class or output does not exist.

    See Also
    --------
    occlusion_map : The loss of probability when parts of the input are covered.
    SaliencyDisplay : Draws both.

    References
    ----------
    Karen Simonyan, Andrea Vedaldi and Andrew Zisserman: Deep inside convolutional networks.
    Workshop at ICLR 2014, https://arxiv.org/abs/1312.6034.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.inspection import saliency_map
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(10, solver="lbfgs", random_state=0).fit(X, y)
    >>> saliency_map(model, X, target=2).shape
    (150, 4)
    """
    given = samples(estimator, X, "saliency_map")
    return given.as_given(_gradient(given, chosen_outputs(given.network, target, given.scores())))


def _gradient(given, chosen):
    """Return the gradient of each sample's chosen score in the shape of the rows."""
    fitted = network_of(given.network)
    seeds = np.zeros((len(chosen), fitted.program.raw_slot[1]), dtype=fitted.dtype)
    if is_two_sided(given.network):
        seeds[:, 0] = np.where(chosen == 1, 1, -1)
    else:
        codec = given.network._codec
        columns, units = codec.raw_columns(chosen), codec.raw_units
        # Of a regressor, the gradient is in units of y.
        seeds[np.arange(len(chosen)), columns] = 1 if units is None else units[0][columns]
    found = fitted.input_gradient(given.source(), seeds, given.n_jobs)
    return found[:, : given.rows.shape[1]]


def occlusion_map(
    estimator, X, target=None, *, window=None, stride=None, fill_value=0.0, input_shape=None
):
    """Compute by how much the probability of a class falls when parts of the input are covered.

    A window slides over the sample and replaces the values of all channels. The result at a place
    is the mean, over the windows that cover it, of the probability of the whole sample minus that
    of the covered one (Zeiler & Fergus, 2014). Positive places support the class.

    Parameters
    ----------
    estimator : estimator
        A fitted network of sklearn_nn, or a pipeline or search that contains one.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        Samples as the estimator takes them. The steps of a pipeline before the network are applied.
    target : label, int or array-like of shape (n_samples,), default=None
        The class, or one for each sample; for a regressor, the index of the output, whose value
        replaces the probability. None is the most probable class, or the only output.
    window : int or tuple of int, default=None
        Height and width of the window, or its length for signals. None is a quarter of the sample
        (of the longest sequence), rounded up, or one value of a vector.
    stride : int or tuple of int, default=None
        Distance between windows, at most their size. None is half the size, rounded up. The last
        window along an axis ends at the edge.
    fill_value : float, array-like of shape (n_channels,) or "mean", default=0.0
        Value under the window, in the units of the network's input; "mean" is the mean of each
        channel of the sample.
    input_shape : tuple of int, default=None
        Shape of a sample, (height, width, channels) or (steps, channels), for a network that reads
        images as vectors.

    Returns
    -------
    difference : ndarray of the shape of X, or list of ndarray of shape (n_steps, n_channels)
        Loss of probability, in [-1, 1] for a classifier, equal for all channels of a place. X is
        taken after the steps of a pipeline before the network. Of sequences of unequal length, a
        list with an array for each, without padding.

    Raises
    ------
    NotFittedError, TypeError
        If the estimator is not fitted, or is not a network of sklearn_nn.
    ValueError
        If X or a parameter is invalid, or the class or output does not exist.

    See Also
    --------
    saliency_map : The gradient of the score.
    SaliencyDisplay : Draws both.

    References
    ----------
    Matthew D. Zeiler and Rob Fergus: Visualizing and understanding convolutional networks. ECCV
    2014, https://arxiv.org/abs/1311.2901.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.inspection import occlusion_map
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(10, solver="lbfgs", random_state=0).fit(X, y)
    >>> occlusion_map(model, X, fill_value="mean").shape
    (150, 4)
    """
    given = samples(estimator, X, "occlusion_map")
    shape = given.sample_shape(input_shape)
    if len(shape) == 1:
        shape, window = (*shape, 1), 1 if window is None else window
    scores = given.scores()
    chosen = chosen_outputs(given.network, target, scores)
    images, boxes = given.rows.reshape(-1, *shape), _boxes(shape[:-1], window, stride)
    lost = _occlusion(given, images, scores, chosen, boxes, fill_value)
    return given.as_given(np.repeat(lost[..., np.newaxis], shape[-1], axis=-1))


def _occlusion(given, images, scores, chosen, boxes, fill_value):
    """Return the loss of each sample's chosen score at each place, without an axis of channels."""
    before = scores[np.arange(len(images)), chosen]
    fill, places = _fill(fill_value, given.with_gaps(images)), images.shape[1:-1]
    lengths = given.lengths
    total, times = np.zeros((len(images), *places)), np.zeros(places)
    at_once = max(1, _ROWS // max(1, len(images)))
    for first in range(0, len(boxes), at_once):
        some = boxes[first : first + at_once]
        covered = np.repeat(images[np.newaxis], len(some), axis=0)
        for copy, box in zip(covered, some, strict=True):
            copy[(slice(None), *box)] = fill
        several = None if lengths is None else np.tile(lengths, len(some))
        rows = covered.reshape(-1, given.rows.shape[1])
        after = given._replace(rows=rows, lengths=several).scores()
        after = after[np.arange(len(after)), np.tile(chosen, len(some))]
        for box, value in zip(some, after.reshape(len(some), -1), strict=True):
            total[(slice(None), *box)] += (before - value).reshape(-1, *[1] * len(places))
            times[box] += 1
    return (total / times).astype(images.dtype)


def _boxes(places, window, stride):
    """Return the slices of each window, one per axis; together they cover all places."""
    if window is None:
        window = [math.ceil(size / 4) for size in places]
    windows = whole_numbers("window", window, len(places))
    if any(map(operator.gt, windows, places)):
        raise ValueError(f"window={window!r} does not fit samples of {places}; reduce it.")
    if stride is None:
        stride = [math.ceil(length / 2) for length in windows]
    steps = whole_numbers("stride", stride, len(places))
    if any(map(operator.gt, steps, windows)):
        raise ValueError(
            f"stride={stride!r} leaves places uncovered by window={windows}; use a stride of at "
            "most the window."
        )
    axes = []
    for size, length, step in zip(places, windows, steps, strict=True):
        starts = sorted({*range(0, size - length + 1, step), size - length})
        axes.append([slice(start, start + length) for start in starts])
    return list(itertools.product(*axes))


def _fill(fill_value, images):
    """Return the fill value in a shape that broadcasts to (n_samples, *window, channels)."""
    channels, is_text = images.shape[-1], isinstance(fill_value, str)
    if is_text and fill_value == "mean":
        return np.nanmean(images, axis=tuple(range(1, images.ndim - 1)), keepdims=True)
    if is_text or np.shape(fill_value) not in ((), (channels,)):
        raise ValueError(
            f"fill_value={fill_value!r} must be a number, one for each of {channels} channels, or "
            "'mean'."
        )
    return np.asarray(fill_value, dtype=images.dtype)


class SaliencyDisplay(plots.Display):
    """Display of samples beside their saliency maps, one sample per row.

    The gradient (see `saliency_map`) shows the pixels to which the score is sensitive; occlusion
    (see `occlusion_map`) shows how much the probability of the class falls (red) or rises (blue)
    when a place is covered.

    Parameters
    ----------
    X : ndarray of shape (n_samples, height, width, channels) or (n_samples, steps, channels)
        The samples. NaN follows the end of sequences of unequal length, also in the maps.
    maps : dict of str to ndarray of shape (n_samples, height, width) or (n_samples, steps)
        "gradient", "occlusion" or both, without an axis of channels.
    target : array-like of shape (n_samples,), default=None
        The classes of the maps, or output columns.
    values : array-like of shape (n_samples,), default=None
        Their probabilities, or the outputs.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_samples, 1 + n_maps)
        Axes of each sample and its maps.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import CNNClassifier
    >>> from sklearn_nn.inspection import SaliencyDisplay
    >>> digits = load_digits()
    >>> X, y = digits.images / 16, digits.target
    >>> model = CNNClassifier((8, 16), learning_rate_init=0.01, max_iter=15, random_state=0)
    >>> display = SaliencyDisplay.from_estimator(model.fit(X, y), X[:2])
    >>> display.maps["gradient"].shape
    (2, 8, 8)
    """

    def __init__(self, X, maps, target=None, values=None):
        self.X = X
        self.maps = maps
        self.target = target
        self.values = values

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        target=None,
        *,
        method=GRADIENT,
        window=None,
        stride=None,
        fill_value=0.0,
        input_shape=None,
        share_scale=False,
        axes=None,
        figure=None,
    ):
        """Plot the saliency maps of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted network of sklearn_nn, or a pipeline or search that contains one.
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            A few samples as the estimator takes them. They are drawn after the steps of a pipeline
            before the network.
        target : label, int or array-like of shape (n_samples,), default=None
            The class or output; see `saliency_map`.
        method : {"gradient", "occlusion"} or sequence of these, default="gradient"
            Maps to draw: the absolute value of `saliency_map`, maximized over channels, or
            `occlusion_map`.
        window, stride, fill_value : optional
            Parameters of `occlusion_map`.
        input_shape : tuple of int, default=None
            Shape of a sample, (height, width, channels) or (steps, channels), for a network that
            reads images as vectors.
        share_scale : bool, default=False
            Whether to use one scale for the maps of all samples.
        axes : sequence of matplotlib Axes, default=None
            For each sample one for itself and one for each map.
        figure : matplotlib Figure or SubFigure, default=None
            Figure to draw a grid in. None makes a new one unless `axes` are passed.

        Returns
        -------
        display : SaliencyDisplay

        Raises
        ------
        NotFittedError, TypeError
            If the estimator is not fitted, or is not a network of sklearn_nn.
        ValueError
            If X or a parameter is invalid, samples are neither images nor signals, or the class or
            output does not exist.
        """
        methods = [method] if isinstance(method, str) else list(dict.fromkeys(method))
        if not methods or not set(methods) <= set(METHODS):
            raise ValueError(f"method={method!r} must be among {list(METHODS)}, or some of these.")
        given = samples(estimator, X, "SaliencyDisplay")
        shape = given.sample_shape(input_shape)
        plots.drawable("SaliencyDisplay", shape)
        images, scores = given.rows.reshape(-1, *shape), given.scores()
        chosen = chosen_outputs(given.network, target, scores)
        is_probability = is_classifier(given.network)
        named = given.network.classes_[chosen] if is_probability else chosen
        maps = dict.fromkeys(methods)
        if GRADIENT in maps:
            gradient = _gradient(given, chosen).reshape(images.shape)
            maps[GRADIENT] = given.with_gaps(np.abs(gradient).max(axis=-1))
        if OCCLUSION in maps:
            boxes = _boxes(shape[:-1], window, stride)
            lost = _occlusion(given, images, scores, chosen, boxes, fill_value)
            maps[OCCLUSION] = given.with_gaps(lost)
        display = cls(given.with_gaps(images), maps, named, scores[np.arange(len(images)), chosen])
        display._is_probability = is_probability
        return display.plot(share_scale=share_scale, axes=axes, figure=figure)

    def plot(self, *, share_scale=False, axes=None, figure=None):
        """Draw the samples and their maps.

        Parameters
        ----------
        share_scale, axes, figure : optional
            See `from_estimator`, also for the errors.

        Returns
        -------
        display : SaliencyDisplay
        """
        X, columns = np.asarray(self.X), 1 + len(self.maps)
        n, cell = len(X) * columns, (1.7, 1.8) if X.ndim == 4 else (2.6, 1.5)
        self._use_grid(n, columns, axes, figure, cell)
        self.axes_ = self.axes_.reshape(len(X), columns)
        limits = plots.limits_of(X)
        scales = {name: plots.scales_of(of, share_scale) for name, of in self.maps.items()}
        for number, (sample, row) in enumerate(zip(X, self.axes_, strict=True)):
            plots.draw_sample(row[0], sample, limits)
            plots.bare(row[0], self._label(number))
            for ax, (name, maps) in zip(row[1:], self.maps.items(), strict=True):
                (title, signed), limit = METHODS[name], scales[name][number]
                plots.draw_map(ax, maps[number], signed=signed, limit=limit)
                plots.bare(ax, title)
                if X.ndim == 3:
                    ax.set_ylim(-1.1 * limit if signed else 0, 1.1 * limit)
        return self

    def _label(self, number):
        """Return the title of a sample: its class and probability."""
        if self.target is None:
            return None
        label = str(self.target[number])
        if self.values is None:
            return label
        value, is_probability = self.values[number], getattr(self, "_is_probability", True)
        return f"{label} ({value:.0%})" if is_probability else f"output {label}: {value:.3g}"
