"""Neural networks for scikit-learn users, compiled by Numba."""

from sklearn_nn.environment import show_versions, warmup
from sklearn_nn.estimators.cnn_classifier import CNNClassifier
from sklearn_nn.estimators.cnn_regressor import CNNRegressor
from sklearn_nn.estimators.mlp_classifier import MLPClassifier
from sklearn_nn.estimators.mlp_regressor import MLPRegressor
from sklearn_nn.estimators.network_classifier import NeuralNetworkClassifier
from sklearn_nn.estimators.network_regressor import NeuralNetworkRegressor
from sklearn_nn.estimators.saving import load, load_checkpoint
from sklearn_nn.inspection import find_learning_rate, summary

__version__ = "0.1.0"
__all__ = [
    "CNNClassifier",
    "CNNRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "NeuralNetworkClassifier",
    "NeuralNetworkRegressor",
    "find_learning_rate",
    "load",
    "load_checkpoint",
    "show_versions",
    "summary",
    "warmup",
]
