"""Sampling of text: distributions of the next character, and a reader of characters."""

from __future__ import annotations

import math
from numbers import Integral, Real

import numpy as np

from sklearn_nn.network.machine import Predictor
from sklearn_nn.network.source import source


def check_choice(n_chars, temperature, top_k, top_p):
    """Raise ValueError if a parameter of sampling is out of range."""
    if n_chars is not None and not (isinstance(n_chars, Integral) and n_chars >= 0):
        raise ValueError(
            f"n_chars={n_chars!r} must be a whole number >= 0; sample_iter takes None."
        )
    if not (isinstance(temperature, Real) and 0 <= temperature < math.inf):
        raise ValueError(
            f"temperature={temperature!r} must be a number >= 0; use 1.0 for the network's own "
            "probabilities, 0 for the most probable character."
        )
    if top_k is not None and not (isinstance(top_k, Integral) and top_k >= 1):
        raise ValueError(f"top_k={top_k!r} must be a whole number >= 1, or None for no limit.")
    if top_p is not None and not (isinstance(top_p, Real) and 0 < top_p <= 1):
        raise ValueError(f"top_p={top_p!r} must be a number in (0, 1], or None for no limit.")


def probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    """Return the distribution to draw from, in float64, for logits of shape (n,).

    The logits are divided by `temperature`; at 0 the first of the largest has probability 1.
    `top_k` keeps that many of the largest, the first of equal ones. Of these, `top_p` keeps the
    largest whose probabilities together reach it.
    """
    logits = logits.astype(np.float64)
    if temperature == 0:
        p = np.zeros(logits.size)
        p[logits.argmax()] = 1
        return p
    p = np.exp((logits - logits.max()) / temperature)
    p /= p.sum()
    if top_k is not None or top_p is not None:
        # Sorted by logits, because small probabilities may underflow to zero.
        order = np.argsort(-logits, kind="stable")
        kept = p.size if top_k is None else min(top_k, p.size)
        p[order[kept:]] = 0
        if top_p is not None:
            reached = np.cumsum(p[order[:kept]])
            p[order[1 + np.searchsorted(reached, top_p * reached[-1]) :]] = 0
        p /= p.sum()
    return p


def draw(p, rng):
    """Draw an index with the given probabilities."""
    reached = np.cumsum(p)
    return int(np.searchsorted(reached, rng.random_sample() * reached[-1], side="right"))


class Reader:
    """Reader of a text, character by character, with the logits of the next one in `logits`.

    `program` reads one time step with a raw output and keeps its state. `before`, of shape
    (n_characters,), are the logits before the first character.
    """

    def __init__(self, program, theta, state, before):
        self._place = np.zeros((1, 1), dtype=program.dtype)
        # The predictor reads this array, into which each character is written.
        self._predictor = Predictor(program, source(self._place, program.dtype))
        self._weights = theta, state
        self._continues = False
        self.logits = before

    def read(self, codes):
        """Read the codes of further characters; return the reader."""
        for code in codes:
            self._place[0, 0] = code
            self.logits = self._predictor.run(*self._weights, continues=self._continues)[0]
            self._continues = True
        return self
