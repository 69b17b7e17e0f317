"""
============
Augmentation
============

A mirrored, shifted or slightly rotated flower is still a flower. Augmentation layers train a
network on a different variant of each image in every epoch. If there are few images, this helps as
much as more images would.
"""

# %%
# What the layers do
# ------------------
# :func:`~sklearn_nn.augment_images` applies each layer to a photograph from scikit-learn, which
# :func:`~sklearn_nn.resize_images` has made smaller. Each picture is an independent random draw;
# ``fill_mode`` determines the values beyond the edges.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, load_sample_images
from sklearn.model_selection import train_test_split

from sklearn_nn import CNNClassifier, augment_images, resize_images
from sklearn_nn.layers import (
    Cutout,
    Mixup,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)

photographs = np.stack(load_sample_images().images)[:, :, 100:527]
temple, flower = resize_images(photographs, 96)
layers = {
    "RandomFlip()": RandomFlip(),
    "RandomCrop(padding=16)": RandomCrop(padding=16),
    "RandomCrop(64, 64)": RandomCrop(64, 64),
    'RandomTranslation(0.2, 0.2, "nearest")': RandomTranslation(0.2, 0.2, "nearest"),
    "RandomRotation(0.1)": RandomRotation(0.1),
    'RandomZoom(0.4, fill_mode="constant")': RandomZoom(0.4, fill_mode="constant"),
    "RandomBrightness(0.3, (0, 1))": RandomBrightness(0.3, (0, 1)),
    "RandomContrast(0.7, (0, 1))": RandomContrast(0.7, (0, 1)),
    "Cutout(32, fill_value=0.5)": Cutout(32, fill_value=0.5),
}
n = 8
figure, axes = plt.subplots(len(layers), n, figsize=(9, 11.2), layout="constrained")
for row, (name, layer) in zip(axes, layers.items(), strict=True):
    images = augment_images(np.stack([flower] * n), layer, random_state=0)
    for ax, image in zip(row, images, strict=True):
        ax.imshow(image)
        ax.axis("off")
    row[0].text(0, 1.08, name, transform=row[0].transAxes).set_in_layout(False)
figure.get_layout_engine().set(hspace=0.25, rect=(0, 0, 1, 0.975))

# %%
# Mixup
# -----
# :class:`~sklearn_nn.layers.Mixup` averages each image with another one of its batch, with weights
# that are drawn for each batch, and averages the losses of both labels with the same weights.
figure, axes = plt.subplots(1, n, figsize=(9, 1.5), layout="constrained")
for seed, ax in enumerate(axes):
    mixed = augment_images(np.stack([temple, flower]), Mixup(alpha=1.0), random_state=seed)
    ax.imshow(mixed[0])
    ax.axis("off")
figure.suptitle("Mixup(alpha=1.0)")

# %%
# Effect on accuracy
# ------------------
# A network learns handwritten digits from few images. Digits may be shifted and rotated a little,
# but not mirrored, since most mirrored digits are not digits. Augmentation is a parameter, and can
# be tuned like any other. These digits are already centred and upright: shifts and rotations, which
# produce images that hardly occur in the data, help only for the smallest training sets. Mixup
# helps at every size.
X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8) / 16
moves = [RandomTranslation(0.1, 0.1, "constant"), RandomRotation(0.03, "constant")]
augmentations = {
    "none": None,
    "shift and turn": moves,
    "Mixup": [Mixup(0.2)],
    "all three": [*moves, Mixup(0.2)],
}
sizes = (50, 100, 200, 400)
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for name, augmentation in augmentations.items():
    errors = []
    for size in sizes:
        scores = []
        for seed in range(3):
            X_train, X_val, y_train, y_val = train_test_split(
                X, y, train_size=size, stratify=y, random_state=seed
            )
            model = CNNClassifier(
                (16, 32),
                hidden_layer_sizes=64,
                augmentation=augmentation,
                learning_rate_init=0.003,
                learning_rate="cosine",
                batch_size=25,
                max_iter=40_000 // size,
                n_iter_no_change=np.inf,
                dtype="float32",
                random_state=seed,
            )
            scores.append(model.fit(X_train, y_train).score(X_val, y_val))
        errors.append(100 * (1 - np.mean(scores)))
    ax.plot(sizes, errors, "o-", label=name)
    print(f"{name:15}", " ".join(f"{error:5.1f}" for error in errors))
ax.set(
    xlabel="training images", xscale="log", ylabel="validation errors in percent", ylim=(0, None)
)
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(title="augmentation")

# %%
# All networks were trained for 1600 updates. With fewer updates, augmentation has no effect,
# because the network does not overfit yet. The training loss is that of the augmented images, which
# may be larger than the validation loss.
model = CNNClassifier(
    (16, 32),
    hidden_layer_sizes=64,
    augmentation=augmentations["all three"],
    learning_rate_init=0.003,
    batch_size=25,
    max_iter=60,
    n_iter_no_change=np.inf,
    dtype="float32",
    random_state=0,
)
X_train, X_val, y_train, y_val = train_test_split(X, y, train_size=400, stratify=y, random_state=0)
history = model.fit(X_train, y_train, X_val=X_val, y_val=y_val).history_
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
epochs = range(1, len(history["loss"]) + 1)
ax.plot(epochs, history["loss"], label="training, augmented")
ax.plot(epochs, history["val_loss"], label="validation")
ax.set(xlabel="epoch", ylabel="loss", yscale="log")
ax.legend()
# sphinx_gallery_thumbnail_number = 1
plt.show()

# %%
# :doc:`/guide_augmentation` describes every layer.
# :ref:`sphx_glr_auto_examples_plot_transfer_learning.py` is another remedy for few images.
