"""Layers: each family's descriptions, shape rules and kernels in one file."""

from sklearn_nn.layers.activation import Activation
from sklearn_nn.layers.base import Layer
from sklearn_nn.layers.dense import Dense
from sklearn_nn.layers.dropout import Dropout

__all__ = ["Activation", "Dense", "Dropout", "Layer"]
