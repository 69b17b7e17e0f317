"""One network on several workers: accuracy, time, and processes that are killed.

Run as ``python tests/benchmarks/distributed_fit.py [row ...]``; rows are accuracy, seconds,
workers, clients and rounds, all by default. Clusters are two processes of one thread on this
machine: Dask, or Ray with ``--ray``. Data is read from $SKLEARN_NN_DATA or ../shared/data.

- accuracy: adult and Fashion-MNIST (two convolutions), on two workers and in one process, with the
  same number of epochs, over the seeds ``--seeds``.
- seconds: a fit of 784-512-256 to 60,000 images, on two workers against one, in turn. Two of the
  machine's cores must be idle.
- workers: SIGKILL of a random worker at ``--times`` random instants of a fit.
- clients: SIGKILL of the process that fits, at as many instants, which is then started again.
- rounds: milliseconds of what a round needs besides training, the input of
  examples/plot_distributed_cost.py.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from cnn import FIRST, fashion_images
from sklearn.exceptions import ConvergenceWarning
from tables import adult
from training import read_images

from sklearn_nn import MLPClassifier, NeuralNetworkClassifier, TabularClassifier, distributed
from sklearn_nn.layers import Dropout

warnings.simplefilter("ignore", ConvergenceWarning)

PARTS = 8


# --- clusters ----------------------------------------------------------------------------------


@contextlib.contextmanager
def dask_cluster(n=2):
    """Yield a client of a cluster of `n` processes."""
    from dask.distributed import Client, LocalCluster

    options = {"n_workers": n, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        yield client


@contextlib.contextmanager
def ray_cluster(n=2):
    """Yield the name of an initialised Ray with `n` processors."""
    import ray

    ray.init(num_cpus=n, include_dashboard=False, log_to_driver=False)
    try:
        yield "ray"
    finally:
        ray.shutdown()


def parted(X, y, n=PARTS):
    """Divide rows into partitions."""
    ends = np.linspace(0, len(X), n + 1).astype(int)
    pairs = list(itertools.pairwise(ends))
    return [X[a:b] for a, b in pairs], [y[a:b] for a, b in pairs]


# --- accuracy ----------------------------------------------------------------------------------


def adult_rows():
    """Return the model of a seed, and rows of training, validation and test."""
    table, labels, _ = adult()
    labels = labels.to_numpy(dtype=object)
    n = 32561
    rows = np.random.default_rng(0).permutation(n)
    train, held = rows[:-3256], rows[-3256:]

    def model(seed):
        return TabularClassifier(n_networks=1, random_state=seed, n_jobs=1)

    return model, *((table.iloc[r], labels[r]) for r in (train, held, np.arange(n, len(table))))


def fashion_rows(n=None):
    """Return the same for Fashion-MNIST."""
    (X, y), test = fashion_images()

    def model(seed):
        return NeuralNetworkClassifier(
            [*FIRST, Dropout(0.5)], input_shape=(28, 28, 1), batch_size=64, max_iter=10, tol=0,
            learning_rate="onecycle", learning_rate_init=2e-3, random_state=seed, n_jobs=1,
        )  # fmt: skip

    return model, (X[:n], y[:n]), None, test


def accuracy(client, seeds, options):
    """Print accuracies on two workers and in one process."""
    for name, data in (("adult", adult_rows), ("Fashion-MNIST", fashion_rows)):
        model, (X, y), held, (X_test, y_test) = data()
        validation = {} if held is None else {"X_val": held[0], "y_val": held[1]}
        found = []
        for seed in range(seeds):
            one = model(seed).fit(X, y, **validation)
            two = distributed.fit(
                model(seed), *parted(X, y), client=client, n_workers=2, **validation, **options
            )
            found.append([m.score(X_test, y_test) for m in (one, two)])
            print(f"{name}, seed {seed}: one process {found[-1][0]:.4f}, two workers "
                  f"{found[-1][1]:.4f}", flush=True)  # fmt: skip
        one, two = np.mean(found, axis=0)
        print(f"{name}: one process {one:.4f}, two workers {two:.4f}, difference {two - one:+.4f}")


# --- time --------------------------------------------------------------------------------------


def large():
    """Return a network of 784-512-256."""
    return MLPClassifier(
        (512, 256), batch_size=200, max_iter=5, tol=0, n_iter_no_change=100, random_state=0
    )


def seconds(clusters, turns=3):
    """Print the time of a fit on one worker and on two, in turn."""
    X, y = read_images("train")
    parts, found = parted(X, y), {1: [], 2: []}
    with contextlib.ExitStack() as stack:
        clients = {n: stack.enter_context(clusters(n)) for n in found}
        for turn in range(turns + 1):
            for n, client in clients.items():
                model = distributed.fit(large(), *parts, client=client, n_workers=n)
                if turn:  # the first compiles, and starts what workers need
                    found[n].append(sum(model.history_["seconds"]))
    one, two = (np.median(found[n]) for n in (1, 2))
    print(f"784-512-256, 60,000 images, 5 epochs: one worker {one:.2f} s, two {two:.2f} s, ratio "
          f"{two / one:.2f}")  # fmt: skip


# --- processes that are killed -----------------------------------------------------------------


def small():
    """Return data and a network for a fit of some seconds."""
    X, y = np.random.default_rng(0).normal(size=(6000, 50)).astype(np.float32), None
    y = (X[:, :5].sum(axis=1) + X[:, 5] * X[:, 6] > 0).astype(int)
    model = MLPClassifier(
        (64,), batch_size=50, max_iter=30, tol=0, n_iter_no_change=100, random_state=0
    )
    return model, *parted(X, y)


def digest(model):
    """Return a number that tells the weights of a network."""
    return hash(model._network.theta.tobytes())


def pids(client):
    """Return the processes of the workers."""
    if client == "ray":
        import psutil

        found = psutil.Process().children(recursive=True)
        titles = {p.pid: "".join(p.cmdline()[:1]) for p in found}
        return [pid for pid, title in titles.items() if re.match("ray::(?!.*Agent)", title)]
    return list(client.run(os.getpid).values())


def workers(client, times, options):
    """Print how many fits have the same result although a worker is killed."""
    model, *parts = small()
    wanted = digest(distributed.fit(model, *parts, client="local", n_workers=2, **options))
    started = time.perf_counter()
    fit_small(client, options)
    usual, equal, rng = time.perf_counter() - started, 0, np.random.default_rng(0)
    for _ in range(times):
        instant, which = rng.uniform(0, usual), rng.integers(10**6)

        def kill(instant=instant, which=which):
            time.sleep(instant)
            if processes := pids(client):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(processes[which % len(processes)], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        equal += fit_small(client, options) == wanted
        killer.join()
        print(f"worker killed after {instant:.2f} of {usual:.2f} s: {equal} equal", flush=True)
        if client != "ray":
            client.wait_for_workers(2, timeout=60)
    print(f"{equal} of {times} fits with a killed worker equal an undisturbed one")


def fit_small(client, options, checkpoint=None):
    """Fit on two workers; return the digest."""
    model, *parts = small()
    return digest(
        distributed.fit(model, *parts, client=client, n_workers=2, checkpoint=checkpoint, **options)
    )


def as_client(clusters, path, options):
    """Fit in this process, which may be killed, and print the digest."""
    with clusters() as client:
        print("ready", flush=True)
        print("digest", fit_small(client, options, path), flush=True)


def clients(name, times, options):
    """Print how many fits end with the same result although their process is killed."""
    model, *parts = small()
    wanted = digest(distributed.fit(model, *parts, client="local", n_workers=2, **options))
    equal, usual, rng = 0, None, np.random.default_rng(1)
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    command = [sys.executable, __file__, "client", *(["--ray"] if name == "ray" else [])]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(times + 1):
            path = Path(folder) / f"{number}.npz"
            run = [*command, "--path", str(path)]
            process = subprocess.Popen(
                run, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
            )
            while "ready" not in process.stdout.readline():
                pass
            started = time.perf_counter()
            if usual is None:
                process.communicate()
                usual = time.perf_counter() - started
                continue
            instant = rng.uniform(0, usual)
            time.sleep(instant)
            os.killpg(process.pid, signal.SIGKILL)  # with its cluster
            process.communicate()
            left = path.exists()
            output = subprocess.run(
                run, stdout=subprocess.PIPE, text=True, env=environment, check=True
            ).stdout
            equal += f"digest {wanted}" in output
            print(f"client killed after {instant:.2f} of {usual:.2f} s, checkpoint "
                  f"{'there' if left else 'not there'}: {equal} equal", flush=True)  # fmt: skip
    print(f"{equal} of {times} fits with a killed client equal an undisturbed one")


# --- the cost of a round -----------------------------------------------------------------------


def rounds(client):
    """Print milliseconds of rounds of networks of several sizes, without training."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 784)).astype(np.float32), rng.integers(0, 10, 64)
    for hidden in ((16,), (512, 256), (1024, 1024)):
        model = MLPClassifier(
            hidden, batch_size=1, max_iter=1, tol=0, n_iter_no_change=100, random_state=0
        )
        found = []
        for _ in range(4):
            fitted = distributed.fit(
                model, *parted(X, y, 2), client=client, n_workers=2, sync_every=2
            )
            found.append(fitted.history_["seconds"][0] / 16)
        size = fitted._network.theta.size
        print(f"{size:,} weights: {1e3 * min(found):.1f} ms a round of two batches of one row")


ROWS = ("accuracy", "seconds", "workers", "clients", "rounds")


def main():
    """Print the rows that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", default=list(ROWS), help=", ".join(ROWS))
    parser.add_argument("--ray", action="store_true", help="use Ray in the place of Dask")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--sync-every", type=int, default=None)
    parser.add_argument("--outer", type=float, nargs=2, default=(1.0, None))
    parser.add_argument("--path", help=argparse.SUPPRESS)
    given = parser.parse_args()
    clusters = ray_cluster if given.ray else dask_cluster
    options = {"outer_learning_rate": given.outer[0], "outer_momentum": given.outer[1]}
    if given.sync_every is not None:
        options["sync_every"] = given.sync_every
    if given.rows == ["client"]:
        as_client(clusters, given.path, {"sync_every": 10})
        return
    if "seconds" in given.rows:
        seconds(clusters)
    if {"accuracy", "workers", "rounds"} & set(given.rows):
        with clusters() as client:
            if "accuracy" in given.rows:
                accuracy(client, given.seeds, options)
            if "workers" in given.rows:
                workers(client, given.times, {"sync_every": 10})
            if "rounds" in given.rows:
                rounds(client)
    if "clients" in given.rows:
        clients("ray" if given.ray else "dask", given.times, {"sync_every": 10})


if __name__ == "__main__":
    main()
