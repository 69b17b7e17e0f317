"""Two small networks whose times SimpleChains.jl has published, beside torch where it is installed.

Run as ``python tests/benchmarks/simple_chains.py [row ...]``; rows are lenet and exponential, both
by default. *lenet* trains LeNet-5 for 10 epochs on 60,000 images of 28 x 28, in batches of 16
images for each thread. *exponential* learns the exponential of 2 x 2 matrices from 10,000 of them
by a network 4-32-16-4 with tanh; a step of Adam sees all of them. Both compute in float32.

Source of the published times, on other processors and with their number of threads:
https://julialang.org/blog/2022/04/simple-chains (C. Elrod, N. Korsbo, C. Rackauckas, 2022). The
images are those of Fashion-MNIST where $SKLEARN_NN_DATA or ../shared/data has them, else noise; the
time does not depend on them.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
from scipy.linalg import expm
from sklearn.exceptions import ConvergenceWarning
from training import DATA, read_images

from sklearn_nn import CNNClassifier, MLPRegressor

warnings.simplefilter("ignore", ConvergenceWarning)

EPOCHS, RATE = 10, 3e-4
#: Steps of an unbatched training that is timed.
STEPS = 2_000
PUBLISHED = {
    "lenet": [
        ("Intel i9-10980XE, 18 cores", "1.23 s", "10.8 s"),
        ("AMD EPYC 7513, 32 cores", "3.08 s", "14.9 s"),
        ("Intel i7-1165G7, 4 cores", "5.32 s", ""),
    ],
    "exponential": [
        ("Intel i9-10980XE, 18 cores", "41 us", "1.5 ms"),
        ("AMD EPYC 7513, 32 cores", "72 us", "6.9 ms"),
    ],
}


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return 60,000 images as float32 of shape (60,000, 28, 28), and their labels."""
    if (DATA / "fashion_mnist").is_dir():
        X, y = read_images("train")
        return X.reshape(-1, 28, 28), y
    rng = np.random.default_rng(0)
    return rng.random((60_000, 28, 28), dtype="float32"), rng.integers(0, 10, 60_000)


def seconds(function) -> float:
    """Return the duration of a call."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def torch_training(model, loss_of, X, y, rate, epochs, batch_size) -> None:
    """Train by a plain loop with Adam."""
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(epochs):
        order = torch.randperm(len(X)) if batch_size < len(X) else None
        for start in range(0, len(X), batch_size):
            rows = slice(None) if order is None else order[start : start + batch_size]
            optimizer.zero_grad()
            loss_of(model(X[rows]), y[rows]).backward()
            optimizer.step()


def lenet(n_jobs: int) -> tuple[float, float | None]:
    """Return seconds of 10 epochs, ours and torch's."""
    X, y = images()
    batch = 16 * n_jobs
    model = CNNClassifier(
        (6, 16), kernel_size=5, padding="valid", hidden_layer_sizes=(120, 84), alpha=0.0,
        batch_size=batch, learning_rate_init=RATE, max_iter=EPOCHS, n_iter_no_change=EPOCHS,
        scale_inputs=False, n_jobs=n_jobs, random_state=0,
    )  # fmt: skip
    model.fit(X[:1_000], y[:1_000])  # kernels are compiled
    ours = min(seconds(lambda: model.fit(X, y)) for _ in range(2))
    try:
        import torch
    except ImportError:
        return ours, None
    torch.set_num_threads(n_jobs)
    nn = torch.nn
    network = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84),
        nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    of_torch = torch.from_numpy(X)[:, None], torch.from_numpy(y)
    loss = nn.functional.cross_entropy
    # Two epochs: all take the same time.
    theirs = seconds(lambda: torch_training(network, loss, *of_torch, RATE, 2, batch)) * EPOCHS / 2
    return ours, theirs


def exponential(n_jobs: int) -> tuple[float, float | None]:
    """Return seconds of one step, ours and torch's."""
    X = np.random.default_rng(0).standard_normal((10_000, 2, 2))
    y, X = expm(X).reshape(-1, 4).astype("float32"), X.reshape(-1, 4).astype("float32")
    model = MLPRegressor(
        hidden_layer_sizes=(32, 16), activation="tanh", alpha=0.0, batch_size=len(X),
        max_iter=STEPS, tol=0.0, n_iter_no_change=STEPS, n_jobs=n_jobs, random_state=0,
    )  # fmt: skip
    model.fit(X, y)
    ours = min(seconds(lambda: model.fit(X, y)) for _ in range(3)) / STEPS
    try:
        import torch
    except ImportError:
        return ours, None
    torch.set_num_threads(n_jobs)
    nn = torch.nn
    network = nn.Sequential(
        nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 4)
    )
    of_torch, loss, steps = (torch.from_numpy(X), torch.from_numpy(y)), nn.functional.mse_loss, 200
    theirs = seconds(lambda: torch_training(network, loss, *of_torch, 1e-3, steps, len(X))) / steps
    return ours, theirs


def main() -> None:
    """Print the rows named on the command line, or all."""
    chosen = sys.argv[1:] or list(PUBLISHED)
    for name, measure, unit, scale in (
        ("lenet", lenet, "s", 1),
        ("exponential", exponential, "us", 1e6),
    ):
        if name not in chosen:
            continue
        for n_jobs in (1, 2):
            ours, theirs = measure(n_jobs)
            line = f"{name}, threads {n_jobs}: sklearn_nn {ours * scale:.2f} {unit}"
            if theirs is not None:
                line += f", torch {theirs * scale:.2f} {unit}, ratio {theirs / ours:.1f}"
            print(line, flush=True)
        for processor, julia, torch in PUBLISHED[name]:
            beside = f", torch {torch}" if torch else ""
            print(f"    published, {processor}: SimpleChains {julia}{beside}")


if __name__ == "__main__":
    main()
