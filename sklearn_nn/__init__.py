"""Neural networks for scikit-learn users, compiled by Numba."""

from sklearn_nn.environment import show_versions, warmup
from sklearn_nn.estimators.mlp_classifier import MLPClassifier
from sklearn_nn.estimators.mlp_regressor import MLPRegressor

__version__ = "0.1.0"
__all__ = ["MLPClassifier", "MLPRegressor", "show_versions", "warmup"]
