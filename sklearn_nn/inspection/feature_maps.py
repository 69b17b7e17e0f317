"""What a layer makes of one image or signal."""

import numpy as np

from sklearn_nn.estimators._core.weights import network_of
from sklearn_nn.inspection._pictures import (
    bare,
    draw_lines,
    draw_map,
    draw_sample,
    is_map,
    limits_of,
    picture_axes,
    scales_of,
)
from sklearn_nn.inspection._samples import samples


class FeatureMapDisplay:
    """The output of a layer for one sample, a picture for each channel.

    A map is bright where its filter finds what it looks for. Maps that are dark for all samples are
    filters that learnt nothing; maps that look alike are filters too many.

    Parameters
    ----------
    maps : ndarray of shape (height, width, channels) or (steps, channels)
        The layer's output.
    sample : ndarray of shape (height, width, channels) or (steps, channels), default=None
        The input, which is drawn first; None is left out.
    layer : str, default=None
        Name of the layer, for the title.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_drawn,)
        One for each channel, after that of the input where there is one.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    FilterDisplay : The kernels of a convolution.
    SaliencyDisplay : What speaks for a class.

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
        """Plot what a layer of a fitted estimator makes of a sample.

        Parameters
        ----------
        estimator : estimator
            A fitted network of sklearn_nn, or a pipeline or search that holds one.
        X : array-like of shape (1, n_features) or (1, ...)
            One sample, as the estimator takes it: ``X[:1]``.
        layer : str, default=None
            Name of a layer whose output is an image or a signal, as `summary` lists them; None is
            the first.
        n_channels : int, default=63
            How many channels are drawn at most.
        share_scale : bool, default=True
            Whether one scale is for all maps, so that they can be compared, or each has its own.
        cmap : str or matplotlib Colormap, default=None
            Colours of maps from the smallest to the largest value. None is from black where nothing
            is negative; else blue is below zero, white zero, and red above.
        columns : int, default=8
            How many pictures stand beside one another.
        axes : sequence of matplotlib Axes, default=None
            One for the input and one for each channel drawn.
        figure : matplotlib Figure or SubFigure, default=None
            What to draw a grid in; None makes a new figure, unless there are axes.

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
                f"X holds {len(given.rows)} samples, and FeatureMapDisplay draws one; pass X[:1]."
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
        display = cls(maps, sample, name)
        return display.plot(
            n_channels=n_channels,
            share_scale=share_scale,
            cmap=cmap,
            columns=columns,
            axes=axes,
            figure=figure,
        )

    def plot(
        self, *, n_channels=63, share_scale=True, cmap=None, columns=8, axes=None, figure=None
    ):
        """Draw the maps.

        Parameters
        ----------
        n_channels : int, default=63
            How many channels are drawn at most.
        share_scale : bool, default=True
            Whether one scale is for all maps, so that they can be compared, or each has its own.
        cmap : str or matplotlib Colormap, default=None
            Colours of maps from the smallest to the largest value. None is from black where nothing
            is negative; else blue is below zero, white zero, and red above.
        columns : int, default=8
            How many pictures stand beside one another.
        axes : sequence of matplotlib Axes, default=None
            One for the input, where there is one, and one for each channel drawn.
        figure : matplotlib Figure or SubFigure, default=None
            What to draw a grid in; None makes a new figure, unless there are axes.

        Returns
        -------
        display : FeatureMapDisplay
            This display.

        Raises
        ------
        ValueError
            If there are not as many axes as pictures.
        """
        maps = np.moveaxis(np.asarray(self.maps), -1, 0)[:n_channels]
        is_signal, first = maps.ndim == 2, int(self.sample is not None)
        self.axes_ = picture_axes(
            "FeatureMapDisplay.plot",
            len(maps) + first,
            columns,
            axes=axes,
            figure=figure,
            cell=(1.6, 1.2) if is_signal else (1.1, 1.2),
            title=self._title(maps),
        )
        self.figure_ = self.axes_[0].figure
        if first:
            sample = np.asarray(self.sample)
            draw_sample(self.axes_[0], sample, limits_of(sample))
            bare(self.axes_[0], "input")
        signed, limits = bool((maps < 0).any()), scales_of(maps, share_scale)
        for number, (ax, values, limit) in enumerate(
            zip(self.axes_[first:], maps, limits, strict=True)
        ):
            if is_signal:
                draw_lines(ax, values[:, np.newaxis])
                ax.set_ylim(-1.1 * limit if signed else -0.1 * limit, 1.1 * limit)
            elif cmap is None:
                draw_map(ax, values, signed=signed, limit=limit)
            else:
                whole = maps if share_scale else values
                draw_sample(ax, values[..., np.newaxis], (whole.min(), whole.max()), cmap)
            bare(ax, str(number))
        return self

    def _title(self, maps):
        channels = np.shape(self.maps)[-1]
        count = f"{channels}" if len(maps) == channels else f"{len(maps)} of {channels}"
        size = " × ".join(map(str, maps.shape[1:]))
        name = "" if self.layer is None else f"{self.layer}: "
        return f"{name}{count} maps of {size}"
