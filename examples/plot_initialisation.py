"""
======================
Initialization
======================

The initial weights can decide whether training succeeds. One network is trained with nine
distributions of initial weights, on images of clothes.

The images are a part of Fashion-MNIST. They are read from the folder in the environment variable
``SKLEARN_NN_DATA``, or from ``../shared/data`` relative to the project. If they are absent,
scikit-learn's handwritten digits replace them; the text below holds for both. The source is
https://github.com/zalandoresearch/fashion-mnist; put the files into a folder ``fashion_mnist``.
"""

# %%
# The data
# --------
import gzip
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sklearn_nn import MLPClassifier
from sklearn_nn.network.initializers import Uniform

# Every fit below trains a fixed number of epochs, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)


def read_idx(path):
    """Read an array of bytes in the format of MNIST."""
    with gzip.open(path) as file:
        content = file.read()
    shape = np.frombuffer(content, ">i4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def load_pictures():
    """Return flat images with values in [0, 1], their labels, and the name of the data."""
    # __file__ is not set where this page is built; the folder is then the examples' own.
    here = Path(globals().get("__file__", "plot_initialisation.py")).resolve().parent
    folder = Path(os.environ.get("SKLEARN_NN_DATA", here.parents[1] / "shared" / "data"))
    folder = folder / "fashion_mnist"
    if not folder.is_dir():
        X, y = load_digits(return_X_y=True)
        return (X / 16).astype(np.float32), y, "digits"
    X = read_idx(folder / "train-images-idx3-ubyte.gz")[:8000].reshape(8000, -1)
    y = read_idx(folder / "train-labels-idx1-ubyte.gz")[:8000]
    return X.astype(np.float32) / 255, y, "Fashion-MNIST"


X, y, shown = load_pictures()
X_train, X_val, y_train, y_val = train_test_split(X, y, stratify=y, random_state=0)
print(f"{shown}: {X_train.shape[0]} training rows of {X_train.shape[1]} values")

# %%
# Nine initializations
# --------------------
# Two hidden layers of ReLU, Adam, batches of 64, biases initially zero: only the initial weights
# differ.
#
# With *constants*, all units of a layer are equal: they have the same inputs and the same gradient,
# and remain equal. With zeros, the gradient of all weights is zero (only the last biases learn).
# With ones, the network behaves as if each layer had one unit, and its outputs are huge.
#
# *Uniform* numbers make the units different. In [0, 1], all are positive, and the outputs are as
# huge as with ones. Ranges around zero are better, especially if the range decreases with the
# number n of inputs of a unit: a sum of n terms has n times the variance of one term, so weights
# with a variance proportional to 1 / n preserve the variance of the signal. This is the purpose of
# ±1/√n.
#
# *Normal* numbers work as well as uniform numbers of the same variance. Truncated normal numbers
# have no outliers. Glorot's variance, 2 / (n + m) with m outputs, also preserves the variance of
# gradients; He's, 2 / n, compensates for the half of the signal that ReLU sets to zero.
initializers = {
    "zeros": "zeros",
    "ones": "ones",
    "uniform in [0, 1]": Uniform(0, 1),
    "uniform in ±0.1": Uniform(-0.1, 0.1),
    "uniform in ±1/√n": "fan_in_uniform",
    "normal": "normal",
    "truncated normal": "truncated_normal",
    "Glorot": "glorot_uniform",
    "He": "he_uniform",
}


def network(weight_init):
    """Return a network with these initial weights."""
    return MLPClassifier(
        (256, 128),
        weight_init=weight_init,
        bias_init="zeros",
        alpha=0,
        batch_size=64,
        max_iter=8,
        n_iter_no_change=np.inf,
        random_state=0,
    )


fits = {
    name: network(weight_init).fit(X_train, y_train, X_val=X_val, y_val=y_val)
    for name, weight_init in initializers.items()
}
print(f"{'weights':20}{'loss, epoch 1':>15}{'loss, epoch 8':>15}{'validation accuracy':>21}")
for name, mlp in fits.items():
    curve = mlp.loss_curve_
    print(f"{name:20}{curve[0]:15.3f}{curve[-1]:15.3f}{mlp.validation_scores_[-1]:21.3f}")

# %%
# Losses
# ------
# A network that predicts the same probability for all classes has a loss of log 10 (dotted line).
# With zeros, the loss remains there; with ones and [0, 1], it starts far above. The differences
# between the other distributions are small in such a shallow network; the right panel shows them on
# its own scale.
panels = {
    "Constants": ["zeros", "ones", "Glorot"],
    "Ranges": ["uniform in [0, 1]", "uniform in ±0.1", "uniform in ±1/√n"],
    "Rules": ["normal", "truncated normal", "Glorot", "He"],
}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for ax, (title, names) in zip(axes, panels.items(), strict=True):
    for name in names:
        color = "0.6" if title == "Constants" and name == "Glorot" else None
        ax.plot(range(1, 9), fits[name].loss_curve_, ".-", color=color, label=name)
    ax.set(title=title, xlabel="epoch")
    if title == "Rules":
        ax.legend(fontsize="small", loc="upper right")
    else:
        ax.axhline(np.log(10), color="0.35", linestyle=":", linewidth=1)
        ax.set(yscale="log", ylim=(0.02, None))
        ax.legend(fontsize="small", loc="lower left")
axes[0].set_ylabel(f"training loss, {shown}")

# %%
# Weights before and after
# ------------------------
# ``initialize`` draws the weights without training. Good initial weights are close to the trained
# ones: the histograms hardly change, although the network has learnt. Bad initial weights must
# first be unlearnt, which takes more than eight epochs.
figure, axes = plt.subplots(3, 3, figsize=(9.5, 6.4), layout="constrained")
for ax, (name, weight_init) in zip(axes.flat, initializers.items(), strict=True):
    before = network(weight_init).initialize(X_train, y_train).coefs_[1].ravel()
    after = fits[name].coefs_[1].ravel()
    low, high = np.quantile(np.concatenate([before, after]), [0.001, 0.999])
    edges = np.linspace(low - 0.05, high + 0.05, 60)
    for weights, label, color in ((before, "drawn", "0.6"), (after, "trained", "C1")):
        counts, _ = np.histogram(weights, edges)
        share = counts / weights.size
        ax.stairs(share, edges, fill=label == "drawn", alpha=0.8, color=color, label=label)
    ax.set_yticks([])
    ax.set_title(name, fontsize="medium")
axes[0, 0].legend()
figure.supxlabel("weights of the second layer")

# %%
# Propagation of signals
# ----------------------
# The reason, computed in NumPy: random inputs pass through twenty layers of 256 units. If each
# layer changes the size of the signal by a factor, twenty layers change it by the twentieth power
# of this factor; the same holds for gradients. With a variance of 1 / n (LeCun's, and Glorot's
# between equal layers), tanh preserves signals, while ReLU halves their mean square in each layer;
# with He's 2 / n, ReLU preserves them. The older ±1/√n has a variance of 1 / 3n and shrinks signals
# in both cases, which hardly matters for two layers but prevents training of twenty.
rng = np.random.default_rng(0)
rules = ["normal", "fan_in_uniform", "lecun_normal", "glorot_uniform", "he_normal"]
activations = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, (activation, f) in zip(axes, activations.items(), strict=True):
    for rule in rules:
        deep = MLPClassifier(
            (256,) * 20, weight_init=rule, bias_init="zeros", random_state=0, activation=activation
        )
        signal = rng.standard_normal((200, 256))
        deep.initialize(signal, np.arange(200) % 10)
        sizes = []
        for weights in deep.coefs_[:-1]:
            signal = f(signal @ weights)
            sizes.append(np.sqrt(np.mean(signal**2)))
        ax.plot(range(1, 21), sizes, ".-", label=rule)
    ax.set(title=activation, xlabel="layer", yscale="log")
    ax.set_xticks(range(0, 21, 5))
axes[0].set_ylabel("root mean square of the signal")
axes[0].legend()
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# :doc:`/guide_training` lists the distributions.
# :ref:`sphx_glr_auto_examples_plot_normalisation.py` shows how normalization makes training less
# sensitive to them.
