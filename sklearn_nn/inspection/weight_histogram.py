"""Histograms of a network's weights."""

import numpy as np

from sklearn_nn.inspection._fitted import fitted_network
from sklearn_nn.inspection._plotting import Display

#: Largest number of subplots in a row.
COLUMNS = 3


class WeightHistogramDisplay(Display):
    """Display of histograms of the weights, a subplot for each layer.

    Weights that pile up at zero belong to units that learnt nothing; long tails suggest a stronger
    penalty (`alpha`) or a lower learning rate.

    Parameters
    ----------
    weights : dict of str to dict of str to ndarray
        Arrays by layer and by name: `layers_` of an estimator.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_layers,)
        Axes of each layer.
    figure_ : matplotlib Figure
    histograms_ : dict of str to dict of str to (ndarray, ndarray)
        Counts and edges of the bins, by layer and by name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn.inspection import WeightHistogramDisplay
    >>> kernel = np.random.default_rng(0).standard_normal((20, 10))
    >>> display = WeightHistogramDisplay({"dense1": {"kernel": kernel}}).plot(bins=5)
    >>> counts, edges = display.histograms_["dense1"]["kernel"]
    >>> int(counts.sum())
    200
    """

    def __init__(self, weights):
        self.weights = weights

    @classmethod
    def from_estimator(cls, estimator, layers=None, bins=50, *, bias=False, axes=None):
        """Plot the weights of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted network, or scikit-learn's MLP, or a pipeline or search that contains one.
        layers : str or sequence of str, default=None
            Names of layers, keys of `layers_`; None is all layers with weights.
        bins : int or sequence, default=50
            Number of bins, or their edges, as for `numpy.histogram`.
        bias : bool, default=False
            Whether to draw the biases too.
        axes : sequence of matplotlib Axes, default=None
            One for each layer; None makes a new figure.

        Returns
        -------
        display : WeightHistogramDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If a layer does not exist, or no layer has weights.
        """
        arrays = _arrays_by_layer(fitted_network(estimator))
        names = list(arrays) if layers is None else [layers] if isinstance(layers, str) else layers
        if unknown := [name for name in names if name not in arrays]:
            raise ValueError(f"layers={unknown} are not in the network; it has {list(arrays)}.")
        weights = {name: found for name in names if (found := _select(arrays[name], bias))}
        if not weights:
            raise ValueError(f"layers={list(names)} have no weights; use others, or bias=True.")
        return cls(weights).plot(axes, bins=bins)

    def plot(self, axes=None, *, bins=50):
        """Draw the histograms.

        Parameters
        ----------
        axes, bins : optional
            See `from_estimator`, also for the errors.

        Returns
        -------
        display : WeightHistogramDisplay
        """
        size = {"cell": (3.4, 2.7), "width": 4.8, "margins": (0, 0.3)}
        self._use_grid(len(self.weights), COLUMNS, axes, None, **size)
        for ax in self.axes_[::COLUMNS] if axes is None else []:
            ax.set_ylabel("Share of values")
        self.histograms_ = {
            layer: _draw(ax, layer, arrays, bins)
            for ax, (layer, arrays) in zip(self.axes_, self.weights.items(), strict=True)
        }
        return self


def _draw(ax, layer, arrays, bins):
    """Draw the subplot of a layer; return counts and edges by array."""
    from matplotlib.ticker import PercentFormatter

    finite = {name: values[np.isfinite(values)] for name, values in arrays.items()}
    # The arrays of a layer share the edges, so that they can be compared.
    edges = np.histogram_bin_edges(np.concatenate(list(finite.values())), bins)
    counts = {name: np.histogram(values, edges)[0] for name, values in finite.items()}
    for name, values in finite.items():
        label = f"{name} ({' × '.join(map(str, np.shape(arrays[name])))})"
        # Shares, because a kernel has many more weights than biases.
        ax.stairs(counts[name] / max(values.size, 1), edges, fill=True, alpha=0.6, label=label)
    name, weights = next(iter(finite.items()))
    spread = f"mean {weights.mean():.3g}, std {weights.std():.3g}" if weights.size else "no values"
    ax.set_title(layer, fontsize="medium")
    ax.set_xlabel(f"{name}: {spread}", fontsize="small")
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.locator_params(nbins=5)
    ax.margins(y=0.3)  # room for the legend
    ax.legend(fontsize="small", loc="upper right", frameon=False)
    return {name: (of_bins, edges) for name, of_bins in counts.items()}


def _select(arrays, bias):
    """Return the trained arrays of a layer, with biases if `bias`."""
    return {
        name: np.ravel(array) if np.ndim(array) == 0 else np.asarray(array)
        for name, array in arrays.items()
        if not name.startswith("moving_") and (bias or not name.endswith("bias"))
    }


def _arrays_by_layer(network):
    """Return `layers_`, or the same from scikit-learn's `coefs_` and `intercepts_`."""
    if hasattr(network, "layers_"):
        return network.layers_
    if not hasattr(network, "coefs_"):
        raise TypeError(f"{type(network).__name__} has neither layers_ nor coefs_; pass a network.")
    names = [f"dense{i}" for i in range(1, len(network.coefs_))] + ["output"]
    return {
        name: {"kernel": kernel, "bias": bias}
        for name, kernel, bias in zip(names, network.coefs_, network.intercepts_, strict=True)
    }
