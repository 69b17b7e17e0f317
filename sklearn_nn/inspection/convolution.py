"""Pictures of a convolution: its kernels, and its output for an image or signal."""

import numpy as np

from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.inspection import _plotting as plots
from sklearn_nn.inspection._fitted import fitted_network, samples


class FilterDisplay(plots.Display):
    """Display of the kernels of a convolution, a picture for each filter.

    A filter responds most to inputs that look like its kernel. Kernels of the first layer show
    edges, spots and colours; kernels of later layers see the maps of the layer before. Grey is a
    weight of zero, black and white are the largest magnitude below and above zero.

    Parameters
    ----------
    kernel : ndarray of shape (height, width, channels, filters) or (length, channels, filters)
        The kernels: ``layers_[layer]["kernel"]`` of an estimator.
    layer : str, default=None
        Name of the layer, for the title.
    channel : int or "mean", default=None
        Input channel whose weights are drawn, or their mean over the channels. None draws three
        channels as colours and other numbers by their mean; for signals all, a line each.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_drawn,)
        Axes of each filter.
    figure_ : matplotlib Figure
    pictures_ : ndarray of shape (n_drawn, height, width), (n_drawn, height, width, 3) or \
            (n_drawn, length, n_lines)
        Drawn values: weights, or for colours numbers in [0, 1], where 0.5 is a weight of zero.

    See Also
    --------
    FeatureMapDisplay : The output of the filters for an image.
    WeightHistogramDisplay : The distribution of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn.inspection import FilterDisplay
    >>> edges = np.array([[1, 0, -1]] * 3).reshape(3, 3, 1, 1)
    >>> FilterDisplay(edges).plot().pictures_.shape
    (1, 3, 3)
    """

    def __init__(self, kernel, layer=None, channel=None):
        self.kernel = kernel
        self.layer = layer
        self.channel = channel

    @classmethod
    def from_estimator(
        cls,
        estimator,
        layer=None,
        *,
        channel=None,
        n_filters=64,
        share_scale=True,
        columns=8,
        axes=None,
        figure=None,
    ):
        """Plot the kernels of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted network, or a pipeline or search that contains one.
        layer : str, default=None
            Name of a convolution, a key of `layers_`; None is the first.
        channel : int or "mean", default=None
            Input channel whose weights are drawn, or their mean over the channels. None draws
            three channels as colours and other numbers by their mean; for signals all.
        n_filters : int, default=64
            Largest number of filters to draw.
        share_scale : bool, default=True
            Whether to use one scale for all filters, so that they can be compared.
        columns : int, default=8
            Largest number of pictures in a row.
        axes : sequence of matplotlib Axes, default=None
            One for each filter drawn.
        figure : matplotlib Figure or SubFigure, default=None
            Figure to draw a grid in. None makes a new one unless `axes` are passed.

        Returns
        -------
        display : FilterDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If there is no convolution, or the layer is not one, or the channel does not exist.
        """
        network = fitted_network(estimator)
        arrays = {name: of.get("kernel") for name, of in getattr(network, "layers_", {}).items()}
        kernels = {name: kernel for name, kernel in arrays.items() if np.ndim(kernel) in (3, 4)}
        if not kernels:
            raise ValueError(
                f"{type(network).__name__} has no convolution; WeightHistogramDisplay draws the "
                "weights of other layers."
            )
        name = next(iter(kernels)) if layer is None else layer
        if name not in kernels:
            raise ValueError(
                f"layer={layer!r} is not a convolution; the convolutions are {list(kernels)}."
            )
        return cls(kernels[name], name, channel).plot(
            n_filters=n_filters, share_scale=share_scale, columns=columns, axes=axes, figure=figure
        )

    def plot(self, *, n_filters=64, share_scale=True, columns=8, axes=None, figure=None):
        """Draw the kernels.

        Parameters
        ----------
        n_filters, share_scale, columns, axes, figure : optional
            See `from_estimator`, also for the errors.

        Returns
        -------
        display : FilterDisplay
        """
        kernel = np.asarray(self.kernel)
        seen, description = self._seen(kernel)
        pictures = np.moveaxis(seen, -1, 0)[:n_filters]
        n, cell = len(pictures), (1.1, 1.15) if kernel.ndim == 4 else (1.6, 1.2)
        total, shape = kernel.shape[-1], kernel.shape[:-2]
        title = plots.grid_title(self.layer, n, total, "filters", shape) + description
        self._use_grid(n, columns, axes, figure, cell, title=title)
        limits = plots.scales_of(pictures, share_scale)
        is_coloured = pictures.ndim == 4
        self.pictures_ = pictures
        if is_coloured:
            self.pictures_ = 0.5 + 0.5 * pictures / limits[:, np.newaxis, np.newaxis, np.newaxis]
        drawn = zip(self.axes_, self.pictures_, limits, strict=True)
        for number, (ax, picture, limit) in enumerate(drawn):
            if kernel.ndim == 3:
                plots.draw_lines(ax, picture)
                ax.axhline(0, color="0.6", linewidth=0.8, zorder=1)
                ax.set_ylim(-1.1 * limit, 1.1 * limit)
            else:  # limits and colours of the map have no effect on three channels
                ax.imshow(
                    picture, cmap=plots.GREY, vmin=-limit, vmax=limit, interpolation="nearest"
                )
            plots.bare(ax, str(number))
        return self

    def _seen(self, kernel):
        """Return the weights to draw, and their description.

        Colours and signals keep the axis of channels.
        """
        channel, channels, is_signal = self.channel, kernel.shape[-2], kernel.ndim == 3
        if channel is None and (is_signal or channels == 3):
            return kernel, f", {channels} channels" if channels > 1 else ""
        if isinstance(channel, str) and channel != "mean":
            raise ValueError(f'channel={channel!r} must be a number or "mean".')
        if channel in (None, "mean"):
            seen, what = kernel.mean(axis=-2, keepdims=True), f"mean of {channels} channels"
        elif 0 <= channel < channels:
            seen, what = kernel[..., [channel], :], f"channel {channel} of {channels}"
        else:
            raise ValueError(
                f"channel={channel!r} is not among the {channels} channels of a kernel; use "
                f"0 to {channels - 1}."
            )
        return seen if is_signal else seen[..., 0, :], f", {what}" if channels > 1 else ""


class FeatureMapDisplay(plots.Display):
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

        Raises
        ------
        NotFittedError, TypeError
            If the estimator is not fitted, or is not a network of sklearn_nn.
        ValueError
            If X is not one valid sample, or the layer's output is neither an image nor a signal.
        """
        given = samples(estimator, X, "FeatureMapDisplay")
        if len(given.rows) != 1:
            raise ValueError(
                f"X has {len(given.rows)} samples, but FeatureMapDisplay draws one; pass X[:1]."
            )
        network = given.network
        shapes = {line.name: line.output_shape for line in network_of(network).outline}
        shapes = {name: shape for name, shape in shapes.items() if plots.is_map(shape)}
        if not shapes or layer not in (None, *shapes):
            raise ValueError(
                f"layer={layer!r} of {type(network).__name__} outputs neither images nor signals; "
                f"those that do are {list(shapes)}."
            )
        name = next(iter(shapes)) if layer is None else layer
        maps = given.outputs(name).reshape(-1, *shapes[name][1:])
        shape = given.sample_shape()
        sample = given.rows[0].reshape(shape) if plots.is_map(shape) else None
        look = {"n_channels": n_channels, "share_scale": share_scale, "cmap": cmap}
        return cls(maps, sample, name).plot(columns=columns, axes=axes, figure=figure, **look)

    def plot(
        self, *, n_channels=63, share_scale=True, cmap=None, columns=8, axes=None, figure=None
    ):
        """Draw the maps.

        Parameters
        ----------
        n_channels, share_scale, cmap, columns, axes, figure : optional
            See `from_estimator`, also for the errors.

        Returns
        -------
        display : FeatureMapDisplay
        """
        maps = np.moveaxis(np.asarray(self.maps), -1, 0)[:n_channels]
        is_signal, first = maps.ndim == 2, int(self.sample is not None)
        n, cell = len(maps) + first, (1.6, 1.2) if is_signal else (1.1, 1.2)
        total, shape = np.shape(self.maps)[-1], maps.shape[1:]
        title = plots.grid_title(self.layer, len(maps), total, "maps", shape)
        self._use_grid(n, columns, axes, figure, cell, title=title)
        if first:
            sample = np.asarray(self.sample)
            plots.draw_sample(self.axes_[0], sample, plots.limits_of(sample))
            plots.bare(self.axes_[0], "input")
        signed, limits = bool((maps < 0).any()), plots.scales_of(maps, share_scale)
        for k, (ax, values, limit) in enumerate(zip(self.axes_[first:], maps, limits, strict=True)):
            if is_signal:
                plots.draw_lines(ax, values[:, np.newaxis])
                ax.set_ylim(-1.1 * limit if signed else -0.1 * limit, 1.1 * limit)
            elif cmap is None:
                plots.draw_map(ax, values, signed=signed, limit=limit)
            else:
                whole = maps if share_scale else values
                plots.draw_sample(ax, values[..., np.newaxis], (whole.min(), whole.max()), cmap)
            plots.bare(ax, str(k))
        return self
