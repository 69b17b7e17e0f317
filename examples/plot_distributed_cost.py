"""
===========================
When several machines pay
===========================

How long a round of :func:`sklearn_nn.distributed.fit` takes on up to 64 workers, for a network, a
number of batches in a round, and the speed of the wire. The inputs are measured here: the seconds
of batches, and the bytes that a round sends. The wire and the workers are simulated.
"""

# %%
# Two groups in this process
# --------------------------
# Each group trains on its own partitions, and the changes are averaged. With ``client="local"`` the
# groups train one after another in this process, with the same result as on a cluster.
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn import MLPClassifier, NeuralNetworkClassifier, distributed
from sklearn_nn.distributed.rounds import moved
from sklearn_nn.layers import Activation, Conv2D, Dense, Flatten, MaxPool2D

warnings.simplefilter("ignore", ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X = X / 16
network = MLPClassifier((64,), batch_size=32, learning_rate_init=0.005, max_iter=20, random_state=0)
one = network.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:])
partitions = [np.array_split(part[:1200], 4) for part in (X, y)]
distributed.fit(network, *partitions, client="local", n_workers=2, sync_every=5)
print(f"one process {one:.3f}, two groups {network.score(X[1200:], y[1200:]):.3f}")

# %%
# What is measured
# ----------------
# A round sends the weights and the moments of the solver to each worker, and back: three vectors
# for Adam. With ``sync_every=1`` the weights go one way and a gradient in float64 comes back.
rng = np.random.default_rng(0)
relu = Activation("relu")
convolutions = [
    Conv2D(32, 3, padding="same"), relu, MaxPool2D(), Conv2D(64, 3, padding="same"), relu,
    MaxPool2D(), Flatten(), Dense(128), relu,
]  # fmt: skip
NETWORKS = {
    "100-64-10, batch 200": (MLPClassifier((64,), batch_size=200), (100,), 200),
    "784-512-256-10, batch 200": (MLPClassifier((512, 256), batch_size=200), (784,), 200),
    "two convolutions, batch 64": (
        NeuralNetworkClassifier(convolutions, batch_size=64),
        (28, 28, 1),
        64,
    ),
}


def measured(model, shape, batch, epochs=12, batches=4):
    """Return the bytes of a vector of weights, and the seconds of a batch in several epochs."""
    n = batch * batches
    images, labels = rng.random((n, *shape), dtype="float32"), rng.integers(0, 10, n)
    model.set_params(max_iter=epochs, n_jobs=1, tol=0, n_iter_no_change=10**6, random_state=0)
    model.fit(images, labels)
    seconds = np.array(model.history_["seconds"][1:]) / batches  # the first may compile
    return sum(a.nbytes for layer in model.layers_.values() for a in layer.values()), seconds


MEASURED = {name: measured(*row) for name, row in NETWORKS.items()}
for name, (size, seconds) in MEASURED.items():
    print(f"{name}: {size / 1e6:.2f} MB of weights, {1e3 * np.median(seconds):.2f} ms a batch")

# %%
# The client adds the vectors of all groups, which takes time as well.
vectors = [rng.random(10**6, dtype="float32") for _ in range(4)]
started = time.perf_counter()
for _ in range(5):
    moved(vectors[0], vectors, [1.0] * 4)
ADDED = (time.perf_counter() - started) / (5 * 4 * 4e6)  # seconds for each byte
print(f"averaging: {1e-9 / ADDED:.1f} GB/s")

# %%
# What is simulated
# -----------------
# A round begins when the weights have left the client, one copy after another. A worker trains for
# as long as batches that were measured, drawn at random; so the slowest worker is the later, the
# more there are. Its result waits until the wire to the client is free. The engine adds some
# milliseconds: Dask needed 25 for a round of two processes on one machine.
ENGINE = 0.025


def round_seconds(size, seconds, workers, batches, gigabits, draws=30):
    """Return the mean time of a round, by simulation."""
    of_vectors = 3 * size
    sent, added = 8 * of_vectors / (gigabits * 1e9), of_vectors * ADDED
    found = []
    for _ in range(draws):
        began = sent * np.arange(1, workers + 1)
        ended = np.sort(began + rng.choice(seconds, (workers, batches)).sum(axis=1))
        free = 0.0
        for end in ended:
            free = max(free, end) + sent
        found.append(free + workers * added + ENGINE)
    return float(np.mean(found))


def speedup(name, workers, batches, gigabits):
    """Return how many times faster an epoch is than in one process."""
    size, seconds = MEASURED[name]
    alone = workers * batches * seconds.mean()
    return alone / round_seconds(size, seconds, workers, batches, gigabits)


# %%
# When it pays
# ------------
# More batches in a round pay for the wire. The time at which results arrive at the client grows
# with the number of workers, which ends the gain. A network with many multiplications for each
# weight, such as a convolutional one, gains the most, and a small one nothing.
WORKERS = [1, 2, 4, 8, 16, 32, 64]
figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharey=True, layout="constrained")
for ax, name in zip(axes, NETWORKS, strict=True):
    for gigabits, style in ((1, "--"), (10, "-")):
        for batches, color in ((5, "C0"), (20, "C1"), (200, "C2")):
            curve = [speedup(name, n, batches, gigabits) for n in WORKERS]
            label = f"{batches} batches, {gigabits} Gb/s"
            ax.loglog(WORKERS, curve, style, color=color, base=2, label=label)
    ax.loglog(WORKERS, WORKERS, ":", color="gray", base=2)
    ax.set(title=name, xlabel="workers")
axes[0].set_ylabel("times faster than one process")
axes[-1].legend(fontsize="small")

# %%
# The same as numbers, with a round of 20 batches: megabytes that a worker sends in a round,
# milliseconds of a round, and the gain.
print("network                      Gb/s  workers    MB  round, ms  times faster")
for name, (size, seconds) in MEASURED.items():
    for gigabits in (1, 10):
        for n in (2, 8, 64):
            took = round_seconds(size, seconds, n, 20, gigabits)
            print(f"{name:28s} {gigabits:4d} {n:8d} {3e-6 * size:5.2f} {1e3 * took:10.0f} "
                  f"{speedup(name, n, 20, gigabits):13.1f}")  # fmt: skip
