"""
===================
Looking into a CNN
===================

What a convolutional network has learnt, what it looks at, and what it gets wrong: filters, feature
maps, saliency, occlusion, and the images it is surest and wrong about.
"""

# %%
# A network to look into
# ----------------------
# Handwritten digits of 8 × 8 pixels. A third is kept to judge by.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
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

# Twenty epochs are enough to look at.
warnings.simplefilter("ignore", ConvergenceWarning)

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
# The first kernels see the image itself and can be read: white cells ask for ink, black ones for
# paper. Strokes and edges in several directions are what digits are made of. A kernel that is grey
# all over has learnt nothing.
FilterDisplay.from_estimator(model)

# %%
# Those of the second layer see 16 maps each, and their mean over these says little; ``channel``
# picks one. Feature maps say more.
FilterDisplay.from_estimator(model, "conv2", channel=4, n_filters=16)

# %%
# Feature maps
# ------------
# What a layer makes of one image. After the first activation there are strokes and edges, each
# where its kernel found it; black maps have found nothing here, and may elsewhere.
FeatureMapDisplay.from_estimator(model, X_test[:1], "convactivation1", columns=9)

# %%
# Further up maps are smaller, and say rather what there is than where.
FeatureMapDisplay.from_estimator(model, X_test[:1], "pool2", columns=11)

# %%
# What speaks for a class
# -----------------------
# The gradient of the class's score with respect to the input (Simonyan et al., 2014): bright pixels
# are those that a small change of would change the score most. It is exact and cheap, and noisy.
#
# Occlusion (Zeiler & Fergus, 2014) covers a part and takes the difference of the class's
# probability: red is what the network needs, blue what it would rather not see. It costs a
# prediction for each place of the window, and says nothing where the network is sure with any part
# covered.
chosen = [np.flatnonzero(y_test == digit)[0] for digit in (2, 4, 8)]
SaliencyDisplay.from_estimator(
    model, X_test[chosen], method=("gradient", "occlusion"), window=3, stride=1
)

# %%
# ``target`` asks about another class: what of this 8 speaks for a 3, and what against? Numbers
# without pictures are :func:`~sklearn_nn.inspection.saliency_map`, which has a sign, and
# :func:`~sklearn_nn.inspection.occlusion_map`.
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
# What it gets wrong
# ------------------
# The images that the network is wrong about and surest of. Wrong labels show up here first.
MisclassifiedDisplay.from_estimator(model, X_test, y_test, columns=6)

# %%
# Which classes run into one another is what scikit-learn's own display says. It takes any
# estimator, this one too.
figure, ax = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=ax, cmap="Blues", colorbar=False)
plt.show()
