"""Fit of a multi-layer perceptron, which does not scale X and y, as in scikit-learn."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn.estimators._core.fit import Fit
from sklearn_nn.estimators._core.parts import FitMode, warn
from sklearn_nn.estimators._inputs.scale import moments_of, some_rows
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import predict

#: Number of epochs before which nothing is said about what was learnt.
_LEAST_EPOCHS = 10
#: Number of rows below which nothing is said about X: from a few, little can be learnt anyway.
_LEAST_ROWS = 200
#: Share of the best possible gain over a constant prediction that counts as something.
_LEAST_GAIN = 0.01


class MLPFit(Fit):
    """Fit that warns if nothing was learnt from X or y that are far from unit size."""

    def read(self, reader, codec):
        """Return samples, their lengths, y and sample weights, all checked."""
        found = super().read(reader, codec)
        X = found[0].tocsr() if sparse.issparse(found[0]) else found[0]
        self.seen_rows = some_rows(X.shape)
        self.seen = X[self.seen_rows]
        return found

    def train(self, times):
        """Train, and warn if it was in vain."""
        super().train(times)
        if self.mode is FitMode.ONE_EPOCH or self.estimator.n_iter_ < _LEAST_EPOCHS:
            return
        odd = self._odd()
        if odd and self._learnt_nothing():
            warn(
                f"Predictions of the training data are no better than a constant. {' '.join(odd)}",
                ConvergenceWarning,
            )

    def _odd(self):
        """Return remarks about X and y, with a remedy, if they are far from unit size."""
        name, odd = type(self.estimator).__name__, []
        seen = moments_of(self.seen, self.seen.shape[1])
        if seen.are_far_from_unit and self.request.source.n_rows >= _LEAST_ROWS:
            odd.append(
                f"Columns of X have {_sizes(seen)}, while networks need about unit size: use "
                f"make_pipeline(StandardScaler(), {name}(...))."
            )
        if self.estimator._codec.is_numeric:
            target = self.request.target[self.seen_rows]
            seen = moments_of(target, target.shape[1])
            if seen.are_far_from_unit:
                odd.append(
                    f"y has {_sizes(seen)}: use TransformedTargetRegressor({name}(...), "
                    "transformer=StandardScaler())."
                )
        return odd

    def _learnt_nothing(self):
        """Return whether predictions for some rows are no better than the best constant."""
        est, request = self.estimator, self.request
        network, codec, target = est._network, est._codec, request.target[self.seen_rows]
        output = predict(
            network.program, network.theta, network.state, request.source, self.seen_rows,
            resolve_n_jobs(est.n_jobs),
        )  # fmt: skip
        if len(target) < 2 or not np.isfinite(output).all():
            return False
        constant = 0.0
        if not codec.is_numeric:
            _, counts = np.unique(target, axis=0, return_counts=True)
            constant = counts.max() / len(target)
        return codec.score(target, output, None) < constant + _LEAST_GAIN * (1 - constant)


def _sizes(seen):
    """Return the text of the sizes of columns."""
    means, deviations = np.abs(seen.mean), seen.deviation
    if len(means) == 1:
        return f"mean {seen.mean[0]:.3g} and standard deviation {deviations[0]:.3g}"
    return (
        f"means up to {means.max():.3g} and standard deviations of {deviations.min():.3g} to "
        f"{deviations.max():.3g}"
    )
