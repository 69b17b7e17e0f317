"""Text one character at a time: reading it, and drawing what comes next."""

from __future__ import annotations

import math
from numbers import Integral, Real

import numpy as np

from sklearn_nn.network.machine import Predictor
from sklearn_nn.network.source import source


def check_choice(n_chars, temperature, top_k, top_p):
    """Raise a ValueError if a parameter of sampling is out of its range."""
    if n_chars is not None and not (isinstance(n_chars, Integral) and n_chars >= 0):
        raise ValueError(
            f"n_chars={n_chars!r} must be a whole number >= 0; sample_iter takes None."
        )
    if not (isinstance(temperature, Real) and 0 <= temperature < math.inf):
        raise ValueError(
            f"temperature={temperature!r} must be a number >= 0; use 1.0 for the network's own "
            "probabilities, 0 for the likeliest character."
        )
    if top_k is not None and not (isinstance(top_k, Integral) and top_k >= 1):
        raise ValueError(f"top_k={top_k!r} must be a whole number >= 1, or None for no limit.")
    if top_p is not None and not (isinstance(top_p, Real) and 0 < top_p <= 1):
        raise ValueError(f"top_p={top_p!r} must be a number in (0, 1], or None for no limit.")


def probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    """The distribution to draw from.

    Parameters
    ----------
    logits : ndarray of shape (n,)
        Logarithms of probabilities, up to a constant.
    temperature : float
        The logits are divided by it; 0 is all for the largest, the first of several.
    top_k : int or None
        Only so many of the largest are left; of equal ones the first.
    top_p : float or None
        Only the largest are left whose probabilities together reach this. Of what `top_k` leaves.

    Returns
    -------
    p : ndarray of shape (n,), float64
    """
    logits = logits.astype(np.float64)
    if temperature == 0:
        p = np.zeros(logits.size)
        p[logits.argmax()] = 1
        return p
    p = np.exp((logits - logits.max()) / temperature)
    p /= p.sum()
    if top_k is not None or top_p is not None:
        # By logits: far from the largest, the probabilities of different ones are equally zero.
        order = np.argsort(-logits, kind="stable")
        kept = p.size if top_k is None else min(top_k, p.size)
        p[order[kept:]] = 0
        if top_p is not None:
            reached = np.cumsum(p[order[:kept]])
            p[order[1 + np.searchsorted(reached, top_p * reached[-1]) :]] = 0
        p /= p.sum()
    return p


def draw(p, rng):
    """A number with these probabilities."""
    reached = np.cumsum(p)
    return int(np.searchsorted(reached, rng.random_sample() * reached[-1], side="right"))


class Reader:
    """Reads a text one character at a time, and knows what may follow.

    Parameters
    ----------
    program : Program
        That reads one step, and goes on. Its output is raw.
    theta, state : ndarray
    before : ndarray of shape (n_characters,)
        The logits before anything was read.
    """

    def __init__(self, program, theta, state, before):
        self._place = np.zeros((1, 1), dtype=program.dtype)
        # The data are this one place, into which every character is written.
        self._predictor = Predictor(program, source(self._place, program.dtype))
        self._weights = theta, state
        self._continues = False
        self.logits = before

    def read(self, codes):
        """Read on."""
        for code in codes:
            self._place[0, 0] = code
            self.logits = self._predictor.run(*self._weights, continues=self._continues)[0]
            self._continues = True
        return self
