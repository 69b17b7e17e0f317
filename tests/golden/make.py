"""Write the golden files of a release: `python tests/golden/make.py`, with the oldest NumPy.

A pickle made by an old NumPy loads in a new one, not always the other way round, so the files
come from the oldest environment of .ci/run. They are never made again: later releases add theirs.
"""

import warnings
from pathlib import Path

import joblib
import numpy as np

import sklearn_nn
from sklearn_nn import MLPClassifier, MLPRegressor

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.standard_normal((12, 3))
labels = np.array(["no", "yes", "perhaps"])[np.arange(12) % 3]
classifier = MLPClassifier((5, 4), max_iter=4, random_state=0, dropout=0.1, activation="gelu")
regressor = MLPRegressor(hidden_layer_sizes=6, max_iter=4, random_state=0, solver="sgd")
classifier.fit(X, labels)
regressor.fit(X.astype("float32"), X[:, :2], X_val=X, y_val=X[:, :2])
golden = {
    "X": X,
    "labels": labels.tolist(),
    "classifier": classifier,
    "probabilities": classifier.predict_proba(X),
    "regressor": regressor,
    "predictions": regressor.predict(X),
    "next": regressor.partial_fit(X, X[:, :2]).predict(X),
}
golden["regressor"] = MLPRegressor(hidden_layer_sizes=6, max_iter=4, random_state=0, solver="sgd")
golden["regressor"].fit(X.astype("float32"), X[:, :2], X_val=X, y_val=X[:, :2])
file = Path(__file__).with_name(f"mlp-{sklearn_nn.__version__}.joblib")
joblib.dump(golden, file, compress=("zlib", 9), protocol=4)
print(file, file.stat().st_size)
