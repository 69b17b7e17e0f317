"""What a network looks at: the gradient of a score with respect to the input, and occlusion."""

import itertools
import math

import numpy as np

from sklearn_nn.estimators._core.weights import network_of
from sklearn_nn.inspection._samples import (
    chosen_outputs,
    chosen_values,
    is_two_sided,
    per_axis,
    samples,
)
from sklearn_nn.network.source import source

#: Rows that occluded samples are predicted by at a time.
_ROWS = 512


def saliency_map(estimator, X, target=None):
    """Gradient of the score of a class with respect to the input.

    The score is the network's raw output before the link: before the softmax, or before the sigmoid
    of two classes, where that of the first class is minus that of the second. The network is that
    of prediction: dropout is off, and batch norms go by their running statistics. The absolute
    value, and of an image's channels the largest, is the saliency map of Simonyan, Vedaldi &
    Zisserman (2014).

    Parameters
    ----------
    estimator : estimator
        A fitted network of sklearn_nn, or a pipeline or search that holds one.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        Samples as the estimator takes them. The steps of a pipeline before the network are applied.
    target : label, int or array-like of shape (n_samples,), default=None
        The class, or one for each sample; for a regressor, the number of the output. None is the
        likeliest class, or the only output.

    Returns
    -------
    gradient : ndarray of the shape of X
        The change of the score for a change of one of each value, in the type that the network
        computes in. It has the shape of X as it comes to the network: after the steps of a
        pipeline. Bytes are scaled to 0..1 by the network, and the gradient is that with respect to
        the scaled values.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not a network of sklearn_nn.
    ValueError
        If X is not valid, or there is no such class or output.

    See Also
    --------
    occlusion_map : By how much the probability falls where the input is covered.
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
    network, outputs = given.network, given.outputs()
    fitted, chosen = network_of(network), chosen_outputs(network, target, outputs)
    seeds = np.zeros((len(chosen), fitted.program.raw_slot[1]), dtype=fitted.dtype)
    if is_two_sided(network):
        seeds[:, 0] = np.where(chosen == 1, 1, -1)
    else:
        seeds[np.arange(len(chosen)), chosen] = 1
    data = source(given.rows, fitted.dtype)
    return given.as_given(fitted.input_gradient(data, seeds, given.n_jobs))


def occlusion_map(
    estimator, X, target=None, *, window=None, stride=None, fill_value=0.0, input_shape=None
):
    """By how much the probability of a class falls where the input is covered.

    A window is moved over the sample, and what is under it is replaced, in all channels. The value
    at a place is the mean, over the windows that cover it, of the probability of the class for the
    whole sample less that for the covered one (Zeiler & Fergus, 2014). Positive is what speaks for
    the class.

    Parameters
    ----------
    estimator : estimator
        A fitted network of sklearn_nn, or a pipeline or search that holds one.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        Samples as the estimator takes them. The steps of a pipeline before the network are applied.
    target : label, int or array-like of shape (n_samples,), default=None
        The class, or one for each sample; for a regressor, the number of the output, whose value
        takes the place of the probability. None is the likeliest class, or the only output.
    window : int or tuple of int, default=None
        Height and width of the window, or its length on a signal. None is a quarter of the sample,
        rounded up; of vectors it is one value.
    stride : int or tuple of int, default=None
        How far the window moves at a step, at most its size. None is half of it, rounded up. The
        last window along an axis lies at the edge.
    fill_value : float, array-like of shape (n_channels,) or "mean", default=0.0
        What stands under the window, in the units of the network's input; "mean" is the mean of
        each channel of the sample.
    input_shape : tuple of int, default=None
        Shape of a sample, (height, width, channels) or (steps, channels), for a network that reads
        images as vectors.

    Returns
    -------
    difference : ndarray of the shape of X
        Probability that is lost, in [-1, 1] for a classifier; the same in all channels of a place.
        It has the shape of X as it comes to the network: after the steps of a pipeline.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not a network of sklearn_nn.
    ValueError
        If X or a parameter is not valid, or there is no such class or output.

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
    places = shape[:-1]
    images = given.rows.reshape(-1, *shape)
    boxes = _boxes(places, window, stride)
    whole = given.outputs()
    chosen = chosen_outputs(given.network, target, whole)
    before = chosen_values(given.network, chosen, whole)
    fill = _fill(fill_value, images)
    total, times = np.zeros((len(images), *places)), np.zeros(places)
    at_once = max(1, _ROWS // max(1, len(images)))
    for first in range(0, len(boxes), at_once):
        some = boxes[first : first + at_once]
        covered = np.repeat(images[np.newaxis], len(some), axis=0)
        for copy, box in zip(covered, some, strict=True):
            copy[(slice(None), *box)] = fill
        outputs = given._replace(rows=covered.reshape(-1, given.rows.shape[1])).outputs()
        after = chosen_values(given.network, np.tile(chosen, len(some)), outputs)
        for box, value in zip(some, after.reshape(len(some), -1), strict=True):
            total[(slice(None), *box)] += (before - value).reshape(-1, *[1] * len(places))
            times[box] += 1
    mean = (total / times).astype(images.dtype)
    return given.as_given(np.repeat(mean[..., np.newaxis], shape[-1], axis=-1))


def _boxes(places, window, stride):
    """Where windows lie: for each a slice an axis. Together they cover all places."""
    if window is None:
        window = [math.ceil(size / 4) for size in places]
    windows = per_axis("window", window, len(places))
    for length, size in zip(windows, places, strict=True):
        if length > size:
            raise ValueError(f"window={window!r} does not fit samples of {places}; use a smaller.")
    if stride is None:
        stride = [math.ceil(length / 2) for length in windows]
    steps = per_axis("stride", stride, len(places))
    if any(step > length for step, length in zip(steps, windows, strict=True)):
        raise ValueError(
            f"stride={stride!r} passes over places that no window={windows} covers; use a stride "
            "of at most the window."
        )
    axes = []
    for size, length, step in zip(places, windows, steps, strict=True):
        starts = sorted({*range(0, size - length + 1, step), size - length})
        axes.append([slice(start, start + length) for start in starts])
    return list(itertools.product(*axes))


def _fill(fill_value, images):
    """What covers the samples, in a shape that goes with (n_samples, *window, channels)."""
    axes = tuple(range(1, images.ndim - 1))
    if isinstance(fill_value, str):
        if fill_value != "mean":
            raise ValueError(
                f"fill_value={fill_value!r} must be a number, one for each channel, or 'mean'."
            )
        return images.mean(axis=axes, keepdims=True)
    fill, channels = np.asarray(fill_value, dtype=images.dtype), images.shape[-1]
    if fill.shape not in ((), (channels,)):
        raise ValueError(
            f"fill_value has shape {fill.shape} for samples of {channels} channels; pass a number, "
            "or one for each channel."
        )
    return fill
