"""Initial distributions that are used by single layers: functions of the form of an initializer."""

from __future__ import annotations

import math

import numpy as np

from sklearn_nn.layers.layer import Shape


def draw_normal(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """Draw from the standard normal distribution."""
    return rng.standard_normal(shape)


def draw_signs(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """Draw 1 or -1 with equal probability."""
    return 2.0 * rng.randint(2, size=shape) - 1.0


def draw_within_fan(
    rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int
) -> np.ndarray:
    """Draw uniformly from [-b, b) with b = 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    return rng.uniform(-bound, bound, shape)


def draw_alike(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """Draw one row by `draw_within_fan` and repeat it."""
    return np.broadcast_to(draw_within_fan(rng, shape[1:], fan_in, fan_out), shape)
