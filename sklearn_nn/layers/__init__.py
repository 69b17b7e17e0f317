"""Layers: each family's descriptions, shape rules and kernels in one file."""

from sklearn_nn.layers.activation import Activation
from sklearn_nn.layers.base import Layer
from sklearn_nn.layers.dense import Dense
from sklearn_nn.layers.dropout import Dropout
from sklearn_nn.layers.noise import GaussianNoise
from sklearn_nn.layers.norm import BatchNorm, LayerNorm

__all__ = [
    "Activation",
    "BatchNorm",
    "Dense",
    "Dropout",
    "GaussianNoise",
    "Layer",
    "LayerNorm",
]
