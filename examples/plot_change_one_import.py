"""
=================
Change one import
=================

A script written for scikit-learn's :class:`~sklearn.neural_network.MLPClassifier`, and the same
script with another import line. Parameters, defaults, fitted attributes and, for float64 data and
a fixed ``random_state``, the training itself are the same.
"""

# %%
# The script
# ----------
# Only the class differs between the two runs. Wall time includes everything ``fit`` does.
# :func:`sklearn_nn.warmup` loads the compiled kernels beforehand, or compiles them the first
# time ever, so that the table shows training alone.
from time import perf_counter

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_nn
from sklearn_nn import MLPClassifier as OurClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)


def run(classifier, X_train, X_test):
    """Fit the pipeline; return it with the seconds it took and its accuracy."""
    mlp = classifier(hidden_layer_sizes=(100,), early_stopping=True, random_state=0)
    model = make_pipeline(StandardScaler().set_output(transform="default"), mlp)
    start = perf_counter()
    model.fit(X_train, y_train)
    return model, perf_counter() - start, model.score(X_test, y_test)


sklearn_nn.warmup()
print(f"{'':24}{'seconds':>8}{'epochs':>8}{'accuracy':>10}")
curves = {}
for name, classifier in {"scikit-learn": TheirClassifier, "sklearn_nn": OurClassifier}.items():
    for dtype in (np.float64, np.float32):
        model, seconds, accuracy = run(classifier, X_train.astype(dtype), X_test.astype(dtype))
        curves[name, dtype] = np.array(model[-1].loss_curve_)
        label = f"{name}, {np.dtype(dtype).name}"
        print(f"{label:24}{seconds:8.2f}{model[-1].n_iter_:8d}{accuracy:10.4f}")

# %%
# The same model
# --------------
# In float64 the two loss curves agree to rounding, epoch by epoch: the initial weights, the
# validation split and the order of the batches come from the same draws.
theirs, ours = curves["scikit-learn", np.float64], curves["sklearn_nn", np.float64]
epochs = min(20, len(theirs), len(ours))
difference = np.max(np.abs(ours[:epochs] - theirs[:epochs]) / theirs[:epochs])
print(f"largest relative difference of the loss over {epochs} epochs: {difference:.1e}")
