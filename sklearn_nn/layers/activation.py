"""Activations: one table of functions and derivatives, and the layers that apply them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from sklearn_nn._spec import Spec, parameters
from sklearn_nn.jit import njit, register_jitable
from sklearn_nn.jit.functions import erf, exp, expm1, fma, sigmoid, softplus, tanh
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel, like
from sklearn_nn.jit.views import matrix, row, vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.vectors import clear, owned_columns


@dataclass(frozen=True)
class Elementwise:
    """An activation of one number: f(x), and f'(x) as a function of x and y = f(x).

    With `of_y`, the derivative does not use x, so that y may overwrite it.
    """

    value: Callable[[Any], Any]
    derivative: Callable[[Any, Any], Any]
    of_y: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", register_jitable(self.value))
        object.__setattr__(self, "derivative", register_jitable(self.derivative))


@register_jitable
def _relu(x: Any) -> Any:
    return like(x, 0) if x < like(x, 0) else x  # in this order NaN stays NaN


def _step(x: Any, y: Any) -> Any:
    return like(x, 1) if y > like(x, 0) else like(x, 0)


def _relu6(x: Any) -> Any:
    y = _relu(x)
    return like(x, 6) if y > like(x, 6) else y


def _relu6_derivative(x: Any, y: Any) -> Any:
    inside = y > like(x, 0) and y < like(x, 6)
    return like(x, 1) if inside else like(x, 0)


def _leaky_relu(x: Any) -> Any:
    return x if x > like(x, 0) else x * like(x, 0.01)


def _elu(x: Any) -> Any:
    return x if x > like(x, 0) else expm1(x)


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _selu(x: Any) -> Any:
    negative = like(x, SELU_SCALE * SELU_ALPHA) * expm1(x)
    return like(x, SELU_SCALE) * x if x > like(x, 0) else negative


def _selu_derivative(x: Any, y: Any) -> Any:
    return like(y, SELU_SCALE) if y > like(y, 0) else y + like(y, SELU_SCALE * SELU_ALPHA)


@register_jitable
def _normal_cdf(x: Any) -> Any:
    return like(x, 0.5) * (like(x, 1) + erf(x * like(x, 0.7071067811865476)))


@register_jitable
def _normal_pdf(x: Any) -> Any:
    return exp(like(x, -0.5) * x * x) * like(x, 0.3989422804014327)


def _silu_derivative(x: Any, y: Any) -> Any:
    s = sigmoid(x)
    return s * (like(x, 1) + x * (like(x, 1) - s))


def _mish_derivative(x: Any, y: Any) -> Any:
    t = tanh(softplus(x))
    return t + x * (like(x, 1) - t * t) * sigmoid(x)


def _hard_sigmoid(x: Any) -> Any:
    z = x * like(x, 1 / 6) + like(x, 0.5)
    z = like(x, 0) if z < like(x, 0) else z
    return like(x, 1) if z > like(x, 1) else z


def _hard_sigmoid_derivative(x: Any, y: Any) -> Any:
    inside = y > like(x, 0) and y < like(x, 1)
    return like(x, 1 / 6) if inside else like(x, 0)


#: All elementwise activations. To add an activation, add a row here.
ELEMENTWISE: dict[str, Elementwise] = {
    "identity": Elementwise(lambda x: x, lambda x, y: like(x, 1)),
    "logistic": Elementwise(lambda x: sigmoid(x), lambda x, y: y * (like(x, 1) - y), of_y=True),
    "tanh": Elementwise(lambda x: tanh(x), lambda x, y: like(x, 1) - y * y, of_y=True),
    "relu": Elementwise(_relu, _step, of_y=True),
    # Howard et al., 2017: min(max(x, 0), 6).
    "relu6": Elementwise(_relu6, _relu6_derivative, of_y=True),
    # Maas et al., 2013; slope 0.01, as in PyTorch.
    "leaky_relu": Elementwise(
        _leaky_relu, lambda x, y: like(y, 1) if y > like(y, 0) else like(y, 0.01), of_y=True
    ),
    # Clevert et al., 2016; alpha = 1.
    "elu": Elementwise(
        _elu, lambda x, y: like(y, 1) if y > like(y, 0) else y + like(y, 1), of_y=True
    ),
    # Klambauer et al., 2017.
    "selu": Elementwise(_selu, _selu_derivative, of_y=True),
    # Hendrycks & Gimpel, 2016; the exact form, x times the normal distribution function.
    "gelu": Elementwise(
        lambda x: x * _normal_cdf(x), lambda x, y: _normal_cdf(x) + x * _normal_pdf(x)
    ),
    # Elfwing et al., 2018; also called swish.
    "silu": Elementwise(lambda x: x * sigmoid(x), _silu_derivative),
    # Misra, 2020.
    "mish": Elementwise(lambda x: x * tanh(softplus(x)), _mish_derivative),
    "softplus": Elementwise(lambda x: softplus(x), lambda x, y: sigmoid(x)),
    # min(max(x / 6 + 1 / 2, 0), 1), as in PyTorch and Keras 3.
    "hard_sigmoid": Elementwise(_hard_sigmoid, _hard_sigmoid_derivative, of_y=True),
    # The link of a Poisson regression.
    "exp": Elementwise(lambda x: exp(x), lambda x, y: y, of_y=True),
}
#: Activations of an estimator's hidden layers.
HIDDEN_ACTIVATIONS = tuple(name for name in ELEMENTWISE if name != "exp")
#: Activations of the layer `Activation`.
ACTIVATIONS = (*ELEMENTWISE, "softmax")
#: Names that Keras gives some of them.
OTHER_NAMES = {"linear": "identity", "sigmoid": "logistic", "swish": "silu", "exponential": "exp"}


@functools.cache
def _kernels(name: str, in_place: bool = False) -> tuple[Kernel, Kernel]:
    """Make kernels for a row of ELEMENTWISE; with `in_place` they read y for x, and dx is dy."""
    # In two versions, since a loop over x and y that might overlap would not be vectorized.
    value, derivative = ELEMENTWISE[name].value, ELEMENTWISE[name].derivative
    ending = "_in_place" if in_place else ""

    @kernel(FORWARD, name=f"layers.activation.{name}_forward{ending}")
    def forward(ctx, op, part, parts, theta, state, work, x, y):
        """Compute y = f(x). Owners: rows of the batch."""
        lo, hi = owned_rows(y, part, parts)
        start, size = lo * y.shape[1], (hi - lo) * y.shape[1]
        x, y = vector(y if in_place else x, start, size), vector(y, start, size)
        for i in range(size):
            y[i] = value(x[i])

    @kernel(BACKWARD, name=f"layers.activation.{name}_backward{ending}")
    def backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute dx = dy f'(x). Owners: rows of the batch."""
        lo, hi = owned_rows(y, part, parts)
        start, size = lo * y.shape[1], (hi - lo) * y.shape[1]
        x, y = vector(y if in_place else x, start, size), vector(y, start, size)
        dx, dy = vector(dy if in_place else dx, start, size), vector(dy, start, size)
        for i in range(size):
            dx[i] = dy[i] * derivative(x[i], y[i])

    return forward, backward


@functools.cache
def _parametric_kernels(name: str) -> Kernels:
    """Make the kernels of a `ParametricActivation` for a row of ELEMENTWISE."""
    value, derivative = ELEMENTWISE[name].value, ELEMENTWISE[name].derivative

    @kernel(FORWARD, name=f"layers.activation.parametric_{name}_forward")
    def forward(ctx, op, part, parts, theta, state, work, x, y):
        """Compute y = x + a (f(x) - x). Owners: rows of the batch."""
        lo, hi = owned_rows(x, part, parts)
        for i in range(lo, hi):
            source, target = row(x, i), row(y, i)
            for j in range(source.size):
                target[j] = source[j] + theta[j] * (value(source[j]) - source[j])

    @kernel(BACKWARD, name=f"layers.activation.parametric_{name}_backward")
    def backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute dx = dy (1 + a (f'(x) - 1)). Owners: rows of the batch."""
        lo, hi = owned_rows(x, part, parts)
        for i in range(lo, hi):
            source, given, target = row(x, i), row(dy, i), row(dx, i)
            for j in range(source.size):
                one = like(source[j], 1)
                slope = derivative(source[j], value(source[j]))
                target[j] = given[j] * (one + theta[j] * (slope - one))

    @kernel(BACKWARD, name=f"layers.activation.parametric_{name}_weights")
    def weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute da = sum of dy (f(x) - x) over the batch. Owners: columns."""
        n = x.shape[1]
        lo, hi = owned_columns(n, part, parts)
        found = vector(grad, lo, hi - lo)
        # f(x) is stored, so that the compiler cannot contract it with the fma: see COLUMN_GRAIN.
        active = vector(workspace(ctx, CTX_SIZE, x), 0, hi - lo)
        clear(found)
        for i in range(x.shape[0]):
            source, given = vector(x, i * n + lo, hi - lo), vector(dy, i * n + lo, hi - lo)
            for j in range(found.size):
                active[j] = value(source[j])
            for j in range(found.size):
                found[j] = fma(given[j], active[j] - source[j], found[j])

    return Kernels(forward, backward, weights)


@kernel(FORWARD)
def softmax_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = exp(x) / sum of exp(x) over each op[0] values. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    places = x.shape[1] // op[0]
    n = x.shape[0] * places
    x, y = matrix(x, 0, n, op[0]), matrix(y, 0, n, op[0])
    exponentials(x, y, lo * places, hi * places)
    for i in range(lo * places, hi * places):
        total = row_sum(y, i)
        for j in range(y.shape[1]):
            y[i, j] /= total


@kernel(BACKWARD)
def softmax_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = y (dy - sum of dy y) over each op[0] values. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    places = x.shape[1] // op[0]
    n = x.shape[0] * places
    y, dx, dy = matrix(y, 0, n, op[0]), matrix(dx, 0, n, op[0]), matrix(dy, 0, n, op[0])
    for i in range(lo * places, hi * places):
        total = like(y[i, 0], 0)
        for j in range(y.shape[1]):
            total += dy[i, j] * y[i, j]
        for j in range(y.shape[1]):
            dx[i, j] = y[i, j] * (dy[i, j] - total)


@njit(**INLINED_OPTIONS)
def exponentials(x: Any, y: Any, lo: int, hi: int) -> None:
    """Compute y = exp(x - maximum of the row), for rows lo to hi in one loop that vectorizes."""
    n = x.shape[1]
    for i in range(lo, hi):
        # Subtract the row's largest: exp overflows float32 above 88.
        largest = x[i, 0]
        for j in range(1, n):
            largest = x[i, j] if x[i, j] > largest else largest
        for j in range(n):
            y[i, j] = x[i, j] - largest
    flat = vector(y, lo * n, (hi - lo) * n)
    for k in range(flat.size):
        flat[k] = exp(flat[k])


@njit(**INLINED_OPTIONS)
def row_sum(x: Any, i: int) -> Any:
    """Return the sum of row i, in order."""
    total = x[i, 0]
    for j in range(1, x.shape[1]):
        total += x[i, j]
    return total


@parameters
class Activation(Layer):
    """Layer that applies an activation to every element.

    Parameters
    ----------
    activation : str
        identity, logistic, tanh, relu, leaky_relu, elu, selu, gelu, silu, mish, softplus,
        hard_sigmoid, exp, or softmax (over the last axis). Keras's names linear (identity), sigmoid
        (logistic), swish (silu) and exponential (exp) are accepted.

    Examples
    --------
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Activation
    >>> X, y = [[-2.0, -0.5, 0.0, 1.0], [1.0, 0.0, 0.0, 2.0]], [0, 1]
    >>> for name in ["relu", "leaky_relu", "gelu"]:
    ...     network = NeuralNetworkClassifier([Activation(name)]).initialize(X, y)
    ...     print(name, FeatureExtractor(network, layer="activation1").fit_transform(X)[0].round(3))
    relu [0. 0. 0. 1.]
    leaky_relu [-0.02  -0.005  0.     1.   ]
    gelu [-0.046 -0.154  0.     0.841]
    """

    activation: str

    lengths = "keeps"

    def known_name(self) -> str:
        """Return the activation's name in this package."""
        name = self.activation
        return OTHER_NAMES.get(name, name) if isinstance(name, str) else str(name)

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        if self.known_name() not in ACTIVATIONS:
            raise ValueError(
                f"activation={self.activation!r} is not known; use one of {', '.join(ACTIVATIONS)}."
            )
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, or none for the identity."""
        shape, name = self.output_shape(builder.shape(slot)), self.known_name()
        if name == "identity":
            return slot
        out = builder.slot(shape, builder.clock(slot))
        if name == "softmax":
            kernels = Kernels(softmax_forward, softmax_backward)
            return builder.append(Instruction(slot, out, kernels, geometry=shape[-1:]))
        in_place = _kernels(name, True) if ELEMENTWISE[name].of_y else None
        kernels = Kernels(*_kernels(name))
        return builder.append(Instruction(slot, out, kernels, in_place=in_place, kind=name))


@parameters
class ParametricActivation(Layer):
    """Activation with a trained factor per unit: ``y = x + a (f(x) - x)``.

    A factor a of 1, the initial value, is the activation, and 0 the identity (Holzmüller et al.,
    2024; for ReLU, as in He et al., 2015). The parameter is named alpha.

    Parameters
    ----------
    activation : str
        f: identity, logistic, tanh, relu, leaky_relu, elu, selu, gelu, silu, mish, softplus,
        hard_sigmoid or exp.
    rate_factor : float, default=0.1
        Factor on the learning rate.
    decay_factor : float, default=1.0
        Factor on penalty and weight decay.

    References
    ----------
    Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS.

    He, K., Zhang, X., Ren, S., & Sun, J. (2015). Delving deep into rectifiers. ICCV.

    Examples
    --------
    As the `activation` of another layer. Its factors, one per unit, begin at 1 and are trained:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Dense, ParametricActivation
    >>> X, y = load_iris(return_X_y=True)
    >>> layers = [Dense(4, activation=ParametricActivation("relu"))]
    >>> model = NeuralNetworkClassifier(layers, random_state=0).initialize(X, y)
    >>> model.layers_["dense1"]["alpha"]
    array([1., 1., 1., 1.])
    """

    limits = {"rate_factor": "[0, inf)", "decay_factor": "[0, inf)"}

    activation: str
    _: KW_ONLY
    rate_factor: float = 0.1
    decay_factor: float = 1.0

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self._check_choice("activation", ELEMENTWISE)
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with the parameter alpha, of the shape of a sample."""
        shape = self.output_shape(builder.shape(slot))
        factors = {"rate": self.rate_factor, "decay": self.decay_factor}
        alpha = Parameter("alpha", shape, "ones", 1, 1, **factors)
        kernels, out = _parametric_kernels(self.activation), builder.slot(shape)
        op = Instruction(slot, out, kernels, [alpha], scratch=alpha.size, keeps="x")
        return builder.append(op)


class Activated(Layer):
    """Base of layers with a parameter `activation`, which is applied to their output.

    The activation is lowered as a separate layer would be, so results are equal to the last bit.
    Its parameters, if any, are stored under the name of the layer.
    """

    activation: Any

    @property
    def label(self) -> str:
        """Class of the layer, and its activation if it has one."""
        kind, value = type(self).__name__, self.activation
        if value is None:
            return kind
        name = value.activation if isinstance(value, Activation) else value
        return f"{kind}, {name if isinstance(name, str) else type(name).__name__}"

    def activation_layer(self) -> Layer | None:
        """Return the activation as a layer, or None; raise ValueError if it is invalid."""
        value = self.activation
        if isinstance(value, Activation | ParametricActivation):
            layer: Layer = value
            Spec.check(layer)
        elif isinstance(value, str) and value in (*ACTIVATIONS, *OTHER_NAMES):
            layer = Activation(value)
        elif value is None:
            return None
        else:
            such = "or a layer such as ParametricActivation('relu')."
            remedy = f"is not known; use None, one of {', '.join(ACTIVATIONS)}, {such}"
            raise self._invalid("activation", remedy)
        layer.output_shape(())  # raises if the layer's own activation is unknown
        return layer

    def activate(self, builder: Builder, slot: int) -> int:
        """Append the activation of `slot`, if any; return the slot of the output."""
        layer = self.activation_layer()
        if layer is None:
            return slot
        if builder.clock(slot) is not None and layer.lengths == "refuses":
            remedy = "does not take sequences of unequal length; use the name of an activation."
            raise self._invalid("activation", remedy)
        return layer.lower(builder, slot)
