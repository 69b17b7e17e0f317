"""Layers: each family's descriptions, shape rules and kernels in one file."""

from sklearn_nn.layers.activation import Activation
from sklearn_nn.layers.affine import RandomRotation, RandomTranslation, RandomZoom
from sklearn_nn.layers.attention_pool import AttentionPool
from sklearn_nn.layers.base import Layer
from sklearn_nn.layers.batch_norm import BatchNorm
from sklearn_nn.layers.bidirectional import Bidirectional
from sklearn_nn.layers.category_embedding import CategoryEmbedding
from sklearn_nn.layers.conv import Conv1D, Conv2D
from sklearn_nn.layers.crop import RandomCrop
from sklearn_nn.layers.cutout import Cutout
from sklearn_nn.layers.dense import Dense
from sklearn_nn.layers.dropout import Dropout
from sklearn_nn.layers.embedding import Embedding, OneHot
from sklearn_nn.layers.feature_scale import ScaleFeatures
from sklearn_nn.layers.flip import RandomFlip
from sklearn_nn.layers.global_pool import GlobalAveragePool, GlobalMaxPool, LastStep
from sklearn_nn.layers.lighting import RandomBrightness, RandomContrast
from sklearn_nn.layers.member_heads import MeanOverMembers, MemberHeads
from sklearn_nn.layers.members import MemberLinear, MemberScale
from sklearn_nn.layers.merge import Add, Parallel, Residual
from sklearn_nn.layers.mixup import Mixup
from sklearn_nn.layers.noise import GaussianNoise
from sklearn_nn.layers.norm import LayerNorm
from sklearn_nn.layers.ntp_linear import NTPLinear
from sklearn_nn.layers.parametric_activation import ParametricActivation
from sklearn_nn.layers.periodic_embedding import PeriodicEmbedding
from sklearn_nn.layers.piecewise_linear_embedding import PiecewiseLinearEmbedding
from sklearn_nn.layers.pool import AveragePool1D, AveragePool2D, MaxPool1D, MaxPool2D
from sklearn_nn.layers.recurrent import GRU, LSTM, SimpleRNN
from sklearn_nn.layers.shape import Flatten, Reshape, ZeroPad
from sklearn_nn.layers.time_distributed import TimeDistributed

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Add",
    "AttentionPool",
    "AveragePool1D",
    "AveragePool2D",
    "BatchNorm",
    "Bidirectional",
    "CategoryEmbedding",
    "Conv1D",
    "Conv2D",
    "Cutout",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LastStep",
    "Layer",
    "LayerNorm",
    "MaxPool1D",
    "MaxPool2D",
    "MeanOverMembers",
    "MemberHeads",
    "MemberLinear",
    "MemberScale",
    "Mixup",
    "NTPLinear",
    "OneHot",
    "Parallel",
    "ParametricActivation",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Reshape",
    "Residual",
    "ScaleFeatures",
    "SimpleRNN",
    "TimeDistributed",
    "ZeroPad",
]
