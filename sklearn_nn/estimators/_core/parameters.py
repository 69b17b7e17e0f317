"""The parameters that all estimators share, and what each may be."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    Options,
    StrOptions,
)

from sklearn_nn.network.initializers import INITIALIZERS, Initializer
from sklearn_nn.training.optimizers import OPTIMIZERS, Optimizer
from sklearn_nn.training.schedules import SCHEDULES, Schedule

_SHARE = [Interval(Real, 0, 1, closed="left")]
_NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]
_INITIALIZER = [StrOptions(set(INITIALIZERS)), Initializer]

#: Of training, whatever is trained.
TRAINING_CONSTRAINTS: dict = {
    "solver": [StrOptions({"lbfgs", *OPTIMIZERS}), Optimizer],
    "alpha": _NOT_NEGATIVE,
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions(set(SCHEDULES)), Schedule, callable],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "learning_rate_factors": [dict, None],
    "power_t": _NOT_NEGATIVE,
    "max_iter": [Interval(Integral, 1, None, closed="left")],
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
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "dropout": [*_SHARE, "array-like"],
    "input_noise": _NOT_NEGATIVE,
    "batch_norm": ["boolean"],
    "max_norm": _NOT_NEGATIVE,
    "weight_decay": [*_NOT_NEGATIVE, None],
    "clipnorm": _NOT_NEGATIVE,
    "ema_momentum": _SHARE,
    "weight_init": _INITIALIZER,
    "bias_init": _INITIALIZER,
    "scoring": [str, callable, None],
    "n_restarts": [Interval(Integral, 1, None, closed="left")],
    "callbacks": [list, tuple, None],
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
})  # fmt: skip
