"""
=======================
Sequence classification
=======================

Classification of four noisy wave forms. The sequences have unequal lengths, and the information is
distributed over time. Recurrent networks with three types of cells, in both directions, with
several kinds of pooling, and after a convolution are compared with a logistic regression on summary
statistics of each sequence.
:doc:`/guide_sequences` explains the estimators.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import NeuralNetworkClassifier, RNNClassifier
from sklearn_nn.inspection import LossCurveDisplay
from sklearn_nn.layers import GRU, Activation, Conv1D, MaxPool1D

rng = np.random.default_rng(0)

# %%
# The data
# --------
# A list of arrays of shape (steps, channels), one per sequence. Both channels contain the same wave
# with a delay between them; its frequency, phase and length are random.


def wave(kind):
    """Return a noisy wave of 30 to 90 time steps in two channels."""
    steps, period = rng.integers(30, 90), rng.uniform(8, 20)
    t = np.arange(steps)[:, np.newaxis] / period + rng.uniform(0, 1) + [0, 0.2]
    phase = t % 1
    clean = {
        "sine": np.sin(2 * np.pi * t),
        "square": np.sign(0.5 - phase),
        "sawtooth": 2 * phase - 1,
        "triangle": 4 * np.abs(phase - 0.5) - 1,
    }[kind]
    noisy = clean / np.std(clean) + 0.5 * rng.standard_normal((steps, 2))
    return noisy.astype(np.float32)


kinds = np.array(["sawtooth", "sine", "square", "triangle"] * 250)
waves = [wave(kind) for kind in kinds]
X_train, X_test, y_train, y_test = train_test_split(
    waves, kinds, test_size=0.4, stratify=kinds, random_state=0
)

figure, axes = plt.subplots(4, 1, figsize=(7, 6), sharex=True, layout="constrained")
for ax, sequence, kind in zip(axes, waves, kinds, strict=False):
    ax.plot(sequence, label=["channel 0", "channel 1"])
    ax.set(ylabel=kind, xlim=(0, 90))
axes[0].legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
axes[-1].set_xlabel("step")

# %%
# A baseline
# ----------
# Standard deviations and quantiles do not depend on the order of the time steps.


def summaries(sequences):
    """Return statistics of the distribution of each channel's values."""
    shares = [0.05, 0.25, 0.75, 0.95]
    return np.array([np.r_[s.std(0), np.quantile(s, shares, axis=0).ravel()] for s in sequences])


baseline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
baseline.fit(summaries(X_train), y_train)
print(f"summaries: {baseline.score(summaries(X_test), y_test):.3f}")

# %%
# Networks
# --------
# One configuration each, without tuning. Early stopping holds out a tenth of the training data.

common = {
    "learning_rate_init": 0.01,
    "batch_size": 50,
    "max_iter": 40,
    "early_stopping": "best",
    "random_state": 0,
}
models = {
    "rnn": RNNClassifier(32, cell="rnn", pooling="mean", **common),
    "gru": RNNClassifier(32, cell="gru", pooling="mean", **common),
    "lstm": RNNClassifier(32, cell="lstm", pooling="mean", **common),
    "gru, last step": RNNClassifier(32, cell="gru", **common),
    "gru, attention": RNNClassifier(32, cell="gru", pooling="attention", **common),
    "gru, both ways": RNNClassifier(16, cell="gru", bidirectional=True, pooling="mean", **common),
    "convolution, gru": NeuralNetworkClassifier(
        [Conv1D(24, 5), Activation("relu"), MaxPool1D(2), GRU(32)], **common
    ),
}
scores = {}
for name, model in models.items():
    begun = time.perf_counter()
    scores[name] = model.fit(X_train, y_train).score(X_test, y_test)
    seconds = time.perf_counter() - begun
    print(f"{name}: {scores[name]:.3f}, {model.n_parameters_} parameters, {seconds:.1f} s")

# %%
# The loss and the confusion matrix of the best network. The circle marks the epoch that early
# stopping chose, by its score on the sequences that were held out.

best = models[max(scores, key=scores.get)]
figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
LossCurveDisplay.from_estimator(best, ax=axes[0], score=True)
ConfusionMatrixDisplay.from_estimator(
    best, X_test, y_test, ax=axes[1], cmap="Blues", colorbar=False
)
plt.show()

# %%
# :ref:`sphx_glr_auto_examples_plot_signal_cnn.py` classifies signals of equal length by
# convolutions alone, and :ref:`sphx_glr_auto_examples_plot_forecasting.py` forecasts a series.
