"""Layers of a network. `__all__` is the layers that are imported here."""

from sklearn_nn._hints import missing_names
from sklearn_nn.layers.activation import Activation, ParametricActivation
from sklearn_nn.layers.augmentation.affine import RandomRotation, RandomTranslation, RandomZoom
from sklearn_nn.layers.augmentation.values import Mixup, RandomBrightness, RandomContrast
from sklearn_nn.layers.augmentation.windows import Cutout, RandomCrop, RandomFlip
from sklearn_nn.layers.convolution.conv import Bottleneck, Conv1D, Conv2D
from sklearn_nn.layers.convolution.pool import (
    AveragePool1D,
    AveragePool2D,
    GlobalAveragePool,
    GlobalMaxPool,
    LastStep,
    MaxPool1D,
    MaxPool2D,
)
from sklearn_nn.layers.dense import Dense, TimeDistributed
from sklearn_nn.layers.dropout import Dropout, GaussianNoise
from sklearn_nn.layers.embedding import CategoryEmbedding, Embedding, OneHot
from sklearn_nn.layers.layer import Layer
from sklearn_nn.layers.merge import Add, Members, Parallel, Residual
from sklearn_nn.layers.normalization import BatchNorm, LayerNorm
from sklearn_nn.layers.recurrent.attention_pool import AttentionPool
from sklearn_nn.layers.recurrent.layers import GRU, LSTM, Bidirectional, SimpleRNN
from sklearn_nn.layers.shape import Flatten, Reshape, ZeroPad
from sklearn_nn.layers.tabular.linear import NTPLinear, ScaleFeatures
from sklearn_nn.layers.tabular.members import (
    MeanOverMembers,
    MemberHeads,
    MemberLinear,
    MemberScale,
)
from sklearn_nn.layers.tabular.number_embedding import PeriodicEmbedding, PiecewiseLinearEmbedding

__all__ = sorted(
    name
    for name, value in globals().items()
    if isinstance(value, type) and issubclass(value, Layer)
)
__getattr__ = missing_names(__name__, lambda: __all__)
