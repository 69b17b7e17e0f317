"""Histograms of weights."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier as ScikitLearnMLP

from sklearn_nn import MLPClassifier
from sklearn_nn.inspection import WeightHistogramDisplay

pytestmark = pytest.mark.usefixtures("plt")


@pytest.fixture
def layers(rng):
    """Weights of a network with all kinds of arrays."""
    draw = rng.standard_normal
    return {
        "conv2d1": {"kernel": draw((3, 3, 1, 4)), "bias": draw(4)},
        "batchnorm1": {"gamma": draw(4), "beta": draw(4), "moving_mean": draw(4)},
        "lstm1": {"kernel": draw((4, 8)), "recurrent_kernel": draw((2, 8)), "bias": draw(8)},
        "output": {"kernel": draw((2, 3)), "bias": draw(3)},
    }


@pytest.fixture
def network(fitted, layers):
    return fitted(layers_=layers)


def titles(display):
    return [ax.get_title() for ax in display.axes_]


def test_one_subplot_a_layer(network, layers, legend_of):
    display = WeightHistogramDisplay.from_estimator(network)
    assert titles(display) == list(layers)
    assert [legend_of(ax) for ax in display.axes_] == [
        ["kernel (3 × 3 × 1 × 4)"],
        ["gamma (4)", "beta (4)"],
        ["kernel (4 × 8)", "recurrent_kernel (2 × 8)"],
        ["kernel (2 × 3)"],
    ]
    assert display.figure_.axes == list(display.axes_)


def test_counts_are_those_of_numpy(network, layers):
    display = WeightHistogramDisplay.from_estimator(network, layers="output", bins=7)
    counts, edges = display.histograms_["output"]["kernel"]
    expected = np.histogram(layers["output"]["kernel"], 7)
    assert_array_equal(counts, expected[0])
    assert_array_equal(edges, expected[1])
    (drawn,) = display.axes_[0].patches
    assert_array_equal(drawn.get_data().values, counts / 6)
    assert display.axes_[0].get_ylabel() == "Share of values"
    kernel = layers["output"]["kernel"]
    spread = f"kernel: mean {kernel.mean():.3g}, std {kernel.std():.3g}"
    assert display.axes_[0].get_xlabel() == spread


def test_given_edges(network):
    edges = [-10, 0, 10]
    display = WeightHistogramDisplay.from_estimator(network, ["output"], bins=edges)
    assert_array_equal(display.histograms_["output"]["kernel"][1], edges)


def test_arrays_of_a_layer_share_their_bins(network):
    display = WeightHistogramDisplay.from_estimator(network, ["output"], bias=True)
    histograms = display.histograms_["output"]
    assert list(histograms) == ["kernel", "bias"]
    assert_array_equal(histograms["kernel"][1], histograms["bias"][1])
    assert histograms["bias"][0].sum() == 3


def test_layers_are_chosen_in_their_order(network):
    display = WeightHistogramDisplay.from_estimator(network, layers=["output", "conv2d1"])
    assert titles(display) == ["output", "conv2d1"]


def test_unknown_layers(network):
    with pytest.raises(ValueError, match=r"\['dense7'\] .*conv2d1"):
        WeightHistogramDisplay.from_estimator(network, layers=["output", "dense7"])


def test_layers_with_biases_alone(fitted):
    network = fitted(layers_={"shift": {"bias": np.ones(3)}, "output": {"kernel": np.eye(2)}})
    assert titles(WeightHistogramDisplay.from_estimator(network)) == ["output"]
    with pytest.raises(ValueError, match="bias=True"):
        WeightHistogramDisplay.from_estimator(network, "shift")
    assert titles(WeightHistogramDisplay.from_estimator(network, "shift", bias=True)) == ["shift"]


def test_given_axes(network, plt):
    figure, axes = plt.subplots(2, 2)
    display = WeightHistogramDisplay.from_estimator(network, axes=axes)
    assert_array_equal(display.axes_, axes.ravel())
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="1 axes were passed for 4 plots"):
        WeightHistogramDisplay.from_estimator(network, axes=axes[0, 0])


@pytest.mark.parametrize(
    "kernel",
    [np.zeros((2, 3)), np.array([[1.0, np.nan, np.inf]]), np.full(2, np.nan), np.float32(2.0)],
)
def test_odd_weights(kernel, fitted):
    display = WeightHistogramDisplay.from_estimator(fitted(layers_={"a": {"kernel": kernel}}))
    counts, _ = display.histograms_["a"]["kernel"]
    assert counts.sum() == np.isfinite(kernel).sum()


def test_nothing_overlaps(fitted, rng, overlaps):
    layers = {f"dense{i}": {"kernel": rng.standard_normal((300, 200))} for i in range(7)}
    display = WeightHistogramDisplay.from_estimator(fitted(layers_=layers))
    for i, first in enumerate(display.axes_):
        title, legend, label = first.title, first.get_legend(), first.xaxis.label
        assert not overlaps(title, legend)
        for second in display.axes_[i + 1 :]:
            assert not overlaps(label, second.title)
            assert not overlaps(first, second)


@pytest.mark.parametrize("Estimator", [MLPClassifier, ScikitLearnMLP])
def test_real_networks(Estimator, rng):
    X, y = rng.standard_normal((30, 4)), np.arange(30) % 3
    network = Estimator((5, 6), max_iter=2, random_state=0)
    with pytest.warns(ConvergenceWarning):
        network.fit(X, y)
    display = WeightHistogramDisplay.from_estimator(network, bins=4)
    assert titles(display) == ["dense1", "dense2", "output"]
    for name, coef in zip(titles(display), network.coefs_, strict=True):
        assert_array_equal(
            display.histograms_[name]["kernel"][0],
            np.histogram(coef, np.histogram_bin_edges(coef, 4))[0],
        )


def test_not_a_network(rng):
    model = KNeighborsClassifier(1).fit([[0], [1]], [0, 1])
    with pytest.raises(TypeError, match="KNeighborsClassifier"):
        WeightHistogramDisplay.from_estimator(model)
    with pytest.raises(NotFittedError):
        WeightHistogramDisplay.from_estimator(MLPClassifier())
