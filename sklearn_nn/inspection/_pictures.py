"""Grids of small pictures: images, kernels, maps and signals, without ticks."""

import math

import numpy as np

from sklearn_nn.inspection._plotting import pyplot

#: Signals of more channels than this are drawn by their mean.
MOST_LINES = 8
SIGNED, UNSIGNED, GREY = "RdBu_r", "magma", "gray"


def picture_axes(caller, n, columns, *, axes=None, figure=None, cell=(1.3, 1.3), title=None):
    """Axes for `n` pictures: those passed, or a grid in `figure`, or in a new one.

    Parameters
    ----------
    caller : str
        Who asks, for errors.
    n : int
        How many pictures.
    columns : int
        How many stand beside one another, at most.
    axes : sequence of matplotlib Axes or None
        Where to draw; one for each picture.
    figure : matplotlib Figure, SubFigure or None
        What to draw a grid in.
    cell : (float, float)
        Width and height of a picture in a new figure, in inches.
    title : str or None
        What stands above a grid that is made here.

    Raises
    ------
    ValueError
        If there are not as many axes as pictures, or both axes and a figure.
    """
    plt = pyplot(caller)
    if axes is not None:
        if figure is not None:
            raise ValueError(f"{caller}: axes and figure were both passed; pass one of them.")
        axes = np.ravel(axes)
        if axes.size != n:
            raise ValueError(f"{axes.size} axes were passed for {n} pictures; pass one for each.")
        return axes
    columns = min(n, columns)
    rows = math.ceil(n / columns)
    if figure is None:
        size = (max(cell[0] * columns, 4.0) + 0.1, cell[1] * rows + (0.4 if title else 0.1))
        figure = plt.figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for unused in grid.flat[n:]:
        unused.remove()
    if title:
        figure.suptitle(title, fontsize="medium")
    return grid.flat[:n]


def bare(ax, title=None):
    """Axes without ticks; a picture has no units."""
    ax.set_xticks([])
    ax.set_yticks([])
    if title is not None:
        ax.set_title(title, fontsize="small")


def is_map(shape):
    """Whether samples of a shape can be drawn: images and signals, not vectors."""
    return len(shape) in (2, 3)


def drawable(caller, shape):
    """Raise a ValueError where samples of a shape are neither images nor signals."""
    if not is_map(shape):
        raise ValueError(
            f"{caller} draws images and signals, and samples have shape {tuple(shape)}; pass "
            "input_shape=(height, width, channels) or (steps, channels)."
        )


def limits_of(samples):
    """The values that are black and white: those of bytes or of 0..1 where samples fit them."""
    if samples.dtype == np.uint8:
        return 0, 255
    low, high = float(np.min(samples)), float(np.max(samples))
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def draw_sample(ax, sample, limits, cmap=GREY):
    """Draw an image of shape (height, width, channels), or a signal of shape (steps, channels).

    Three channels are a colour. Others than one are drawn by their mean.
    """
    low, high = limits
    if sample.ndim == 2:
        draw_lines(ax, sample)
        return
    if sample.shape[-1] == 3:
        width = high - low
        shown = (sample - float(low)) / width if width else np.zeros(sample.shape)
        ax.imshow(np.clip(shown, 0, 1), interpolation="nearest")
    else:
        plane = sample[..., 0] if sample.shape[-1] == 1 else sample.mean(axis=-1)
        ax.imshow(plane, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")


def draw_lines(ax, signal):
    """Draw a signal of shape (steps, channels), a line a channel; of many channels, their mean."""
    many = signal.shape[-1] > MOST_LINES
    ax.plot(signal.mean(axis=-1) if many else signal, linewidth=1)
    ax.margins(x=0)


def draw_map(ax, values, *, signed, limit):
    """Draw numbers of shape (height, width); of shape (steps,), as a line.

    Signed ones are blue below zero and red above, with white at zero.
    """
    low = -limit if signed else 0
    if values.ndim == 1:
        ax.fill_between(np.arange(len(values)), values, color="C3" if signed else "C1", alpha=0.7)
        ax.axhline(0, color="0.35", linewidth=0.8)
        ax.margins(x=0)
        return
    cmap = SIGNED if signed else UNSIGNED
    ax.imshow(values, cmap=cmap, vmin=low, vmax=limit, interpolation="nearest")


def scales_of(pictures, shared):
    """For each picture the largest magnitude, or that of all where it is shared; never zero."""
    sizes = np.array([float(np.max(np.abs(values), initial=0)) for values in pictures])
    if shared and sizes.size:
        sizes[:] = sizes.max()
    return np.where(sizes > 0, sizes, 1.0)
