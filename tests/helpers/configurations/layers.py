"""Random layers that fit a shape, for the random configurations.

Shapes are followed by the layers' own shape rule. What is drawn here is valid: an error is a fault
of the layers, or of this file.
"""

import math

from sklearn_nn.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    AttentionPool,
    AveragePool1D,
    AveragePool2D,
    BatchNorm,
    Bidirectional,
    CategoryEmbedding,
    Conv1D,
    Conv2D,
    Cutout,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    LastStep,
    LayerNorm,
    MaxPool1D,
    MaxPool2D,
    MeanOverMembers,
    MemberHeads,
    MemberLinear,
    MemberScale,
    Mixup,
    NTPLinear,
    OneHot,
    Parallel,
    ParametricActivation,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Reshape,
    Residual,
    ScaleFeatures,
    SimpleRNN,
    TimeDistributed,
    ZeroPad,
)
from sklearn_nn.layers.activation import ELEMENTWISE, HIDDEN_ACTIVATIONS
from sklearn_nn.network import initializers

#: Most values of a sample anywhere in a network: larger ones take long and show nothing more.
_MOST_VALUES = 160
_FILLS = ("constant", "reflect", "wrap", "nearest")


class LayerDraw:
    """Generator of layers, one after another.

    Parameters
    ----------
    rng : numpy.random.Generator
    ragged : bool
        Whether samples are sequences of unequal length, which some layers refuse.
    """

    def __init__(self, rng, ragged=False):
        self.rng, self.ragged = rng, ragged

    # --- small draws -----------------------------------------------------------------------

    def one(self, *values):
        """Draw one of some values."""
        return values[self.rng.integers(len(values))]

    def true(self, share=0.5):
        """Draw a truth value."""
        return bool(self.rng.random() < share)

    def units(self, most=7):
        """Draw a small number of units."""
        return int(self.rng.integers(1, most + 1))

    def initializer(self):
        """Draw an initializer as a layer takes it; mostly the default."""
        if self.true(0.7):
            return None
        return self.one(
            initializers.Normal(stddev=0.3),
            initializers.Uniform(-0.4, 0.4),
            initializers.VarianceScaling(2.0, "fan_avg", "uniform"),
            initializers.TruncatedNormal(stddev=0.2),
            initializers.Constant(0.125),
            initializers.GlorotUniform(),
        )

    def initial(self, *names):
        """Draw keyword arguments of a layer for its initializers."""
        return {f"{name}_initializer": self.initializer() for name in names}

    # --- a whole network -------------------------------------------------------------------

    def stack(self, shape, depth=None, first=()):
        """Draw a list of layers for samples of this shape, some of them with names.

        Afterwards `ragged` is whether they end in sequences of unequal length.
        """
        layers, mixes = list(first), not self.ragged and self.true(0.1)
        for layer in layers:
            shape = layer.output_shape(shape)
        for _ in range(self.rng.integers(0, 7) if depth is None else depth):
            layer = self.layer(shape)
            if layer is None:
                continue
            layers.append(layer)
            shape = layer.output_shape(shape)
            self.ragged = self.ragged and len(shape) > 1
        # It does not go together with members, whose losses are one.
        if mixes and "Member" not in repr(layers):
            layers.insert(self.rng.integers(len(first), len(layers) + 1), Mixup(0.5))
        if self.true(0.2):
            return [(f"own{number}", layer) for number, layer in enumerate(layers)]
        return layers

    def layer(self, shape, depth=0):
        """Draw a layer that takes samples of this shape; None if it does not fit."""
        makers = [self._any]
        by_rank = {1: self._vectors, 2: self._sequences, 3: self._images}
        makers += [by_rank[len(shape)]] * 2
        if depth < 2:
            makers.append(self._branches)
        layer = self.one(*makers)(shape, depth)
        if layer is None or (self.ragged and len(shape) > 1 and layer.lengths == "refuses"):
            return None
        return layer if math.prod(layer.output_shape(shape)) <= _MOST_VALUES else None

    def _any(self, shape, depth):
        return self.one(
            Activation(self.one(*HIDDEN_ACTIVATIONS, "softmax")),
            Activation(self.one(*HIDDEN_ACTIVATIONS)),
            Dropout(self.one(0.0, 0.25, 0.5), self.one("constant", "constant", "flat_cos")),
            GaussianNoise(self.one(0.0, 0.125)),
            BatchNorm(self.one(0.9, 0.5), epsilon=self.one(1e-5, 1e-3)),
            BatchNorm(),
            LayerNorm(epsilon=self.one(1e-5, 1e-3)),
            ParametricActivation(self.one(*(a for a in ELEMENTWISE if a != "exp"))),
        )

    # --- branches --------------------------------------------------------------------------

    def _same_shape(self, shape, depth):
        """Draw a layer that keeps the shape."""
        rank = len(shape)
        if rank == 1:
            layers = [Dense(shape[0]), NTPLinear(shape[0])]
        elif rank == 2:
            layers = [
                Conv1D(shape[1], self.one(1, 3), padding="same"),
                TimeDistributed(Dense(shape[1])),
                GRU(shape[1], return_sequences=True),
            ]
        else:
            layers = [
                Conv2D(shape[2], self.one(1, 3), padding="same"),
                Conv2D(shape[2], (1, 3), padding="same", use_bias=False),
            ]
        return self.one(*layers, self._any(shape, depth))

    def _branches(self, shape, depth):
        inner = LayerDraw(self.rng, self.ragged)
        if self.ragged and len(shape) > 1 and self.true(0.3):
            return self.one(Add, Parallel)([GlobalAveragePool(), GlobalMaxPool()])
        within = [inner._same_shape(shape, depth + 1) for _ in range(self.rng.integers(1, 3))]
        if self.ragged and len(shape) > 1 and any(x.lengths == "refuses" for x in within):
            return None
        kind = self.one(Residual, Add, Parallel)
        if kind is Residual:
            shortcut = inner._same_shape(shape, depth) if self.true(0.2) else None
            if shortcut is not None and self.ragged and shortcut.lengths == "refuses":
                shortcut = None
            return Residual(within if self.true(0.8) else within[0], shortcut=shortcut)
        return kind([within, self.one([], within[:1])])

    # --- vectors ---------------------------------------------------------------------------

    def _vectors(self, shape, depth):
        (n,) = shape
        kinds = [
            lambda: Dense(self.units(), **self.initial("kernel", "bias")),
            lambda: Dense(self.units()),
            lambda: NTPLinear(self.units(), data_driven=self.true()),
            lambda: ScaleFeatures(rate_factor=self.one(1.0, 6.0)),
            lambda: PeriodicEmbedding(
                self.units(3), self.units(3), features=self.one(None, min(n, 2))
            ),
            lambda: PiecewiseLinearEmbedding(
                [[-1.0, 0.0, 0.5], [-2.0, 2.0]][: min(n, 2)], self.units(3),
                linear=self.true(), activation=self.one("identity", "relu"),
            ),
            lambda: self._reshape(n),
            lambda: self._members() if depth == 0 else None,
        ]  # fmt: skip
        return self.one(*kinds)()

    def _reshape(self, n):
        sizes = [k for k in range(1, n + 1) if n % k == 0]
        first = self.one(*sizes)
        return Reshape(self.one((first, n // first), (first, n // first, 1), (n, 1)))

    def _members(self):
        """Draw the mean of members of an ensemble, as one layer."""
        members = self.units(4)
        begin = self.one(MemberScale(members), MemberLinear(self.units(), members))
        middle = self.one([], [Activation("relu")], [MemberLinear(self.units()), MemberScale()])
        end = self.one([MemberHeads(self.units(3))], [])
        return Add([[begin, *middle, *end, MeanOverMembers()]])

    # --- sequences -------------------------------------------------------------------------

    def recurrent(self, sequences=None):
        """Draw a recurrent layer."""
        options = {
            "return_sequences": self.true() if sequences is None else sequences,
            "go_backwards": self.true(0.2),
            "dropout": self.one(0.0, 0.0, 0.25),
            "recurrent_dropout": self.one(0.0, 0.0, 0.25),
        }
        return self.one(LSTM, GRU, SimpleRNN)(self.units(5), **options)

    def _sequences(self, shape, depth):
        steps, channels = shape
        window = int(self.rng.integers(1, min(steps, 3) + 1))
        padding = self.one("same", "valid")
        strides = 1 if self.ragged and padding == "same" else self.units(2)
        groups = self.one(*(g for g in range(1, channels + 1) if channels % g == 0))
        kinds = [
            self.recurrent,
            self.recurrent,
            lambda: Bidirectional(
                self.recurrent(), merge_mode=self.one("concat", "sum", "mul", "ave")
            ),
            lambda: TimeDistributed(Dense(self.units())),
            lambda: AttentionPool(self.one(None, self.units())),
            GlobalAveragePool,
            GlobalMaxPool,
            LastStep,
            lambda: Conv1D(
                self.units(), window, strides=strides, padding=padding, use_bias=self.true(0.8)
            ),
            lambda: Conv1D(groups * self.units(2), window, padding=padding, groups=groups),
            lambda: Conv1D(self.units(), min(2, steps), padding="same", dilation_rate=2),
            lambda: self.one(MaxPool1D, AveragePool1D)(
                1 if self.ragged and padding == "same" else window, strides=strides,
                padding=padding,
            ),
            Flatten,
            lambda: ZeroPad(1),
            lambda: RandomFlip() if depth == 0 else None,
        ]  # fmt: skip
        layer = self.one(*kinds)()
        if isinstance(layer, Bidirectional):
            layer.layer.set_params(go_backwards=False)
        return layer

    # --- images ----------------------------------------------------------------------------

    def _images(self, shape, depth):
        height, width, channels = shape
        window = (int(self.rng.integers(1, min(height, 3) + 1)),
                  int(self.rng.integers(1, min(width, 3) + 1)))  # fmt: skip
        square = min(window)
        groups = self.one(*(g for g in range(1, channels + 1) if channels % g == 0))
        padding = self.one("same", "valid")
        kinds = [
            lambda: Conv2D(self.units(), square, strides=self.units(2), padding=padding),
            lambda: Conv2D(self.units(), window, padding=padding, use_bias=self.true()),
            lambda: Conv2D(groups * self.units(2), square, padding=padding, groups=groups),
            lambda: Conv2D(self.units(), 2, padding="same", dilation_rate=(1, 2)),
            lambda: self.one(MaxPool2D, AveragePool2D)(
                window, strides=self.one(None, 1, (1, 2)), padding=padding
            ),
            lambda: self.one(MaxPool2D, AveragePool2D)(square, padding=padding),
            GlobalAveragePool,
            GlobalMaxPool,
            Flatten,
            lambda: Reshape((height * width, channels)),
            lambda: ZeroPad(self.one(1, (1, 0), ((0, 1), (1, 1)))),
            lambda: self.augmentation(shape) if depth == 0 else None,
        ]
        return self.one(*kinds)()

    def augmentation(self, shape):
        """Draw a layer that changes images, or signals, while training."""
        fill = self.one(*_FILLS)
        shared = [
            lambda: RandomFlip(),
            lambda: Cutout(self.one(1, 2), self.one(0.0, 0.5)),
            lambda: GaussianNoise(0.125),
            lambda: Dropout(0.25),
        ]
        if len(shape) == 2:
            shared += [lambda: RandomTranslation(0, self.one(0.25, (0.0, 0.5)), fill)]
            return self.one(*shared)()
        images = [
            lambda: RandomFlip(self.one("vertical", "horizontal_and_vertical")),
            lambda: RandomBrightness(0.25, self.one(None, (0.0, 1.0))),
            lambda: RandomContrast(self.one(0.25, (0.5, 0.25))),
            lambda: RandomCrop(padding=1, fill_mode=fill),
            lambda: RandomRotation(0.125, fill),
            lambda: RandomTranslation(
                0.25, 0.25, fill, self.one("bilinear", "nearest"), fill_value=0.5
            ),
            lambda: RandomZoom(0.25, self.one(None, 0.125), fill),
        ]
        return self.one(*shared, *images)()

    # --- whole numbers ---------------------------------------------------------------------

    def lookup(self, count):
        """Draw a first layer that reads whole numbers below `count`."""
        return self.one(
            OneHot(count),
            Embedding(count, self.units(4)),
            Embedding(count, self.units(4), mask_zero=self.true()),
        )

    def categories(self, sizes):
        """Draw a first layer for rows whose last columns are categories."""
        return CategoryEmbedding(sizes, self.units(3))
