"""Hyperparameters: limits, user-defined classes, equality."""

import inspect
import typing

import numpy as np
import pytest

import sklearn_nn
from sklearn_nn import MLPClassifier, MLPRegressor, layers, training
from sklearn_nn._spec import Spec
from sklearn_nn.layers import Dense, Residual
from sklearn_nn.training import (
    Callback,
    EarlyStopping,
    Huber,
    Listed,
    Loss,
    Quantile,
    SquaredError,
    StepDecay,
)

rng = np.random.default_rng(0)
X = rng.standard_normal((30, 3))
Y = X[:, 0]


def small(**options):
    return MLPRegressor(hidden_layer_sizes=3, max_iter=2, random_state=0, **options)


class _Median(Quantile):
    def __init__(self):
        super().__init__(0.5)


class _Steps(StepDecay):
    def __init__(self, **options):
        super().__init__(**options)


class _Patient(EarlyStopping):
    def __init__(self):
        super().__init__(patience=7)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "options",
    [{"loss": _Median()}, {"learning_rate": _Steps(drop=0.5)}, {"callbacks": [_Patient()]}],
)
def test_subclasses_may_fix_hyperparameters_with_limits(options):
    assert np.isfinite(small(**options).fit(X, Y).loss_)


class _Watch(Callback):
    """Callback with names that the base class has, too."""

    limits = {"seconds": "[0, inf)"}

    def __init__(self, seconds):
        self.seconds = seconds

    def check(self, log):
        return log["loss"] < 0

    def on_epoch_end(self, epoch, log, estimator):
        return self.check(log)


class _Clipped(Loss):
    kernel, link = SquaredError.kernel, "identity"

    def __init__(self, limits=(0, 1)):
        self.limits = limits

    def options(self, dtype):
        return np.zeros(0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_names_of_user_defined_classes_are_free():
    assert small(loss=_Clipped(), callbacks=[_Watch(3)]).fit(X, Y).n_iter_ == 2


def test_limits_without_a_default():
    with pytest.raises(ValueError, match=r"seconds=-1 .* use a number in \[0, inf\)\.$"):
        small(callbacks=[_Watch(-1)]).fit(X, Y)
    with pytest.raises(ValueError, match=r"delta=0 .* in \(0, inf\), such as 1.0\."):
        small(loss=Huber(0)).fit(X, Y)


def test_limits_name_hyperparameters():
    kinds = [k for module in (training, layers) for k in vars(module).values()]
    bounded = [k for k in kinds if inspect.isclass(k) and issubclass(k, Spec)]
    assert len(bounded) > 70
    for kind in bounded:
        assert set(kind.limits) <= set(inspect.signature(kind).parameters), kind


def test_equality_and_hash():
    assert Dense(3) == Dense(3.0) != Dense(4)
    assert hash(Dense(3)) == hash(Dense(3.0))
    assert Listed(np.array([1, 0.5])) == Listed(np.array([1, 0.5])) != Listed(np.array([1, 0.4]))
    assert Dense(3, activation="relu") != Dense(3)
    assert Residual([Dense(3)]) == Residual([Dense(3)]) != Residual([Dense(4)])
    assert len({Dense(3), Dense(3), Dense(4)}) == 2


def test_constructors_have_no_annotations_that_cannot_be_evaluated():
    for name in sklearn_nn.__all__:
        kind = getattr(sklearn_nn, name)
        if inspect.isclass(kind):
            typing.get_type_hints(kind.__init__)
    assert inspect.signature(MLPClassifier).parameters["alpha"].default == 0.0001
