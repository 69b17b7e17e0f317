"""How layers draw parameters that are not drawn as the weights of others are.

Each is called as an initializer is: with a random state, a shape and the fans of a unit.
"""

from __future__ import annotations

import math

import numpy as np

from sklearn_nn.layers.base import Shape


def draw_normal(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """Standard normal numbers."""
    return rng.standard_normal(shape)


def draw_signs(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """1 or -1, each as likely."""
    return 2.0 * rng.randint(2, size=shape) - 1.0


def draw_within_fan(
    rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int
) -> np.ndarray:
    """Uniform between -1 / sqrt(fan_in) and as much above 0."""
    bound = 1 / math.sqrt(fan_in)
    return rng.uniform(-bound, bound, shape)


def draw_alike(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """As `draw_within_fan`, but every row is the same."""
    return np.broadcast_to(draw_within_fan(rng, shape[1:], fan_in, fan_out), shape)
