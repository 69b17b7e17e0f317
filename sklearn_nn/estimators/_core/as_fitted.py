"""What an estimator was fitted with: this is what predicts, whatever parameters are set later."""

from __future__ import annotations

import copy
import functools

from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from sklearn_nn.estimators._core.programs import Programs

#: Parameters that decide neither what the network is, nor how X is read, nor what is made of the
#: output: they are for training, or say how things are done, and act from the next call on.
ACT_AT_ONCE = frozenset({
    "solver", "alpha", "batch_size", "learning_rate", "learning_rate_init", "power_t", "max_iter",
    "shuffle", "random_state", "tol", "verbose", "warm_start", "momentum", "nesterovs_momentum",
    "early_stopping", "validation_fraction", "beta_1", "beta_2", "epsilon", "n_iter_no_change",
    "max_fun", "class_weight", "l1_ratio", "max_norm", "weight_decay", "clipnorm", "ema_momentum",
    "scoring", "n_restarts", "callbacks", "n_jobs", "n_networks", "refit_full", "calibrate",
})  # fmt: skip
_PLAIN = (str, int, float, bool, type(None))


def as_fitted(method):
    """The method, run with the parameters that the estimator was fitted with."""

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        return method(self._as_fitted(), *args, **kwargs)

    return run


class AsFitted:
    """Mixin: parameters are taken down when a fit begins, and predictions go by these.

    A parameter that is set after a fit, or an object in one that is changed in place, waits for the
    next fit, then: the estimator at hand, its copies, its pickles and its files predict the same.
    """

    def _check_parameters(self):
        """Validate parameters of a fitted estimator, which scikit-learn's partial_fit does not.

        Those that are the same objects as the last time are not looked at again.
        """
        seen, now = vars(self).get("_validated", {}), self.get_params(deep=False)
        if len(seen) != len(now) or any(seen[name] is not value for name, value in now.items()):
            self._validate_params()
            self._validated = now

    def _take_down(self):
        """Take down the parameters that the network is made from."""
        self._made_with = {
            name: value if type(value) in _PLAIN else copy.deepcopy(value)
            for name, value in self.get_params(deep=False).items()
            if name not in ACT_AT_ONCE
        }
        vars(self).pop("_waits_for", None)
        self._forget_programs()

    def _checked_made_with(self, made_with, left_out):
        """What was taken down, as a file has it; an error if it cannot have been.

        Parameters that are not in the file have their defaults, and wait for `set_params`.
        """
        names = {name for name in self.get_params(deep=False) if name not in ACT_AT_ONCE}
        if not set(made_with) <= names:
            raise ValueError("parameters of a fit that are none")
        validate_parameter_constraints(self._parameter_constraints, made_with, type(self).__name__)
        missing = [name for name in names if name not in made_with]
        if not set(missing) <= set(left_out):
            raise ValueError(f"{', '.join(missing)} of the fit, which are missing")
        self._waits_for = tuple(sorted(missing))
        return {**made_with, **{name: copy.deepcopy(getattr(self, name)) for name in missing}}

    def set_params(self, **params):
        """Set parameters.

        What was fitted predicts as before; parameters that decide the network wait for the next
        fit. Those that a loaded file could not hold, such as a loss of one's own, are put back.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator.

        Returns
        -------
        self : object
            The estimator.
        """
        super().set_params(**params)
        found = [name for name in vars(self).get("_waits_for", ()) if name in params]
        if found:
            put_back = {name: copy.deepcopy(getattr(self, name)) for name in found}
            self._made_with = {**self._made_with, **put_back}
            self._waits_for = tuple(name for name in self._waits_for if name not in found)
            self._forget_programs()
        return self

    def _twin(self):
        """Another estimator with the same attributes, which can be set without a change here."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        return twin

    def _with_its_parameters(self):
        """A twin with the parameters that this estimator was fitted with."""
        if "_is_as_fitted" in vars(self):
            return self
        twin = self._twin()
        vars(twin).update(vars(self).get("_made_with", {}), _is_as_fitted=True)
        return twin

    def _as_fitted(self):
        """What predicts: a twin with the parameters of the fit, and the program made of them."""
        if "_is_as_fitted" in vars(self):
            return self
        if "_theta" not in vars(self):  # the check costs a tenth of a one-row predict
            check_is_fitted(self)
        self._trained_program()
        if "_others" not in vars(self):
            vars(self).setdefault("_others", Programs())  # here, for what predicts is soon gone
        return self._with_its_parameters()
