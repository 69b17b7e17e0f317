"""Slow, obvious twins of the random numbers, in plain Python."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Context:
    """State that the random numbers of a layer depend on, and whether any are drawn."""

    seed: int = 0
    step: int = 0
    slot: int = 1
    training: bool = True
    dtype: str = "float64"


def mix64(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
    return x ^ (x >> 31)


def mix32(x):
    x = ((x ^ (x >> 16)) * 0x7FEB352D) % 2**32
    x = ((x ^ (x >> 15)) * 0x846CA68B) % 2**32
    return x ^ (x >> 16)


def stream(*numbers):
    key = 0
    for number in numbers:
        key = mix64(((key ^ number % 2**64) + 0x9E3779B97F4A7C15) % 2**64)
    return key


def random_word(key, unit, index=0):
    """Return 32 bits, number `index` of one unit."""
    start = mix32((key + unit) % 2**32) ^ (key >> 32)
    return mix32((start + index * 0x9E3779B9) % 2**32)


def random_uniform(key, unit, index, dtype):
    if dtype == "float32":
        return (random_word(key, unit, index) >> 8) / 2**24
    high, low = random_word(key, unit, 2 * index), random_word(key, unit, 2 * index + 1)
    return ((high >> 5) * 2**26 + (low >> 6)) / 2**53


def random_normal(key, unit, dtype):
    """Return a normal variate, by Box and Muller."""
    u, v = (random_uniform(key, unit, index, dtype) for index in (0, 1))
    return np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)
