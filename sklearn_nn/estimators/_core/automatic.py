"""Parameters of training that are "auto": batch size, learning rate and number of epochs."""

from __future__ import annotations

from typing import NamedTuple

from sklearn.utils._param_validation import StrOptions

from sklearn_nn.estimators._core.parameters import CONSTRAINTS
from sklearn_nn.training.optimizers import OPTIMIZERS

#: Value of parameters that the number of samples and the solver decide.
AUTO = "auto"
#: Allowed values of those of them that are numbers in scikit-learn's MLP.
AUTOMATIC = {n: [StrOptions({AUTO}), *CONSTRAINTS[n]] for n in ("learning_rate_init", "max_iter")}

#: A batch is a hundredth of the samples, within limits.
_BATCHES, _LARGEST_BATCH = 100, 128
#: Limits of the number of epochs.
_EPOCHS = 10, 200
#: Iterations of 'lbfgs', as in scikit-learn's MLP.
_ITERATIONS = 200


class Usual(NamedTuple):
    """Usual training of a kind of network, from which automatic parameters are made."""

    #: Learning rate of Adam.
    rate: float
    #: Size of the smallest batch.
    least_batch: int = 16
    #: Number of updates.
    updates: int = 2000


def _within(value, least, most):
    """Return the number within limits that is closest to a value."""
    return min(max(value, least), most)


def settle(estimator, n_samples):
    """Set `batch_size_`, `learning_rate_init_` and `max_iter_`: the values to train with.

    Those of scikit-learn's MLP and of tables are not determined here.
    """
    usual = estimator._usual
    if usual is None:
        return
    for name in ("batch_size_", "learning_rate_init_", "max_iter_"):
        vars(estimator).pop(name, None)
    solver = estimator.solver
    if isinstance(solver, str) and solver == "lbfgs":
        estimator.max_iter_ = _or_own(estimator, "max_iter", _ITERATIONS)
        return
    batch_size = _within(n_samples // _BATCHES, usual.least_batch, _LARGEST_BATCH)
    if n_samples < 2 * usual.least_batch:  # the second batch would be too small
        batch_size = n_samples
    batch_size = min(_or_own(estimator, "batch_size", batch_size), n_samples)
    epochs = _within(round(usual.updates / -(-n_samples // batch_size)), *_EPOCHS)
    factor = (OPTIMIZERS[solver] if isinstance(solver, str) else solver).rate_factor
    rate = usual.rate * factor
    estimator.batch_size_ = batch_size
    estimator.learning_rate_init_ = _or_own(estimator, "learning_rate_init", rate)
    estimator.max_iter_ = _or_own(estimator, "max_iter", epochs)


def _or_own(estimator, name, value):
    """Return a parameter's own value, or the given one if it is "auto"."""
    own = getattr(estimator, name)
    return value if own == AUTO else own
