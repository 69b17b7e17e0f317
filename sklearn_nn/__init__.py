"""Neural networks for scikit-learn users, compiled by Numba."""

import sys

if sys.argv[:1] == ["-m"] and "sklearn_nn" in sys.orig_argv:  # before imports that take seconds
    sys.stdout.write("sklearn_nn: each kind of network learns data at hand, for about 20 s\n")
    sys.stdout.flush()

from sklearn_nn import inspection, layers, preprocessing, training
from sklearn_nn._hints import missing_names
from sklearn_nn.environment import show_versions, warmup
from sklearn_nn.estimators import table_encoder
from sklearn_nn.estimators._core.loading import load, load_checkpoint
from sklearn_nn.estimators.cnn import CNNClassifier, CNNRegressor
from sklearn_nn.estimators.feature_extractor import FeatureExtractor
from sklearn_nn.estimators.mlp import MLPClassifier, MLPRegressor
from sklearn_nn.estimators.network import NeuralNetworkClassifier, NeuralNetworkRegressor
from sklearn_nn.estimators.rnn import RNNClassifier, RNNRegressor
from sklearn_nn.estimators.tabular.estimators import TabularClassifier, TabularRegressor
from sklearn_nn.estimators.text.generator import TextGenerator
from sklearn_nn.inspection import find_learning_rate, summary
from sklearn_nn.preprocessing import (
    SequenceScaler,
    augment_images,
    resize_images,
    sliding_windows,
)

__version__ = "0.1.0"
__all__ = [
    "CNNClassifier",
    "CNNRegressor",
    "FeatureExtractor",
    "MLPClassifier",
    "MLPRegressor",
    "NeuralNetworkClassifier",
    "NeuralNetworkRegressor",
    "RNNClassifier",
    "RNNRegressor",
    "SequenceScaler",
    "TabularClassifier",
    "TabularRegressor",
    "TextGenerator",
    "augment_images",
    "find_learning_rate",
    "load",
    "load_checkpoint",
    "resize_images",
    "show_versions",
    "sliding_windows",
    "summary",
    "warmup",
]
__getattr__ = missing_names(
    __name__, lambda: __all__, lambda: (layers, training, inspection, preprocessing, table_encoder)
)
