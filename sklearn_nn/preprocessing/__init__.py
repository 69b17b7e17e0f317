"""What is done to data before it is learnt from: images, and windows of series."""

from sklearn_nn.preprocessing.images import augment_images, resize_images
from sklearn_nn.preprocessing.windows import sliding_windows

__all__ = ["augment_images", "resize_images", "sliding_windows"]
