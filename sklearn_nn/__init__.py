"""Neural networks for scikit-learn users, compiled by Numba."""

import sys

if sys.argv[:1] == ["-m"] and "sklearn_nn" in sys.orig_argv:  # before imports that take seconds
    sys.stdout.write("sklearn_nn: each kind of network learns data at hand, for about 20 s\n")
    sys.stdout.flush()

from typing import TYPE_CHECKING

from sklearn_nn import layers as layers
from sklearn_nn import training as training
from sklearn_nn._hints import missing_names
from sklearn_nn.estimators.mlp import MLPClassifier, MLPRegressor

if TYPE_CHECKING:  # the others are imported when they are first used: see `_LATER`
    from sklearn_nn import distributed as distributed
    from sklearn_nn import inspection as inspection
    from sklearn_nn import preprocessing as preprocessing
    from sklearn_nn.environment import show_versions, warmup
    from sklearn_nn.estimators._core.loading import load, load_checkpoint
    from sklearn_nn.estimators.cnn import CNNClassifier, CNNRegressor
    from sklearn_nn.estimators.feature_extractor import FeatureExtractor
    from sklearn_nn.estimators.network import NeuralNetworkClassifier, NeuralNetworkRegressor
    from sklearn_nn.estimators.rnn import RNNClassifier, RNNRegressor
    from sklearn_nn.estimators.tabular.estimators import TabularClassifier, TabularRegressor
    from sklearn_nn.estimators.text.generator import TextGenerator
    from sklearn_nn.inspection import find_learning_rate, model_card, summary
    from sklearn_nn.onnx import register_onnx_converters, to_onnx
    from sklearn_nn.preprocessing import (
        SequenceScaler,
        augment_images,
        forecast,
        resize_images,
        sliding_windows,
    )
    from sklearn_nn.trusted_types import TRUSTED_TYPES as TRUSTED_TYPES

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
    "forecast",
    "load",
    "load_checkpoint",
    "model_card",
    "register_onnx_converters",
    "resize_images",
    "show_versions",
    "sliding_windows",
    "summary",
    "to_onnx",
    "warmup",
]
#: Modules by the names that are imported from them when they are first used.
_LATER = {
    name: f"sklearn_nn.{module}"
    for module, names in {
        "distributed": "distributed",
        "environment": "show_versions warmup",
        "estimators._core.loading": "load load_checkpoint",
        "estimators.cnn": "CNNClassifier CNNRegressor",
        "estimators.feature_extractor": "FeatureExtractor",
        "estimators.network": "NeuralNetworkClassifier NeuralNetworkRegressor",
        "estimators.rnn": "RNNClassifier RNNRegressor",
        "estimators.tabular.estimators": "TabularClassifier TabularRegressor",
        "estimators.text.generator": "TextGenerator",
        "inspection": "inspection find_learning_rate model_card summary",
        "onnx": "register_onnx_converters to_onnx",
        "preprocessing": (
            "preprocessing SequenceScaler augment_images forecast resize_images sliding_windows"
        ),
        "trusted_types": "TRUSTED_TYPES",
    }.items()
    for name in names.split()
}
_ELSEWHERE = (
    "distributed", "layers", "training", "inspection", "preprocessing", "pretrained",
    "estimators.table_encoder",
)  # fmt: skip
__getattr__ = missing_names(
    __name__, lambda: __all__, [f"sklearn_nn.{module}" for module in _ELSEWHERE], _LATER
)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
