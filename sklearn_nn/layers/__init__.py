"""Layers: each family's descriptions, shape rules and kernels in one file."""

from sklearn_nn.layers.activation import Activation
from sklearn_nn.layers.augmentation.affine import RandomRotation, RandomTranslation, RandomZoom
from sklearn_nn.layers.augmentation.crop import RandomCrop
from sklearn_nn.layers.augmentation.cutout import Cutout
from sklearn_nn.layers.augmentation.flip import RandomFlip
from sklearn_nn.layers.augmentation.lighting import RandomBrightness, RandomContrast
from sklearn_nn.layers.augmentation.mixup import Mixup
from sklearn_nn.layers.base import Layer
from sklearn_nn.layers.convolution.conv import Conv1D, Conv2D
from sklearn_nn.layers.convolution.global_pool import GlobalAveragePool, GlobalMaxPool, LastStep
from sklearn_nn.layers.convolution.pool import AveragePool1D, AveragePool2D, MaxPool1D, MaxPool2D
from sklearn_nn.layers.dense import Dense
from sklearn_nn.layers.embedding import Embedding, OneHot
from sklearn_nn.layers.merge import Add, Parallel, Residual
from sklearn_nn.layers.normalization.batch_norm import BatchNorm
from sklearn_nn.layers.normalization.layer_norm import LayerNorm
from sklearn_nn.layers.recurrent.attention_pool import AttentionPool
from sklearn_nn.layers.recurrent.bidirectional import Bidirectional
from sklearn_nn.layers.recurrent.layers import GRU, LSTM, SimpleRNN
from sklearn_nn.layers.regularization.dropout import Dropout
from sklearn_nn.layers.regularization.noise import GaussianNoise
from sklearn_nn.layers.shape import Flatten, Reshape, ZeroPad
from sklearn_nn.layers.tabular.category_embedding import CategoryEmbedding
from sklearn_nn.layers.tabular.feature_scale import ScaleFeatures
from sklearn_nn.layers.tabular.member_heads import MeanOverMembers, MemberHeads
from sklearn_nn.layers.tabular.members import MemberLinear, MemberScale
from sklearn_nn.layers.tabular.ntp_linear import NTPLinear
from sklearn_nn.layers.tabular.parametric_activation import ParametricActivation
from sklearn_nn.layers.tabular.periodic_embedding import PeriodicEmbedding
from sklearn_nn.layers.tabular.piecewise_linear_embedding import PiecewiseLinearEmbedding
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
