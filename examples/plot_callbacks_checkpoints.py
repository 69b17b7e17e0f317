"""
=========================
Callbacks and checkpoints
=========================

Callbacks run at the end of every epoch: they record, save, change the learning rate or stop
training. A saved training can be resumed, with the same result to the last bit.
"""

# %%
# Recording
# ---------
# A callback is an object; ``callbacks=[...]`` takes any number of them. :class:`CSVLogger
# <sklearn_nn.training.CSVLogger>` writes the history to a file during training, for a spreadsheet
# or pandas. :class:`LambdaCallback <sklearn_nn.training.LambdaCallback>` calls functions: this one
# records the norm of each layer's weights. The circle marks the epoch with the best validation
# score, whose weights are kept. ``log`` holds the quantities of the epoch. The estimator
# is up to date: it can predict, and has its current weights and ``history_``.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_nn import MLPClassifier, load, load_checkpoint
from sklearn_nn.inspection import LossCurveDisplay
from sklearn_nn.training import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    ReduceLROnPlateau,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(
    X_train, y_train, stratify=y_train, random_state=0
)
folder = Path(tempfile.mkdtemp())
lengths = []
record_lengths = LambdaCallback(
    lambda _epoch, _log, estimator: lengths.append([np.linalg.norm(w) for w in estimator.coefs_])
)

mlp = MLPClassifier(
    (64, 32),
    learning_rate_init=0.005,
    max_iter=60,
    early_stopping="best",
    callbacks=[CSVLogger(folder / "history.csv"), record_lengths],
    random_state=0,
)
mlp.fit(X_train, y_train, X_val=X_val, y_val=y_val)
table = pd.read_csv(folder / "history.csv", index_col="epoch")
print(table.drop(columns="seconds").tail(3).round(4))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
LossCurveDisplay.from_estimator(mlp, ax=left, log_scale=True, score=True)
right.plot(table.index, lengths, label=["first layer", "second layer", "output layer"])
right.set(xlabel="Epoch", ylabel="Norm of the weights", ylim=(0, None))
right.legend(loc="lower right")

# %%
# Changing the training
# ---------------------
# The learning rate is reduced when the validation loss no longer improves, and training stops when
# that does not help either. User-defined callbacks may change ``log["learning_rate"]``, too; a
# callback that returns True ends training.
mlp.set_params(
    max_iter=200,
    solver="sgd",
    learning_rate_init=0.2,
    callbacks=[
        ReduceLROnPlateau(factor=0.3, patience=5),
        EarlyStopping(monitor="val_loss", patience=20),
    ],
)
mlp.fit(X_train, y_train, X_val=X_val, y_val=y_val)
display = LossCurveDisplay.from_estimator(mlp, log_scale=True, learning_rate=True)
display.figure_.set_size_inches(7.5, 4)
print(f"ended after {mlp.n_iter_} epochs, best was {mlp.best_iteration_}")

# %%
# A power failure
# ---------------
# :class:`ModelCheckpoint <sklearn_nn.training.ModelCheckpoint>` saves the estimator during
# training, here to one file after every epoch, and to a second file whenever the validation loss is
# the best so far. Files are replaced atomically, so there is always one that can be loaded.


class PowerCut(Callback):
    """Fail in the middle of training."""

    def on_epoch_end(self, epoch, log, estimator):
        """Raise in epoch 23."""
        if epoch == 23:
            raise RuntimeError(f"the lights went out in epoch {epoch}")


saving = [
    ModelCheckpoint(folder / "latest.npz"),
    ModelCheckpoint(folder / "best.npz", save_best_only=True),
]
plan = MLPClassifier(
    (64, 32),
    dropout=0.2,
    learning_rate="cosine",
    learning_rate_init=0.005,
    max_iter=50,
    early_stopping="best",
    random_state=0,
)
interrupted = clone(plan).set_params(callbacks=[*saving, PowerCut()])
try:
    interrupted.fit(X_train, y_train, X_val=X_val, y_val=y_val)
except RuntimeError as error:
    print(error)

# %%
# Resuming
# --------
# :func:`sklearn_nn.load_checkpoint` restores the estimator in the middle of its training: weights,
# the optimizer's moments, the position in the schedule, the order of the rows, and the random
# numbers. Its next ``fit``, with the same data, continues up to ``max_iter`` epochs in total. The
# result equals that of an uninterrupted run exactly. (The warning is about PowerCut: user-defined
# objects are not saved.)
resumed = load_checkpoint(folder / "latest.npz")
print(f"{resumed.n_iter_} epochs are done")
until = resumed.n_iter_
resumed.set_params(callbacks=saving).fit(X_train, y_train, X_val=X_val, y_val=y_val)
through = clone(plan).fit(X_train, y_train, X_val=X_val, y_val=y_val)
print("losses equal: ", resumed.loss_curve_ == through.loss_curve_)
same = [np.array_equal(a, b) for a, b in zip(resumed.coefs_, through.coefs_, strict=True)]
print("weights equal:", all(same))

figure, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
ax.plot(range(1, 51), through.loss_curve_, color="0.75", linewidth=6, label="without interruption")
ax.plot(range(1, until + 1), resumed.loss_curve_[:until], label="until the power cut")
ax.plot(range(until, 51), resumed.loss_curve_[until - 1 :], label="resumed from the file")
ax.set(xlabel="epoch", ylabel="training loss", yscale="log")
ax.legend()

# %%
# ``warm_start=True``, in contrast, starts a new training from the current weights, with a new
# optimizer and schedule. ``warm_start="resume"`` resumes exactly, without a file.
#
# The best epoch
# --------------
# The other file holds the network with the best validation loss. :func:`sklearn_nn.load` reads it,
# ready to predict, and runs no code in doing so.
best = load(folder / "best.npz")
print(f"epoch {best.n_iter_}, validation loss {best.validation_loss_curve_[-1]:.4f}")
print(f"test accuracy {best.score(X_test, y_test):.4f}")
# sphinx_gallery_thumbnail_number = 3
plt.show()

# %%
# :doc:`/guide_training` lists the callbacks. :ref:`sphx_glr_auto_examples_plot_learning_curves.py`
# reads the curves, and :ref:`sphx_glr_auto_examples_plot_warm_start.py` continues trainings in
# other ways.
