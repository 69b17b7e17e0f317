"""The range test: which rate it suggests, and how it is shown."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_nn.inspection import LearningRateDisplay, suggest_rate

RATES = np.logspace(-5, 1, 121)
STEEPEST = 1e-2


def curve(rates=RATES, noise=0.0):
    """Losses that fall fastest at 0.01, and explode above 1."""
    decades = np.log10(rates)
    falls = 2.3 - 1.5 / (1 + np.exp(-5 * (decades - np.log10(STEEPEST))))
    explodes = np.exp(np.minimum(8 * decades, 100))
    return falls + explodes * (decades > -0.5) + noise


def within(rate, decades):
    return abs(np.log10(rate / STEEPEST)) <= decades


def test_the_steepest_fall():
    assert within(suggest_rate(RATES, curve()), 0.06)


@pytest.mark.parametrize("seed", range(5))
def test_noise(seed):
    noise = 0.03 * np.random.default_rng(seed).standard_normal(RATES.size)
    assert within(suggest_rate(RATES, curve(noise=noise)), 0.5)


@pytest.mark.parametrize("n_rates", [7, 13, 25, 1000])
def test_any_number_of_rates(n_rates):
    rates = np.logspace(-5, 1, n_rates)
    assert within(suggest_rate(rates, curve(rates)), 6 / (n_rates - 1) + 0.06)


def test_suggestion_is_one_of_the_rates():
    rate = suggest_rate(list(RATES), list(curve()))
    assert type(rate) is float
    assert rate in RATES


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
    assert within(suggest_rate(RATES, losses), 0.06)


def test_losses_may_be_negative():
    assert suggest_rate(RATES, curve() - 10) == suggest_rate(RATES, curve())


def test_no_fall_before_the_minimum_counts_after_it():
    """A steeper fall after the lowest loss is chance."""
    losses = np.array([2.0, 2.0, 1.5, 1.0, 0.5, 1.9, 1.9, 1.9, 0.8, 0.9])
    rates = np.logspace(-4, 0, 10)
    assert suggest_rate(rates, losses) <= rates[4]


def test_order_of_rates():
    order = np.random.default_rng(0).permutation(RATES.size)
    assert suggest_rate(RATES[order], curve()[order]) == suggest_rate(RATES, curve())


@pytest.mark.parametrize("losses", [np.linspace(1, 2, 121), np.ones(121)])
def test_the_smallest_where_nothing_falls(losses):
    assert suggest_rate(RATES, losses) == RATES[0]


def test_two_rates():
    assert suggest_rate([0.1, 1.0], [2.0, 1.0]) in (0.1, 1.0)


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
    raw, smoothed = display.lines_
    assert_array_equal(raw.get_xdata(), RATES[:-10])
    assert_array_equal(raw.get_ydata(), losses[:-10])
    near = np.abs(np.log10(RATES[:-10] / STEEPEST)) < 1
    assert np.abs(smoothed.get_ydata() - losses[:-10])[near].max() < 0.1
    assert display.suggestion_ == suggest_rate(RATES, losses)
    assert display.suggestion_line_.get_xdata()[0] == display.suggestion_
    ax = display.ax_
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Learning rate", "Loss")
    suggested = f"Suggested rate: {display.suggestion_:.3g}"
    assert legend_of(ax) == ["Loss", "Smoothed loss", suggested]


def test_an_explosion_does_not_flatten_the_curve(plt):
    losses = curve()
    assert losses.max() > 1000
    display = LearningRateDisplay(RATES, losses).plot()
    low, high = display.ax_.get_ylim()
    assert low < losses.min()
    assert losses[0] < high < 2 * losses[0]
    # The smoothed curve ends where it would no longer tell the truth.
    assert np.isnan(display.lines_[1].get_ydata()[-1])


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
    assert display.lines_[1].get_color() == "red"
    assert display.ax_ is ax
    assert display.figure_ is figure
