"""Calibration of probabilities by a temperature, fitted on a validation set."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import predict
from sklearn_nn.training.callbacks import Callback

#: Bounds of the natural logarithm of the temperature.
_BOUNDS = (-3.0, 3.0)
#: Weight of a virtual row with equal probabilities of all classes. It keeps the temperature away
#: from its lower bound if the network is right in all of a few rows.
_DOUBT = 1 / 3


def _log_odds(output, one_of_many):
    """Return logits, in float64, that the link maps to the given probabilities."""
    p = output.astype(np.float64)
    tiny = np.finfo(output.dtype).tiny
    logs = np.log(np.maximum(p, tiny))
    if one_of_many:
        return logs
    # For p that rounds to 1, 1 - p is at most half the spacing of floats below 1.
    rest = np.finfo(output.dtype).epsneg / 2
    return logs - np.log(np.maximum(1 - p, rest))


def fit_temperature(output, target, weight, *, one_of_many):
    """Return the temperature with the smallest smoothed log loss; 1 leaves probabilities unchanged.

    `output` of shape (n_samples, n_outputs) holds probabilities: of classes that sum to one if
    `one_of_many`, else of independent labels. `target` of shape (n_samples, n_targets) holds the
    class index, or zeros and ones. `weight` (n_samples,) counts rows, or is None.

    References
    ----------
    Guo, C., Pleiss, G., Sun, Y., & Weinberger, K. Q. (2017). On calibration of modern neural
    networks. ICML.

    Platt, J. (1999). Probabilistic outputs for support vector machines and comparisons to
    regularized likelihood methods. Advances in Large Margin Classifiers. (For smoothed targets.)
    """
    z = _log_odds(output, one_of_many)
    rows = np.arange(len(z))
    # Weights with a small sum do not reduce the number of rows.
    n_rows = len(z) if weight is None else max(len(z), weight.sum())
    doubt = _DOUBT / (n_rows + _DOUBT)

    def loss(log_temperature):
        scaled = z * np.exp(-log_temperature)
        if one_of_many:
            logs = log_softmax(scaled, axis=1)
            of_right, of_any = logs[rows, target[:, 0]], logs.mean(axis=1)
        else:
            yes, no = log_expit(scaled), log_expit(-scaled)
            of_right = np.where(target > 0, yes, no).sum(axis=1)
            of_any = (yes + no).sum(axis=1) / 2
        return -np.average((1 - doubt) * of_right + doubt * of_any, weights=weight)

    found = minimize_scalar(loss, bounds=_BOUNDS, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def at_temperature(output, temperature, *, one_of_many):
    """Return probabilities at a temperature, which keeps their order."""
    if temperature == 1:
        return output
    z = _log_odds(output, one_of_many) / temperature
    found = softmax(z, axis=1) if one_of_many else expit(z)
    return found.astype(output.dtype, copy=False)


class Calibrator(Callback):
    """Callback that fits the estimator's temperature on its validation set after training.

    `program` is the network for the shape of the validation set. `validation` is a tuple of the
    data, the rows in use, and the targets and weights of all rows.
    """

    def __init__(self, program, validation, one_of_many):
        self.program = program
        self.validation = validation
        self.one_of_many = one_of_many

    def on_fit_end(self, estimator):
        """Fit the temperature for the final weights."""
        data, rows, target, weight = self.validation
        jobs = resolve_n_jobs(estimator.n_jobs)
        network = estimator._network
        output = predict(self.program, network.theta, network.state, data, rows, jobs)
        if np.isfinite(output).all():
            weight = None if weight is None else weight[rows]
            found = fit_temperature(output, target[rows], weight, one_of_many=self.one_of_many)
            estimator._temperatures = [*estimator._temperatures[:-1], found]
