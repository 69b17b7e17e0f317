"""Probabilities that hold what they say: one temperature, found on a validation set."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import predict
from sklearn_nn.training.callbacks import Callback

#: The natural logarithm of the temperature is looked for within these bounds.
_BOUNDS = (-3.0, 3.0)
#: So many rows more are taken to be there, of which each class is as right as any other. Without,
#: a network that is right in all of a few rows would be as sure as the bounds let it be.
_DOUBT = 1 / 3


def _log_odds(output, one_of_many):
    """Numbers of which the link makes the probabilities again, in float64."""
    p = output.astype(np.float64)
    tiny = np.finfo(output.dtype).tiny
    logs = np.log(np.maximum(p, tiny))
    if one_of_many:
        return logs
    # 1 - p of a float32 that rounds to 1 is at most half its distance to the next.
    rest = np.finfo(output.dtype).epsneg / 2
    return logs - np.log(np.maximum(1 - p, rest))


def fit_temperature(output, target, weight, *, one_of_many):
    """The temperature of least log loss, with some doubt where there are few rows.

    Parameters
    ----------
    output : ndarray of shape (n_samples, n_outputs)
        Probabilities: of classes that sum to one, or each of a yes.
    target : ndarray of shape (n_samples, n_targets)
        The class's number, or zeros and ones.
    weight : ndarray of shape (n_samples,) or None
        A row of weight 2 is as two rows.
    one_of_many : bool
        Whether one of several classes is right.

    Returns
    -------
    temperature : float
        1 leaves probabilities as they are; more brings them nearer to each other.

    References
    ----------
    Guo, C., Pleiss, G., Sun, Y., & Weinberger, K. Q. (2017). On calibration of modern neural
    networks. ICML.

    Platt, J. (1999). Probabilistic outputs for support vector machines and comparisons to
    regularized likelihood methods. Advances in Large Margin Classifiers. (For targets that are not
    quite certain.)
    """
    z = _log_odds(output, one_of_many)
    rows = np.arange(len(z))
    # Weights that sum to one, say, make rows no fewer.
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
    """Probabilities at a temperature. Their order, and which are above one half, stay."""
    if temperature == 1:
        return output
    z = _log_odds(output, one_of_many) / temperature
    found = softmax(z, axis=1) if one_of_many else expit(z)
    return found.astype(output.dtype, copy=False)


class Calibrator(Callback):
    """Sets the estimator's temperature when training has ended, on its validation set.

    Parameters
    ----------
    program : Program
        The network for the form of the validation set.
    validation : tuple
        Data, the rows of it that count, and targets and weights of all its rows.
    one_of_many : bool
        Whether one of several classes is right.
    """

    def __init__(self, program, validation, one_of_many):
        self.program = program
        self.validation = validation
        self.one_of_many = one_of_many

    def on_fit_end(self, estimator):
        """Find the temperature of the weights that are kept."""
        data, rows, target, weight = self.validation
        jobs = resolve_n_jobs(estimator.n_jobs)
        network = estimator._network
        output = predict(self.program, network.theta, network.state, data, rows, jobs)
        if np.isfinite(output).all():
            weight = None if weight is None else weight[rows]
            found = fit_temperature(output, target[rows], weight, one_of_many=self.one_of_many)
            estimator._temperatures = [*estimator._temperatures[:-1], found]
