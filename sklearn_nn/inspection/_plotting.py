"""Axes and pictures of the displays; matplotlib is imported only when something is drawn."""

import math

import numpy as np

from sklearn_nn._optional import imported

#: Colours by their place in matplotlib's cycle, so that they follow the user's style.
TRAINING, VALIDATION, MARK = "C0", "C1", "0.35"
GREY = "gray"
#: Signals with more channels than this are drawn by their mean.
MOST_LINES = 8


def pyplot(caller):
    """Return matplotlib.pyplot, or raise ImportError with the command that installs it."""
    return imported("matplotlib.pyplot", f"{caller} needs matplotlib", "plot")


class Display:
    """Base class of displays, which draw on axes that the user passes or on new ones."""

    def _use_axes(self, ax, figsize):
        """Set `ax_` and `figure_` to `ax`, or if it is None to new axes of `figsize` inches."""
        plt = pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            _, ax = plt.subplots(figsize=figsize, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def _use_grid(
        self, n, columns, axes, figure, cell, *, title=None, width=4.0, margins=(0.1, 0.1)
    ):
        """Set `axes_` and `figure_`: to `n` axes passed, or a grid in `figure` or a new figure.

        The grid has at most `columns` columns and a `title`. In a new figure, `cell` is the size of
        a picture, `width` the least width of all, and `margins` are added to both, in inches.
        """
        caller = f"{type(self).__name__}.plot"
        plt = pyplot(caller)
        if axes is None:
            columns = min(n, columns)
            rows = math.ceil(n / columns)
            if figure is None:
                width = max(cell[0] * columns, width) + margins[0]
                height = cell[1] * rows + (margins[1] + 0.3 if title else margins[1])
                figure = plt.figure(figsize=(width, height), layout="constrained")
            grid = figure.subplots(rows, columns, squeeze=False).ravel()
            for unused in grid[n:]:
                unused.remove()
            if title:
                figure.suptitle(title, fontsize="medium")
            axes = grid[:n]
        elif figure is not None:
            raise ValueError(f"{caller}: axes and figure were both passed; pass one of them.")
        self.axes_ = np.ravel(axes)
        if self.axes_.size != n:
            raise ValueError(
                f"{self.axes_.size} axes were passed for {n} plots; pass one for each."
            )
        self.figure_ = self.axes_[0].figure


def grid_title(layer, drawn, total, what, shape):
    """Return a title such as "conv1: 4 of 9 filters of 3 × 3"."""
    count = f"{total}" if drawn == total else f"{drawn} of {total}"
    return f"{'' if layer is None else f'{layer}: '}{count} {what} of {' × '.join(map(str, shape))}"


def bare(ax, title=None):
    """Remove the ticks of axes, and set a title."""
    ax.set(xticks=[], yticks=[])
    if title is not None:
        ax.set_title(title, fontsize="small")


def is_map(shape):
    """Return whether samples of a shape are images or signals, not vectors."""
    return len(shape) in (2, 3)


def drawable(caller, shape):
    """Raise ValueError unless samples of a shape are images or signals."""
    if not is_map(shape):
        raise ValueError(
            f"{caller} draws images and signals, and samples have shape {tuple(shape)}; pass "
            "input_shape=(height, width, channels) or (steps, channels)."
        )


def limits_of(samples):
    """Return the values of black and white: those of bytes or of 0..1 if the samples fit."""
    if samples.dtype == np.uint8:
        return 0, 255
    low, high = float(np.min(samples)), float(np.max(samples))
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def draw_sample(ax, sample, limits, cmap=GREY):
    """Draw an image of shape (height, width, channels), or a signal of shape (steps, channels).

    Three channels are colours, a single one is grey; other numbers are drawn by their mean.
    """
    low, high = limits
    if sample.ndim == 2:
        draw_lines(ax, sample)
    elif sample.shape[-1] == 3:
        width = high - low
        shown = (sample - float(low)) / width if width else np.zeros(sample.shape)
        ax.imshow(np.clip(shown, 0, 1), interpolation="nearest")
    else:
        plane = sample[..., 0] if sample.shape[-1] == 1 else sample.mean(axis=-1)
        ax.imshow(plane, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")


def draw_lines(ax, signal):
    """Draw a signal of shape (steps, channels): a line per channel, or the mean of many."""
    many = signal.shape[-1] > MOST_LINES
    ax.plot(signal.mean(axis=-1) if many else signal, linewidth=1)
    ax.margins(x=0)


def draw_map(ax, values, *, signed, limit):
    """Draw values of shape (height, width) as an image, or of shape (steps,) as a line.

    Signed values are blue below zero, white at zero and red above.
    """
    if values.ndim == 1:
        ax.fill_between(np.arange(len(values)), values, color="C3" if signed else "C1", alpha=0.7)
        ax.axhline(0, color=MARK, linewidth=0.8)
        ax.margins(x=0)
    else:
        cmap, low = ("RdBu_r", -limit) if signed else ("magma", 0)
        ax.imshow(values, cmap=cmap, vmin=low, vmax=limit, interpolation="nearest")


def scales_of(pictures, shared):
    """Return the largest magnitude of each picture, or of all if shared; 1 in place of zero."""
    sizes = np.array([float(np.nanmax(np.abs(values), initial=0)) for values in pictures])
    if shared and sizes.size:
        sizes[:] = sizes.max()
    return np.where(sizes > 0, sizes, 1.0)
