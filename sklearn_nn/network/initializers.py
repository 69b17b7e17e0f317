"""Initializers, which draw parameters before training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.random import RandomState

from sklearn_nn._spec import Spec, parameters
from sklearn_nn.layers.layer import Shape

#: Standard deviation of a standard normal cut off at ±2: sqrt(1 - 4 φ(2) / (2 Φ(2) - 1)).
_TRUNCATED_STDDEV = 0.87962566103423978


def _truncated_normal(rng: RandomState, shape: Shape) -> np.ndarray:
    """Draw standard normal numbers within ±2."""
    drawn = rng.standard_normal(math.prod(shape))
    outside = np.flatnonzero(np.abs(drawn) > 2)
    while outside.size:
        drawn[outside] = rng.standard_normal(outside.size)
        outside = outside[np.abs(drawn[outside]) > 2]
    return drawn.reshape(shape)


class Initializer(Spec):
    """Base class of initializers, which are called with a shape and its fans."""

    def __call__(self, rng: RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
        """Draw an array.

        Parameters
        ----------
        rng : RandomState
            Random number generator.
        shape : tuple of int
            Shape of the parameter; a bias has one dimension.
        fan_in, fan_out : int
            Number of inputs and outputs of one unit.

        Returns
        -------
        drawn : ndarray of shape `shape`, float64
        """
        raise TypeError(f"{type(self).__name__} must define __call__")


@parameters
class Constant(Initializer):
    """Initializer with a constant value.

    Parameters
    ----------
    value : float, default=0.0
        Value of all elements.

    Examples
    --------
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.network.initializers import Constant
    >>> model = MLPClassifier(4, bias_init=Constant(0.1))
    >>> model.initialize([[0.0, 1.0], [1.0, 0.0]], [0, 1]).intercepts_[0]
    array([0.1, 0.1, 0.1, 0.1])
    """

    value: float = 0.0

    def __call__(self, rng: RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
        """Fill an array with the value."""
        self.check()
        return np.full(shape, self.value, np.float64)


@parameters
class Uniform(Initializer):
    """Uniform distribution between two bounds, independent of the fans.

    Its variance is (high - low)² / 12.

    Parameters
    ----------
    low : float, default=-0.1
        Lower bound.
    high : float, default=0.1
        Upper bound.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.network.initializers import Uniform
    >>> model = MLPClassifier(1000, weight_init=Uniform(-0.2, 0.2), random_state=0)
    >>> weights = model.initialize([[0.0, 1.0], [1.0, 0.0]], [0, 1]).coefs_[0]
    >>> round(float(weights.min()), 1), round(float(weights.max()), 1)
    (-0.2, 0.2)
    """

    low: float = -0.1
    high: float = 0.1

    def __call__(self, rng: RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
        """Draw from the uniform distribution."""
        self.check()
        if not self.low <= self.high:
            raise ValueError(f"low={self.low} is not below high={self.high}; swap them.")
        return rng.uniform(self.low, self.high, shape)


@parameters
class Normal(Initializer):
    """Normal distribution, independent of the fans.

    Parameters
    ----------
    mean : float, default=0.0
        Mean.
    stddev : float, default=0.05
        Standard deviation.

    Examples
    --------
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.network.initializers import Normal
    >>> model = MLPClassifier(1000, weight_init=Normal(0, 0.2), random_state=0)
    >>> weights = model.initialize([[0.0, 1.0], [1.0, 0.0]], [0, 1]).coefs_[0]
    >>> round(float(weights.std()), 1)
    0.2
    """

    limits = {"stddev": "[0, inf)"}

    mean: float = 0.0
    stddev: float = 0.05

    def __call__(self, rng: RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
        """Draw from the normal distribution."""
        self.check()
        return self.mean + self.stddev * self._standard(rng, shape)

    def _standard(self, rng: RandomState, shape: Shape) -> np.ndarray:
        return rng.standard_normal(shape)


class TruncatedNormal(Normal):
    """Normal distribution truncated at two `stddev` from the mean.

    As in Keras the spread is not corrected: the standard deviation is 0.8796 `stddev`.

    Parameters
    ----------
    mean : float, default=0.0
        Mean of the normal distribution before truncation.
    stddev : float, default=0.05
        Standard deviation of the normal distribution before truncation.

    Examples
    --------
    No weight is further than two `stddev` from the mean:

    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.network.initializers import TruncatedNormal
    >>> model = MLPClassifier(10_000, weight_init=TruncatedNormal(0, 0.5), random_state=0)
    >>> weights = model.initialize([[0.0, 1.0], [1.0, 0.0]], [0, 1]).coefs_[0]
    >>> round(float(weights.max()), 2), round(float(weights.std()), 2)
    (1.0, 0.44)
    """

    def _standard(self, rng: RandomState, shape: Shape) -> np.ndarray:
        return _truncated_normal(rng, shape)


@parameters
class VarianceScaling(Initializer):
    """Distribution with mean 0 and variance scale / fan, which keeps the scale of signals.

    ================ =========== ========= ====================
    name             scale       mode      distribution
    ================ =========== ========= ====================
    fan_in_uniform   1/3         fan_in    uniform
    lecun_uniform    1           fan_in    uniform
    lecun_normal     1           fan_in    truncated_normal
    he_uniform       2           fan_in    uniform
    he_normal        2           fan_in    truncated_normal
    glorot_normal    1           fan_avg   truncated_normal
    ================ =========== ========= ====================

    Glorot's suit tanh and logistic units, He's suit ReLU, which halves the variance, and LeCun's
    suit SELU. fan_in_uniform is ±1/sqrt(fan_in), an old rule of thumb and PyTorch's for biases.

    Parameters
    ----------
    scale : float, default=1.0
        Variance times fan.
    mode : {"fan_in", "fan_out", "fan_avg"}, default="fan_in"
        Fan in the variance: the number of inputs preserves the variance of activations, the number
        of outputs that of gradients, and their mean is a compromise.
    distribution : {"truncated_normal", "normal", "uniform"}, default="truncated_normal"
        Distribution: uniform has bounds ±sqrt(3 scale / fan); truncated normal is cut at two
        standard deviations and widened by 1 / 0.87962566 to have the given variance.

    References
    ----------
    Glorot, X., & Bengio, Y. (2010). Understanding the difficulty of training deep feedforward
    neural networks. AISTATS. Equations 12 and 16.

    He, K., Zhang, X., Ren, S., & Sun, J. (2015). Delving deep into rectifiers. ICCV. Equation 10.

    LeCun, Y., Bottou, L., Orr, G., & Müller, K.-R. (1998). Efficient BackProp. Equation 16.

    Examples
    --------
    He's distribution, scale 2 with `mode` "fan_in", for ReLU: with 50 inputs the standard deviation
    of the weights is sqrt(2 / 50) = 0.2.

    >>> import numpy as np
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.network.initializers import VarianceScaling
    >>> model = MLPClassifier(1000, weight_init=VarianceScaling(scale=2), random_state=0)
    >>> round(float(model.initialize(np.eye(50), np.arange(50) % 2).coefs_[0].std()), 2)
    0.2
    """

    limits = {"scale": "(0, inf)"}

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"

    def __call__(self, rng: RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
        """Draw from the distribution, scaled by the fan."""
        self.check()
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        if self.mode not in fans:
            raise ValueError(f"mode={self.mode!r} is not known; use one of {', '.join(fans)}.")
        stddev = math.sqrt(self.scale / max(1.0, fans[self.mode]))
        if self.distribution == "uniform":
            bound = math.sqrt(3) * stddev
            return rng.uniform(-bound, bound, shape)
        if self.distribution == "normal":
            return stddev * rng.standard_normal(shape)
        if self.distribution == "truncated_normal":
            return stddev / _TRUNCATED_STDDEV * _truncated_normal(rng, shape)
        raise ValueError(
            f"distribution={self.distribution!r} is not known; "
            f"use one of truncated_normal, normal, uniform."
        )


@parameters
class GlorotUniform(Initializer):
    """Uniform distribution in ±sqrt(scale / (fan_in + fan_out)) (Glorot & Bengio, 2010, eq. 16).

    It draws exactly the same numbers as scikit-learn's MLP.

    Parameters
    ----------
    scale : float, default=6.0
        Squared bound times fans; 6 preserves the variance of activations and gradients, and
        scikit-learn uses 2 for logistic units.

    Examples
    --------
    With 50 inputs and 100 units the bound is sqrt(6 / 150) = 0.2:

    >>> import numpy as np
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.network.initializers import GlorotUniform
    >>> model = MLPClassifier(100, weight_init=GlorotUniform(), random_state=0)
    >>> round(float(model.initialize(np.eye(50), np.arange(50) % 2).coefs_[0].max()), 2)
    0.2
    """

    limits = {"scale": "(0, inf)"}

    scale: float = 6.0

    def __call__(self, rng: RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
        """Draw from the uniform distribution."""
        self.check()
        bound = np.sqrt(self.scale / (fan_in + fan_out))
        return rng.uniform(-bound, bound, shape)


@parameters
class Orthogonal(Initializer):
    """Random orthogonal matrix, which preserves the norm of a signal.

    The parameter is viewed as a matrix of shape (prod(shape[:-1]), shape[-1]) with the longer side
    n and the shorter side m. It is the factor Q of the QR decomposition of an (n, m) normal matrix,
    with columns multiplied by the signs of R's diagonal, which makes the distribution uniform
    (Mezzadri, 2007), or its transpose if there are more columns than rows.

    Parameters
    ----------
    gain : float, default=1.0
        Factor on the matrix; sqrt(2) for ReLU.

    References
    ----------
    Saxe, A., McClelland, J., & Ganguli, S. (2014). Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks. ICLR.

    Mezzadri, F. (2007). How to generate random matrices from the classical compact groups.
    Notices of the AMS 54(5).

    Examples
    --------
    The columns of a kernel with more rows than columns have length 1 and are orthogonal:

    >>> import numpy as np
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.network.initializers import Orthogonal
    >>> model = MLPClassifier(3, weight_init=Orthogonal(), random_state=0)
    >>> W = model.initialize(np.eye(50), np.arange(50) % 2).coefs_[0]
    >>> np.abs(W.T @ W).round(2)
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """

    gain: float = 1.0

    def __call__(self, rng: RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
        """Draw an orthogonal matrix, reshaped."""
        self.check()
        if len(shape) < 2:
            raise ValueError(
                f"Orthogonal needs a matrix, but a parameter has shape {shape}; "
                f"use another initializer for biases, such as zeros."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        return np.ascontiguousarray(self.gain * (q if rows >= columns else q.T)).reshape(shape)


@parameters
class HandCrafted(Initializer):
    """Filter of a fixed pattern, for convolutions that are not trained.

    All channels have the same pattern: "increasing" is -1, 1, -1, 1, ..., which is positive where a
    series rises; "decreasing" is its negative; "peak" is a negative, a positive twice as high and a
    negative bump, each of two parabolas.

    Parameters
    ----------
    pattern : {"increasing", "decreasing", "peak"}, default="increasing"
        Pattern along the kernel. "peak" needs a kernel whose length is a multiple of 6.

    References
    ----------
    Ismail-Fawaz, A., Devanne, M., Weber, J., & Forestier, G. (2022). Deep learning for time series
    classification using new hand-crafted convolution filters. IEEE Big Data.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Conv1D
    >>> from sklearn_nn.network.initializers import HandCrafted
    >>> rises = Conv1D(1, 4, kernel_initializer=HandCrafted("increasing"))
    >>> model = NeuralNetworkClassifier([rises], learning_rate_factors={"conv1d1": 0})
    >>> model.initialize(np.zeros((2, 9, 1)), [0, 1]).layers_["conv1d1"]["kernel"].ravel()
    array([-1.,  1., -1.,  1.])
    """

    pattern: str = "increasing"

    def __call__(self, rng: RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
        """Return the pattern along the first axis, for all channels and filters."""
        self.check()
        if len(shape) != 3:
            raise ValueError(f"HandCrafted needs the kernel of a Conv1D, not the shape {shape}.")
        length = shape[0]
        if self.pattern == "peak":
            values = self._peak(length)
        elif self.pattern in ("increasing", "decreasing"):
            values = np.where(np.arange(length) % 2, 1.0, -1.0)
            values = values if self.pattern == "increasing" else -values
        else:
            raise ValueError(
                f"pattern={self.pattern!r} is not known; use one of increasing, decreasing, peak."
            )
        return np.broadcast_to(values[:, np.newaxis, np.newaxis], shape).copy()

    def _peak(self, length: int) -> np.ndarray:
        if length % 6:
            raise ValueError(
                f"pattern='peak' needs a kernel whose length is a multiple of 6, not {length}."
            )
        rise = np.linspace(0, 1, length // 6 + 1)[1:] ** 2
        bump = np.concatenate([rise, rise[::-1]])
        return np.concatenate([-bump, 2 * bump, -bump])


#: Initializers by name.
INITIALIZERS: dict[str, Initializer] = {
    "zeros": Constant(0.0),
    "ones": Constant(1.0),
    "constant": Constant(),
    "uniform": Uniform(),
    "fan_in_uniform": VarianceScaling(1 / 3, "fan_in", "uniform"),
    "normal": Normal(),
    "truncated_normal": TruncatedNormal(),
    "glorot_uniform": GlorotUniform(),
    "glorot_normal": VarianceScaling(1.0, "fan_avg"),
    "he_uniform": VarianceScaling(2.0, "fan_in", "uniform"),
    "he_normal": VarianceScaling(2.0, "fan_in"),
    "lecun_uniform": VarianceScaling(1.0, "fan_in", "uniform"),
    "lecun_normal": VarianceScaling(1.0, "fan_in"),
    "orthogonal": Orthogonal(),
}


def get_initializer(initializer: Any) -> Any:
    """Return the initializer of this name; an object that can be called is returned unchanged.

    Raises ValueError if the name is unknown, or the object is a class or cannot be called.
    """
    if isinstance(initializer, str) and initializer in INITIALIZERS:
        return INITIALIZERS[initializer]
    if isinstance(initializer, str) or not callable(initializer):
        known = ", ".join(INITIALIZERS)
        raise ValueError(f"initializer={initializer!r} is not known; use one of {known}.")
    if isinstance(initializer, type):
        name = initializer.__name__
        raise ValueError(f"initializer={name} is a class; pass an object: {name}().")
    return initializer
