"""Search spaces for the parameters of estimators for tables."""

from __future__ import annotations

from scipy.stats import loguniform, uniform

_SHARED = {
    "hidden_layer_sizes": [(256, 256, 256), (128, 128), (512, 256), (512, 512, 512)],
    "num_embedding": ["periodic", "piecewise_linear", None],
    "dropout": uniform(0.0, 0.4),
    "weight_decay": loguniform(1e-4, 0.1),
    "batch_size": [64, 128, 256, 512],
}
#: A list of values, or a distribution of scipy.stats, for each parameter.
CLASSIFIER_SPACE: dict = {
    **_SHARED,
    "learning_rate_init": loguniform(0.01, 0.2),
    "label_smoothing": [0.0, 0.05, 0.1],
}
REGRESSOR_SPACE: dict = {**_SHARED, "learning_rate_init": loguniform(0.04, 0.5)}
