"""Declaration of the estimators' parameters, and the values that are allowed."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from numbers import Integral, Real
from typing import Any, TypeVar, dataclass_transform

import numpy as np
from sklearn.utils import _param_validation
from sklearn.utils._param_validation import Interval, InvalidParameterError, Options

from sklearn_nn._hints import about_class, hint_in_call, nearest, unexpected
from sklearn_nn._spec import parameters
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.layers.shape import CHANNELS_FIRST, CHANNELS_LAST
from sklearn_nn.network.initializers import INITIALIZERS, Initializer
from sklearn_nn.training.callbacks import Callback
from sklearn_nn.training.optimizers import OPTIMIZERS, Optimizer
from sklearn_nn.training.schedules import SCHEDULES, Schedule


class StrOptions(_param_validation.StrOptions):
    """Constraint that allows some strings, which errors show in sorted order."""

    def __str__(self):
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"


COUNT = [Interval(Integral, 1, None, closed="left")]
_SHARE = [Interval(Real, 0, 1, closed="left")]
_NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]
_INITIALIZER = [StrOptions(set(INITIALIZERS)), Initializer]

#: Allowed values of parameters that several estimators have, in the form of scikit-learn's
#: `_parameter_constraints`.
CONSTRAINTS: dict = {
    "hidden_layer_sizes": ["array-like", *COUNT],
    "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
    "dropout": [*_SHARE, "array-like"],
    "input_noise": _NOT_NEGATIVE,
    "batch_norm": ["boolean"],
    "weight_init": _INITIALIZER,
    "bias_init": _INITIALIZER,
    "input_shape": [tuple, list, None],
    "scale_inputs": ["boolean", StrOptions({"auto"})],
    "data_format": [StrOptions({CHANNELS_FIRST, CHANNELS_LAST})],
    "hidden_size": COUNT,
    "num_layers": COUNT,
    "label_smoothing": _SHARE,
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
    "conformal_fraction": _SHARE,
    "solver": [StrOptions({"lbfgs", *OPTIMIZERS}), Optimizer],
    "alpha": _NOT_NEGATIVE,
    "batch_size": [StrOptions({"auto"}), *COUNT],
    "learning_rate": [StrOptions(set(SCHEDULES)), Schedule, callable],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "learning_rate_factors": [dict, None],
    "power_t": _NOT_NEGATIVE,
    "max_iter": COUNT,
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": _NOT_NEGATIVE,
    "verbose": ["verbose"],
    "warm_start": ["boolean", StrOptions({"resume"})],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean", StrOptions({"best"})],
    "validation_fraction": _SHARE,
    "beta_1": _SHARE,
    "beta_2": _SHARE,
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [*COUNT, Options(Real, {np.inf})],
    "max_fun": COUNT,
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "max_norm": _NOT_NEGATIVE,
    "weight_decay": [*_NOT_NEGATIVE, None],
    "clipnorm": _NOT_NEGATIVE,
    "ema_momentum": _SHARE,
    "scoring": [str, callable, None],
    "n_restarts": COUNT,
    "callbacks": [list, tuple, Callback, None],
    "n_jobs": [Integral, None],
    "dtype": [StrOptions({"auto", "float32", "float64"})],
}

#: Parameters that decide neither what the network is, nor how X is read, nor what is made of the
#: output. They act from the next call on; all others wait for the next fit.
ACT_AT_ONCE = frozenset({
    "solver", "alpha", "batch_size", "learning_rate", "learning_rate_init", "power_t", "max_iter",
    "shuffle", "random_state", "tol", "verbose", "warm_start", "momentum", "nesterovs_momentum",
    "early_stopping", "validation_fraction", "beta_1", "beta_2", "epsilon", "n_iter_no_change",
    "max_fun", "class_weight", "l1_ratio", "max_norm", "weight_decay", "clipnorm", "ema_momentum",
    "scoring", "n_restarts", "callbacks", "n_jobs", "n_networks", "refit_full", "calibrate",
    "conformal_fraction",
})  # fmt: skip

#: Values of parameters, by what other libraries call them.
_OTHER_VALUES = {
    "sigmoid": "logistic", "linear": "identity", "swish": "silu", "mse": "squared_error",
    "mean_squared_error": "squared_error", "l2": "squared_error", "mae": "absolute_error",
    "mean_absolute_error": "absolute_error", "l1": "absolute_error", "crossentropy": "log_loss",
    "cross_entropy": "log_loss", "categorical_crossentropy": "log_loss",
    "sparse_categorical_crossentropy": "log_loss", "binary_crossentropy": "log_loss",
    "nll": "log_loss", "xavier": "glorot_uniform", "xavier_uniform": "glorot_uniform",
    "xavier_normal": "glorot_normal", "kaiming_uniform": "he_uniform",
    "kaiming_normal": "he_normal", "he": "he_normal", "glorot": "glorot_uniform",
    "reduce_on_plateau": "plateau", "reducelronplateau": "plateau", "one_cycle": "onecycle",
    "cosine_annealing": "cosine", "avg": "average", "mean": "average",
}  # fmt: skip

_Class = TypeVar("_Class", bound=type)


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field,))
def estimator_parameters(kind: _Class) -> _Class:
    """Make the annotated attributes of an estimator its parameters, and collect their constraints.

    Constraints are those of `CONSTRAINTS`, where no `_parameter_constraints` of the class or of a
    base say otherwise.
    """
    made: Any = kind
    if inspect.isabstract(kind):  # only its subclasses have instances, and so an `__init__`
        dataclasses.dataclass(init=False, eq=False, repr=False)(made)
        return kind
    parameters(made, bases_first=made._like_scikit_learn)
    allowed = dict(CONSTRAINTS)
    for base in reversed(made.__mro__):
        allowed |= vars(base).get("_parameter_constraints", {})
    made._parameter_constraints = {name: allowed[name] for name in made._get_param_names()}
    return kind


def knows_arguments(method):
    """Decorate a method of an estimator: its error about an unknown argument says what is meant."""
    arguments = [*inspect.signature(method).parameters][1:]

    @functools.wraps(method)
    def checked(self, *args, **values):
        for name in values:
            if name not in arguments:
                owner = type(self).__name__
                told = hint_in_call(name, arguments, self._get_param_names(), owner)
                raise unexpected(f"{owner}.{method.__name__}", name, told)
        return method(self, *args, **values)

    return checked


def validate(constraints, values, owner):
    """Validate parameters as scikit-learn does; errors say what is probably meant."""
    try:
        _param_validation.validate_parameter_constraints(constraints, values, owner)
    except InvalidParameterError as error:
        name = re.match(r"The '(\w+)' parameter", str(error))[1]
        told = _meant_value(name, values[name], constraints[name])
        raise InvalidParameterError(f"{error}{told}") from None


def _meant_value(name, value, allowed):
    """Return the sentence that ends the error about an invalid value: what is probably meant."""
    if name == "learning_rate" and isinstance(value, Real):
        return f" It is a schedule; for a number, use learning_rate_init={value!r}."
    if name in ("loss", "architecture") and isinstance(value, int | tuple | list):
        return f" It is the first parameter; for layers, use hidden_layer_sizes={value!r}."
    options = sorted(o for one in allowed if isinstance(one, StrOptions) for o in one.options)
    if name == "activation" and value is None:
        value = "identity"
    if name == "dtype" and isinstance(value, type | np.dtype):
        value = np.dtype(value).name
    if not isinstance(value, str):
        return about_class(value)
    meant = _OTHER_VALUES.get(value.lower())
    meant = meant if meant in options else nearest(value, options)
    return "" if meant is None else f" Did you mean {meant!r}?"


def fixed(value: Any) -> Any:
    """Return a class constant that takes the place of a parameter of a base class."""
    return dataclasses.field(default=value, init=False)
