"""Samples that are more than vectors: images and sequences, kept as flat rows by the machine."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy import sparse

from sklearn_nn.estimators._encoding import check_no_dates
from sklearn_nn.estimators._forms import Forms
from sklearn_nn.estimators._sequences import from_filled, from_list, from_padded, is_listed
from sklearn_nn.layers.shape import CHANNELS_FIRST

#: What bytes are divided by where samples are images or sequences: 0..255 becomes 0..1.
_WHITE = 255


def flat_rows(X, data_format):
    """X as rows; nothing is copied where X is contiguous.

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
    array = X if isinstance(X, np.ndarray) else np.asarray(X)
    if array.ndim < 3:
        return (array if array.dtype == np.uint8 else X), None, 1
    check_no_dates(array)
    shape, planes = array.shape[1:], 1
    if data_format == CHANNELS_FIRST:
        planes, *others = shape
        shape = (*others, planes)
    return array.reshape(len(array), math.prod(shape)), shape, planes


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

    def _channels(self):
        """Values of a step of the sequences that were fitted."""
        return self.input_shape_[1] if len(self.input_shape_) == 2 else 1

    def _found_sequences(self, X, *, reset):
        """X as `Sequences`, if it has to be taken for such."""
        if is_listed(X):
            return from_list(X, self.data_format)
        if isinstance(X, np.ndarray) and X.ndim == 3 and X.dtype.kind in "iuf":
            axis = 2 if self.data_format == CHANNELS_FIRST else 1
            last = X.take(-1, axis=axis) if X.shape[axis] else X
            padded = X.dtype.kind == "f" and bool(np.isnan(last).any())
            others = not reset and self._takes_length(X.shape[axis], X.shape[3 - axis])
            return from_padded(X, self.data_format) if padded or others else None
        padding = self._padding_value()
        if padding is not None and isinstance(X, np.ndarray) and X.ndim == 2:
            found = from_filled(X, padding)
            return found if (found.lengths < X.shape[1]).any() else None
        return None

    def _takes_length(self, steps, channels):
        """Whether an array of so many steps is other than those fitted, and no image."""
        shape = self.input_shape_
        return len(shape) == 2 and channels == shape[1] and steps != shape[0]

    def _padding_value(self):
        """What stands behind the end of sequences in rows of numbers; None for nothing."""
        return

    def _form(self):
        """What `lower` is told of the samples that the network is fitted to."""
        return {"shape": self._sample_shape(), "ragged": vars(self).get("_ragged", False)}

    def _flatten(self, X, *, reset):
        """X as rows; learns the shape of a sample, or checks that it is the one seen before."""
        rows, shape, planes = flat_rows(X, self.data_format)
        if reset:
            self._seen_shape = shape
        elif shape is not None:
            wanted = self._seen_shape or self.input_shape_
            if shape != wanted:
                raise ValueError(
                    f"X has samples of shape {shape}, but {type(self).__name__} was fitted with "
                    f"samples of shape {wanted}."
                )
        return rows, planes

    def _byte_divisor(self):
        """Bytes are scaled where a sample has more than one axis, in whatever form it comes."""
        return _WHITE if len(self.input_shape_) > 1 else 1

    def _sample_shape(self):
        """The shape of one sample, as the first layer reads it."""
        ragged = vars(self).get("_ragged", False)
        given = None if ragged else self.input_shape
        shape = self._seen_shape if given is None else given
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

    def _shape_of_rows(self, n_features):
        """The shape of samples that come as flat rows, where `input_shape` does not say."""
        return (n_features,)

    def _shape_of_planes(self, shape):
        """The shape of samples that come with two axes, where `input_shape` does not say."""
        return shape
