"""Integrals of gradients along straight paths between samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Places and weights of three-point Gauss-Legendre quadrature on (0, 1).
_PLACES, _WEIGHTS = 0.5 + np.array([-1, 0, 1]) * np.sqrt(0.15), np.array([5, 8, 5]) / 18
#: Segments that the paths to a sample have together at first, if there are fewer paths.
_FIRST_SEGMENTS = 8
#: Share of the sum of errors that the segments have that are halved, largest errors first.
_SHARE = 0.25
#: Values of encoded rows that are computed at a time.
_BLOCK = 2**21
#: Smallest difference of predictions that errors are relative to, as a share of the sum of the
#: magnitudes of the attributions.
_SMALL = 0.01
#: Rounding errors of predictions, in units of their spacing.
_ROUNDING = 64


def integrate(explained, samples, background, width, tol, max_points):
    """Return attributions, outputs, base values and excess errors of samples.

    `samples` is a tuple of encoded rows, of the numbers of steps of sequences, or None, and of the
    chosen classes. `background` are encoded rows as wide as the samples. `width` is the number of
    values of a row before encoding. The excess is the error of the sum of a row's attributions in
    units of what `tol` allows.
    """
    rows, lengths, chosen = samples
    found = []
    at_once = max(1, _BLOCK // sum(x.size for x in background))
    for first in range(0, len(chosen), at_once):
        own = slice(first, first + at_once)
        block = [x[own] for x in rows], None if lengths is None else lengths[own], chosen[own]
        paths = _Paths(explained, block, background, width)
        found.append(paths.integrate(tol, max_points))
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


@dataclass
class _Segments:
    """Segments of paths: `ends`, of shape (n, 2), are places from 0 to 1 on the path of a number.

    `outputs` are the predictions at the ends. `shares`, of shape (n, width), are the attributions
    of their difference.
    """

    path: np.ndarray
    ends: np.ndarray
    outputs: np.ndarray
    shares: np.ndarray

    def __getitem__(self, which):
        return _Segments(*(array[which] for array in vars(self).values()))

    def joined(self, other):
        """Return these and other segments."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Segments(*map(np.concatenate, pairs))

    @property
    def errors(self):
        """Sum of the attributions minus the difference of the predictions."""
        return self.shares.sum(axis=1) - np.diff(self.outputs)[:, 0]


class _Paths:
    """The paths from each row of a background to each sample, numbered sample by sample."""

    def __init__(self, explained, samples, background, width):
        rows, lengths, chosen = samples
        self.explained, self.width, n = explained, width, len(chosen)
        self.shape = n, len(background[0])
        self.sample = np.repeat(np.arange(n), self.shape[1])
        self.lengths = None if lengths is None else lengths[self.sample]
        self.chosen = chosen[self.sample]
        self.starts = [np.tile(x, (n, 1)) for x in background]
        own = explained.exist(self.starts, self.lengths)
        self.steps = [
            (x[self.sample] - start) * exist
            for x, start, exist in zip(rows, self.starts, own, strict=True)
        ]
        self.outputs = explained.values(rows, lengths, chosen)

    def integrate(self, tol, max_points):
        """Return attributions, outputs, base values and excess errors of the samples."""
        segments = self._first()
        base = segments.outputs[segments.ends[:, 0] == 0, 0].reshape(self.shape).mean(axis=1)
        allowed = tol * self._scale(self._by_sample(segments.path, segments.shares), base)
        while True:
            sample, errors = self.sample[segments.path], segments.errors
            excess = np.abs(self._by_sample(segments.path, errors)) / allowed
            counts = np.bincount(sample, minlength=self.shape[0])
            is_open = (excess > 1) & (counts * _PLACES.size < max_points * self.shape[1])
            if not is_open.any():
                break
            is_bad = is_open[sample] & _are_largest(np.abs(errors), sample, counts)
            segments = segments[~is_bad].joined(self._halves(segments[is_bad]))
        values = self._by_sample(segments.path, segments.shares)
        return values, self.outputs, base, excess

    def _by_sample(self, path, values):
        """Return sums of the values of segments over each path, averaged over paths by sample."""
        found = np.zeros((self.shape[0], *values.shape[1:]))
        np.add.at(found, self.sample[path], values)
        return found / self.shape[1]

    def _scale(self, values, base):
        """Return what errors are relative to: the difference of predictions, unless it is small."""
        size = np.abs(self.outputs) + np.abs(base)
        noise = _ROUNDING * np.finfo(self.steps[0].dtype).eps * size
        small = _SMALL * np.abs(values).sum(axis=1)
        scale = np.maximum.reduce([np.abs(self.outputs - base), small, noise])
        return np.maximum(scale, np.finfo(np.float64).tiny)

    # --- segments ----------------------------------------------------------------------------

    def _first(self):
        """Return equal segments of all paths."""
        count = -(-_FIRST_SEGMENTS // self.shape[1])
        places = np.linspace(0, 1, count + 1)
        path = np.arange(self.sample.size)
        at = np.tile(places[:-1], path.size), np.repeat(path, count)
        before = self._values(at[1], at[0]).reshape(-1, count)
        outputs = np.column_stack([before, self.outputs[self.sample]])
        ends = np.tile(np.column_stack([places[:-1], places[1:]]), (path.size, 1))
        return self._segments(at[1], ends, _neighbours(outputs))

    def _halves(self, segments):
        """Return both halves of segments."""
        middle = segments.ends.mean(axis=1)
        places = np.insert(segments.ends, 1, middle, axis=1)
        outputs = np.insert(segments.outputs, 1, self._values(segments.path, middle), axis=1)
        return self._segments(
            np.repeat(segments.path, 2), _neighbours(places), _neighbours(outputs)
        )

    def _segments(self, path, ends, outputs):
        """Return segments with their attributions."""
        shares, found = np.zeros((path.size, self.width)), self.explained
        length = np.diff(ends)
        for own in self._blocks(path.size, _PLACES.size):
            places = ends[own, :1] + _PLACES * length[own]
            points = self._points(np.repeat(path[own], _PLACES.size), places.ravel())
            gradients = found.gradients(*points)
            for part, step, gradient in zip(found.parts, self.steps, gradients, strict=True):
                gradient = gradient.reshape(-1, _PLACES.size, step.shape[1])
                mean = np.einsum("ijk,j->ik", gradient, _WEIGHTS, dtype=np.float64)
                shares[own] += part.fold(mean * step[path[own]], self.width)
        return _Segments(path, ends, outputs, shares * length)

    def _values(self, path, places):
        """Return the predictions at places on paths."""
        blocks = self._blocks(path.size)
        return np.concatenate(
            [self.explained.values(*self._points(path[own], places[own])) for own in blocks]
        )

    def _points(self, path, places):
        """Return encoded rows, numbers of steps and classes at places on paths."""
        points = [
            start[path] + places[:, np.newaxis].astype(step.dtype) * step[path]
            for start, step in zip(self.starts, self.steps, strict=True)
        ]
        return points, None if self.lengths is None else self.lengths[path], self.chosen[path]

    def _blocks(self, n, each=1):
        """Yield slices of n items with `each` rows that limit the memory of their rows."""
        size = each * sum(step.shape[1] for step in self.steps)
        at_once = max(1, _BLOCK // size)
        for first in range(0, n, at_once):
            yield slice(first, first + at_once)


def _neighbours(values):
    """Return pairs of neighbouring columns, one below the other by row."""
    return np.stack([values[:, :-1], values[:, 1:]], axis=2).reshape(-1, 2)


def _are_largest(errors, sample, counts):
    """Return a mask of the largest errors of each sample, which are `_SHARE` of their sum."""
    order = np.lexsort((-errors, sample))
    sums = np.cumsum(errors[order])
    ends = np.cumsum(counts)
    before = np.append(0, sums[ends[:-1] - 1])
    total = sums[ends - 1] - before
    found = np.empty(errors.size, dtype=bool)
    of = sample[order]
    found[order] = sums - errors[order] - before[of] < _SHARE * total[of]
    return found
