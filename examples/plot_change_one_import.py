"""
=================
Change one import
=================

A script written for scikit-learn's :class:`~sklearn.neural_network.MLPClassifier`, and the same
script with another import line. Parameters, defaults, fitted attributes and, for float64 data and
a fixed ``random_state``, the training itself are the same; this page compares the models and the
time that one thread needs for them.
"""

# %%
# The script
# ----------
# Only the class differs between the two runs.
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import sklearn_nn
from sklearn_nn import MLPClassifier as OurClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)


def fit(classifier, dtype):
    """Return a fitted pipeline and the seconds that its fit took."""
    mlp = classifier(hidden_layer_sizes=(100,), early_stopping=True, random_state=0)
    model = make_pipeline(StandardScaler(), mlp)
    start = perf_counter()
    model.fit(X_train.astype(dtype), y_train)
    return model, perf_counter() - start


# %%
# Time
# ----
# Both run in one thread, for a comparison of equals. scikit-learn's matrix products run in the
# threads of the BLAS library, which ``threadpool_limits`` limits (for networks as small as this
# one, more threads can even make them slower); ``n_jobs`` is the number of threads of a fit of
# sklearn_nn, and 1 by default. :func:`sklearn_nn.warmup` loads the compiled kernels beforehand, or
# compiles them the first time ever, and each time is the shortest of five fits, so that the table
# shows training alone.
sklearn_nn.warmup()
models, seconds = {}, {}
print(f"{'':24}{'seconds':>8}{'epochs':>8}{'test accuracy':>15}")
with threadpool_limits(1):
    for name, classifier in {"scikit-learn": TheirClassifier, "sklearn_nn": OurClassifier}.items():
        for dtype in ("float64", "float32"):
            fits = [fit(classifier, dtype) for _ in range(5)]
            model = models[name, dtype] = fits[0][0]
            seconds[name, dtype] = min(time for _, time in fits)
            accuracy = model.score(X_test.astype(dtype), y_test)
            label = f"{name}, {dtype}"
            print(f"{label:24}{seconds[name, dtype]:8.3f}{model[-1].n_iter_:8d}{accuracy:15.4f}")
for dtype in ("float64", "float32"):
    ratio = seconds["scikit-learn", dtype] / seconds["sklearn_nn", dtype]
    print(f"{dtype}: sklearn_nn is {ratio:.1f} times as fast")

# %%
# The same model
# --------------
# In float64 the two loss curves agree to rounding, epoch by epoch: the initial weights, the
# validation split and the order of the batches come from the same draws.
theirs, ours = (models[name, "float64"][-1].loss_curve_ for name in ("scikit-learn", "sklearn_nn"))
epochs = min(20, len(theirs), len(ours))
difference = np.max(np.abs(np.divide(ours[:epochs], theirs[:epochs]) - 1))
print(f"largest relative difference of the loss over {epochs} epochs: {difference:.1e}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(range(1, len(theirs) + 1), theirs, color="C0", linewidth=6, alpha=0.4)
left.plot(range(1, len(ours) + 1), ours, color="C1", linestyle="--")
left.set(
    xlabel="epoch", ylabel="training loss", yscale="log", title="The same loss, epoch by epoch"
)
left.legend(["scikit-learn", "sklearn_nn"])
for i, name in enumerate(("scikit-learn", "sklearn_nn")):
    times = [seconds[name, dtype] for dtype in ("float64", "float32")]
    bars = right.bar(np.arange(2) + 0.4 * (i - 0.5), times, 0.38, color=f"C{i}", label=name)
    right.bar_label(bars, fmt="%.2f")
right.set_xticks(range(2), ["float64", "float32"])
right.set(ylabel="seconds of a fit, one thread", title="Less time")
right.margins(y=0.3)
right.legend(loc="upper right", ncols=2)
plt.show()

# %%
# :doc:`/performance` compares times for many sizes of data and networks, with one and more threads.
# :ref:`sphx_glr_auto_examples_plot_learning_curves.py` shows what a training records, and
# :doc:`/guide_training` what this class can do besides.
