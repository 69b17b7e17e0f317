"""Tests of what is learnt: their seeds, and what several trainings say together.

Where a training ends follows the rounding of its sums, which differs from processor to processor,
as it follows the seed: one run says little. Such a test has the mark `learning` and takes the
median of several trainings, against a bound that a fault crosses by far and chance does not. With
SKLEARN_NN_TEST_SEED=1 (2, 3, ...) all of them train with other seeds.
"""

import os

import numpy as np
import pytest

_SET = int(os.environ.get("SKLEARN_NN_TEST_SEED", "0"))

learning = pytest.mark.learning


def seeds(n=3):
    """Return seeds for n trainings, others for each SKLEARN_NN_TEST_SEED."""
    return range(1000 * _SET, 1000 * _SET + n)


def median(measure, n=3):
    """Return the median of what `measure` returns for n trainings: a number, or several.

    Parameters
    ----------
    measure : callable
        measure(seed) trains with that seed and returns a number or a sequence of numbers.
    n : int, default=3
    """
    return np.median([measure(seed) for seed in seeds(n)], axis=0)
