"""Samples that are more than vectors: images and sequences, kept as flat rows by the machine."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy import sparse

from sklearn_nn.estimators._inputs.advice import (
    about_cells,
    about_nan,
    about_samples,
    advising,
    is_about_cells,
    is_about_nan,
)
from sklearn_nn.estimators._inputs.channels import misplaced_channels
from sklearn_nn.estimators._inputs.encoding import check_no_dates
from sklearn_nn.estimators._inputs.forms import Forms
from sklearn_nn.estimators._inputs.sequences import (
    as_numbers,
    from_list,
    from_padded,
    is_list_of_signals,
    is_listed,
    is_padding,
    n_axes,
    samples_of,
)
from sklearn_nn.estimators._inputs.units import WHITE, check_units, other_units, units_of
from sklearn_nn.layers.shape import CHANNELS_FIRST


def _listed(X):
    """An array of objects, or a Series, of samples that are arrays as a list; else X."""
    samples = samples_of(X)
    one_axis = isinstance(samples, np.ndarray) and samples.ndim == 1
    return list(samples) if one_axis and any(n_axes(sample) for sample in samples) else X


def _as_array(X):
    """X as an array; what to do where its samples have different shapes or units."""

    def about(message):
        said = about_samples(X)
        return None if said is None else f"{said} NumPy: {message}"

    with advising(about):
        array = np.asarray(X)
    if array.ndim > 2 and isinstance(X, list | tuple):
        _check_types(X)
    return array


def _check_types(X):
    """Raise a ValueError if some samples in a list are bytes, which are scaled, and others not."""
    types = {x.dtype for x in X if isinstance(x, np.ndarray)}
    if np.dtype(np.uint8) in types and len(types) > 1:
        other = next(str(dtype) for dtype in types if dtype != np.uint8)
        raise ValueError(
            f"X holds samples of bytes (uint8), which are divided by {WHITE}, and samples of "
            f"{other}, which are not; convert all to one type."
        )


def flat_rows(X, data_format, has_channels):
    """X as rows; nothing is copied where X is contiguous.

    `has_channels` is a function of the number of a sample's axes: whether channels have one.

    Returns
    -------
    rows : array-like or sparse matrix of shape (n_samples, n_features)
        What is rows, a frame, or sparse already is itself.
    shape : tuple of int, or None
        The shape of one sample, channels last; None where X came as rows.
    planes : int
        Number of channels that each row holds one after the other: more than one where X has
        its channels first.
    """
    if sparse.issparse(X) or hasattr(X, "columns"):
        return X, None, 1
    X = _listed(X)
    array = _as_array(X)
    if array.ndim < 3:
        return (array if array.dtype == np.uint8 else X), None, 1
    check_no_dates(array)
    shape, planes = array.shape[1:], 1
    if data_format == CHANNELS_FIRST and has_channels(len(shape)):
        planes, *others = shape
        shape = (*others, planes)
    return array.reshape(len(array), math.prod(shape)), shape, planes


def _signals(X):
    """Rows of numbers as an array (n, steps, 1), in whatever form they come; else None."""
    array = as_numbers(X.toarray() if sparse.issparse(X) else X)
    return array[:, :, np.newaxis] if array is not None and array.ndim == 2 else None


class ShapedInput(Forms):
    """Mixin: X may hold images or sequences; `input_shape_` is the shape of one sample.

    Where sequences are not of one length, it is the shape of the longest. Layers that do not go by
    the number of steps take sequences of any other length afterwards.
    """

    #: Whether samples may be sequences of any length.
    _takes_any_length: ClassVar[bool] = False

    def _sequences(self, X, *, reset):
        """X as `Sequences`, where some are shorter than others, or than those seen; else None."""
        if not self._takes_any_length:
            return None
        found = self._found_sequences(X, reset=reset)
        if reset:
            self._ragged = found is not None and not found.is_even
        if found is None:
            return None
        if reset:
            self._seen_shape = found.sample_shape
            self.n_features_in_ = found.shape[1]
            vars(self).pop("feature_names_in_", None)
        elif found.channels != self._channels():
            raise ValueError(
                f"X has sequences of {found.channels} channels, but {type(self).__name__} was "
                f"fitted with {self._channels()}."
            )
        return found

    def _advice(self, X, message):
        owner = type(self).__name__
        if is_about_cells(message):
            return about_cells(X, owner, takes_sequences=True)
        return about_nan(X, owner, self._steps_of_rows()) if is_about_nan(message) else None

    def _steps_of_rows(self):
        """(steps, channels) of the sequence that a row is; None where it is none."""
        return

    def _channels(self):
        """Values of a step of the sequences that were fitted."""
        shape = self.input_shape_ if len(self.input_shape_) == 2 else self._seen_shape or ()
        return shape[1] if len(shape) == 2 else 1

    def _found_sequences(self, X, *, reset):
        """X as `Sequences`, if it has to be taken for such."""
        signals = not reset and vars(self).get("_ragged", False) and self._channels() == 1
        if is_listed(X) or (signals and is_list_of_signals(X)):
            return from_list(X, self.data_format, **self._reading())
        masks = self._padding_value() is not None
        array = self._as_steps(X)
        array = _signals(X) if array is None and masks else array
        if array is None or array.size == 0:
            return None
        ends = masks or bool(is_padding(array[:, -1]).any())
        if ends or (not reset and self._takes_length(*array.shape[1:])):
            return from_padded(array, **self._reading())
        return None

    def _reading(self):
        """What numbers of sequences mean: what bytes are divided by, and what is padding."""
        divisor = 1 if self._reads_whole_numbers() else WHITE
        return {"divisor": divisor, "padding": self._padding_value()}

    def _as_steps(self, X):
        """X as an array of numbers (n, steps, channels), if it has three axes; else None."""
        if getattr(X, "ndim", None) != 3 or not hasattr(X, "__array__"):
            return None
        array = as_numbers(X)
        first = array is not None and self.data_format == CHANNELS_FIRST
        return np.moveaxis(array, 1, 2) if first and self._has_channels(2) else array

    def _takes_length(self, steps, channels):
        """Whether an array of such samples is other than those fitted, and holds no images."""
        shape = self.input_shape_
        if len(shape) == 1:
            return self._reads_whole_numbers() and channels == 1
        return len(shape) == 2 and channels == shape[1] and steps != shape[0]

    def _has_channels(self, n_axes):
        """Whether one of so many axes of a sample is for channels."""
        return self.input_shape is None or len(self.input_shape) <= n_axes

    def _reads_whole_numbers(self):
        """Whether numbers of X stand for something, and are not scaled."""
        return False

    def _padding_value(self):
        """What stands behind the end of sequences in rows of numbers; None for nothing."""
        return

    def _form(self):
        """What `lower` is told of the samples that the network is fitted to."""
        return {"shape": self._sample_shape(), "ragged": vars(self).get("_ragged", False)}

    def _flatten(self, X, *, reset):
        """X as rows; learns the shape of a sample, or checks that it is the one seen before."""
        rows, shape, planes = flat_rows(X, self.data_format, self._has_channels)
        if reset:
            self._seen_shape = shape
            if self.input_shape is None and self._goes_by_place():
                self._look_at_axes(shape)
        elif shape is not None:
            wanted = self._seen_shape or self.input_shape_
            if shape != wanted:
                raise ValueError(
                    f"X has samples of shape {shape}{self._order_of_axes()}, but "
                    f"{type(self).__name__} was fitted with samples of shape {wanted}"
                    f"{self._way_back(shape, wanted)}."
                )
        return rows, planes

    def _goes_by_place(self):
        """Whether what the network makes of a value depends on which axis is that of channels."""
        return False

    def _axes(self, shape):
        """The shape of a sample as it came, of that with channels last."""
        first = self.data_format == CHANNELS_FIRST and self._has_channels(len(shape))
        return (shape[-1], *shape[:-1]) if first else shape

    def _look_at_axes(self, shape):
        """Warn of images whose channels seem to be elsewhere than `data_format` says."""
        if shape is None or len(shape) != 3:
            return
        meant = f"; if it is not, say so with input_shape={shape}"
        message = misplaced_channels(self._axes(shape), self.data_format, meant)
        if message is not None:
            self._remark(message)

    def _order_of_axes(self):
        """How errors say where channels are, if that is not where they came."""
        return " (channels last)" if self.data_format == CHANNELS_FIRST else ""

    def _way_back(self, shape, wanted):
        """What an error says where samples only have their channels on another axis."""
        if len(shape) != 3:
            return ""
        if self.data_format == CHANNELS_FIRST:
            way = "np.moveaxis(X, -1, 1)" if self._axes(shape) == wanted else None
        else:
            way = "np.moveaxis(X, 1, -1)" if (*shape[1:], shape[0]) == wanted else None
        return "" if way is None else f"; bring the channels where they were: {way}"

    def _byte_divisor(self):
        """Bytes are scaled where a sample has more than one axis, in whatever form it comes."""
        return 1 if len(self.input_shape_) < 2 or self._reads_whole_numbers() else WHITE

    def _look_at_units(self, X, are_bytes, *, reset):
        if reset:
            self._units = units_of(X, are_bytes)
            return
        fitted = vars(self).get("_units")
        if fitted is not None and self._byte_divisor() != 1:
            message = other_units(fitted, X, are_bytes, type(self).__name__)
            if message is not None:
                self._remark(message)

    def _check_layout(self, program):
        super()._check_layout(program)
        if "_units" in vars(self):
            check_units(self._units)

    def _sample_shape(self):
        """The shape of one sample, as the first layer reads it."""
        if self.input_shape is not None and min(self.input_shape, default=0) < 1:
            raise ValueError(
                f"input_shape={self.input_shape} does not fit X: lengths must be at least 1; pass "
                "the shape of one sample, or None."
            )
        ragged = vars(self).get("_ragged", False)
        given = None if ragged else self.input_shape
        shape = self._seen_shape if given is None else given
        if given is not None and self._seen_shape is not None:
            self._check_given_shape()
        if shape is None:
            shape = self._shape_of_rows(self.n_features_in_)
        elif given is None and len(shape) == 2 and not ragged:
            shape = self._shape_of_planes(shape)
        shape = tuple(int(length) for length in shape)
        if min(shape, default=0) < 1 or int(np.prod(shape)) != self.n_features_in_:
            raise ValueError(
                f"input_shape={self.input_shape} does not fit X, whose samples have "
                f"{self.n_features_in_} values (shape {self._seen_shape or 'flat'}); pass a shape "
                "whose product is that number."
            )
        self.input_shape_ = shape
        return shape

    def _check_given_shape(self):
        """Raise a ValueError if X came with the axes that `input_shape` has, and other lengths."""
        given, seen = tuple(self.input_shape), tuple(self._seen_shape)
        if seen == given[: len(seen)] or len(given) < len(seen):
            return
        if len(given) == len(seen) or given[len(seen) :] == (1,):
            first = self.data_format == CHANNELS_FIRST
            raise ValueError(
                f"input_shape={self.input_shape} does not fit X, whose samples have shape {seen} "
                f"with channels last, as input_shape has it{' with every data_format' * first}; "
                "pass that shape or None, or X as flat rows."
            )

    def _shape_of_rows(self, n_features):
        """The shape of samples that come as flat rows, where `input_shape` does not say."""
        return (n_features,)

    def _shape_of_planes(self, shape):
        """The shape of samples that come with two axes, where `input_shape` does not say."""
        return shape
