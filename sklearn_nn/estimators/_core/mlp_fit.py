"""Fit of a multi-layer perceptron, which does not scale X and y, as in scikit-learn."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn.estimators._core.fit import Fit
from sklearn_nn.estimators._core.parts import FitMode, warn
from sklearn_nn.estimators._inputs.scale import moments_of, some_rows
from sklearn_nn.estimators._targets.codec import MULTICLASS
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import predict

#: Number of epochs before which nothing is said about what was learnt.
_LEAST_EPOCHS = 10
#: Number of rows below which nothing is said about X: from a few, little can be learnt anyway.
_LEAST_ROWS = 200
#: The same if predictions are far worse than a constant, and by which factor their loss is larger.
_LEAST_ROWS_IF_WORSE, _FAR_WORSE = 30, 2.0
#: Share of the best possible gain over a constant prediction that counts as something.
_LEAST_GAIN = 0.01


class MLPFit(Fit):
    """Fit that warns if nothing was learnt from X or y that are far from unit size."""

    def read(self, reader, codec):
        """Return samples, their lengths, y and sample weights, all checked."""
        found = super().read(reader, codec)
        if self.mode is FitMode.ONE_EPOCH:  # nothing is said about a part of the data
            return found
        X = found[0].tocsr() if sparse.issparse(found[0]) else found[0]
        self.seen_rows = some_rows(X.shape)
        self.seen = X[self.seen_rows]
        return found

    def train(self, times):
        """Train, and warn if it was in vain, unless it has been said that the loss exploded."""
        super().train(times)
        once = self.mode is FitMode.ONE_EPOCH
        if once or self.explosion_was_told or self.estimator.n_iter_ < _LEAST_EPOCHS:
            return
        about_x, about_y = self._about_x(), self._about_y()
        output = self._output() if about_x or about_y else None
        if output is None or not self._learnt_nothing(output):
            return
        if self.request.source.n_rows < _LEAST_ROWS and not self._is_far_worse(output):
            about_x = None
        odd = " ".join(filter(None, (about_x, about_y)))
        if odd:
            warn(
                f"Predictions of the training data are no better than a constant. {odd}",
                ConvergenceWarning,
            )

    def _about_x(self):
        """Return a remark about X, with a remedy, if it is far from unit size, else None."""
        seen = moments_of(self.seen, self.seen.shape[1])
        if self.request.source.n_rows < _LEAST_ROWS_IF_WORSE or not seen.are_far_from_unit:
            return None
        return (
            f"Columns of X have {_sizes(seen)}, while networks need about unit size: use "
            f"make_pipeline(StandardScaler(), {type(self.estimator).__name__}(...))."
        )

    def _about_y(self):
        """Return a remark about the numbers y as `_about_x` does."""
        if not self.estimator._codec.is_numeric:
            return None
        target = self._target()
        seen = moments_of(target, target.shape[1])
        if not seen.are_far_from_unit:
            return None
        return (
            f"y has {_sizes(seen)}: use TransformedTargetRegressor("
            f"{type(self.estimator).__name__}(...), transformer=StandardScaler())."
        )

    def _target(self):
        """Return the targets of the rows that are looked at."""
        return self.request.target[self.seen_rows]

    def _output(self):
        """Return the output for these rows; None if it is not finite or there is a single row."""
        est, network = self.estimator, self.estimator._network
        output = predict(
            network.program, network.theta, network.state, self.request.source, self.seen_rows,
            resolve_n_jobs(est.n_jobs),
        )  # fmt: skip
        return output if len(output) > 1 and np.isfinite(output).all() else None

    def _learnt_nothing(self, output):
        """Return whether the score of an output is no better than that of the best constant."""
        codec, target = self.estimator._codec, self._target()
        constant = 0.0
        if not codec.is_numeric:
            _, counts = np.unique(target, axis=0, return_counts=True)
            constant = counts.max() / len(target)
        return codec.score(target, output, None) < constant + _LEAST_GAIN * (1 - constant)

    def _is_far_worse(self, output):
        """Return whether the squared error or log loss of an output is far above a constant's."""
        codec, target = self.estimator._codec, self._target()
        if self.request.weight is not None:  # the best constant of few, unequal rows is another
            return False
        if codec.is_numeric:
            return codec.score(target, output, None) < 1 - _FAR_WORSE  # R^2
        if codec.kind == MULTICLASS:
            target = np.eye(output.shape[1])[target[:, 0]]
        constant = np.broadcast_to(target.mean(axis=0), output.shape)
        return _log_loss(target, output) > _FAR_WORSE * _log_loss(target, constant)


def _log_loss(target, output):
    """Return the log loss of probabilities; each column of `target` is an event, 0 or 1."""
    chance = np.where(target == 1, output, 1 - output.astype(np.float64))
    return -np.log(np.maximum(chance, np.finfo(np.float32).tiny)).sum(axis=1).mean()


def _sizes(seen):
    """Return the text of the sizes of columns."""
    means, deviations = np.abs(seen.mean), seen.deviation
    if len(means) == 1:
        return f"mean {seen.mean[0]:.3g} and standard deviation {deviations[0]:.3g}"
    return (
        f"means up to {means.max():.3g} and standard deviations of {deviations.min():.3g} to "
        f"{deviations.max():.3g}"
    )
