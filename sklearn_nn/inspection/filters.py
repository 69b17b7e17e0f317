"""Pictures of the kernels of a convolution."""

import numpy as np

from sklearn_nn.inspection._fitted import fitted_network
from sklearn_nn.inspection._plotting import (
    GREY,
    bare,
    draw_lines,
    grid_title,
    picture_axes,
    scales_of,
)


class FilterDisplay:
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
        The figure.
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
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If there is no convolution, or the layer is not one, or the channel does not exist.
        """
        kernels = _kernels(fitted_network(estimator))
        if not kernels:
            raise ValueError(
                f"{type(fitted_network(estimator)).__name__} has no convolution; "
                "WeightHistogramDisplay draws the weights of other layers."
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
            This display.

        Raises
        ------
        ValueError
            If the channel does not exist, or the number of axes is not the number of filters.
        """
        kernel = np.asarray(self.kernel)
        pictures = np.moveaxis(self._seen(kernel), -1, 0)[:n_filters]
        n, cell = len(pictures), (1.1, 1.15) if kernel.ndim == 4 else (1.6, 1.2)
        caller, title = "FilterDisplay.plot", self._title(kernel, n)
        self.axes_ = picture_axes(caller, n, columns, axes, figure, cell=cell, title=title)
        self.figure_ = self.axes_[0].figure
        limits = scales_of(pictures, share_scale)
        is_coloured = pictures.ndim == 4
        self.pictures_ = pictures
        if is_coloured:
            self.pictures_ = 0.5 + 0.5 * pictures / limits[:, np.newaxis, np.newaxis, np.newaxis]
        drawn = zip(self.axes_, self.pictures_, limits, strict=True)
        for number, (ax, picture, limit) in enumerate(drawn):
            if kernel.ndim == 3:
                draw_lines(ax, picture)
                ax.axhline(0, color="0.6", linewidth=0.8, zorder=1)
                ax.set_ylim(-1.1 * limit, 1.1 * limit)
            elif is_coloured:
                ax.imshow(picture, interpolation="nearest")
            else:
                ax.imshow(picture, cmap=GREY, vmin=-limit, vmax=limit, interpolation="nearest")
            bare(ax, str(number))
        return self

    def _seen(self, kernel):
        """Return the weights to draw; colours and signals keep the axis of channels."""
        channels = kernel.shape[-2]
        if self.channel is None:
            if kernel.ndim == 3 or channels == 3:
                return kernel
            return kernel[..., 0, :] if channels == 1 else kernel.mean(axis=-2)
        if isinstance(self.channel, str):
            if self.channel != "mean":
                raise ValueError(f'channel={self.channel!r} must be a number or "mean".')
            chosen = kernel.mean(axis=-2, keepdims=True)
        elif not 0 <= self.channel < channels:
            raise ValueError(
                f"channel={self.channel!r} is not among the {channels} channels of a kernel; use "
                f"0 to {channels - 1}."
            )
        else:
            chosen = kernel[..., [self.channel], :]
        return chosen if kernel.ndim == 3 else chosen[..., 0, :]

    def _title(self, kernel, drawn):
        *window, channels, filters = kernel.shape
        size = " × ".join(map(str, window))
        if channels == 1:
            seen = ""
        elif self.channel is None and (kernel.ndim == 3 or channels == 3):
            seen = f", {channels} channels"
        elif self.channel in (None, "mean"):
            seen = f", mean of {channels} channels"
        else:
            seen = f", channel {self.channel} of {channels}"
        return grid_title(self.layer, drawn, filters, f"filters of {size}{seen}")


def _kernels(network):
    """Return the kernels of convolutions by layer: those with three or four axes."""
    layers = getattr(network, "layers_", {})
    found = {name: arrays["kernel"] for name, arrays in layers.items() if "kernel" in arrays}
    return {name: kernel for name, kernel in found.items() if np.ndim(kernel) in (3, 4)}
