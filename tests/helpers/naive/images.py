"""Slow, obvious twins of the layers for images and sequences: loops over places and cells.

A twin is a pair as in `naive`; x and y are rows of a slot. `Window` says which cell of the input
each cell of the window meets at each place, and all twins are sums or maxima over these meetings.
"""

import itertools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """A window that slides over samples of `shape`, along all axes but the channels."""

    shape: tuple
    size: tuple
    strides: tuple
    dilations: tuple
    padding: str

    def places(self):
        """Return the number of places along each axis: counted, not computed, for "valid"."""
        found = []
        for n, k, s, d in zip(self.shape, self.size, self.strides, self.dilations, strict=False):
            starts = range(0, n, s)
            if self.padding == "valid":
                starts = [start for start in starts if start + (k - 1) * d < n]
            found.append(len(starts))
        return tuple(found)

    def before(self):
        """Return the number of cells that the first place lies beyond the start of each axis."""
        found = []
        axes = zip(self.shape, self.size, self.strides, self.dilations, strict=False)
        for (n, k, s, d), places in zip(axes, self.places(), strict=True):
            needed = (places - 1) * s + (k - 1) * d + 1
            found.append((max(needed, n) - n) // 2 if self.padding == "same" else 0)
        return tuple(found)

    def meetings(self):
        """Yield (place, cell of the window, cell of the input), in row-major order of places."""
        before = self.before()
        for place in itertools.product(*map(range, self.places())):
            for tap in itertools.product(*map(range, self.size)):
                cell = tuple(
                    p * s + t * d - b
                    for p, s, t, d, b in zip(
                        place, self.strides, tap, self.dilations, before, strict=True
                    )
                )
                if all(0 <= c < n for c, n in zip(cell, self.shape, strict=False)):
                    yield place, tap, cell

    def cells(self):
        """Return the cells of the input that each place sees."""
        found = {}
        for place, _, cell in self.meetings():
            found.setdefault(place, []).append(cell)
        return found


def sample_shape(x, shape):
    """Return rows of a slot as samples of a shape."""
    return x.reshape(len(x), *shape)


def rows(samples):
    return samples.reshape(len(samples), -1)


# --- convolution -----------------------------------------------------------------------------


def group_slices(channels, filters, groups):
    """Return the channels and the filters of each group."""
    c, f = channels // groups, filters // groups
    return [(slice(g * c, (g + 1) * c), slice(g * f, (g + 1) * f)) for g in range(groups)]


def conv(window, filters, groups):
    """Return forward and backward of a convolution of a kernel and perhaps a bias."""
    groups = group_slices(window.shape[-1], filters, groups)
    every = (slice(None),)

    def forward(parameters, x, context=None):
        kernel, *bias = parameters
        x = sample_shape(x, window.shape)
        y = np.zeros((len(x), *window.places(), filters))
        for place, tap, cell in window.meetings():
            for channels, own in groups:
                y[(*every, *place, own)] += x[(*every, *cell, channels)] @ kernel[tap][:, own]
        return rows(y + bias[0] if bias else y)

    def backward(parameters, x, dy, context=None):
        kernel, *bias = parameters
        x = sample_shape(x, window.shape)
        dy = sample_shape(dy, (*window.places(), filters))
        dx, dkernel = np.zeros_like(x), np.zeros_like(kernel)
        for place, tap, cell in window.meetings():
            for channels, own in groups:
                seen, g = x[(*every, *cell, channels)], dy[(*every, *place, own)]
                dkernel[tap][:, own] += seen.T @ g
                dx[(*every, *cell, channels)] += g @ kernel[tap][:, own].T
        dbias = [dy.reshape(-1, filters).sum(axis=0)] if bias else []
        return rows(dx), [dkernel, *dbias]

    return forward, backward


# --- pooling ---------------------------------------------------------------------------------


def max_pool(window):
    """Return forward and backward: the gradient goes to the first cell that is the largest."""
    channels = window.shape[-1]

    def forward(parameters, x, context=None):
        x = sample_shape(x, window.shape)
        y = np.zeros((len(x), *window.places(), channels))
        for place, cells in window.cells().items():
            y[(slice(None), *place)] = np.max([x[(slice(None), *cell)] for cell in cells], axis=0)
        return rows(y)

    def backward(parameters, x, dy, context=None):
        x, dy = sample_shape(x, window.shape), sample_shape(dy, (*window.places(), channels))
        dx = np.zeros_like(x)
        for place, cells in window.cells().items():
            for i, c in itertools.product(range(len(x)), range(channels)):
                values = [x[(i, *cell, c)] for cell in cells]
                first = cells[values.index(max(values))]
                dx[(i, *first, c)] += dy[(i, *place, c)]
        return rows(dx), []

    return forward, backward


def mean_pool(window):
    """Return forward and backward: the mean of the cells inside the image."""
    channels = window.shape[-1]

    def forward(parameters, x, context=None):
        x = sample_shape(x, window.shape)
        y = np.zeros((len(x), *window.places(), channels))
        for place, cells in window.cells().items():
            y[(slice(None), *place)] = np.mean([x[(slice(None), *cell)] for cell in cells], axis=0)
        return rows(y)

    def backward(parameters, x, dy, context=None):
        x, dy = sample_shape(x, window.shape), sample_shape(dy, (*window.places(), channels))
        dx = np.zeros_like(x)
        for place, cells in window.cells().items():
            for cell in cells:
                dx[(slice(None), *cell)] += dy[(slice(None), *place)] / len(cells)
        return rows(dx), []

    return forward, backward


# --- shapes and branches -----------------------------------------------------------------------


def zero_pad(shape, margins):
    """Return forward and backward; margins are (before, after) for every axis but the channels."""

    def forward(parameters, x, context=None):
        return rows(np.pad(sample_shape(x, shape), [(0, 0), *margins, (0, 0)]))

    def backward(parameters, x, dy, context=None):
        wide = [n + before + after for n, (before, after) in zip(shape, margins, strict=False)]
        inside = [slice(before, before + n) for n, (before, _) in zip(shape, margins, strict=False)]
        return rows(sample_shape(dy, (*wide, shape[-1]))[(slice(None), *inside)]), []

    return forward, backward


def chain(cases):
    """Return forward and backward of rows of a table that follow one another."""

    def outputs(parameters, x, context):
        found, own = [x], []
        for case in cases:
            own.append(parameters[: case.n_parameters])
            parameters = parameters[case.n_parameters :]
            found.append(case.forward(own[-1], found[-1], context))
        return found, own

    def forward(parameters, x, context=None):
        return outputs(parameters, x, context)[0][-1]

    def backward(parameters, x, dy, context=None):
        found, own = outputs(parameters, x, context)
        gradients = []
        for case, mine, seen in reversed(list(zip(cases, own, found[:-1], strict=True))):
            dy, new = case.backward(mine, seen, dy, context)
            gradients = [*new, *gradients]
        return dy, gradients

    return forward, backward


def branches(chains, shapes, *, joined):
    """Return forward and backward of chains of rows that read one x and end in `shapes`.

    Their ends are joined by channel, or added.
    """
    twins = [chain(cases) for cases in chains]
    counts = [sum(case.n_parameters for case in cases) for cases in chains]
    edges = np.cumsum([0, *counts])
    channels = np.cumsum([0, *(shape[-1] for shape in shapes)])

    def own(parameters, k):
        return parameters[edges[k] : edges[k + 1]]

    def forward(parameters, x, context=None):
        ends = [
            sample_shape(twin[0](own(parameters, k), x, context), shape)
            for k, (twin, shape) in enumerate(zip(twins, shapes, strict=True))
        ]
        return rows(np.concatenate(ends, axis=-1) if joined else sum(ends))

    def backward(parameters, x, dy, context=None):
        dx, gradients = 0, []
        for k, twin in enumerate(twins):
            mine = dy
            if joined:
                whole = sample_shape(dy, (*shapes[0][:-1], channels[-1]))
                mine = rows(whole[..., channels[k] : channels[k + 1]])
            one, new = twin[1](own(parameters, k), x, mine, context)
            dx, gradients = dx + one, [*gradients, *new]
        return dx, gradients

    return forward, backward
