"""
======================
Explaining predictions
======================

How much each column, pixel and character contributes to a prediction, by gradients between a
background and the sample. The contributions add up to the prediction.
"""

# %%
# A table
# -------
# Progression of diabetes within a year, by body measurements and blood tests. The network predicts
# it, and ``attributions`` shares out the difference between a prediction and the mean prediction of
# 20 other patients.

import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import train_test_split

from sklearn_nn import CNNClassifier, TabularRegressor, TextGenerator
from sklearn_nn.inspection import AttributionDisplay, attributions

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X["sex"] = X["sex"].map({1: "male", 2: "female"})
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = TabularRegressor(n_networks=1, max_iter=30, random_state=0).fit(X_train, y_train)
print(f"R^2 {model.score(X_test, y_test):.2f}")

background, shown = X_train[:20], X_test[:60]
found = attributions(model, shown, background)
print("prediction       ", found.outputs[:3].round(1))
print("mean + all shares", (found.base_values + found.values.sum(axis=1))[:3].round(1))

# %%
# One patient: red raises the prediction, blue lowers it.
AttributionDisplay.from_estimator(model, shown[:1], background)

# %%
# The mean magnitude over several patients ranks the columns. The display also draws numbers that
# have been computed before.
AttributionDisplay(found.data, found.values, feature_names=found.feature_names).plot()

# %%
# A column of text counts as one, however it is encoded. The women among the patients, and the men:
place = found.feature_names.index("sex")
for sex in ("female", "male"):
    shares = found.values[(shown["sex"] == sex).to_numpy(), place]
    print(f"{sex}: mean attribution {shares.mean():.1f}")

# %%
# Images
# ------
# Digits of 8 × 8 pixels, against a black image. Red pixels support the predicted class; blue ones
# contradict it.
digits = load_digits()
images = digits.images / 16
network = CNNClassifier((16, 32), learning_rate_init=0.005, max_iter=10, random_state=0)
network.fit(images[300:], digits.target[300:])
AttributionDisplay.from_estimator(network, images[:4], background=0)

# %%
# Text
# ----
# A network that has learnt a text predicts the next character. Here, it is the one with the highest
# probability, compared with a text of spaces. The last characters matter most.
text = "the cat sat on the mat. the dog sat on the log. the cow lay in the hay. " * 20
generator = TextGenerator(
    32, num_layers=1, sequence_length=40, batch_size=8, learning_rate_init=0.02, max_iter=30,
    random_state=0,
)  # fmt: skip
generator.fit(text)
AttributionDisplay.from_estimator(generator, ["the cat sat on the m", "the cow lay in the h"], " ")

# %%
# The plots of shap read the same numbers: ``attributions(...).to_shap()``.
assert np.allclose(found.errors, 0, atol=1e-3 * np.abs(found.values).sum(axis=1).max())
