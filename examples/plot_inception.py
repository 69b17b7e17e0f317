"""
====================
An Inception network
====================

An Inception module applies kernels of several sizes in parallel branches. It is compared with plain
stacks of convolutions and with a residual network, by number of parameters and accuracy.
"""

# %%
# The module
# ----------
# A plain stack has one kernel size per layer. The Inception module (Szegedy et al., 2015) has
# several: convolutions of 1 × 1, 3 × 3 and 5 × 5 and pooling, whose outputs are concatenated by
# channel. ``padding="same"`` and equal strides keep their heights and widths equal.
#
# A 1 × 1 convolution combines the channels of each pixel. Before a convolution with a large kernel,
# it reduces the number of channels, and thereby the cost of the module.
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_nn import NeuralNetworkClassifier
from sklearn_nn.inspection import FeatureMapDisplay
from sklearn_nn.layers import (
    Activation,
    Conv2D,
    Flatten,
    GlobalAveragePool,
    MaxPool2D,
    Parallel,
    Residual,
)

# Every fit below trains a fixed number of epochs, converged or not.


def conv(filters, size):
    """Return a convolution that keeps height and width, and its activation."""
    return [Conv2D(filters, size, padding="same", kernel_initializer="he_uniform"), relu()]


def relu():
    """Return the activation."""
    return Activation("relu")


def inception(ones, threes, fives, pooled, reduced=None):
    """Return the module: four branches; 1 × 1 reduces channels to `reduced` unless it is None."""
    before = [] if reduced is None else conv(reduced, 1)
    return Parallel(
        [
            conv(ones, 1),
            [*before, *conv(threes, 3)],
            [*before, *conv(fives, 5)],
            [MaxPool2D(3, strides=1, padding="same"), *conv(pooled, 1)],
        ]
    )


# %%
# A comparison
# ------------
# All networks have the same first and last layers, and 32 channels in the middle. Handwritten
# digits of 8 × 8 pixels are a simple task: all networks learn them, with different numbers of
# parameters.
def network(*middle):
    """Return a network with these layers in the middle."""
    layers = [*conv(16, 3), *middle, MaxPool2D(2), *conv(32, 3), GlobalAveragePool()]
    return NeuralNetworkClassifier(
        layers,
        input_shape=(8, 8, 1),
        batch_size=64,
        learning_rate_init=0.005,
        learning_rate="cosine",
        max_iter=15,
        n_iter_no_change=np.inf,
        random_state=0,
    )


networks = {
    "plain, 3 × 3": network(*conv(32, 3)),
    "plain, 5 × 5": network(*conv(32, 5)),
    "Inception, no 1 × 1 before": network(inception(8, 12, 6, 6)),
    "Inception": network(inception(8, 12, 6, 6, reduced=6)),
    "residual": network(Residual([*conv(32, 3), Conv2D(16, 3, padding="same")]), relu()),
}
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    (X / 16).astype(np.float32), y, test_size=0.3, stratify=y, random_state=0
)
print(f"{'':28}{'parameters of the middle':>26}{'accuracy':>10}{'seconds':>9}")
results = {}
for name, model in networks.items():
    start, scores = perf_counter(), []
    for seed in range(3):
        model.set_params(random_state=seed).fit(X_train, y_train)
        scores.append(model.score(X_test, y_test))
    seconds = (perf_counter() - start) / 3
    # Lines of a layer come before that of the module it is in, which has no weights of its own.
    ends = {"conv2d1", "conv2d3" if name.startswith("plain") else "conv2d2", "output"}
    middle = sum(row.n_parameters for row in model.summary().rows if row.name not in ends)
    results[name] = middle, np.mean(scores)
    print(f"{name:28}{middle:26,}{results[name][1]:10.3f}{seconds:9.1f}")

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for name, (parameters, score) in results.items():
    ax.plot(parameters, score, "o", label=name)
ax.set(xlabel="parameters of the middle", ylabel="test accuracy", xscale="log", ylim=(0.94, 1))
ax.legend(ncols=2, loc="upper center")

# %%
# 1 × 1 convolutions before the large kernels halve the parameters of the module, and cost about one
# percentage point of accuracy here; for large images with hundreds of channels, they make the
# module affordable. With 540 test digits, differences below one percentage point are not
# significant.
#
# Nested layers
# -------------
# Nested layers have names: ``parallel1.2.conv2d2`` is the second convolution of branch number 2.
# These names are used in ``summary()``, in ``layers_`` and for feature maps.
model = networks["Inception"]
print(model.summary())

# %%
# The output of the module for one digit: channels 0 to 7 come from the 1 × 1 branch, the next
# twelve from 3 × 3, six from 5 × 5, and six from pooling.
FeatureMapDisplay.from_estimator(model, X_test[:1], "parallel1", columns=11)

# %%
# Several modules
# ---------------
# Modules can be stacked like any layers. Their sizes can be arguments of a function, or values in a
# grid search: the whole module is a parameter of the network.
deeper = network(inception(8, 12, 6, 6, reduced=6), inception(16, 24, 12, 12, reduced=8))
deeper.fit(X_train, y_train)
print(f"two modules: {deeper.n_parameters_:,} parameters, {deeper.score(X_test, y_test):.3f}")
print([name for name in deeper.get_params() if name.startswith("parallel")])
flat = network(("module", inception(8, 12, 6, 6, reduced=6)), Flatten())
print(flat.set_params(module="passthrough").get_params()["module"])
plt.show()
