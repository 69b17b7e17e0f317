"""Convolutional networks: whole training steps and prediction, beside torch where it is installed.

Run as ``python tests/benchmarks/cnn.py [row ...]``; rows are steps, predict, threads, profile,
fashion, regularised and cifar, all by default. The last three read real data from
$SKLEARN_NN_DATA or ../shared/data and are left out where there is none. torch runs in both of its
memory formats, and the faster counts. Ratios are theirs against ours: above 1 this package is
faster.
"""

from __future__ import annotations

import functools
import sys
import time
import warnings

import numpy as np
from conv import best_seconds, repeat
from mlp import best_of, row
from sklearn.exceptions import ConvergenceWarning
from training import DATA, read_images

from sklearn_nn import CNNClassifier, NeuralNetworkClassifier
from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Cutout,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    MaxPool2D,
    RandomCrop,
    RandomFlip,
)
from sklearn_nn.layers.base import CTX_SIZE, TRAINING
from sklearn_nn.network.lowering import ProgramBuilder

warnings.simplefilter("ignore", ConvergenceWarning)

#: Seconds of a turn, at least.
TURN = 0.1
RELU = Activation("relu")
FIRST = [
    Conv2D(32, 3, padding="same"), RELU, MaxPool2D(), Conv2D(64, 3, padding="same"), RELU,
    MaxPool2D(), Flatten(), Dense(128), RELU,
]  # fmt: skip
DIGITS = [
    Conv2D(16, 3, padding="same"), RELU, MaxPool2D(), Conv2D(32, 3, padding="same"), RELU,
    MaxPool2D(), Flatten(),
]  # fmt: skip
DEEP = [
    layer
    for i, filters in enumerate((32, 32, 64, 64))
    for layer in (
        Conv2D(filters, 3, padding="same"), BatchNorm(), RELU, *([MaxPool2D()] if i % 2 else []),
    )
] + [Flatten()]  # fmt: skip
#: name, shape of a sample, layers before the output, batch size, samples of an epoch
NETWORKS = [
    ("28x28x1, conv 32-64, dense 128, batch 64", (28, 28, 1), FIRST, 64, 64 * 40),
    ("8x8x1, conv 16-32, batch 32", (8, 8, 1), DIGITS, 32, 32 * 200),
    ("32x32x3, conv-bn-relu x 4, batch 64", (32, 32, 3), DEEP, 64, 64 * 10),
]


def samples(shape, n):
    """Random images and labels of ten classes."""
    rng = np.random.default_rng(0)
    return rng.random((n, *shape), dtype="float32"), rng.integers(0, 10, n)


def our_model(layers, batch, epochs, n_jobs):
    """An estimator that trains so many epochs, whatever happens."""
    return NeuralNetworkClassifier(
        list(layers), batch_size=batch, max_iter=epochs, tol=0, n_iter_no_change=10**6, alpha=0,
        random_state=0, n_jobs=n_jobs,
    )  # fmt: skip


def torch_model(shape, layers):
    """The same network in torch."""
    import torch

    (height, width, channels), made = shape, []
    for layer in layers:
        match layer:
            case Conv2D():
                made.append(torch.nn.Conv2d(channels, layer.filters, 3, padding=1))
                channels = layer.filters
            case BatchNorm():
                made.append(torch.nn.BatchNorm2d(channels))
            case MaxPool2D():
                made.append(torch.nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            case Activation():
                made.append(torch.nn.ReLU())
            case Flatten():
                made.append(torch.nn.Flatten())
                channels *= height * width
            case Dense():
                made.append(torch.nn.Linear(channels, layer.units))
                channels = layer.units
    return torch.nn.Sequential(*made, torch.nn.Linear(channels, 10))


def torch_epoch(model, optimizer, data, labels, batch):
    """One epoch of a plain torch loop."""
    import torch

    order = torch.randperm(len(data))
    for start in range(0, len(data), batch):
        rows = order[start : start + batch]
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(data[rows]), labels[rows]).backward()
        optimizer.step()


def torch_runs(shape, layers, batch, X, y, *, train):
    """For each memory format a function that runs an epoch, or predicts."""
    import torch

    runs = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model = torch_model(shape, layers).to(memory_format=memory_format)
        data = torch.from_numpy(X).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
        labels = torch.from_numpy(y)
        optimizer = torch.optim.Adam(model.parameters())
        if train:
            runs.append(functools.partial(torch_epoch, model, optimizer, data, labels, batch))
        else:
            runs.append(functools.partial(torch_predict, model.eval(), data))
    return runs


def torch_predict(model, data):
    """Classes, 256 images at a time: faster than all at once."""
    import torch

    with torch.inference_mode():
        return torch.cat([model(part).argmax(1) for part in data.split(256)])


def against_torch(label, ours, theirs, threads, count, unit):
    """One row: our seconds against torch's better format, taken in turn.

    A turn is as many runs as take a tenth of a second: by the last of them the other's threads,
    which wait for work by spinning, have gone to sleep, and its own are awake.
    """
    try:
        import torch
    except ImportError:
        print(f"{label:<52}{best_of(ours) / count * 1e6:10.1f} {unit}")
        return
    torch.set_num_threads(threads)
    runs = [ours, *theirs()]
    for run in runs:
        run()
    times = [[] for _ in runs]
    for _ in range(7):
        for run, seconds in zip(runs, times, strict=True):
            begun = stop = time.perf_counter()
            while stop - begun < TURN:
                start = time.perf_counter()
                run()
                stop = time.perf_counter()
                seconds.append(stop - start)
    mine, *others = map(min, times)
    row(label, min(others) / count, mine / count, unit, 1e6)


def steps():
    """Microseconds of a training step with Adam."""
    for (name, shape, layers, batch, n), threads in [(net, t) for net in NETWORKS for t in (1, 2)]:
        X, y = samples(shape, n)
        model = our_model(layers, batch, 1, threads)
        model.initialize(X, y)
        against_torch(
            f"{name}, {threads} threads",
            functools.partial(model.partial_fit, X, y),
            functools.partial(torch_runs, shape, layers, batch, X, y, train=True),
            threads, n // batch, "us/step",
        )  # fmt: skip


def predict():
    """Microseconds to predict one of 10,000 images."""
    _, shape, layers, batch, _ = NETWORKS[0]
    X, y = samples(shape, 10_000)
    for threads in (1, 2):
        model = our_model(layers, batch, 1, threads).initialize(X, y)
        against_torch(
            f"predict 10,000 28x28 images, {threads} threads",
            functools.partial(model.predict, X),
            functools.partial(torch_runs, shape, layers, batch, X, y, train=False),
            threads, len(X), "us/image",
        )  # fmt: skip


def threads():
    """The first network with two threads against one: how much faster, and the same to the bit."""
    _, shape, layers, batch, n = NETWORKS[0]
    X, y = samples(shape, n)
    models = [our_model(layers, batch, 3, n_jobs) for n_jobs in (1, 2)]
    one, two = (best_of(functools.partial(model.fit, X, y), 4) for model in models)
    same = np.array_equal(models[0].predict_proba(X), models[1].predict_proba(X))
    print(f"n_jobs=2 against 1: {one / two:.2f}x, bit-equal: {same}")


def profile():
    """Microseconds of every kernel of the networks, each by itself on one thread."""
    for name, shape, layers, batch, _ in NETWORKS:
        builder, rng = ProgramBuilder(), np.random.default_rng(0)
        slot = builder.slot(shape)
        for i, layer in enumerate([*layers, Dense(10)]):
            slot = builder.add(f"{i}", layer, slot)
        wants, _ = builder._gradients(of_input=False)
        slots, gradients = (
            [rng.standard_normal((batch, int(np.prod(s)))).astype("float32") for s in builder.slots]
            for _ in range(2)
        )
        ctx = np.zeros(CTX_SIZE + max(op.scratch for op in builder.instructions), np.int64)
        ctx[TRAINING] = 1
        print(f"{name}: us of forward, backward, weights, prepare, sums of forward and backward")
        total = 0.0
        for op in builder.instructions:
            size = sum(p.size for p in op.parameters)
            theta, grad = rng.standard_normal(size).astype("float32"), np.empty(size, "float32")
            state = np.ones(sum(m.size for m in op.state), "float32")
            work, geometry = np.zeros(op.work, "float32"), np.zeros(16, np.int64)
            geometry[: len(op.geometry)] = op.geometry
            geometry.flags.writeable = False
            x, y = slots[op.x], slots[op.y]
            before = (ctx, geometry, 0, 1, theta)
            behind = (*before, grad, state, work, x, y, gradients[op.x], gradients[op.y])
            ahead, figures = (*before, state, work, x, y), []
            given = (ahead, behind, behind, (*before, work), ahead, behind)
            used = op.used_kernels(trained=True, through=wants[op.x], weights=True)
            for kernel, arguments in zip(used, given, strict=True):
                if kernel is None:
                    figures.append(f"{'':9s}")
                    continue
                at = kernel.address("float32")
                seconds = best_seconds(functools.partial(repeat, address=at, arguments=arguments))
                total += seconds
                figures.append(f"{seconds * 1e6:9.1f}")
            label = f"{type(layers[int(op.layer)]).__name__ if int(op.layer) < len(layers) else ''}"
            sizes = f"{x.shape[1]:>7d}{y.shape[1]:>7d}"
            print(f"  {op.layer:>3s} {label:12s}{sizes}{''.join(figures)}")
        print(f"  {'all':30s}{total * 1e6:9.1f}")


def fashion_images():
    """Fashion-MNIST as bytes of shape (n, 28, 28) and labels: training and test set, or None."""
    if not (DATA / "fashion_mnist").exists():
        print(f"no Fashion-MNIST in {DATA}")
        return None
    sets = [read_images(name) for name in ("train", "t10k")]
    return [((X * 255).round().astype("uint8").reshape(-1, 28, 28), y) for X, y in sets]


def report(name, model, train, test):
    """Fit, and print the test accuracy and the seconds it took."""
    started = time.perf_counter()
    model.fit(*train)
    seconds = time.perf_counter() - started
    print(f"{name}: test accuracy {model.score(*test):.4f} after {seconds:.0f} s", flush=True)


def fashion():
    """The first network with dropout, 10 epochs."""
    if (data := fashion_images()) is None:
        return
    for seed in (0, 1, 2):
        model = NeuralNetworkClassifier(
            [*FIRST, Dropout(0.5)], input_shape=(28, 28, 1), batch_size=64, max_iter=10, tol=0,
            learning_rate="onecycle", learning_rate_init=2e-3, random_state=seed, n_jobs=2,
        )  # fmt: skip
        report(f"Fashion-MNIST, dropout, 10 epochs, seed {seed}", model, *data)


def regularised():
    """The same with batch normalisation, augmentation and a schedule, 20 epochs."""
    if (data := fashion_images()) is None:
        return
    for seed in (0, 1, 2):
        model = CNNClassifier(
            (32, 64), hidden_layer_sizes=(128,), batch_norm=True, dropout=0.3,
            augmentation=[RandomFlip(), RandomCrop(padding=2)], input_shape=(28, 28, 1),
            batch_size=64, max_iter=20, tol=0, learning_rate="onecycle", learning_rate_init=3e-3,
            random_state=seed, n_jobs=2,
        )  # fmt: skip
        report(f"Fashion-MNIST, batch norm, augmented, 20 epochs, seed {seed}", model, *data)


def cifar():
    """A small subset of CIFAR-10: 5,000 training and 1,000 test images, augmented."""
    file = DATA / "cifar10" / "cifar10_5k_1k.npz"
    if not file.exists():
        print(f"no CIFAR-10 in {DATA}")
        return
    data = np.load(file)
    train, test = ((data[f"X_{name}"], data[f"y_{name}"]) for name in ("train", "test"))
    layers = [RandomFlip(), RandomCrop(padding=4), Cutout(8)]
    for filters in (32, 64, 128):
        for _ in range(2):
            layers += [Conv2D(filters, 3, padding="same", use_bias=False), BatchNorm(), RELU]
        layers += [MaxPool2D()] if filters < 128 else [GlobalAveragePool()]
    for seed in (0, 1, 2):
        model = NeuralNetworkClassifier(
            list(layers), batch_size=64, max_iter=60, tol=0, solver="adamw", weight_decay=0.05,
            learning_rate="onecycle", learning_rate_init=5e-3, alpha=0, random_state=seed, n_jobs=2,
        )  # fmt: skip
        report(f"CIFAR-10 5k/1k, augmented, 60 epochs, seed {seed}", model, train, test)


def main():
    """Print the rows named on the command line, or all."""
    rows = [steps, predict, threads, profile, fashion, regularised, cifar]
    chosen = sys.argv[1:] or [f.__name__ for f in rows]
    for function in rows:
        if function.__name__ in chosen:
            function()


if __name__ == "__main__":
    main()
