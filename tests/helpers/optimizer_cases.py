"""One row for every optimizer, with its naive twin.

A new optimizer gets a row here: a test fails until it has one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from helpers.naive import optimizers as naive
from sklearn_nn.training.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RMSprop,
)


@dataclass(frozen=True)
class OptimizerCase:
    """An optimizer and its twin, a function of (theta, gradient, moments, t, rate)."""

    name: str
    optimizer: Optimizer
    naive: Callable


def rule(name, optimizer, twin):
    """Return a row for an optimizer; the twin gets the same hyperparameters."""
    return OptimizerCase(name, optimizer, partial(twin, **optimizer.get_params()))


# Decay is the machine's, and not of every parameter: here the rows have none.
OPTIMIZERS = [
    rule("sgd", SGD(momentum=0.0, nesterov=False), naive.sgd),
    rule("momentum", SGD(momentum=0.8, nesterov=False), naive.sgd),
    rule("nesterov", SGD(momentum=0.9, nesterov=True), naive.sgd),
    rule("adam", Adam(), naive.adam),
    rule("adam_fast", Adam(beta_1=0.5, beta_2=0.9, epsilon=1e-3), naive.adam),
    rule("adamw", AdamW(weight_decay=0.0), naive.adamw),
    rule("nadam", NAdam(), naive.nadam),
    rule(
        "nadam_fast", NAdam(beta_1=0.8, beta_2=0.9, epsilon=1e-3, momentum_decay=0.3), naive.nadam
    ),
    rule("adamax", Adamax(), naive.adamax),
    rule("adagrad", Adagrad(), naive.adagrad),
    rule("adagrad_bold", Adagrad(initial_accumulator_value=1e-3, epsilon=1e-5), naive.adagrad),
    rule("rmsprop", RMSprop(), naive.rmsprop),
    rule("rmsprop_momentum", RMSprop(rho=0.8, momentum=0.7), naive.rmsprop),
    rule("rmsprop_centered", RMSprop(centered=True, epsilon=1e-4), naive.rmsprop),
    rule("adadelta", Adadelta(), naive.adadelta),
    rule("adadelta_fast", Adadelta(rho=0.7, epsilon=1e-3), naive.adadelta),
    rule("lion", Lion(), naive.lion),
]
#: The only one that keeps three moments.
RMSPROP = rule(
    "rmsprop_of_three", RMSprop(rho=0.8, momentum=0.7, centered=True, epsilon=1e-4), naive.rmsprop
)
