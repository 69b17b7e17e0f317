"""Schedules against scikit-learn's."""

import pytest
from sklearn.base import clone
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

from sklearn_nn.training.schedules import Adaptive, Constant, InverseScaling, Schedule


def test_constant():
    for schedule in (Constant(), Schedule()):
        assert schedule.after_epoch(0.3, 0.5, 1000) == 0.3
        assert schedule.at_plateau(0.3) is None


@pytest.mark.parametrize("power_t", [0.0, 0.5, 1.3])
def test_inverse_scaling(power_t):
    reference = SGDOptimizer([], 0.4, lr_schedule="invscaling", power_t=power_t)
    schedule, rate = InverseScaling(power_t), 0.4
    for seen in range(0, 2000, 150):
        reference.iteration_ends(seen)
        rate = schedule.after_epoch(rate, 0.4, seen)
        assert rate == reference.learning_rate
    assert schedule.at_plateau(rate) is None
    assert reference.trigger_stopping("", False)


def test_adaptive():
    reference = SGDOptimizer([], 0.4, lr_schedule="adaptive")
    schedule, rate = Adaptive(), 0.4
    for _ in range(100):
        reference.iteration_ends(100)
        rate = schedule.after_epoch(rate, 0.4, 100)
        stops, lower = reference.trigger_stopping("", False), schedule.at_plateau(rate)
        assert stops == (lower is None)
        if stops:
            break
        rate = lower
        assert rate == reference.learning_rate
    else:
        pytest.fail("never stops")
    assert Adaptive(0.01).at_plateau(0.011) == 0.011 / 5
    assert Adaptive(0.01).at_plateau(0.01) is None


@pytest.mark.parametrize("schedule", [Constant(), InverseScaling(0.3), Adaptive(1e-3)])
def test_is_a_plain_value(schedule):
    assert clone(schedule) == schedule
