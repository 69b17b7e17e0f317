"""Slow, obvious twins of a network's gradient and of training, in float64 NumPy."""

from dataclasses import dataclass

import numpy as np

from helpers.naive.random_numbers import Context

# --- networks: a stack is a list of rows of the table of layers --------------------------------


def contexts(stack, seed, step, dtype="float64", *, training=True):
    """Return the context of each layer: its output slot counts the slots before it."""
    slot, found = 0, []
    for case in stack:
        slot += case.n_slots
        found.append(Context(seed, step, slot, training, dtype))
    return found


def outputs(stack, parameters, x, places):
    """Return the input of every layer, and the raw output."""
    found = [x]
    for case, own, context in zip(stack, parameters, places, strict=True):
        found.append(case.forward(own, found[-1], context))
    return found


def batch_gradient(
    stack, parameters, x, loss, y, weight, eps, *, seed=0, step=0, dtype="float64"
):  # fmt: skip
    """Return the loss of the batch and the gradient of every parameter, without the penalty."""
    places = contexts(stack, seed, step, dtype)
    slots = outputs(stack, parameters, x, places)
    values, dz = loss(slots[-1], y, eps)
    total = weight.sum()
    scale = 1 / total if total > 0 else 0.0
    dy, gradients = dz * (weight * scale)[:, None], []
    for k in range(len(stack) - 1, -1, -1):
        dy, own = stack[k].backward(parameters[k], slots[k], dy, places[k])
        gradients.insert(0, own)
    return scale * (weight * values).sum(), gradients


# --- descent: a parameter is an array and its factors on the learning rate and on decay ---------


@dataclass(frozen=True)
class Step:
    """Parts of an update beside the optimizer's rule, as the machine names them. Zero is off."""

    alpha: float = 0.0
    l1_ratio: float = 0.0
    clipnorm: float = 0.0
    max_norm: float = 0.0
    weight_decay: float = 0.0
    average_keep: float = 0.0


def usual_factors(parameters):
    """Return the default factors: weights are penalised and decayed, biases are not."""
    return [[(1.0, float(p.ndim > 1)) for p in own] for own in parameters]


def flat(nested):
    return [item for own in nested for item in own]


def penalize(weights, gradients, factors, strength, l1_ratio):
    """Add the gradient of the penalty, and return the penalty."""
    penalty = 0.0
    for w, g, (rate, factor) in zip(weights, gradients, factors, strict=True):
        if rate > 0:
            l1, l2 = strength * factor * l1_ratio, strength * factor * (1 - l1_ratio)
            penalty += l1 * np.abs(w).sum() + l2 / 2 * (w**2).sum()
            g += l1 * np.sign(w) + l2 * w
    return penalty


def descend(weights, gradients, moments, factors, step, rule, t, rate):
    """Clip the gradient, decay and update the weights, and limit their norms, in place."""
    parameters = list(zip(weights, gradients, moments, factors, strict=True))
    trained = [(w, g, m, own) for w, g, m, own in parameters if own[0] > 0]
    norm = np.sqrt(sum((g**2).sum() for _, g, _, _ in trained))
    for w, g, m, (speed, factor) in trained:
        if step.clipnorm and norm > step.clipnorm:
            g *= step.clipnorm / norm
        w *= 1 - step.weight_decay * rate * speed * factor
        rule(w, g, m, t, rate * speed)
        if step.max_norm and w.ndim > 1:
            norms = np.sqrt((w**2).sum(axis=0))
            w *= np.where(norms > step.max_norm, step.max_norm / norms, 1)


def train(
    stack, parameters, x, loss, y, weight, eps, *, order, batch_size, rule, rate, seed=0,
    factors=None, average=None, **options,
):  # fmt: skip
    """Train batch after batch over `order`, in place, and return the losses.

    `options` are those of Step.
    """
    step, weights, losses = Step(**options), flat(parameters), []
    moments = [np.zeros((2, *w.shape)) for w in weights]
    factors = flat(usual_factors(parameters) if factors is None else factors)
    for t, first in enumerate(range(0, len(order), batch_size)):
        rows = order[first : first + batch_size]
        value, gradients = batch_gradient(
            stack, parameters, x[rows], loss, y[rows], weight[rows], eps, seed=seed, step=t
        )
        gradients, total = flat(gradients), weight[rows].sum()
        strength = step.alpha / total if total > 0 else 0.0
        value += penalize(weights, gradients, factors, strength, step.l1_ratio)
        descend(weights, gradients, moments, factors, step, rule, t + 1, rate)
        if average is not None:
            for mean, w in zip(flat(average), weights, strict=True):
                keep = step.average_keep if t else 0
                mean[...] = keep * mean + (1 - keep) * w
        losses.append(value)
    return np.array(losses)


def gather_sparse(values, indices, indptr, rows, width):
    x = np.zeros((len(rows), width))
    for i, row in enumerate(rows):
        for k in range(indptr[row], indptr[row + 1]):
            x[i, indices[k]] += values[k]
    return x
