"""Scaling of a table's numbers in ONNX graphs, in float64 as the encoder computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sklearn_nn.estimators._inputs.table.columns import FAR, RAREST
from sklearn_nn.onnx.graph import GraphBuilder

#: Coefficients of polynomials, highest power first, of the normal quantile function in Cephes
#: (Moshier, S. L. (1989). Methods and programs for mathematical functions): numerator and
#: denominator for shares in the middle, and for those in the tails but not below 1e-14.
_MIDDLE = (
    [
        -5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1,
        1.39312609387279679503e1, -1.23916583867381258016e0,
    ],
    [
        1.0, 1.95448858338141759834e0, 4.67627912898881538453e0, 8.63602421390890590575e1,
        -2.25462687854119370527e2, 2.00260212380060660359e2, -8.20372256168333339912e1,
        1.59056225126211695515e1, -1.18331621121330003142e0,
    ],
)  # fmt: skip
_TAILS = (
    [
        4.05544892305962419923e0, 3.15251094599893866154e1, 5.71628192246421288162e1,
        4.40805073893200834700e1, 1.46849561928858024014e1, 2.18663306850790267539e0,
        -1.40256079171354495875e-1, -3.50424626827848203418e-2, -8.57456785154685413611e-4,
    ],
    [
        1.0, 1.57799883256466749731e1, 4.53907635128879210584e1, 4.13172038254672030440e1,
        1.50425385692907503408e1, 2.50464946208309415979e0, -1.42182922854787788574e-1,
        -3.80806407691578277194e-2, -9.33259480895457427372e-4,
    ],
)  # fmt: skip
#: Share below which the formula of the tails holds.
_TAIL = np.exp(-2.0)


class _Formula:
    """Arithmetic on names of tensors of float64 in a graph."""

    def __init__(self, graph: GraphBuilder):
        self.graph = graph

    def number(self, value: float | np.ndarray) -> str:
        """Return the name of a constant."""
        return self.graph.constant(np.asarray(value, dtype=np.float64), "float64")

    def __call__(self, op: str, *values: str | float | np.ndarray) -> str:
        """Append an operation on tensors and numbers; return the name of the result."""
        names = [value if isinstance(value, str) else self.number(value) for value in values]
        return self.graph.node(op, names)

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Return the value of a polynomial."""
        first, *others = coefficients
        value = self("Mul", x, first) if first != 1 else x
        for k, coefficient in enumerate(others):
            value = self("Mul", value, x) if k else value
            value = self("Add", value, coefficient)
        return value


def _robust(graph: GraphBuilder, values: str, learnt: Sequence[np.ndarray]) -> str:
    """Append the scaling by median and quartiles with a smooth clip."""
    median, factor = np.array(learnt).T[:, np.newaxis]
    limit, formula = np.finfo(np.float64).max, _Formula(graph)
    x = formula("Clip", formula("Sub", values, median), -limit, limit)
    x = formula("Clip", formula("Mul", x, factor), -FAR, FAR)
    third = formula("Div", x, 3.0)
    root = formula("Sqrt", formula("Add", formula("Mul", third, third), 1.0))
    return formula("Div", x, root)


def _quantile(graph: GraphBuilder, values: str, learnt: Sequence[np.ndarray]) -> str:
    """Append the scaling by ranks to a normal distribution."""
    formula = _Formula(graph)
    share = _share(formula, values, learnt)
    return _normal_quantile(formula, formula("Clip", share, RAREST, 1 - RAREST))


def _share(formula: _Formula, values: str, learnt: Sequence[np.ndarray]) -> str:
    """Return the mean of the shares of smaller, and of smaller or equal, values of each column.

    Both interpolate linearly between knots, and differ for a value that equals several of them.
    """
    n_steps = int(max(map(len, learnt))).bit_length()
    room = 2**n_steps  # the knots of a column, and at least one place more
    knots = np.full((len(learnt), room), np.inf)
    # By the number of knots below a value: the knot that precedes it, or follows it; the level of
    # this knot; and the slope between the two.
    at, level, slope = np.zeros((3, 2, len(learnt), room))
    for c, own in enumerate(learnt):
        m = len(own)
        knots[c, :m] = own
        if own[0] == own[-1]:
            level[:, c] = 0.5
            continue
        levels = np.linspace(0, 1, m)
        at[0, c, 1 : m + 1], level[0, c, 1 : m + 1] = own, levels
        at[1, c, :m], level[1, c, : m + 1] = own, [*levels, 1]
        with np.errstate(divide="ignore", over="ignore"):
            rises = np.diff(levels) / np.diff(own)
        slope[:, c, 1:m] = np.where(np.isfinite(rises), rises, 0)  # where no value is between
    least, most = np.array([[own[0], own[-1]] for own in learnt]).T[:, np.newaxis]
    within = formula("Min", formula("Max", values, least), most)  # so that nothing is infinite
    shares = []
    for side, precedes in enumerate(("LessOrEqual", "Less")):
        place = _places(formula.graph, values, knots, precedes, n_steps)
        tables = [formula.number(table[side].ravel()) for table in (at, level, slope)]
        knot, share, rise = (formula("Gather", table, place) for table in tables)
        beyond = formula("Mul", rise, formula("Sub", within, knot))
        shares.append(formula("Add", beyond, share))
    return formula("Div", formula("Add", *shares), 2.0)


def _places(
    graph: GraphBuilder, values: str, knots: np.ndarray, precedes: str, n_steps: int
) -> str:
    """Return for each value its column's first place in `knots` plus the number of knots before it.

    The search halves the number of possible places `n_steps` times.
    """
    flat = graph.constant(knots.ravel(), "knots")
    places = graph.constant(np.arange(len(knots))[np.newaxis] * knots.shape[1], "places")
    for k in reversed(range(n_steps)):
        step = graph.constant(np.array(2**k), "step")
        probe = graph.node("Add", [places, graph.constant(np.array(2**k - 1), "step")])
        knot = graph.node("Gather", [flat, probe])
        is_before = graph.cast(graph.node(precedes, [knot, values]), np.int64)
        places = graph.node("Add", [places, graph.node("Mul", [is_before, step])])
    return places


def _normal_quantile(formula: _Formula, share: str) -> str:
    """Return the quantile of the normal distribution, as scipy.special.ndtri computes it."""
    above = formula("Greater", share, 0.5)
    y = formula("Sub", share, 0.5)
    square = formula("Mul", y, y)
    top, bottom = (formula.polynomial(square, part) for part in _MIDDLE)
    middle = formula("Mul", y, formula("Div", formula("Mul", square, top), bottom))
    middle = formula("Mul", formula("Add", y, middle), np.sqrt(2 * np.pi))
    rare = formula("Where", above, formula("Sub", 1.0, share), share)
    x = formula("Sqrt", formula("Mul", formula("Log", rare), -2.0))
    z = formula("Div", 1.0, x)
    top, bottom = (formula.polynomial(z, part) for part in _TAILS)
    tail = formula("Sub", x, formula("Div", formula("Log", x), x))
    tail = formula("Sub", tail, formula("Div", formula("Mul", z, top), bottom))
    tail = formula("Where", above, tail, formula("Neg", tail))
    return formula("Where", formula("Less", rare, _TAIL), tail, middle)


#: Functions that append a scaling, by the name of the encoder's `numeric`: they take a graph, the
#: name of finite numbers of shape (n, columns), and the array learnt for each column.
SCALES: dict[str, Callable[[GraphBuilder, str, Sequence[np.ndarray]], str]] = {
    "robust": _robust,
    "quantile": _quantile,
}
