"""Fixtures for tests of plots: no window, no figure left open."""

import sys

import pytest
from sklearn.base import BaseEstimator


class Fitted(BaseEstimator):
    """Estimator that has exactly these fitted attributes."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def fit(self, X, y):
        """Return the estimator, which has nothing to learn."""
        return self


@pytest.fixture
def fitted():
    """Make an estimator with given fitted attributes."""
    return Fitted


@pytest.fixture
def plt():
    """Yield matplotlib.pyplot without a window; figures are closed at the end."""
    matplotlib = pytest.importorskip("matplotlib", reason="plots; matplotlib is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture
def without(monkeypatch):
    """Make a package look as if it were not installed."""

    def hide(package):
        for name in [n for n in sys.modules if n.partition(".")[0] == package]:
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, package, None)

    return hide


def texts(legend):
    """Return the words of a legend."""
    return [text.get_text() for text in legend.get_texts()]


@pytest.fixture
def legend_of():
    """Read the words of an axes' legend."""
    return lambda ax: texts(ax.get_legend())


@pytest.fixture
def overlaps():
    """Return a function that returns whether two artists overlap as drawn."""

    def overlap(first, second):
        first.figure.draw_without_rendering()
        return first.get_window_extent().overlaps(second.get_window_extent())

    return overlap
