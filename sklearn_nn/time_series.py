"""Networks of the literature for the classification and regression of time series.

Each function returns an estimator that has not been fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from sklearn_nn.estimators.network import NeuralNetworkClassifier
from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Bottleneck,
    Conv1D,
    GlobalAveragePool,
    Layer,
    MaxPool1D,
    Members,
    Parallel,
    Residual,
)
from sklearn_nn.network.initializers import HandCrafted

__all__ = ["fcn", "inception_time", "lite", "resnet_1d"]

_Layers = list[Layer | tuple[str, Layer]]

#: Training to the end of the one-cycle schedule, without a penalty on weights.
_TRAINING = {
    "learning_rate_init": 0.001, "learning_rate": "onecycle", "alpha": 0.0, "dtype": "float32",
}  # fmt: skip
#: Lengths of LITE's fixed filters; those of the peaks are half as long again.
_FIXED_LENGTHS = (2, 4, 8, 16, 32, 64)
#: Names in the full name of the fixed filters, which are frozen.
_MIXED, _FIXED, _MEMBERS = "multiplexed", "fixed", "members"


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and int(value) > 0


def _check_counts(**counts: Any) -> None:
    """Raise ValueError unless all values are positive whole numbers."""
    for name, value in counts.items():
        if not _is_count(value):
            raise ValueError(f"{name}={value!r} must be a positive whole number.")


def _check_sequences(**sequences: Any) -> None:
    """Raise ValueError unless all values are sequences of positive whole numbers."""
    for name, value in sequences.items():
        if not isinstance(value, Sequence) or not value or not all(map(_is_count, value)):
            raise ValueError(
                f"{name}={value!r} must be a sequence of positive whole numbers, such as (8, 5, 3)."
            )


def _conv(filters: int, kernel_size: int, **options: Any) -> Conv1D:
    """Return a convolution of which there is a result for every step, without a bias."""
    return Conv1D(filters, kernel_size, **{"padding": "same", "use_bias": False, **options})


def _norm() -> BatchNorm:
    """Return a batch normalization with the epsilon of Keras, in which the networks were made."""
    return BatchNorm(epsilon=1e-3)


def _rectified() -> _Layers:
    """Return batch normalization and relu."""
    return [_norm(), Activation("relu")]


def _halved(kernel_size: int, times: int) -> list[int]:
    """Return the length of a kernel, its half, its quarter, and so on; each at least 1."""
    return [max(1, kernel_size // 2**k) for k in range(times)]


def _estimator(
    layers: _Layers,
    n_networks: int,
    kind: Any,
    frozen: Sequence[str],
    parameters: dict[str, Any],
) -> Any:
    """Return the estimator of one network, or of several that are members of an ensemble."""
    _check_counts(n_networks=n_networks)
    if not isinstance(kind, type):
        raise TypeError(
            f"estimator={kind!r} must be a class, such as NeuralNetworkRegressor; pass its "
            "parameters to the function."
        )
    if "layers" in parameters:
        raise TypeError("The function makes the layers itself; omit the parameter layers.")
    whole: _Layers = [*layers, ("pool", GlobalAveragePool())]
    if n_networks > 1:
        whole = [(_MEMBERS, Members([whole] * int(n_networks)))]
        frozen = [f"{_MEMBERS}.{m}.{name}" for m in range(n_networks) for name in frozen]
    settings = {**_TRAINING, **parameters}
    if frozen:
        given = settings.get("learning_rate_factors") or {}
        settings["learning_rate_factors"] = {**dict.fromkeys(frozen, 0.0), **given}
    return kind(whole, **settings)


def _module(n_filters: int, kernel_size: int, bottleneck_size: int) -> _Layers:
    """Return the layers of an Inception module."""
    sizes = _halved(kernel_size, 3)
    convolutions = Parallel([_conv(n_filters, size) for size in sizes])
    pooled = [MaxPool1D(3, strides=1, padding="same"), _conv(n_filters, 1)]
    return [Parallel([[Bottleneck(bottleneck_size), convolutions], pooled]), *_rectified()]


def inception_time(
    n_filters: int = 32,
    depth: int = 6,
    *,
    kernel_size: int = 40,
    bottleneck_size: int = 32,
    n_networks: int = 5,
    estimator: Any = NeuralNetworkClassifier,
    **parameters: Any,
) -> Any:
    """Return InceptionTime, an ensemble of deep convolutional networks for time series.

    A module mixes the channels (a :class:`~sklearn_nn.layers.Bottleneck`), and joins the outputs of
    convolutions of three lengths and of a maximum over three steps. After every third module, the
    input of the three is added by a convolution of length 1. The mean over all steps goes to the
    output layer.

    X has the shape (n, steps, channels), or (n, steps) for series of one channel. With
    ``data_format="channels_first"``, it is (n, channels, steps), as in aeon.

    Parameters
    ----------
    n_filters : int, default=32
        Number of filters of each of the four branches of a module.
    depth : int, default=6
        Number of modules.
    kernel_size : int, default=40
        Length of the longest kernels, in steps; the others have a half and a quarter of it.
    bottleneck_size : int, default=32
        Number of channels that the convolutions of a module read. Series of one channel are read as
        they are.
    n_networks : int, default=5
        Number of networks of an ensemble, which differ in their initial weights; predictions are
        the mean of theirs. InceptionTime has five; one is named Inception in the literature.
    estimator : class, default=NeuralNetworkClassifier
        Class of the estimator: :class:`~sklearn_nn.NeuralNetworkClassifier` or
        :class:`~sklearn_nn.NeuralNetworkRegressor`.
    **parameters : dict
        Parameters of the estimator, of training above all. The following differ from its defaults:
        ``learning_rate_init=0.001``, ``learning_rate="onecycle"`` to the end of `max_iter` epochs,
        ``alpha=0`` and ``dtype="float32"``.

    Returns
    -------
    network : NeuralNetworkClassifier, or an object of the class `estimator`
        The estimator, which is not fitted.

    Raises
    ------
    TypeError
        If a parameter does not exist, or `estimator` is not a class.
    ValueError
        If a number of filters, of steps or of networks is not a positive whole number.

    See Also
    --------
    lite : Network with a fortieth of the weights.

    References
    ----------
    Ismail Fawaz, H., et al. (2020). InceptionTime: finding AlexNet for time series classification.
    Data Mining and Knowledge Discovery 34.

    Examples
    --------
    Noisy waves of two kinds, and a network that is smaller than the published one:

    >>> import numpy as np
    >>> from sklearn_nn.time_series import inception_time
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(60) % 2
    >>> waves = np.sin(np.arange(40) / 3 + rng.uniform(0, 6, (60, 1)))
    >>> X = np.where(y[:, np.newaxis] == 1, np.sign(waves), waves) + 0.1 * rng.normal(size=(60, 40))
    >>> model = inception_time(4, 3, n_networks=2, max_iter=30, random_state=0)
    >>> model.fit(X[:40], y[:40]).score(X[40:], y[40:])
    1.0
    """
    _check_counts(
        n_filters=n_filters, depth=depth, kernel_size=kernel_size, bottleneck_size=bottleneck_size
    )
    modules = [_module(n_filters, kernel_size, bottleneck_size) for _ in range(depth)]
    layers: _Layers = []
    for first in range(0, depth, 3):
        inner = [layer for module in modules[first : first + 3] for layer in module]
        if first + 3 <= depth:
            shortcut = [_conv(4 * n_filters, 1), _norm()]
            layers += [Residual(inner, shortcut=shortcut), Activation("relu")]
        else:
            layers += inner
    return _estimator(layers, n_networks, estimator, (), parameters)


def _fixed_filters() -> Parallel:
    """Return the convolutions of LITE that are not trained, of one filter each."""
    patterns = [("increasing", n) for n in _FIXED_LENGTHS]
    patterns += [("decreasing", n) for n in _FIXED_LENGTHS]
    patterns += [("peak", n * 3 // 2) for n in _FIXED_LENGTHS[1:]]
    return Parallel([_conv(1, n, kernel_initializer=HandCrafted(name)) for name, n in patterns])


def lite(
    n_filters: int = 32,
    *,
    kernel_size: int = 40,
    n_networks: int = 1,
    estimator: Any = NeuralNetworkClassifier,
    **parameters: Any,
) -> Any:
    """Return LITE, a small convolutional network for time series.

    The first layer joins convolutions of three lengths, and 17 fixed filters that find rises, falls
    and peaks. Two depthwise separable, dilated convolutions follow. The mean over all steps goes to
    the output layer. With 32 filters, there are 9,814 weights before the output layer.

    The fixed filters are frozen by a factor of 0 in the parameter `learning_rate_factors`; factors
    that are passed are added to it.

    X has the shape (n, steps, channels), or (n, steps) for series of one channel. With
    ``data_format="channels_first"``, it is (n, channels, steps), as in aeon.

    Parameters
    ----------
    n_filters : int, default=32
        Number of filters of each trained convolution.
    kernel_size : int, default=40
        Length of the longest kernels, in steps; the others have a half and a quarter of it.
    n_networks : int, default=1
        Number of networks of an ensemble, which differ in their initial weights; predictions are
        the mean of theirs. The ensemble of five is named LITETime in the literature.
    estimator : class, default=NeuralNetworkClassifier
        Class of the estimator: :class:`~sklearn_nn.NeuralNetworkClassifier` or
        :class:`~sklearn_nn.NeuralNetworkRegressor`.
    **parameters : dict
        Parameters of the estimator, of training above all. The following differ from its defaults:
        ``learning_rate_init=0.005``, ``learning_rate="onecycle"`` to the end of `max_iter` epochs,
        ``alpha=0`` and ``dtype="float32"``.

    Returns
    -------
    network : NeuralNetworkClassifier, or an object of the class `estimator`
        The estimator, which is not fitted.

    Raises
    ------
    TypeError
        If a parameter does not exist, or `estimator` is not a class.
    ValueError
        If a number of filters, of steps or of networks is not a positive whole number.

    See Also
    --------
    inception_time : Ensemble of larger networks.

    References
    ----------
    Ismail-Fawaz, A., Devanne, M., Berretti, S., Weber, J., & Forestier, G. (2023). LITE: light
    Inception with boosting techniques for time series classification. DSAA.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn.time_series import lite
    >>> X = np.zeros((2, 150, 1))
    >>> model = lite(random_state=0).initialize(X, [0, 1])
    >>> summary = model.summary()
    >>> summary.n_trainable - summary.rows[-1].n_parameters, summary.n_frozen
    (9814, 438)
    """
    _check_counts(n_filters=n_filters, kernel_size=kernel_size)
    sizes = _halved(kernel_size, 3)
    fixed = _fixed_filters()
    branches = [_conv(n_filters, size) for size in sizes]
    mixed = Parallel([*branches, [(_FIXED, fixed), Activation("relu")]])
    layers: _Layers = [(_MIXED, mixed), *_rectified()]
    channels = len(branches) * n_filters + len(fixed.branches)
    for k, size in enumerate(sizes[1:], 1):
        options = {"groups": channels, "dilation_rate": 2**k}
        layers += [_conv(channels, size, **options), _conv(n_filters, 1), *_rectified()]
        channels = n_filters
    frozen = [f"{_MIXED}.{len(branches)}.{_FIXED}"]
    faster = {"learning_rate_init": 0.005, **parameters}
    return _estimator(layers, n_networks, estimator, frozen, faster)


def fcn(
    n_filters: Sequence[int] = (128, 256, 128),
    *,
    kernel_size: Sequence[int] = (8, 5, 3),
    n_networks: int = 1,
    estimator: Any = NeuralNetworkClassifier,
    **parameters: Any,
) -> Any:
    """Return the fully convolutional network, a baseline for time series.

    Convolutions with batch normalization and relu, and the mean over all steps.

    X has the shape (n, steps, channels), or (n, steps) for series of one channel. With
    ``data_format="channels_first"``, it is (n, channels, steps), as in aeon.

    Parameters
    ----------
    n_filters : sequence of int, default=(128, 256, 128)
        Number of filters of each convolution.
    kernel_size : sequence of int, default=(8, 5, 3)
        Length of the kernels of each convolution, in steps.
    n_networks : int, default=1
        Number of networks of an ensemble, which differ in their initial weights; predictions are
        the mean of theirs. 1 is no ensemble.
    estimator : class, default=NeuralNetworkClassifier
        Class of the estimator: :class:`~sklearn_nn.NeuralNetworkClassifier` or
        :class:`~sklearn_nn.NeuralNetworkRegressor`.
    **parameters : dict
        Parameters of the estimator, of training above all. The following differ from its defaults:
        ``learning_rate_init=0.001``, ``learning_rate="onecycle"`` to the end of `max_iter` epochs,
        ``alpha=0`` and ``dtype="float32"``.

    Returns
    -------
    network : NeuralNetworkClassifier, or an object of the class `estimator`
        The estimator, which is not fitted.

    Raises
    ------
    TypeError
        If a parameter does not exist, or `estimator` is not a class.
    ValueError
        If a number of filters, of steps or of networks is not a positive whole number.

    References
    ----------
    Wang, Z., Yan, W., & Oates, T. (2017). Time series classification from scratch with deep neural
    networks: a strong baseline. IJCNN.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn.time_series import fcn
    >>> model = fcn(random_state=0).initialize(np.zeros((2, 150, 1)), [0, 1])
    >>> [row.output_shape for row in model.summary().rows if row.layer == "Conv1D"]
    [(150, 128), (150, 256), (150, 128)]
    """
    _check_sequences(n_filters=n_filters, kernel_size=kernel_size)
    if len(n_filters) != len(kernel_size):
        raise ValueError(
            f"n_filters={n_filters!r} and kernel_size={kernel_size!r} differ in length; pass one "
            "of each for every convolution."
        )
    layers: _Layers = []
    for filters, size in zip(n_filters, kernel_size, strict=True):
        layers += [_conv(filters, size, use_bias=True), *_rectified()]
    return _estimator(layers, n_networks, estimator, (), parameters)


def resnet_1d(
    n_filters: Sequence[int] = (64, 128, 128),
    *,
    kernel_size: Sequence[int] = (8, 5, 3),
    n_networks: int = 1,
    estimator: Any = NeuralNetworkClassifier,
    **parameters: Any,
) -> Any:
    """Return the residual network for time series.

    A block consists of convolutions with batch normalization and relu; its input is added before
    the last relu, by a convolution of length 1 where the number of channels changes. The mean over
    all steps goes to the output layer.

    X has the shape (n, steps, channels), or (n, steps) for series of one channel. With
    ``data_format="channels_first"``, it is (n, channels, steps), as in aeon.

    Parameters
    ----------
    n_filters : sequence of int, default=(64, 128, 128)
        Number of filters of the convolutions of each block.
    kernel_size : sequence of int, default=(8, 5, 3)
        Length of the kernels of the convolutions of a block, in steps.
    n_networks : int, default=1
        Number of networks of an ensemble, which differ in their initial weights; predictions are
        the mean of theirs. 1 is no ensemble.
    estimator : class, default=NeuralNetworkClassifier
        Class of the estimator: :class:`~sklearn_nn.NeuralNetworkClassifier` or
        :class:`~sklearn_nn.NeuralNetworkRegressor`.
    **parameters : dict
        Parameters of the estimator, of training above all. The following differ from its defaults:
        ``learning_rate_init=0.001``, ``learning_rate="onecycle"`` to the end of `max_iter` epochs,
        ``alpha=0`` and ``dtype="float32"``.

    Returns
    -------
    network : NeuralNetworkClassifier, or an object of the class `estimator`
        The estimator, which is not fitted.

    Raises
    ------
    TypeError
        If a parameter does not exist, or `estimator` is not a class.
    ValueError
        If a number of filters, of steps or of networks is not a positive whole number.

    References
    ----------
    Wang, Z., Yan, W., & Oates, T. (2017). Time series classification from scratch with deep neural
    networks: a strong baseline. IJCNN.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn.time_series import resnet_1d
    >>> model = resnet_1d(random_state=0).initialize(np.zeros((2, 150, 1)), [0, 1])
    >>> [(row.name, row.output_shape) for row in model.summary().rows if row.layer == "Residual"]
    [('residual1', (150, 64)), ('residual2', (150, 128)), ('residual3', (150, 128))]
    """
    _check_sequences(n_filters=n_filters, kernel_size=kernel_size)
    layers: _Layers = []
    before = None
    for filters in n_filters:
        inner: _Layers = []
        for size in kernel_size:
            inner += [_conv(filters, size, use_bias=True), *_rectified()]
        same = [] if filters == before else [_conv(filters, 1, use_bias=True)]
        layers += [Residual(inner[:-1], shortcut=[*same, _norm()]), Activation("relu")]
        before = filters
    return _estimator(layers, n_networks, estimator, (), parameters)
