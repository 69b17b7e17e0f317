"""
=======================
Learning from a stream
=======================

When rows arrive in batches, or do not fit in memory, ``partial_fit`` trains one epoch on each
batch. Here, the distribution of the stream changes halfway, and the model adapts.
"""

# %%
# The stream
# ----------
# Two classes in ten dimensions. From batch 150 on, the sign of one feature's effect is reversed.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier


def stream(batches, rows, seed):
    """Yield (X, y) batches; the relation of y to X changes halfway."""
    rng = np.random.default_rng(seed)
    for batch in range(batches):
        X = rng.normal(loc=5, scale=3, size=(rows, 10))
        z = (X - 5) / 3
        turned = -1 if batch >= batches // 2 else 1
        y = np.where(turned * z[:, 0] + z[:, 1] * z[:, 2] > 0, "yes", "no")
        yield X, y


# %%
# Test, then train
# ----------------
# Each batch is predicted before the model is trained on it, so no rows need to be held out. The
# first call needs all classes that can ever occur.
scaler = StandardScaler()
mlp = MLPClassifier((64,), learning_rate_init=0.01, random_state=0)
accuracy = []
for X, y in stream(batches=300, rows=200, seed=0):
    scaler.partial_fit(X)
    X = scaler.transform(X)
    if hasattr(mlp, "classes_"):
        accuracy.append(mlp.score(X, y))
    mlp.partial_fit(X, y, classes=["no", "yes"])
print(f"rows seen {mlp.t_}")
for lo, hi in ((0, 20), (130, 150), (150, 170), (280, 300)):
    print(f"accuracy in batches {lo:3d} to {hi - 1}: {np.mean(accuracy[lo:hi]):.3f}")

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(accuracy, ".", markersize=3)
ax.axvline(150, color="C1", label="change of distribution")
ax.set(xlabel="batch", ylabel="accuracy before training on it", ylim=(0.3, 1))
ax.legend(loc="lower right")
plt.show()

# %%
# The whole stream in one call
# ----------------------------
# If nothing has to be done between batches, ``partial_fit`` accepts the iterable itself: a
# generator or a data loader that yields ``(X, y)`` or ``(X, y, sample_weight)``. One batch is in
# memory at a time. Here, older batches have smaller sample weights.


def fading(batches):
    """Scale each batch, and give its samples a weight that grows along the stream."""
    for number, (X, y) in enumerate(batches):
        yield (X - 5) / 3, y, np.full(len(X), 1.02**number)


late = MLPClassifier((64,), learning_rate_init=0.01, random_state=0)
late.partial_fit(fading(stream(batches=300, rows=200, seed=0)), classes=["no", "yes"])
X, y = list(stream(batches=300, rows=200, seed=1))[-1]
print(f"rows seen {late.t_}, accuracy on new rows {late.score((X - 5) / 3, y):.3f}")

# %%
# :doc:`/guide_large_data` describes data that do not fit into memory.
