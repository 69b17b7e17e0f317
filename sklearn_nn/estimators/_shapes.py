"""Samples that are more than vectors: images and sequences, kept as flat rows by the machine."""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

from sklearn_nn.estimators._encoding import check_no_dates
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


class ShapedInput:
    """Mixin: X may hold images or sequences; `input_shape_` is the shape of one sample."""

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
        shape = self.input_shape if self.input_shape is not None else self._seen_shape
        if shape is None:
            shape = self._shape_of_rows(self.n_features_in_)
        elif self.input_shape is None and len(shape) == 2:
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
