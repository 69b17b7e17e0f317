"""Preparation of data: resized and augmented images, windows of time series."""

from sklearn_nn.preprocessing.images import augment_images, resize_images
from sklearn_nn.preprocessing.windows import sliding_windows

__all__ = ["augment_images", "resize_images", "sliding_windows"]
