"""Readers of images and sequences, which are kept as flat rows."""

from __future__ import annotations

import copy
import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from sklearn_nn.estimators._core.parts import is_bytes, warn
from sklearn_nn.estimators._inputs import advice, sequences
from sklearn_nn.estimators._inputs.advice import WHITE
from sklearn_nn.estimators._inputs.reader import InputReader, advising
from sklearn_nn.estimators._inputs.scale import is_far_from_unit, moments_of, scale_of
from sklearn_nn.estimators._inputs.sequences import Sequences, as_numbers, n_axes, samples_of
from sklearn_nn.layers.shape import CHANNELS_FIRST, CHANNELS_LAST
from sklearn_nn.layers.standardize import INPUT_SCALE
from sklearn_nn.network.source import in_windows


def _listed(X):
    """Return X, as a list if it is an object array or a Series whose samples are arrays."""
    samples = samples_of(X)
    one_axis = isinstance(samples, np.ndarray) and samples.ndim == 1
    return list(samples) if one_axis and any(n_axes(sample) for sample in samples) else X


def _as_array(X):
    """Return X as an array; raise ValueError if its samples have different shapes or units."""
    with advising(advice.about_samples, X):
        array = np.asarray(X)
    is_list = array.ndim > 2 and isinstance(X, list | tuple)
    types = {x.dtype for x in X if isinstance(x, np.ndarray)} if is_list else set()
    if np.dtype(np.uint8) in types and len(types) > 1:
        other = next(str(dtype) for dtype in types if dtype != np.uint8)
        raise ValueError(
            f"X holds samples of bytes (uint8), which are divided by {WHITE}, and samples of "
            f"{other}, which are not; convert all to one type."
        )
    return array


@dataclass(eq=False)
class ShapedReader(InputReader):
    """Reader of images, sequences and rows, each of which stands for a sample with axes.

    If sequences are not of one length, `shape` is that of the longest. Networks whose layers do
    not depend on the number of time steps read sequences of any other length afterwards.
    """

    LEARNT = ("seen_shape", "ragged", "units", "scale")
    NEEDED = ("seen_shape",)
    PUBLISHED: ClassVar[dict[str, str]] = {"shape": "input_shape_", "scale": "input_scale_"}
    ragged = False
    units = scale = None

    #: Shape of a sample, channels last; None means that of the samples of the first fit.
    input_shape: tuple[int, ...] | None = None
    data_format: str = CHANNELS_LAST
    _: KW_ONLY
    #: Whether samples may be sequences of any length.
    takes_any_length: bool = False
    #: Whether a row is a signal of one channel, of shape (n, 1).
    rows_are_signals: bool = False
    #: Whether samples of two axes are grey images.
    planes_are_grey: bool = False
    #: Whether the network depends on which axis is that of the channels.
    goes_by_place: bool = False
    #: Number of time steps, and channels, of a row that is a sequence; None for other rows.
    steps_of_rows: tuple[int, int] | None = None
    #: Number after the end of sequences in rows of numbers.
    padding_value: int | None = None
    #: The first layer if it reads whole numbers, which are not scaled, else None.
    first_layer: Any = None
    #: Whether the network standardizes samples, or "auto".
    scales: bool | str = False

    # --- reading -----------------------------------------------------------------------------

    def _read(self, X, estimator, *, reset):
        found = self._sequences(X, estimator, reset=reset)
        return super()._read(X, estimator, reset=reset) if found is None else found

    def blocks(self, X, network, estimator):
        """Check X and return an iterator over its sources, each for a block of rows."""
        found = self._sequences(X, estimator, reset=False)
        if found is None:
            return super().blocks(X, network, estimator)
        self._look_at_units(found, estimator, reset=False)
        return iter([self.source(found, network.dtype, network)])

    def takes_as_rows(self, X, estimator):
        """Return whether an array of floats holds samples that are read as they are, if finite."""
        if self.ragged or self.padding_value is not None or self.first_layer is not None:
            return False
        if self.units and self.units["bytes"] and self.divisor != 1:
            return False
        shape = X.shape[1:]
        if len(shape) == 1:
            return shape[0] == math.prod(self.shape) == estimator.n_features_in_
        is_first = self.data_format == CHANNELS_FIRST and self._has_channels(len(shape))
        return shape == (self.seen_shape or self.shape) and not is_first

    def _blocks(self, X, network, divisor):
        if self.first_layer is None:
            return super()._blocks(X, network, divisor)
        return iter([self.source(X, network.dtype, network)])

    def source(self, samples, dtype, network=None):
        """Return the source of batches of checked samples, for the fitted network, if any."""
        if self.first_layer is not None:
            samples = samples.toarray() if sparse.issparse(samples) else samples
            is_list = isinstance(samples, Sequences)
            values = samples.own_values() if is_list else np.ravel(samples)
            low, high = (values.min(), values.max()) if values.size else (0, 0)
            self.first_layer.check_values(low, high, bool((values == np.floor(values)).all()))
        if not isinstance(samples, Sequences):
            return super().source(samples, dtype, network)
        # Sequences that are too short, as for a convolution, are padded to the fitted length.
        steps = samples.sample_shape[0]
        is_shorter = samples.window is None and steps < self.shape[0]
        if is_shorter and not network.reads(steps, ragged=not samples.is_even):
            samples.window = self.shape[0]
        return samples.source(dtype)

    def lengths(self, samples):
        """Return the number of time steps of each of the checked samples."""
        return samples.lengths if isinstance(samples, Sequences) else super().lengths(samples)

    def form(self):
        """Return the arguments of `lower` that describe the samples."""
        return {"shape": self.shape, "ragged": self.ragged}

    # --- sequences ---------------------------------------------------------------------------

    def _sequences(self, X, estimator, *, reset):
        """Return X as `Sequences` if lengths differ, or differ from those seen; else None."""
        if not self.takes_any_length:
            return None
        found = self._found_sequences(X, reset=reset)
        if reset:
            self.ragged = found is not None and not found.is_even
        if found is None:
            return None
        if reset:
            self.seen_shape = found.sample_shape
            estimator.n_features_in_ = found.shape[1]
            vars(estimator).pop("feature_names_in_", None)
        elif found.channels != self.channels:
            raise ValueError(
                f"X has sequences of {found.channels} channels, but {type(estimator).__name__} was "
                f"fitted with {self.channels}."
            )
        return found

    @property
    def channels(self):
        """Values of a time step of the sequences that were fitted."""
        shape = self.shape if len(self.shape) == 2 else self.seen_shape or ()
        return shape[1] if len(shape) == 2 else 1

    def _found_sequences(self, X, *, reset):
        signals = not reset and self.ragged and self.channels == 1
        divisor = WHITE if self.first_layer is None else 1
        reading = {"divisor": divisor, "padding": self.padding_value}
        if sequences.is_listed(X) or (signals and sequences.is_list_of_signals(X)):
            return sequences.from_list(X, self.data_format, **reading)
        array = self._as_steps(X)
        if array is None or array.size == 0:
            return None
        ends = self.padding_value is not None or bool(sequences.is_padding(array[:, -1]).any())
        if ends or (not reset and self._takes_length(*array.shape[1:])):
            return sequences.from_padded(array, **reading)
        return None

    def _as_steps(self, X):
        """Return X, or rows with a `padding_value`, as numbers (n, steps, channels), or None."""
        if getattr(X, "ndim", None) == 3 and hasattr(X, "__array__"):
            array = as_numbers(X)
            is_first = array is not None and self.data_format == CHANNELS_FIRST
            return np.moveaxis(array, 1, 2) if is_first and self._has_channels(2) else array
        if self.padding_value is None:
            return None
        array = as_numbers(X.toarray() if sparse.issparse(X) else X)
        return array[:, :, np.newaxis] if array is not None and array.ndim == 2 else None

    def _takes_length(self, steps, channels):
        """Return whether samples of this shape are sequences of another length than the fitted."""
        if len(self.shape) == 1:
            return self.first_layer is not None and channels == 1
        return len(self.shape) == 2 and channels == self.shape[1] and steps != self.shape[0]

    # --- shapes ------------------------------------------------------------------------------

    def _has_channels(self, n_axes):
        """Return whether one of the given number of axes of a sample is for channels."""
        if self.planes_are_grey and n_axes == 2 and self.input_shape is None:
            return False
        return self.input_shape is None or len(self.input_shape) <= n_axes

    def _flatten(self, X, estimator, *, reset):
        rows, shape, planes = self._rows(X)
        if reset:
            self.seen_shape = shape
        if shape is None:
            return rows, planes
        wanted = self.seen_shape or self.shape
        if shape != wanted:
            first = " (channels last)" if self.data_format == CHANNELS_FIRST else ""
            message = (
                f"X has samples of shape {shape}{first}, but {type(estimator).__name__} was "
                f"fitted with samples of shape {wanted}{self._way_back(shape, wanted)}."
            )
            raise ValueError(self._advice_on_one(X, message, reset=reset) or message)
        if reset and self.input_shape is None and self.goes_by_place:
            meant = f"; otherwise pass input_shape={shape}"
            message = advice.misplaced_channels(self.axes(shape), self.data_format, meant)
            if not self.planes_are_grey:
                steps = advice.misplaced_steps(self.axes(shape), self.data_format, meant)
                message = message or steps
            if message is not None:
                warn(message)
        return rows, planes

    def _rows(self, X):
        """Return X as rows, the shape of a sample, and the number of planes of a row.

        The shape has channels last, and is None for rows, frames and sparse matrices. Planes are
        channels that come first, one after another.
        """
        if sparse.issparse(X) or hasattr(X, "columns"):
            return X, None, 1
        X = _listed(X)
        array = _as_array(X)
        if array.ndim < 3:
            return (array if array.dtype == np.uint8 else X), None, 1
        shape, planes = array.shape[1:], 1
        if self.data_format == CHANNELS_FIRST and self._has_channels(len(shape)):
            planes, *others = shape
            shape = (*others, planes)
        return array.reshape(len(array), math.prod(shape)), shape, planes

    def axes(self, shape):
        """Return the shape of a sample as passed, given its shape with channels last."""
        first = self.data_format == CHANNELS_FIRST and self._has_channels(len(shape))
        return (shape[-1], *shape[:-1]) if first else shape

    def _way_back(self, shape, wanted):
        """Return the remedy if samples differ only in the axis of the channels, else ""."""
        moved, way = (*shape[1:], shape[0]), "np.moveaxis(X, 1, -1)"
        if self.data_format == CHANNELS_FIRST:
            moved, way = self.axes(shape), "np.moveaxis(X, -1, 1)"
        is_moved = len(shape) == 3 and moved == wanted
        return f"; move the channels to the fitted axis: {way}" if is_moved else ""

    def settle(self, estimator):
        """Set `shape` from the shape seen and the parameter `input_shape`."""
        if self.input_shape is not None and min(self.input_shape, default=0) < 1:
            raise ValueError(
                f"input_shape={self.input_shape} does not fit X: lengths must be at least 1; pass "
                "the shape of one sample, or None."
            )
        n_features, seen = estimator.n_features_in_, self.seen_shape
        given = None if self.ragged else self.input_shape
        shape = seen if given is None else given
        if given is not None and seen is not None:
            self._check_given_shape()
        if shape is None:
            shape = (n_features, 1) if self.rows_are_signals else (n_features,)
        elif given is None and len(shape) == 2 and self.planes_are_grey:
            shape = (*shape, 1)
        shape = tuple(int(length) for length in shape)
        if min(shape, default=0) < 1 or int(np.prod(shape)) != n_features:
            raise ValueError(
                f"input_shape={self.input_shape} does not fit X, whose samples have {n_features} "
                f"values (shape {seen or 'flat'}); pass a shape whose product is that number."
            )
        self.shape = shape

    def _check_given_shape(self):
        """Raise ValueError if X has as many axes as `input_shape`, but other lengths."""
        given, seen = tuple(self.input_shape), tuple(self.seen_shape)
        if seen == given[: len(seen)] or len(given) < len(seen):
            return
        if len(given) == len(seen) or given[len(seen) :] == (1,):
            first = self.data_format == CHANNELS_FIRST
            raise ValueError(
                f"input_shape={self.input_shape} does not fit X, whose samples have shape {seen} "
                f"(channels last{', as in input_shape with any data_format' * first}); pass "
                f"input_shape={seen} or None, or X as flat rows."
            )

    # --- units and advice --------------------------------------------------------------------

    @property
    def divisor(self):
        """Number that bytes are divided by: samples with several axes are scaled to 0..1."""
        return 1 if len(self.shape) < 2 or self.first_layer is not None else WHITE

    def _look_at_units(self, samples, estimator, *, reset, are_bytes=None):
        if are_bytes is None:
            are_bytes = getattr(samples, "are_bytes", is_bytes(samples))
        if reset:
            self.units = advice.units_of(samples, are_bytes)
        elif self.units and self.units["bytes"] != are_bytes and self.divisor != 1:
            found = advice.units_of(samples, are_bytes)
            message = advice.other_units(self.units, found, type(estimator).__name__)
            if message is not None:
                warn(message)

    def compare_units(self, start):
        """Warn if the network that pretrained weights come from was fitted in other units."""
        if self.units and start.units and self.divisor != 1:
            owner = f"the {start.source} that from_pretrained copies"
            message = advice.units_of_another(start.units, self.units, owner)
            if message is not None:
                warn(message)

    def learn(self, X, estimator):
        """Return X checked, and learn the form of its samples and their scale."""
        samples = super().learn(X, estimator)
        start = vars(estimator).get("_pretrained")
        if start is not None:
            self.compare_units(start)
        self.scale = self._scale_for(samples, None if start is None else start.arrays)
        return samples

    def _scale_for(self, samples, pretrained):
        """Return the scale of samples, or that of pretrained arrays by layer; None for neither."""
        if not self.scales:
            return None
        n_channels, divisor = self.shape[-1], self.divisor
        if pretrained is not None:
            given = scale_of(pretrained, n_channels)
            if given is not None or (self.scales == "auto" and INPUT_SCALE not in pretrained):
                return given
        if self.scales == "auto" and not is_far_from_unit(samples, n_channels, divisor):
            return None
        scale = moments_of(samples, n_channels, divisor).scale
        # Squares of numbers beyond 1e154 are infinite; training says what is wrong with X.
        return scale if np.isfinite(scale).all() else None

    def with_scale_of(self, pretrained):
        """Return a reader with the scale in the arrays of another network, by layer."""
        given = scale_of(pretrained, self.shape[-1])
        if not self.scales or (given is None and self.scales is True):
            return self
        other = copy.copy(self)
        other.scale = given
        return other

    def _of_one(self):
        shapes = [self.shape, self.seen_shape or self.shape]
        shapes += [shape[:-1] for shape in shapes if shape[-1:] == (1,)]
        if self.takes_any_length and self.shape:
            shapes += [(None, self.channels), *([(None,)] if self.channels == 1 else [])]
        return [self.axes(shape) for shape in shapes] + [(math.prod(self.shape),)]

    def _advice_on_values(self, X, estimator, message):
        is_table = hasattr(X, "columns")
        return super()._advice_on_values(X, estimator, message) if is_table else None

    def _advice(self, X, owner, message):
        return advice.about_shaped(X, owner, message, self.steps_of_rows)

    def check_loaded(self, estimator):
        """Raise ValueError if the attributes loaded from a file contradict each other."""
        if self.seen_shape is not None and math.prod(self.seen_shape) != estimator.n_features_in_:
            n_values = estimator.n_features_in_
            raise ValueError(f"samples of shape {self.seen_shape} with {n_values} values")
        if self.scale is not None:
            is_valid = self.scale.shape == (2, self.shape[-1]) and (self.scale[1] > 0).all()
            if not is_valid or not np.isfinite(self.scale).all():
                raise ValueError("an invalid scale of samples")


@dataclass(eq=False)
class WindowReader(ShapedReader):
    """Reader of sequences that are trained on in windows of `truncation` time steps."""

    _: KW_ONLY
    truncation: int

    def form(self):
        """Return the arguments of `lower` that describe a window."""
        return {**super().form(), "shape": (self.truncation, self.shape[1]), "carries": True}

    def takes_as_rows(self, X, estimator):
        """Return False: samples are read in windows."""
        return False

    def source(self, samples, dtype, network=None):
        """Return the source of batches of checked samples, in windows."""
        X = samples.toarray() if sparse.issparse(samples) else samples
        if isinstance(X, Sequences) and X.is_even and X.sample_shape == self.shape:
            # Contiguous sequences of one length are read as an array.
            X = X.values[: X.shape[0] * X.shape[1]].reshape(X.shape)
        if not isinstance(X, Sequences):
            rows = X if X.ndim == 2 else np.moveaxis(X, 1, 2).reshape(len(X), -1)
            steps, channels = self.shape
            if steps % self.truncation == 0:
                return in_windows(rows, steps // self.truncation, dtype, self.divisor)
            if is_bytes(rows):
                rows = rows.astype(np.float32) / np.float32(self.divisor)
            rows = np.ascontiguousarray(rows)
            starts = np.arange(len(rows)) * rows.shape[1]
            X = Sequences(rows.reshape(-1), starts, np.full(len(rows), steps), channels)
        X.window = self.truncation
        return X.source(dtype)

    def _blocks(self, X, network, divisor):
        return iter([self.source(X, network.dtype, network)])
