"""Data for both multi-layer perceptrons, and small ones for it."""

from dataclasses import dataclass

import numpy as np
import pytest

from sklearn_nn import MLPClassifier, MLPRegressor

BOTH = pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
SOLVERS = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])


@dataclass(frozen=True)
class MLPProblem:
    """Samples with labels and numbers as targets, and default parameters for estimators."""

    X: np.ndarray
    labels: np.ndarray
    numbers: np.ndarray
    defaults: dict

    def make(self, Estimator=MLPClassifier, **parameters):
        """Return an estimator with the default parameters."""
        return Estimator(**{**self.defaults, **parameters})

    def target(self, Estimator):
        """Return the target for a class of estimators."""
        return self.labels if Estimator is MLPClassifier else self.numbers

    def fitted(self, Estimator=MLPClassifier, **parameters):
        """Return an estimator that is fitted to the samples."""
        return self.make(Estimator, **parameters).fit(self.X, self.target(Estimator))

    def output(self, estimator, X=None):
        """Return probabilities of classes, or predicted numbers."""
        X = self.X if X is None else X
        if isinstance(estimator, MLPClassifier):
            return estimator.predict_proba(X)
        return estimator.predict(X)
