"""Neural networks for scikit-learn users, compiled by Numba."""

from sklearn_nn.environment import show_versions, warmup
from sklearn_nn.estimators.cnn_classifier import CNNClassifier
from sklearn_nn.estimators.cnn_regressor import CNNRegressor
from sklearn_nn.estimators.feature_extractor import FeatureExtractor
from sklearn_nn.estimators.mlp_classifier import MLPClassifier
from sklearn_nn.estimators.mlp_regressor import MLPRegressor
from sklearn_nn.estimators.network_classifier import NeuralNetworkClassifier
from sklearn_nn.estimators.network_regressor import NeuralNetworkRegressor
from sklearn_nn.estimators.rnn_classifier import RNNClassifier
from sklearn_nn.estimators.rnn_regressor import RNNRegressor
from sklearn_nn.estimators.saving import load, load_checkpoint
from sklearn_nn.estimators.tabular_classifier import TabularClassifier
from sklearn_nn.estimators.tabular_regressor import TabularRegressor
from sklearn_nn.estimators.text_generator import TextGenerator
from sklearn_nn.inspection import find_learning_rate, summary
from sklearn_nn.preprocessing import augment_images, resize_images, sliding_windows

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
