"""
=================
Transfer learning
=================

A network that was trained on many images has learnt features that are useful for other images: its
first layers detect edges, its last layers the classes that it was trained on. Which layers are
useful for new images depends on their number and on their similarity to the old images.

Four strategies are compared in four cases: few or more new data, similar or different.
:doc:`/guide_transfer` explains them. By default, the script uses data that come with scikit-learn.
If the environment variable ``SKLEARN_NN_DATA`` names a folder with ``fashion_mnist`` (the four
files of Zalando's repository) and ``cifar10`` (an ``.npz`` file with ``X_train`` and ``y_train``),
it uses these::

    SKLEARN_NN_DATA=~/data python examples/plot_transfer_learning.py
"""

import gzip
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits, load_sample_images
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import CNNClassifier, FeatureExtractor

# %%
# The data
# --------
# Three sets of grey images of the same size: a large one for the first training, one with other
# classes of similar images, and one of different images.


def parts(images, y, new):
    """Return images and labels of the old classes, and of the new ones."""
    is_new = np.isin(y, new)
    return (images[~is_new], y[~is_new]), (images[is_new], y[is_new])


def bundled_images():
    """Return digits 0 to 6; digits 7 to 9; patches of two photographs to distinguish."""
    digits = load_digits()
    images, y = digits.images.astype(np.float32) / 16, digits.target
    photographs = [photo.mean(axis=2) / 255 for photo in load_sample_images().images]
    squares = []
    for photo in photographs:
        height, width = (8 * (n // 8) for n in photo.shape)
        blocks = photo[:height, :width].reshape(height // 8, 8, width // 8, 8)
        squares.append(blocks.transpose(0, 2, 1, 3).reshape(-1, 8, 8)[::3])
    names = np.repeat(["temple", "flower"], [len(s) for s in squares])
    different = np.concatenate(squares).astype(np.float32), names
    return *parts(images, y, [7, 8, 9]), different


def real_images(folder):
    """Return six classes of Fashion-MNIST; the other four; five of CIFAR-10, in grey."""
    with gzip.open(folder / "fashion_mnist" / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / "fashion_mnist" / "train-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    images = images.astype(np.float32) / 255
    with np.load(next((folder / "cifar10").glob("*.npz"))) as arrays:
        photographs, kinds = arrays["X_train"], arrays["y_train"]
    grey = photographs[kinds < 5, 2:30, 2:30].mean(axis=3, dtype=np.float32) / 255
    return *parts(images, y, [3, 4, 6, 9]), (grey, kinds[kinds < 5])


FOLDER = os.environ.get("SKLEARN_NN_DATA")
old, similar, different = bundled_images() if FOLDER is None else real_images(Path(FOLDER))
for name, (X, y) in {"old": old, "similar": similar, "different": different}.items():
    print(f"{name:<10} {X.shape[0]:>6} images of {X.shape[1]} x {X.shape[2]}, {np.unique(y)}")

# %%
# The pretrained network
# ----------------------
# It is trained once, on the large set. Its body consists of convolutions; its head is the output
# layer. :func:`~sklearn_nn.summary` shows the names of the layers.
network = CNNClassifier(
    (16, 32, 64),
    hidden_layer_sizes=(),
    weight_init="he_uniform",
    bias_init="zeros",
    batch_size=32,
    learning_rate_init=0.003,
    random_state=0,
)
X_train, X_test, y_train, y_test = train_test_split(*old, test_size=0.2, random_state=0)
source = network.set_params(max_iter=20 if len(X_train) < 2000 else 5).fit(X_train, y_train)
print(f"accuracy on the old classes: {source.score(X_test, y_test):.3f}")
source.summary()

# %%
# Four strategies
# ---------------
# - A new head on a frozen body: all layers except the output layer are copied and frozen.
# - A head on early layers: a linear model on the output of the first convolution.
# - Fine-tuning: all layers except the output layer are copied, and trained at a tenth of the rate.
# - Training from scratch, without the old images.


def candidates(n_samples):
    """Return the four models, for training sets of `n_samples`.

    All networks are trained for 400 updates, without a stopping rule: an epoch of twenty images is
    a single update, whose loss does not show whether training still improves.
    """
    new = CNNClassifier(**source.get_params()).set_params(
        batch_size=min(32, n_samples), max_iter=400 // -(-n_samples // 32), n_iter_no_change=np.inf
    )
    early = FeatureExtractor(source, "pool1")
    tuned = {"learning_rate_factors": {"pretrained": 0.1}}
    return {
        "new head": clone(new).from_pretrained(source, layers="body", freeze="all"),
        "early layers": make_pipeline(early, StandardScaler(), LogisticRegression(C=0.01)),
        "fine-tuning": clone(new).set_params(**tuned).from_pretrained(source, layers="body"),
        "from scratch": new,
    }


# %%
# Four cases
# ----------
# Scores are means over random training sets; the remaining rows are the test set.


def compare(X, y, n_samples, n_draws):
    """Return the mean accuracy of each strategy, and its standard deviation over the draws."""
    draws = StratifiedShuffleSplit(n_draws, train_size=n_samples, random_state=0)
    scores = {}
    for train, test in draws.split(X, y):
        test = test[:2000]
        for name, model in candidates(n_samples).items():
            model.fit(X[train], y[train])
            scores.setdefault(name, []).append(model.score(X[test], y[test]))
    return {name: (np.mean(found), np.std(found)) for name, found in scores.items()}


many = 300 if FOLDER is None else 500
cases = {}
for kind, (X, y) in {"similar": similar, "different": different}.items():
    for n_samples, n_draws in [(20, 10), (many, 3)]:
        cases[f"{kind}, {n_samples}"] = compare(X, y, n_samples, n_draws)

ways = list(candidates(20))
print(f"{'accuracy':<16}" + "".join(f"{way:>18}" for way in ways))
for case, found in cases.items():
    cells = [f"{mean:.3f} +- {spread:.3f}" for mean, spread in found.values()]
    print(f"{case:<16}" + "".join(f"{cell:>18}" for cell in cells))

# %%
# The digits are so small and simple that this network learns them from scratch, from twenty images:
# transfer learning does not help here, and a frozen body is worse. :doc:`/guide_transfer` has the
# results for real images, which differ.
figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
for i, way in enumerate(ways):
    means, spreads = np.transpose([found[way] for found in cases.values()])
    axis.bar(np.arange(len(cases)) + 0.2 * (i - 1.5), means, 0.18, yerr=spreads, label=way)
axis.set(xticks=np.arange(len(cases)), xticklabels=list(cases), ylabel="accuracy", ylim=(0, 1))
axis.set_xlabel("new data: kind, number of images")
axis.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
plt.show()
