"""The suggestion of the range test, and how it is shown."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_nn.inspection import LearningRateDisplay, suggest_rate

RATES = np.logspace(-5, 1, 121)
LOWEST = RATES[60]


def curve(rates=RATES):
    """Losses that are lowest near 0.01, and explode above 1."""
    decades = np.log10(rates)
    valley = 0.8 + 0.2 * (decades - np.log10(LOWEST)) ** 2
    return valley + np.exp(np.minimum(8 * decades, 100)) * (decades > -0.5)


@pytest.mark.parametrize("shift", [0, 10])
@pytest.mark.parametrize("n_rates", [7, 13, 25, 121, 1000])
def test_a_third_of_the_best_rate(n_rates, shift):
    """As near as the rates allow; also if losses are negative."""
    rates = np.logspace(-5, 1, n_rates)
    losses = curve(rates) - shift
    found = suggest_rate(list(rates), list(losses))
    assert type(found) is float
    assert found in rates
    best, step = rates[np.argmin(losses)], rates[1] / rates[0]
    assert best / 3 / np.sqrt(step) < found < best / 3 * np.sqrt(step)


@pytest.mark.parametrize("losses", [[1, 2, 3], [1, 1, 1]])
def test_the_smallest_where_nothing_falls(losses):
    assert suggest_rate([0.1, 1, 10], losses) == 0.1


@pytest.mark.parametrize("end", [np.nan, np.inf, -np.inf, 1e300])
def test_divergence_at_the_end(end):
    losses = curve()
    expected = suggest_rate(RATES, losses)
    losses[-15:] = end
    assert suggest_rate(RATES, losses) == expected


def test_losses_after_divergence_do_not_count():
    losses = curve()
    losses[100] = np.nan
    losses[101:] = -5.0
    assert suggest_rate(RATES, losses) == suggest_rate(RATES, curve())


def test_order_of_rates():
    order = np.random.default_rng(0).permutation(RATES.size)
    assert suggest_rate(RATES[order], curve()[order]) == suggest_rate(RATES, curve())


def test_units_of_the_loss_do_not_matter():
    assert suggest_rate(RATES, 1e-6 * curve()) == suggest_rate(RATES, curve())


def test_two_rates():
    assert suggest_rate([0.1, 1.0], [2.0, 1.0]) == 1.0


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        suggest_rate([1, 2], [1, 2, 3])
    for rates in ([0, 1, 2], [-1, 1, 2], [1, 1, 2], [1, 2, np.nan]):
        with pytest.raises(ValueError, match="rates must be positive"):
            suggest_rate(rates, [3, 2, 1])
    with pytest.raises(ValueError, match="1 losses are finite"):
        suggest_rate([1, 2, 3], [1, np.nan, 2])


def test_curve_and_suggestion_are_drawn(plt, legend_of):
    losses = curve()
    losses[-10:] = np.nan
    display = LearningRateDisplay(RATES, losses).plot()
    (line,) = display.lines_
    assert_array_equal(line.get_xdata(), RATES[:-10])
    assert_array_equal(line.get_ydata(), losses[:-10])
    assert display.suggestion_ == suggest_rate(RATES, losses)
    assert display.suggestion_line_.get_xdata()[0] == display.suggestion_
    ax = display.ax_
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Learning rate", "Loss")
    suggested = f"Suggested rate: {display.suggestion_:.3g}"
    assert legend_of(ax) == ["Loss", suggested]


def test_an_explosion_does_not_flatten_the_curve(plt):
    losses = curve()
    assert losses.max() > 1000
    display = LearningRateDisplay(RATES, losses).plot()
    low, high = display.ax_.get_ylim()
    assert low < losses.min()
    assert losses[0] < high < 2 * losses[0]


def test_a_curve_that_only_rises(plt):
    display = LearningRateDisplay([0.1, 1, 10], [1, 2, 3]).plot()
    low, high = display.ax_.get_ylim()
    assert low < 1
    assert high > 3


def test_a_suggestion_of_ones_own(plt):
    figure, ax = plt.subplots()
    display = LearningRateDisplay(RATES, curve(), 0.5).plot(ax, line_kw={"color": "red"})
    assert display.suggestion_ == 0.5
    assert display.suggestion_line_.get_xdata()[0] == 0.5
    assert display.lines_[0].get_color() == "red"
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_the_representation_shows_the_suggestion():
    display = LearningRateDisplay(RATES, curve(), 0.0123456)
    assert repr(display) == ("LearningRateDisplay(suggestion=0.0123, 121 rates from 1e-05 to 10)")
    found = LearningRateDisplay([1e-3, 1e-2, 1e-1], [2.0, 1.0, 3.0])
    assert repr(found) == "LearningRateDisplay(suggestion=0.01, 3 rates from 0.001 to 0.1)"
