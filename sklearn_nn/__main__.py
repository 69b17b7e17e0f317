"""Command ``python -m sklearn_nn``: every kind of network learns data that are at hand."""

from __future__ import annotations

import argparse
import re
import time
import warnings
from importlib import resources

import numpy as np
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import sklearn_nn
from sklearn_nn.training.progress import can_draw

HEADINGS = ("data", "network", "held out", "seconds", "scikit-learn")


def _scaled(load):
    return StandardScaler().fit_transform((data := load()).data), data.target


def _images():
    digits = load_digits()
    return (digits.images * 15).astype(np.uint8), digits.target


def _sequences():
    """Return noisy sine, square and sawtooth waves of unequal length and frequency."""
    rng, kinds = np.random.RandomState(0), np.arange(1200) % 3
    waves = []
    for kind in kinds:
        t = np.arange(rng.randint(20, 60)) * rng.uniform(0.2, 0.6) + rng.uniform(0, 6)
        wave = (np.sin(t), np.sign(np.sin(t)), 2 * (t / np.pi / 2 % 1) - 1)[kind]
        waves.append((wave + rng.normal(0, 0.3, t.size)).astype(np.float32)[:, None])
    return waves, kinds


def _text():
    """Return a part of Python's reference, or descriptions of data where that is not installed."""
    try:
        from pydoc_data.topics import topics

        parts = [topics[name] for name in sorted(topics)]
    except ImportError:
        folder = resources.files("sklearn.datasets.descr")
        files = sorted(folder.iterdir(), key=lambda file: file.name)
        parts = [file.read_text(encoding="utf-8") for file in files if file.name.endswith(".rst")]
    return " ".join(re.sub(r"[^A-Za-z0-9 ,.;:()'-]|-{3,}", " ", " ".join(parts)).split())[:100_000]


def _tasks():
    """Yield name of the data, network, X, y, and a model of scikit-learn or None."""
    for name, load, kind, parameters in (
        ("digit rows", load_digits, "MLPClassifier", {"hidden_layer_sizes": (100,)}),
        ("breast cancer", load_breast_cancer, "MLPClassifier", {"hidden_layer_sizes": (64, 32)}),
        ("diabetes", load_diabetes, "MLPRegressor", {"learning_rate_init": 0.01, "alpha": 1.0}),
    ):
        models = (getattr(module, kind)(**parameters) for module in (sklearn_nn, neural_network))
        network, rival = models
        yield name, network, *_scaled(load), rival
    rival = HistGradientBoostingRegressor()
    yield "diabetes", sklearn_nn.TabularRegressor(), *_scaled(load_diabetes), rival
    network = sklearn_nn.CNNClassifier(batch_size=32, max_iter=20)
    yield "digit images", network, *_images(), None
    network = sklearn_nn.RNNClassifier(
        32, cell="gru", batch_size=32, learning_rate_init=0.005, max_iter=15
    )
    yield "waves", network, *_sequences(), None
    network = sklearn_nn.TextGenerator(
        num_layers=1, cell="gru", sequence_length=64, batch_size=32, learning_rate_init=0.01,
        max_iter=8, vocabulary="".join(sorted({*(text := _text())})),
    )  # fmt: skip
    yield "a manual", network, text, None, None


def _fit(model, X, y):
    """Fit on one thread, and return the seconds it took."""
    start = time.perf_counter()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of training that could go on
        model.fit(X, y)
    return time.perf_counter() - start


def _score(model, X, y):
    """Return the score on data that were held out, with its name."""
    if isinstance(X, str):
        return f"perplexity {model.perplexity(X):.2f}"
    name = "accuracy" if hasattr(model, "predict_proba") else "R2"
    return f"{name} {model.score(X, y):.3f}"


def _print_table(rows):
    """Print rows below their headings, by rich where it is installed."""
    try:
        from rich import box, console, table
    except ImportError:
        widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
        for row in (HEADINGS, *rows):
            _say("  ".join(map(str.ljust, row, widths)).rstrip())
        return
    drawn = table.Table(*HEADINGS, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in rows:
        drawn.add_row(*row)
    console.Console().print(drawn)


def _say(text):
    print(text, flush=True)


def main(arguments=None) -> None:
    """Train each kind of network on data that scikit-learn and Python contain, in about 20 s.

    The first time ever, kernels are compiled too, which takes several times as long.

    Parameters
    ----------
    arguments : list of str, default=None
        Arguments in place of those of the command line.
    """
    about = (main.__doc__ or "").partition("Parameters\n")[0]
    parser = argparse.ArgumentParser(prog="python -m sklearn_nn", description=about)
    parser.add_argument("--epochs", type=int, help="most epochs of each network, to be quicker")
    epochs = parser.parse_args(arguments).epochs
    tasks, rows, prepared = list(_tasks()), [], 0.0
    for number, (data, network, X, y, rival) in enumerate(tasks, 1):
        kind = type(network).__name__
        _say(f"{number}/{len(tasks)} {kind} learns {data}")
        limits = {"max_iter": epochs} if epochs else {}
        network.set_params(random_state=0, **limits)
        if y is None:  # a text, whose last tenth is held out
            n = len(X) * 9 // 10
            X_train, X_test, y_train, y_test = X[:n], X[n:], y, y
        else:
            X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
        first = clone(network).set_params(max_iter=1)
        some = X_train[:500], None if y_train is None else y_train[:500]
        prepared += _fit(first, *some)
        _score(first, *some)
        seconds = _fit(network.set_params(verbose=can_draw()), X_train, y_train)
        row = [data, kind, _score(network, X_test, y_test), f"{seconds:.2f}", ""]
        if rival is not None:
            rival.set_params(random_state=0, **limits)
            seconds = _fit(rival, X_train, y_train)
            row[-1] = f"{_score(rival, X_test, y_test).split()[1]} in {seconds:.2f} s"
        rows.append(row)
    _print_table(rows)
    _say(f"The last one writes: {network.sample(300, temperature=0.5)}\n")
    _say(f"Kernels took {prepared:.0f} s to compile or load; from now on they are loaded.")


if __name__ == "__main__":
    main()
