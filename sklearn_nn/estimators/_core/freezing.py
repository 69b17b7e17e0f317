"""Frozen layers in training, and factors on the learning rates of layers."""

from __future__ import annotations

import numpy as np


def check_some_trained(program, factors):
    """Raise ValueError if all layers are frozen."""
    if not len(program.groups()[0]):
        raise ValueError(
            f"All layers are frozen (learning_rate_factors={factors}), so "
            "there is nothing to train; unfreeze('output'), or copy layers='body' only with "
            "from_pretrained."
        )


def check_frozen_or_not(program, factors):
    """Raise ValueError if there are factors other than 0 and 1, for L-BFGS, which has no steps."""
    if np.isin(program.groups()[1][:, 0], (0, 1)).all():
        return
    if not all(factor in (0, 1) for factor in (factors or {}).values()):
        raise ValueError(
            f"learning_rate_factors={factors} acts on steps of a first-order solver; use "
            "solver='adam', say, or factors of 0 and 1 only with solver='lbfgs'."
        )
    for layer, arrays in program.layers.items():
        for name, placed in arrays.items():
            if placed.parameter.rate not in (0, 1):
                raise ValueError(
                    f"layer {layer!r} learns its {name} at {placed.parameter.rate:g} times the "
                    "learning rate, which solver='lbfgs' has not; use solver='adam', say, or "
                    "set the layer's factors on the rate (such as rate_factor) to 1."
                )


def thaws(estimator, program):
    """Return whether training goes on with layers that were frozen in the last one."""
    return not set(vars(estimator).get("_was_frozen", ())).issubset(program.frozen)


def hold_frozen(estimator, program, history):
    """Keep frozen arrays as they are now, wherever training goes on from, or back to."""
    estimator._was_frozen = program.frozen
    parameters = [placed for placed in program.parameters if placed.parameter.rate == 0]
    memories = [p for name in program.frozen for p in program.memories.get(name, {}).values()]
    if not parameters and not memories:
        return
    descent, network = estimator._optimizer, estimator._network

    def held(theta, state):
        found = theta.copy(), state.copy()
        for placed in parameters:
            placed.view(found[0])[...] = placed.view(network.theta)
        for placed in memories:
            placed.view(found[1])[...] = placed.view(network.state)
        return found

    if descent.average is not None and descent.raw is not None:
        # The average is what the user sees, and stands still with its parameter.
        descent.raw = held(descent.raw, network.state)[0]
    if history.last is not None:
        history.last = held(*history.last)
    if history.best_theta is not None:
        best = history.best_theta, history.best_state
        if not all(map(np.array_equal, held(*best), best)):
            history.forget_best()
