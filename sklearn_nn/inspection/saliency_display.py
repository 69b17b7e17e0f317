"""What a network looks at, beside the image."""

import numpy as np
from sklearn.base import is_classifier

from sklearn_nn.inspection._pictures import (
    bare,
    draw_map,
    draw_sample,
    drawable,
    limits_of,
    picture_axes,
    scales_of,
)
from sklearn_nn.inspection._samples import (
    chosen_outputs,
    chosen_values,
    named_targets,
    samples,
)
from sklearn_nn.inspection.saliency import occlusion_map, saliency_map

GRADIENT, OCCLUSION = "gradient", "occlusion"
#: What stands above a map, and whether it has a sign.
METHODS = {GRADIENT: ("|gradient|", False), OCCLUSION: ("occlusion", True)}


class SaliencyDisplay:
    """What of each sample speaks for a class: the sample and its maps, a row a sample.

    The gradient shows which pixels the score answers to when they change a little; occlusion by how
    much the class's probability falls when a part is covered (red) or rises (blue).

    Parameters
    ----------
    X : ndarray of shape (n_samples, height, width, channels) or (n_samples, steps, channels)
        The samples.
    maps : dict of str to ndarray of shape (n_samples, height, width) or (n_samples, steps)
        "gradient", "occlusion" or both: a number for every place of a sample.
    target : array-like of shape (n_samples,), default=None
        The classes that the maps speak of, or output columns.
    values : array-like of shape (n_samples,), default=None
        Their probabilities, or the outputs.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_samples, 1 + n_maps)
        The sample, then its maps.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    saliency_map : The gradient as numbers.
    occlusion_map : The occlusion as numbers.

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
        """Plot what a fitted estimator looks at.

        Parameters
        ----------
        estimator : estimator
            A fitted network of sklearn_nn, or a pipeline or search that holds one.
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            A few samples, as the estimator takes them. The steps of a pipeline before the network
            are applied, and what they make of X is what is drawn.
        target : label, int or array-like of shape (n_samples,), default=None
            The class, or one for each sample; for a regressor, the number of the output. None is
            the likeliest class, or the only output.
        method : {"gradient", "occlusion"} or sequence of these, default="gradient"
            Which maps to draw: the absolute value of `saliency_map`, the largest of the channels,
            or `occlusion_map`.
        window : int or tuple of int, default=None
            Of `occlusion_map`.
        stride : int or tuple of int, default=None
            Of `occlusion_map`.
        fill_value : float, array-like of shape (n_channels,) or "mean", default=0.0
            Of `occlusion_map`.
        input_shape : tuple of int, default=None
            Shape of a sample, (height, width, channels) or (steps, channels), for a network that
            reads images as vectors.
        share_scale : bool, default=False
            Whether one scale is for the maps of all samples, or each has its own.
        axes : sequence of matplotlib Axes, default=None
            For each sample in turn one, and one for each of its maps.
        figure : matplotlib Figure or SubFigure, default=None
            What to draw a grid in; None makes a new figure, unless there are axes.

        Returns
        -------
        display : SaliencyDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is not a network of sklearn_nn.
        ValueError
            If X or a parameter is not valid, samples are neither images nor signals, or there is no
            such class or output.
        """
        methods = _checked_methods(method)
        given = samples(estimator, X, "SaliencyDisplay")
        shape = given.sample_shape(input_shape)
        drawable("SaliencyDisplay", shape)
        images, outputs = given.rows.reshape(-1, *shape), given.outputs()
        chosen = chosen_outputs(given.network, target, outputs)
        named = named_targets(given.network, chosen)
        maps = {}
        if GRADIENT in methods:
            gradient = given.rows_of(saliency_map(estimator, X, named))
            maps[GRADIENT] = np.abs(gradient.reshape(images.shape)).max(axis=-1)
        if OCCLUSION in methods:
            options = {"window": window, "stride": stride, "fill_value": fill_value}
            lost = occlusion_map(estimator, X, named, input_shape=input_shape, **options)
            maps[OCCLUSION] = given.rows_of(lost).reshape(images.shape)[..., 0]
        maps = {name: maps[name] for name in methods}
        display = cls(images, maps, named, chosen_values(given.network, chosen, outputs))
        display._is_probability = is_classifier(given.network)
        return display.plot(share_scale=share_scale, axes=axes, figure=figure)

    def plot(self, *, share_scale=False, axes=None, figure=None):
        """Draw the samples and their maps.

        Parameters
        ----------
        share_scale : bool, default=False
            Whether one scale is for the maps of all samples, or each has its own.
        axes : sequence of matplotlib Axes, default=None
            For each sample in turn one, and one for each of its maps.
        figure : matplotlib Figure or SubFigure, default=None
            What to draw a grid in; None makes a new figure, unless there are axes.

        Returns
        -------
        display : SaliencyDisplay
            This display.

        Raises
        ------
        ValueError
            If there are not as many axes as pictures.
        """
        X, columns = np.asarray(self.X), 1 + len(self.maps)
        axes = picture_axes(
            "SaliencyDisplay.plot",
            len(X) * columns,
            columns,
            axes=axes,
            figure=figure,
            cell=(1.7, 1.8) if X.ndim == 4 else (2.6, 1.5),
        )
        self.axes_ = np.reshape(axes, (len(X), columns))
        self.figure_ = self.axes_[0, 0].figure
        limits = limits_of(X)
        scales = {name: scales_of(of, share_scale) for name, of in self.maps.items()}
        for number, (sample, row) in enumerate(zip(X, self.axes_, strict=True)):
            draw_sample(row[0], sample, limits)
            bare(row[0], self._label(number))
            for ax, (name, maps) in zip(row[1:], self.maps.items(), strict=True):
                (title, signed), limit = METHODS[name], scales[name][number]
                draw_map(ax, maps[number], signed=signed, limit=limit)
                bare(ax, title)
                if X.ndim == 3:
                    ax.set_ylim(-1.1 * limit if signed else 0, 1.1 * limit)
        return self

    def _label(self, number):
        """Which class, and how likely it is."""
        if self.target is None:
            return None
        label = str(self.target[number])
        if self.values is None:
            return label
        value = self.values[number]
        if getattr(self, "_is_probability", True):
            return f"{label} ({value:.0%})"
        return f"output {label}: {value:.3g}"


def _checked_methods(method):
    """A list of methods without doubles; raises a ValueError if there is another."""
    methods = [method] if isinstance(method, str) else list(dict.fromkeys(method))
    if not methods or not set(methods) <= set(METHODS):
        raise ValueError(f"method={method!r} must be among {list(METHODS)}, or a list of these.")
    return methods
