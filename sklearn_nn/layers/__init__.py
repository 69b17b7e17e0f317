"""Layers of a network. `__all__` is the layers that are imported here."""

from sklearn_nn.layers.activation import Activation as Activation
from sklearn_nn.layers.activation import ParametricActivation as ParametricActivation
from sklearn_nn.layers.augmentation.affine import RandomRotation as RandomRotation
from sklearn_nn.layers.augmentation.affine import RandomTranslation as RandomTranslation
from sklearn_nn.layers.augmentation.affine import RandomZoom as RandomZoom
from sklearn_nn.layers.augmentation.values import Mixup as Mixup
from sklearn_nn.layers.augmentation.values import RandomBrightness as RandomBrightness
from sklearn_nn.layers.augmentation.values import RandomContrast as RandomContrast
from sklearn_nn.layers.augmentation.windows import Cutout as Cutout
from sklearn_nn.layers.augmentation.windows import RandomCrop as RandomCrop
from sklearn_nn.layers.augmentation.windows import RandomFlip as RandomFlip
from sklearn_nn.layers.convolution.conv import Conv1D as Conv1D
from sklearn_nn.layers.convolution.conv import Conv2D as Conv2D
from sklearn_nn.layers.convolution.pool import AveragePool1D as AveragePool1D
from sklearn_nn.layers.convolution.pool import AveragePool2D as AveragePool2D
from sklearn_nn.layers.convolution.pool import GlobalAveragePool as GlobalAveragePool
from sklearn_nn.layers.convolution.pool import GlobalMaxPool as GlobalMaxPool
from sklearn_nn.layers.convolution.pool import LastStep as LastStep
from sklearn_nn.layers.convolution.pool import MaxPool1D as MaxPool1D
from sklearn_nn.layers.convolution.pool import MaxPool2D as MaxPool2D
from sklearn_nn.layers.dense import Dense as Dense
from sklearn_nn.layers.dense import TimeDistributed as TimeDistributed
from sklearn_nn.layers.dropout import Dropout as Dropout
from sklearn_nn.layers.dropout import GaussianNoise as GaussianNoise
from sklearn_nn.layers.embedding import CategoryEmbedding as CategoryEmbedding
from sklearn_nn.layers.embedding import Embedding as Embedding
from sklearn_nn.layers.embedding import OneHot as OneHot
from sklearn_nn.layers.layer import Layer as Layer
from sklearn_nn.layers.merge import Add as Add
from sklearn_nn.layers.merge import Parallel as Parallel
from sklearn_nn.layers.merge import Residual as Residual
from sklearn_nn.layers.normalization import BatchNorm as BatchNorm
from sklearn_nn.layers.normalization import LayerNorm as LayerNorm
from sklearn_nn.layers.recurrent.attention_pool import AttentionPool as AttentionPool
from sklearn_nn.layers.recurrent.layers import GRU as GRU
from sklearn_nn.layers.recurrent.layers import LSTM as LSTM
from sklearn_nn.layers.recurrent.layers import Bidirectional as Bidirectional
from sklearn_nn.layers.recurrent.layers import SimpleRNN as SimpleRNN
from sklearn_nn.layers.shape import Flatten as Flatten
from sklearn_nn.layers.shape import Reshape as Reshape
from sklearn_nn.layers.shape import ZeroPad as ZeroPad
from sklearn_nn.layers.tabular.linear import NTPLinear as NTPLinear
from sklearn_nn.layers.tabular.linear import ScaleFeatures as ScaleFeatures
from sklearn_nn.layers.tabular.members import MeanOverMembers as MeanOverMembers
from sklearn_nn.layers.tabular.members import MemberHeads as MemberHeads
from sklearn_nn.layers.tabular.members import MemberLinear as MemberLinear
from sklearn_nn.layers.tabular.members import MemberScale as MemberScale
from sklearn_nn.layers.tabular.number_embedding import PeriodicEmbedding as PeriodicEmbedding
from sklearn_nn.layers.tabular.number_embedding import (
    PiecewiseLinearEmbedding as PiecewiseLinearEmbedding,
)

__all__ = sorted(
    name
    for name, value in globals().items()
    if isinstance(value, type) and issubclass(value, Layer)
)
