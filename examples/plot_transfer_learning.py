"""
=================
Transfer learning
=================

A network that was trained on many images has learnt features that are useful for other images: its
first layers detect edges, its last layers the classes that it was trained on. On this page, four
strategies are compared for new classes of which there are few or many images, similar to the old
ones or different: where transfer learning wins, by how much, and where it does not.

By default, the script uses data that come with scikit-learn. If the environment variable
``SKLEARN_NN_DATA`` names a folder with ``fashion_mnist`` (the four files of Zalando's repository)
and ``cifar10`` (an ``.npz`` file with ``X_train`` and ``y_train``), it uses these, for some
minutes::

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
# classes of similar images, and one of different images. The old images are the digits 0 to 4, the
# similar ones the digits 5 to 9. As in a photograph, they may be anywhere: a network that has seen
# few images has not seen each digit at each place. Four copies of each old digit, at four places,
# make the large set. The different images are patches of two photographs, to be told apart.


def placed(digits, size=14, seed=0):
    """Return images with each digit at a random place."""
    rng = np.random.default_rng(seed)
    images = np.zeros((len(digits), size, size), dtype=np.float32)
    places = rng.integers(0, size - 7, (len(digits), 2))
    for image, digit, (top, left) in zip(images, digits, places, strict=True):
        image[top : top + 8, left : left + 8] = digit
    return images


def bundled_images():
    """Return digits 0 to 4; digits 5 to 9; patches of two photographs."""
    images, y = load_digits(return_X_y=True)
    images, is_new = images.reshape(-1, 8, 8) / 16, y > 4
    old = placed(np.tile(images[~is_new], (4, 1, 1))), np.tile(y[~is_new], 4)
    similar = placed(images[is_new], seed=1), y[is_new]
    photographs = [photo.mean(axis=2) / 255 for photo in load_sample_images().images]
    squares = []
    for photo in photographs:
        height, width = (14 * (n // 14) for n in photo.shape)
        blocks = photo[:height, :width].reshape(height // 14, 14, width // 14, 14)
        squares.append(blocks.transpose(0, 2, 1, 3).reshape(-1, 14, 14))
    names = np.repeat(["temple", "flower"], [len(s) for s in squares])
    return old, similar, (np.concatenate(squares).astype(np.float32), names)


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
    is_new = np.isin(y, [3, 4, 6, 9])
    old, similar = (images[~is_new], y[~is_new]), (images[is_new], y[is_new])
    return old, similar, (grey, kinds[kinds < 5])


FOLDER = os.environ.get("SKLEARN_NN_DATA")
old, similar, different = bundled_images() if FOLDER is None else real_images(Path(FOLDER))
for name, (X, y) in {"old": old, "similar": similar, "different": different}.items():
    print(f"{name:<10} {X.shape[0]:>6} images of {X.shape[1]} x {X.shape[2]}, {np.unique(y)}")

figure, axes = plt.subplots(3, 8, figsize=(8, 3.2), layout="constrained")
for row, (name, (X, _)) in zip(
    axes, {"old": old, "similar": similar, "different": different}.items(), strict=True
):
    for ax, image in zip(row, X[:: len(X) // 8], strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)

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
# Few or many images
# ------------------
# Accuracies are means over random training sets; the remaining images, at most 2000, are the test
# set.


def compare(X, y, n_samples, n_draws):
    """Return the accuracies of each strategy, one per draw of a training set."""
    draws = StratifiedShuffleSplit(n_draws, train_size=n_samples, random_state=0)
    scores = {}
    for train, test in draws.split(X, y):
        test = test[:2000]
        for name, model in candidates(n_samples).items():
            model.fit(X[train], y[train])
            scores.setdefault(name, []).append(model.score(X[test], y[test]))
    return scores


draws = {20: 5, 50: 3, 150: 3, 400: 3} if FOLDER is None else {20: 10, 100: 3, 500: 3, 2000: 3}
found = {
    (kind, n): compare(X, y, n, n_draws)
    for kind, (X, y) in {"similar": similar, "different": different}.items()
    for n, n_draws in draws.items()
}
print(f"{'accuracy':<16}" + "".join(f"{way:>18}" for way in candidates(20)))
for (kind, n), scores in found.items():
    cells = [f"{np.mean(of):.3f} +- {np.std(of):.3f}" for of in scores.values()]
    print(f"{f'{kind}, {n}':<16}" + "".join(f"{cell:>18}" for cell in cells))

figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for ax, kind in zip(axes, ("similar", "different"), strict=True):
    for way, marker in zip(candidates(20), "osD^", strict=True):
        scores = [found[kind, n][way] for n in draws]
        means, spreads = ([f(of) for of in scores] for f in (np.mean, np.std))
        ax.errorbar(list(draws), means, spreads, marker=marker, capsize=3, label=way)
    ax.set(xscale="log", xlabel="number of new images", title=f"new images: {kind}")
    ax.set_xticks(list(draws), list(draws))
    ax.minorticks_off()
axes[0].set_ylabel("test accuracy (bars: standard deviation)")
axes[0].legend()
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# Few similar images are the case for transfer learning: with twenty of them (four of each digit), a
# new head and fine-tuning recognize far more of the other images than training from scratch does,
# because the body has learnt what strokes look like at every place. The lead shrinks as images are
# added. With 400, training from scratch is best, and a frozen body is an obstacle. Early layers
# alone are of little use: they have not learnt to ignore the place.
#
# For different images, the old ones help at no size: photographs are not made of pen strokes. Nor
# do they help where the new task is easy: if all digits are in the middle of 8 x 8 pixels, this
# network learns them from scratch, from twenty images, better than with a pretrained body.
#
# :doc:`/guide_transfer` explains the strategies, and shows the results for photographs of clothes.
# :ref:`sphx_glr_auto_examples_plot_augmentation.py` is the other remedy for few images.
