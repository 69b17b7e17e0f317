"""Training control: what it costs, and what it reaches, beside torch where it is installed.

Run as ``python tests/benchmarks/training.py [row ...]``; rows are regularised, control, fashion and
quantiles, all by default. The last two read real data from $SKLEARN_NN_DATA or ../shared/data and
are left out where there is none. Ratios are theirs against ours: above 1 this package is faster.
"""

from __future__ import annotations

import gzip
import itertools
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from mlp import best_of, paired, row
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn import MLPClassifier, MLPRegressor
from sklearn_nn.training import EarlyStopping, LambdaCallback

warnings.simplefilter("ignore", ConvergenceWarning)
DATA = Path(os.environ.get("SKLEARN_NN_DATA", Path(__file__).parents[3] / "shared" / "data"))
HIDDEN, BATCH, EPOCHS = (256, 128), 128, 4


def torch_fit(X, y, epochs):
    """784-256-128-10 with batch normalisation, dropout .5 and AdamW, as a plain torch loop."""
    import torch

    sizes, layers = (X.shape[1], *HIDDEN), []
    for a, b in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(a, b), torch.nn.BatchNorm1d(b), torch.nn.ReLU()]
        layers += [torch.nn.Dropout(0.5)]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    data, labels = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for start in range(0, len(X), BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(data[rows]), labels[rows])
            loss.backward()
            optimizer.step()
    return model


def regularised():
    """Microseconds a batch with batch normalisation, dropout .5 and AdamW, against torch."""
    rng = np.random.default_rng(0)
    X, y = rng.random((12_000, 784), dtype="float32"), rng.integers(0, 10, 12_000)
    batches = -(-len(X) // BATCH) * EPOCHS

    def ours(n_jobs):
        return MLPClassifier(
            HIDDEN, solver="adamw", batch_norm=True, dropout=0.5, batch_size=BATCH, tol=0,
            max_iter=EPOCHS, n_iter_no_change=10**6, alpha=0, random_state=0, n_jobs=n_jobs,
        ).fit(X, y)  # fmt: skip

    try:
        import torch
    except ImportError:
        for n in (1, 2):
            print(f"batch norm, dropout, adamw, {n} threads: {best_of(lambda n=n: ours(n)):.3f} s")
        return
    for n in (1, 2):
        torch.set_num_threads(n)
        theirs, mine = paired(lambda: torch_fit(X, y, EPOCHS), lambda n=n: ours(n), 4)
        label = f"784-256-128-10, batch norm, dropout, adamw, {n} threads"
        row(label, theirs / batches, mine / batches, "us/batch", 1e6)


def control():
    """Callbacks, history and validation against a bare fit: digits, 200 epochs."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    train, held = slice(0, 1617), slice(1617, None)
    fixed = {"hidden_layer_sizes": (100,), "max_iter": 200, "tol": 0, "n_iter_no_change": 10**6}

    def bare():
        MLPClassifier(**fixed, random_state=0).fit(X[train], y[train])

    seen = []
    callbacks = [
        EarlyStopping(patience=10**6),
        LambdaCallback(lambda _, log, __: seen.append(log["val_loss"])),
    ]

    def controlled():
        model = MLPClassifier(**fixed, random_state=0, callbacks=callbacks)
        model.fit(X[train], y[train], X_val=X[held], y_val=y[held])

    without, with_control = paired(bare, controlled, 15)
    cost = 100 * (with_control / without - 1)
    print(f"digits, 200 epochs: bare {without:.3f} s, with callbacks, history and validation "
          f"{with_control:.3f} s: {cost:.1f}% more")  # fmt: skip


def read_images(name):
    """Images and labels of Fashion-MNIST: (n, 784) in [0, 1] and (n,)."""
    folder = DATA / "fashion_mnist"
    with gzip.open(folder / f"{name}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return (images / 255).astype("float32"), labels.astype(np.int64)


def fashion():
    """Test accuracy on Fashion-MNIST of an MLP with dropout, batch norm and a schedule."""
    if not (DATA / "fashion_mnist").exists():
        print(f"fashion: no data in {DATA}")
        return
    (X, y), (X_test, y_test) = read_images("train"), read_images("t10k")
    for seed in (0, 1, 2):
        model = MLPClassifier(
            (512, 256), solver="adamw", batch_norm=True, dropout=0.25, learning_rate="onecycle",
            learning_rate_init=3e-3, batch_size=128, max_iter=20, alpha=0, tol=0,
            n_iter_no_change=100, random_state=seed, n_jobs=2,
        )  # fmt: skip
        started = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - started
        print(f"Fashion-MNIST, 20 epochs, seed {seed}: test accuracy {model.score(X_test, y_test)}"
              f" after {seconds:.0f} s")  # fmt: skip


def quantiles():
    """Share of test targets below the predicted quantiles, bike sharing by the hour."""
    if not (DATA / "bike").exists():
        print(f"quantiles: no data in {DATA}")
        return
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pd.read_csv(DATA / "bike" / "hour.csv")
    y = table["cnt"].to_numpy() / 100
    X = table.drop(columns=["cnt", "casual", "registered", "instant", "dteday"])
    one_hot = ["season", "mnth", "hr", "weekday", "weathersit"]
    for seed, quantile in itertools.product((0, 1), (0.1, 0.5, 0.9)):
        parts = train_test_split(X, y, test_size=0.25, random_state=seed)
        encode = make_column_transformer(
            (OneHotEncoder(sparse_output=False), one_hot), remainder=StandardScaler()
        )
        # Without dropout, whose noise in training widens the band that is predicted.
        model = MLPRegressor(
            "quantile", (64, 64), quantile=quantile, early_stopping="best", scoring="loss",
            learning_rate="cosine", max_iter=60, random_state=seed,
        )  # fmt: skip
        fitted = make_pipeline(encode, model).fit(parts[0], parts[2])
        share = (parts[3] <= fitted.predict(parts[1])).mean()
        print(f"bike, split {seed}, quantile {quantile}: {share:.3f} of test targets lie below")


def main():
    """Print the rows named on the command line, or all."""
    rows = [regularised, control, fashion, quantiles]
    chosen = sys.argv[1:] or [f.__name__ for f in rows]
    for function in rows:
        if function.__name__ in chosen:
            function()


if __name__ == "__main__":
    main()
