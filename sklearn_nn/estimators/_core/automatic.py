"""Parameters of training that are "auto": batch size, learning rate and number of epochs."""

from __future__ import annotations

from sklearn.utils._param_validation import StrOptions

from sklearn_nn.estimators._core.parameters import CONSTRAINTS
from sklearn_nn.training.optimizers import OPTIMIZERS

#: Value of parameters that the number of samples and the solver decide.
AUTO = "auto"
#: Allowed values of those of them that are numbers in scikit-learn's MLP.
AUTOMATIC = {n: [StrOptions({AUTO}), *CONSTRAINTS[n]] for n in ("learning_rate_init", "max_iter")}

#: A batch is a hundredth of the samples, within limits.
_BATCHES, _BATCH_SIZES = 100, (16, 128)
#: Updates that training aims at, and the limits of its number of epochs.
_UPDATES, _EPOCHS = 2000, (10, 200)
#: Iterations of 'lbfgs', as in scikit-learn's MLP.
_ITERATIONS = 200


def _within(value, limits):
    """Return the number within limits that is closest to a value."""
    least, most = limits
    return min(max(value, least), most)


def settle(estimator, n_samples):
    """Set `batch_size_`, `learning_rate_init_` and `max_iter_`: the values to train with.

    Those of scikit-learn's MLP and of tables are not determined here.
    """
    if estimator._usual_rate is None:
        return
    for name in ("batch_size_", "learning_rate_init_", "max_iter_"):
        vars(estimator).pop(name, None)
    solver = estimator.solver
    if isinstance(solver, str) and solver == "lbfgs":
        estimator.max_iter_ = _or_own(estimator, "max_iter", _ITERATIONS)
        return
    batch_size = _or_own(estimator, "batch_size", _within(n_samples // _BATCHES, _BATCH_SIZES))
    batch_size = min(batch_size, n_samples)
    epochs = _within(round(_UPDATES / -(-n_samples // batch_size)), _EPOCHS)
    factor = (OPTIMIZERS[solver] if isinstance(solver, str) else solver).rate_factor
    rate = estimator._usual_rate * factor
    estimator.batch_size_ = batch_size
    estimator.learning_rate_init_ = _or_own(estimator, "learning_rate_init", rate)
    estimator.max_iter_ = _or_own(estimator, "max_iter", epochs)


def _or_own(estimator, name, value):
    """Return a parameter's own value, or the given one if it is "auto"."""
    own = getattr(estimator, name)
    return value if own == AUTO else own
