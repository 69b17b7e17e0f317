"""Spec: a named bundle of hyperparameters."""

from __future__ import annotations

from sklearn.base import BaseEstimator


class Spec(BaseEstimator):
    """Hyperparameters and nothing else: layers, optimizers, schedules and initializers are Specs.

    A Spec clones, prints, pickles and nests in a parameter grid like any scikit-learn estimator;
    two Specs of one class with equal parameters are equal. What is learnt or computed from it
    lives elsewhere.
    """

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return bool(self.get_params() == other.get_params())

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))
