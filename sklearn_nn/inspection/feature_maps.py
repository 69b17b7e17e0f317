"""The output of a layer for one image or signal."""

import numpy as np

from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.inspection._fitted import samples
from sklearn_nn.inspection._plotting import (
    bare,
    draw_lines,
    draw_map,
    draw_sample,
    grid_title,
    is_map,
    limits_of,
    picture_axes,
    scales_of,
)


class FeatureMapDisplay:
    """Display of a layer's output for one sample, a picture for each channel.

    A map is bright where its filter finds its pattern. Maps that are dark for all samples belong to
    filters that learnt nothing; maps that look alike show that there are more filters than needed.

    Parameters
    ----------
    maps : ndarray of shape (height, width, channels) or (steps, channels)
        The layer's output.
    sample : ndarray of shape (height, width, channels) or (steps, channels), default=None
        The input, drawn first; None leaves it out.
    layer : str, default=None
        Name of the layer, for the title.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_drawn,)
        Axes of the input, if there is one, and of each channel.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    FilterDisplay : The kernels of a convolution.
    SaliencyDisplay : The pixels that support a class.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn.inspection import FeatureMapDisplay
    >>> maps = np.arange(32.0).reshape(4, 4, 2)
    >>> len(FeatureMapDisplay(maps).plot().axes_)
    2
    """

    def __init__(self, maps, sample=None, layer=None):
        self.maps = maps
        self.sample = sample
        self.layer = layer

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        layer=None,
        *,
        n_channels=63,
        share_scale=True,
        cmap=None,
        columns=8,
        axes=None,
        figure=None,
    ):
        """Plot the output of a layer of a fitted estimator for a sample.

        Parameters
        ----------
        estimator : estimator
            A fitted network of sklearn_nn, or a pipeline or search that contains one.
        X : array-like of shape (1, n_features) or (1, ...)
            One sample as the estimator takes it: ``X[:1]``.
        layer : str, default=None
            Name of a layer, as in `summary`, whose output is an image or a signal; None is the
            first.
        n_channels : int, default=63
            Largest number of channels to draw.
        share_scale : bool, default=True
            Whether to use one scale for all maps, so that they can be compared.
        cmap : str or matplotlib Colormap, default=None
            Colours from the smallest to the largest value. None starts at black if no value is
            negative; else negative values are blue, zero is white and positive values are red.
        columns : int, default=8
            Largest number of pictures in a row.
        axes : sequence of matplotlib Axes, default=None
            One for the input, if there is one, and one for each channel drawn.
        figure : matplotlib Figure or SubFigure, default=None
            Figure to draw a grid in. None makes a new one unless `axes` are passed.

        Returns
        -------
        display : FeatureMapDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is not a network of sklearn_nn.
        ValueError
            If X is not one valid sample, or the layer's output is neither an image nor a signal.
        """
        given = samples(estimator, X, "FeatureMapDisplay")
        if len(given.rows) != 1:
            raise ValueError(
                f"X has {len(given.rows)} samples, but FeatureMapDisplay draws one; pass X[:1]."
            )
        network = given.network
        outline = network_of(network).outline
        shapes = {line.name: line.output_shape for line in outline if is_map(line.output_shape)}
        if not shapes or layer not in (None, *shapes):
            raise ValueError(
                f"layer={layer!r} of {type(network).__name__} puts out neither images nor signals; "
                f"those that do are {list(shapes)}."
            )
        name = next(iter(shapes)) if layer is None else layer
        maps = given.outputs(name).reshape(shapes[name])
        shape = given.sample_shape()
        sample = given.rows[0].reshape(shape) if is_map(shape) else None
        grid = {"columns": columns, "axes": axes, "figure": figure}
        display = cls(maps, sample, name)
        return display.plot(n_channels=n_channels, share_scale=share_scale, cmap=cmap, **grid)

    def plot(
        self, *, n_channels=63, share_scale=True, cmap=None, columns=8, axes=None, figure=None
    ):
        """Draw the maps.

        Parameters
        ----------
        n_channels : int, default=63
            Largest number of channels to draw.
        share_scale : bool, default=True
            Whether to use one scale for all maps, so that they can be compared.
        cmap : str or matplotlib Colormap, default=None
            Colours from the smallest to the largest value. None starts at black if no value is
            negative; else negative values are blue, zero is white and positive values are red.
        columns : int, default=8
            Largest number of pictures in a row.
        axes : sequence of matplotlib Axes, default=None
            One for the input, if there is one, and one for each channel drawn.
        figure : matplotlib Figure or SubFigure, default=None
            Figure to draw a grid in. None makes a new one unless `axes` are passed.

        Returns
        -------
        display : FeatureMapDisplay
            This display.

        Raises
        ------
        ValueError
            If the number of axes is not the number of pictures.
        """
        maps = np.moveaxis(np.asarray(self.maps), -1, 0)[:n_channels]
        is_signal, first = maps.ndim == 2, int(self.sample is not None)
        n, cell = len(maps) + first, (1.6, 1.2) if is_signal else (1.1, 1.2)
        what = f"maps of {' × '.join(map(str, maps.shape[1:]))}"
        title = grid_title(self.layer, len(maps), np.shape(self.maps)[-1], what)
        caller = "FeatureMapDisplay.plot"
        self.axes_ = picture_axes(caller, n, columns, axes, figure, cell=cell, title=title)
        self.figure_ = self.axes_[0].figure
        if first:
            sample = np.asarray(self.sample)
            draw_sample(self.axes_[0], sample, limits_of(sample))
            bare(self.axes_[0], "input")
        signed, limits = bool((maps < 0).any()), scales_of(maps, share_scale)
        for k, (ax, values, limit) in enumerate(zip(self.axes_[first:], maps, limits, strict=True)):
            if is_signal:
                draw_lines(ax, values[:, np.newaxis])
                ax.set_ylim(-1.1 * limit if signed else -0.1 * limit, 1.1 * limit)
            elif cmap is None:
                draw_map(ax, values, signed=signed, limit=limit)
            else:
                whole = maps if share_scale else values
                draw_sample(ax, values[..., np.newaxis], (whole.min(), whole.max()), cmap)
            bare(ax, str(k))
        return self
