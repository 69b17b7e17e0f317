"""Preparation of data: images, time series and sequences."""

from sklearn_nn.preprocessing.forecasting import forecast
from sklearn_nn.preprocessing.images import ImageResizer, augment_images, resize_images
from sklearn_nn.preprocessing.parquet import ParquetBatches
from sklearn_nn.preprocessing.scaler import SequenceScaler
from sklearn_nn.preprocessing.windows import sliding_windows

__all__ = [
    "ImageResizer",
    "ParquetBatches",
    "SequenceScaler",
    "augment_images",
    "forecast",
    "resize_images",
    "sliding_windows",
]
