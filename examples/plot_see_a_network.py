"""
================
Inspecting a CNN
================

What a convolutional network has learnt, which pixels it uses, and which errors it makes: filters,
feature maps, saliency, occlusion, and misclassified images.
"""

# %%
# The network
# -----------
# Handwritten digits of 8 × 8 pixels. A third of them is the test set.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from sklearn_nn import CNNClassifier
from sklearn_nn.inspection import (
    FeatureMapDisplay,
    FilterDisplay,
    MisclassifiedDisplay,
    SaliencyDisplay,
    occlusion_map,
    saliency_map,
)

digits = load_digits()
X = (digits.images / 16).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(
    X, digits.target, test_size=1 / 3, stratify=digits.target, random_state=0
)
model = CNNClassifier(
    (16, 32), hidden_layer_sizes=64, learning_rate_init=0.005, dropout=0.3, max_iter=20,
    random_state=0,
)  # fmt: skip
model.fit(X_train, y_train)
print(model.summary())
print(f"test accuracy {model.score(X_test, y_test):.3f}")

# %%
# Filters
# -------
# The kernels of the first layer can be interpreted: white cells respond to ink, black cells to
# paper. They detect strokes and edges in several directions. A uniformly grey kernel has learnt
# nothing.
FilterDisplay.from_estimator(model)

# %%
# The kernels of the second layer have 16 input channels, and their mean over these is hardly
# informative; ``channel`` selects one. Feature maps are more informative.
FilterDisplay.from_estimator(model, "conv2", channel=4, n_filters=16)

# %%
# Feature maps
# ------------
# The output of a layer for one image. The maps of the first activation show strokes and edges at
# the positions where their kernels detected them; black maps detected nothing in this image.
FeatureMapDisplay.from_estimator(model, X_test[:1], "convactivation1", columns=9)

# %%
# Maps of later layers are smaller: they show the presence of features rather than their position.
FeatureMapDisplay.from_estimator(model, X_test[:1], "pool2", columns=11)

# %%
# Saliency and occlusion
# ----------------------
# The gradient of the class's score with respect to the input (Simonyan et al., 2014) is large, and
# drawn bright, for pixels whose change affects the score most. It is exact and fast, but noisy.
#
# Occlusion (Zeiler & Fergus, 2014) covers a window and computes the decrease of the class's
# probability: red pixels support the class, blue ones oppose it. It costs one prediction per
# position of the window, and shows nothing if the network is certain whichever part is covered.
chosen = [np.flatnonzero(y_test == digit)[0] for digit in (2, 4, 8)]
SaliencyDisplay.from_estimator(
    model, X_test[chosen], method=("gradient", "occlusion"), window=3, stride=1
)

# %%
# ``target`` selects another class: which pixels of this 8 support a 3, and which oppose it?
# :func:`~sklearn_nn.inspection.saliency_map`, which is signed, and
# :func:`~sklearn_nn.inspection.occlusion_map` return the numbers.
eight = X_test[chosen[-1:]]
figure, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
maps = {"gradient of the score": saliency_map(model, eight, target=3)}
maps["gradient × input"] = maps["gradient of the score"] * eight
maps["occlusion"] = occlusion_map(model, eight, target=3, window=3, stride=1)
for ax, (name, values) in zip(axes, maps.items(), strict=True):
    limit = np.abs(values).max()
    ax.imshow(values[0], cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=f"{name}, class 3", xticks=[], yticks=[])

# %%
# Errors
# ------
# The misclassified images with the highest probabilities. Wrong labels in the data appear here
# first.
MisclassifiedDisplay.from_estimator(model, X_test, y_test, columns=6)

# %%
# scikit-learn's confusion matrix shows which classes are confused with each other.
figure, ax = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=ax, cmap="Blues", colorbar=False)
# sphinx_gallery_thumbnail_number = 5
plt.show()

# %%
# :doc:`/guide_images` explains the displays. :ref:`sphx_glr_auto_examples_plot_convolution.py`
# explains filters and their positions, and :ref:`sphx_glr_auto_examples_plot_tune_cnn.py` searches
# for a better network.
