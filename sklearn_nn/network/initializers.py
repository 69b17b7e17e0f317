"""How parameters are drawn before training."""

from __future__ import annotations

import numpy as np

from sklearn_nn._spec import Spec


class Initializer(Spec):
    """Base of all initializers: called with a shape and its fans, returns a float64 array."""

    def __call__(
        self, rng: np.random.RandomState, shape: tuple[int, ...], fan_in: int, fan_out: int
    ) -> np.ndarray:
        """Draw an array of `shape`."""
        raise TypeError(f"{type(self).__name__} must define __call__")


class Zeros(Initializer):
    """All zeros."""

    def __call__(
        self, rng: np.random.RandomState, shape: tuple[int, ...], fan_in: int, fan_out: int
    ) -> np.ndarray:
        """Zeros; nothing is drawn."""
        return np.zeros(shape)


class GlorotUniform(Initializer):
    """Uniform in ±sqrt(scale / (fan_in + fan_out)) (Glorot & Bengio, 2010, eq. 16).

    Parameters
    ----------
    scale : float, default=6.0
        6 keeps the variance of activations and gradients; scikit-learn uses 2 for logistic units.
    """

    def __init__(self, scale: float = 6.0) -> None:
        self.scale = scale

    def __call__(
        self, rng: np.random.RandomState, shape: tuple[int, ...], fan_in: int, fan_out: int
    ) -> np.ndarray:
        """Draw from the uniform distribution."""
        bound = np.sqrt(self.scale / (fan_in + fan_out))
        return rng.uniform(-bound, bound, shape)


INITIALIZERS: dict[str, Initializer] = {"zeros": Zeros(), "glorot_uniform": GlorotUniform()}


def get_initializer(initializer: str | Initializer) -> Initializer:
    """The initializer of a name; an object is returned as it is.

    Raises
    ------
    ValueError
        If the name is not known.
    """
    if not isinstance(initializer, str):
        return initializer
    if initializer not in INITIALIZERS:
        known = ", ".join(INITIALIZERS)
        raise ValueError(f"initializer={initializer!r} is not known; use one of {known}.")
    return INITIALIZERS[initializer]
