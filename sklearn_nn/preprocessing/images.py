"""Images: resizing, and `augment_images` to inspect an augmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state

from sklearn_nn._spec import parameters, set_plain
from sklearn_nn.estimators._core.parts import warn
from sklearn_nn.estimators._inputs.advice import misplaced_channels
from sklearn_nn.layers import Layer
from sklearn_nn.layers.layer import whole_numbers, with_names
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import Machine, Update
from sklearn_nn.network.source import source
from sklearn_nn.training.losses import SquaredError

_FORMATS = ("channels_last", "channels_first")
#: Size in bytes of a block of images that are resized together.
_BLOCK_BYTES = 8 * 2**20


def _weights(old: int, new: int) -> np.ndarray:
    """Return the matrix of shape (new, old) that resamples an axis; its rows sum to 1.

    Each row is a triangle around the centre of a new pixel, whose half-width is the larger pixel.
    """
    scale = old / new
    reach = max(scale, 1.0)
    centres = (np.arange(new) + 0.5) * scale - 0.5
    distance = np.abs(np.arange(old) - centres[:, np.newaxis]) / reach
    weights = np.maximum(1 - distance, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _check_images(X: Any, data_format: str, otherwise: str = "") -> np.ndarray:
    """Return X as an array of images, or raise ValueError; `otherwise` ends a warning's text."""
    if data_format not in _FORMATS:
        raise ValueError(
            f"data_format={data_format!r} is unknown; use one of {', '.join(_FORMATS)}."
        )
    images = np.asarray(X)
    if images.dtype.kind not in "uif":
        raise ValueError(
            f"X has dtype {images.dtype}; images are integers or floats: use X.astype('uint8')."
        )
    if images.ndim not in (3, 4):
        raise ValueError(
            f"X has shape {images.shape}; images are (n, height, width), or have an axis for "
            "channels, too. Use X.reshape(len(X), height, width)."
        )
    if 0 in images.shape[1:]:
        raise ValueError(f"X has shape {images.shape}: its images are empty; leave them out.")
    message = misplaced_channels(images.shape[1:], data_format, otherwise)
    if message is not None:
        warn(message)
    return images


def resize_images(X: Any, size: Any, *, data_format: str = "channels_last") -> np.ndarray:
    """Resize images by bilinear interpolation, with a filter against aliasing if they shrink.

    Parameters
    ----------
    X : array-like of shape (n, height, width) or (n, height, width, channels)
        Images of integers or floats, or a list of images of unequal height and width.
    size : int or pair of ints
        Height and width of the result in pixels; one number is used for both.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Position of the axis of channels, if there are four axes.

    Returns
    -------
    resized : ndarray of shape (n, new_height, new_width[, channels])
        Images of the dtype of X; integers are rounded. Values stay within the range of the image.

    Raises
    ------
    ValueError
        If X or `size` is invalid.

    Notes
    -----
    Pixels are squares whose centres have half-integer coordinates. Results equal those of Keras
    and of PyTorch's ``interpolate(mode="bilinear", align_corners=False, antialias=True)`` up to
    rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import resize_images
    >>> resize_images(np.array([[[0, 0, 90, 90]] * 2], dtype="uint8"), (1, 2))
    array([[[13, 77]]], dtype=uint8)
    """
    images = X if isinstance(X, list | tuple) else np.asarray(X)
    if isinstance(images, list | tuple) or images.dtype.kind == "O":
        images = [np.asarray(image) for image in images]
        _check_bytes(images)
        if len({image.shape for image in images}) > 1:
            return _resized_one_by_one(images, size, data_format)
    images = _check_images(images, data_format)
    height, width = whole_numbers("size", size, 2)
    tall = 2 if data_format == "channels_first" and images.ndim == 4 else 1
    small = images.dtype.itemsize <= 2 or images.dtype == np.float32
    dtype = np.dtype(np.float32 if small else np.float64)
    matrices = [
        (axis, _weights(images.shape[axis], new).astype(dtype))
        for axis, new in ((tall, height), (tall + 1, width))
        if images.shape[axis] != new
    ]
    shape = (*images.shape[:tall], height, width, *images.shape[tall + 2 :])
    resized = np.empty(shape, images.dtype)
    largest = max(int(np.prod(images.shape[1:])), int(np.prod(shape[1:])))
    step = max(1, _BLOCK_BYTES // (dtype.itemsize * largest))
    for start in range(0, len(images), step):
        block = images[start : start + step].astype(dtype)
        for axis, matrix in matrices:
            block = np.moveaxis(np.tensordot(block, matrix, axes=(axis, 1)), -1, axis)
        if images.dtype.kind in "ui":
            block = np.rint(block)
        resized[start : start + step] = block
    return resized


def _check_bytes(images: list[np.ndarray]) -> None:
    """Raise ValueError if some images are bytes and others are not, whose units differ."""
    for index, image in enumerate(images):
        if (image.dtype == np.uint8) != (images[0].dtype == np.uint8):
            raise ValueError(
                f"X[{index}] has dtype {image.dtype}, but X[0] has {images[0].dtype}; bytes are "
                "scaled from 0 to 255, so that either all images are bytes or none is."
            )


def _resized_one_by_one(images: list[np.ndarray], size: Any, data_format: str) -> np.ndarray:
    """Return resized images of unequal height and width, or raise ValueError if channels differ."""
    each = [resize_images([image], size, data_format=data_format) for image in images]
    for index, image in enumerate(each):
        if image.shape != each[0].shape:
            raise ValueError(
                f"X[{index}] has shape {images[index].shape}, but X[0] has {images[0].shape}; "
                "all images need the same channels."
            )
    return np.concatenate(each)


@parameters
class ImageResizer(TransformerMixin, BaseEstimator):
    """Transformer that resizes images, such as before a pretrained network in a pipeline.

    Parameters
    ----------
    size : int or pair of ints, default=224
        Height and width of the result in pixels; one number is used for both.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Position of the axis of channels, if images have one.

    See Also
    --------
    resize_images : The same as a function.
    sklearn_nn.pretrained.efficientnet_lite0 : A network for images of 224 by 224 pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn.preprocessing import ImageResizer
    >>> ImageResizer(64).fit_transform(np.zeros((2, 32, 48, 3), dtype="uint8")).shape
    (2, 64, 64, 3)
    """

    size: Any = 224
    data_format: str = "channels_last"

    __setattr__ = set_plain

    def fit(self, X: Any, y: Any = None) -> ImageResizer:
        """Check the parameters; nothing is learnt.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height, width, channels)
            Images, or a list of images of unequal height and width.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If `size`, `data_format` or the first image is invalid.
        """
        resize_images(X[:1], self.size, data_format=self.data_format)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Resize images.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height, width, channels)
            Images, or a list of images of unequal height and width.

        Returns
        -------
        resized : ndarray of shape (n, new_height, new_width[, channels])
            Images of the dtype of X; integers are rounded.

        Raises
        ------
        ValueError
            If X is invalid.
        """
        return resize_images(X, self.size, data_format=self.data_format)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit, tags.input_tags.three_d_array = False, True
        tags.input_tags.two_d_array = False
        return tags


def augment_images(
    X: Any,
    augmentation: Any,
    *,
    random_state: Any = None,
    input_shape: tuple[int, ...] | None = None,
    data_format: str = "channels_last",
) -> np.ndarray:
    """Apply the augmentation layers of a network to images or signals, as in training.

    This shows the effect of an augmentation. Estimators apply theirs themselves in every epoch.

    Parameters
    ----------
    X : array-like of shape (n, height, width), (n, height, width, channels) or (n, ...)
        Images, or samples of any shape if `input_shape` is passed. Bytes are scaled from 0..255 to
        0..1, as in the estimators.
    augmentation : Layer or list of Layer, or of (name, Layer)
        Layers that act only in training, in order.
    random_state : int, RandomState instance or None, default=None
        Source of the random changes.
    input_shape : tuple of int or None, default=None
        Shape of a sample: (height, width, channels) of an image, (steps, channels) of a signal.
        None is the shape of the samples in X.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Position of the axis of channels in X.

    Returns
    -------
    changed : ndarray
        Changed samples in the form of X, float32 or float64. They are processed as one batch.

    Raises
    ------
    ValueError
        If X does not contain images, or a layer does not fit them.

    Examples
    --------
    Three variants of one image, shifted and mirrored at random:

    >>> import numpy as np
    >>> from sklearn_nn import augment_images
    >>> from sklearn_nn.layers import RandomCrop, RandomFlip
    >>> image = np.array([[1.0, 2.0, 3.0]])
    >>> layers = [RandomFlip(), RandomCrop(padding=(0, 1))]
    >>> augment_images([image] * 3, layers, random_state=0)[:, 0]
    array([[1., 2., 3.],
           [0., 1., 2.],
           [2., 1., 0.]])
    """
    images = np.asarray(X)
    if input_shape is None:
        meant = "; if it is not, pass input_shape, the shape of an image with channels last"
        images = _check_images(images, data_format, meant)
    first = data_format == "channels_first" and images.ndim > 3
    last = np.moveaxis(images, 1, -1) if first else images
    shape = tuple(input_shape) if input_shape is not None else (*last.shape[1:], 1)[:3]
    dtype = "float64" if last.dtype == np.float64 else "float32"
    rows = np.ascontiguousarray(last, dtype=dtype).reshape(len(last), -1)
    if images.dtype == np.uint8:
        rows /= np.float32(255)
    changed, shape = _in_training(rows, shape, augmentation, check_random_state(random_state))
    if input_shape is None and images.ndim == 3:
        return changed.reshape(len(last), *shape[:2])
    changed = changed.reshape(len(last), *shape)
    return np.moveaxis(changed, -1, 1) if first else changed


def _in_training(
    rows: np.ndarray, shape: tuple[int, ...], augmentation: Any, random_state: Any
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return the output rows of layers in training mode, and the shape of a sample."""
    pairs = with_names(augmentation if isinstance(augmentation, list | tuple) else [augmentation])
    for _, layer in pairs:
        if not (isinstance(layer, Layer) and layer.is_random):
            raise ValueError(
                f"augmentation holds {layer!r}, which is not a layer that acts only in training; "
                "use layers such as RandomFlip() and Mixup()."
            )
    program = lower(pairs, shape, rows.dtype.name)
    for _, layer in pairs:
        shape = layer.output_shape(shape)
    n, seed = len(rows), random_state.randint(2**31 - 1)
    machine = Machine(program, *program.new_buffers(), n, seed=seed)
    # One batch of training, with an arbitrary loss and an update that changes nothing.
    targets = SquaredError().targets(np.zeros((n, program.raw_slot[1])), None, program.dtype)
    nothing = Update(0, np.zeros((1, 1)), np.zeros((0, 0), dtype=program.dtype))
    machine.train(source(rows, program.dtype), targets, np.arange(n), n, 0, 1, nothing)
    return machine.raw_output(n), shape
