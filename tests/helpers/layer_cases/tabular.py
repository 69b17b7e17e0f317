"""One row for every layer of tables with its naive twin."""

from helpers.layer_cases.base import LayerCase, Plan, Tolerance
from helpers.naive import tabular as twins
from sklearn_nn.layers import (
    CategoryEmbedding,
    MeanOverMembers,
    MemberHeads,
    MemberLinear,
    MemberScale,
    NTPLinear,
    ParametricActivation,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    ScaleFeatures,
)
from sklearn_nn.layers.activation import ELEMENTWISE
from sklearn_nn.layers.base import ROW_GRAIN

PLAN = Plan(
    batches=(1, 5, 21, 300),  # one row, several, more than a block of rows
    training=(True, False),
    tolerance=Tolerance(output=20, input_gradient=20, parameter_gradient=20),
    part_batches=(1, ROW_GRAIN, 37, 300),
    row_batch=150,
    row_slices=tuple(
        part for n in (1, 2, 9, 33, 129) for part in (slice(0, n), slice(150 - n, 150))
    ),
    input_scale=2.0,
    nan_place=0,
)


def _row(name, layer, shape, forward, backward, categories=()):
    return LayerCase(name, layer, (shape,), forward, backward, PLAN, categories=categories)


def _scale(width):
    twin = (twins.scale_forward, twins.scale_backward)
    return _row(f"scale{width}", ScaleFeatures(), (width,), *twin)


def _parametric(name, width=19):
    twin = (twins.parametric_forward(name), twins.parametric_backward(name))
    return _row(f"{name}{width}", ParametricActivation(name), (width,), *twin)


def _ntp(fan_in, units):
    twin = (twins.ntp_forward, twins.ntp_backward)
    return _row(f"ntp{fan_in}x{units}", NTPLinear(units), (fan_in,), *twin)


def _category(numbers, sizes, columns=8):
    twin = (twins.category_forward(sizes), twins.category_backward(sizes))
    layer, width = CategoryEmbedding(sizes, columns), numbers + len(sizes)
    return _row(f"category{numbers}_{sizes}x{columns}", layer, (width,), *twin, sizes)


def _periodic(width, **options):
    twin = (twins.periodic_forward, twins.periodic_backward)
    layer = PeriodicEmbedding(**options)
    return _row(f"periodic{width}_{options}", layer, (width,), *twin)


#: Bins of three features: several, of very unequal width, and one.
BINS = ((-3.0, -1.25, -1.0, -0.5, 0.75, 0.875, 4.0), (-1e-3, 0.0, 1e3), (-2.0, 2.0))


def _piecewise(others, bins=BINS, units=5, **options):
    relu = options.get("activation") == "relu"
    twin = (twins.piecewise_forward(bins, relu), twins.piecewise_backward(bins, relu))
    layer = PiecewiseLinearEmbedding(bins, units, **options)
    name = f"piecewise{len(bins)}x{units}_{options}+{others}"
    return _row(name, layer, (len(bins) + others,), *twin)


def _linear(shape, units, members=None):
    begins = len(shape) == 1
    twin = (twins.linear_forward(begins), twins.linear_backward(begins))
    return _row(f"linear{shape}x{units}", MemberLinear(units, members), shape, *twin)


_SPREAD = (twins.spread_forward, twins.spread_backward)
_HEADS = (twins.heads_forward, twins.heads_backward)
CASES = [
    *(_scale(width) for width in (1, 7, 33)),
    *(_parametric(name) for name in ELEMENTWISE),
    *(_parametric("mish", width) for width in (1, 64)),
    *(_ntp(*sizes) for sizes in [(1, 1), (5, 7), (33, 20), (16, 64)]),
    *(_category(3, sizes) for sizes in [(5,), (2, 300, 1), (4, 4, 4, 4)]),
    _category(0, (3,), 1),
    _category(2, (7, 9), 33),
    _periodic(1),
    _periodic(9),
    _periodic(9, features=4),
    _periodic(4, waves=5, units=1),
    _periodic(3, waves=2, units=6, features=3),
    *(_piecewise(*row) for row in [(0,), (4,), (0, BINS[:1], 16), (2, BINS[2:], 1)]),
    _piecewise(1, linear=True),
    _piecewise(1, activation="relu"),
    _piecewise(0, units=33, linear=True, activation="relu"),
    *(_row(f"spread{n}", MemberScale(4), (n,), *_SPREAD) for n in (1, 5, 40)),
    _row(
        "member_scale", MemberScale(), (4, 7), twins.scale_forward, twins.scale_backward
    ),
    *(_linear((n,), units, 3) for n, units in [(1, 1), (5, 7), (33, 20)]),
    *(_linear((k, 9), 6) for k in (1, 5)),
    *(
        _row(f"heads{shape}x{units}", MemberHeads(units), shape, *_HEADS)
        for shape, units in [((1, 4), 1), ((5, 7), 1), ((5, 7), 3), ((32, 20), 2), ((3, 65), 19)]
    ),
    *(
        _row(
            f"mean{shape}", MeanOverMembers(), shape,
            twins.mean_forward(shape[0]), twins.mean_backward(shape[0]),
        )
        for shape in [(1, 3), (5, 1), (32, 7)]
    ),
]  # fmt: skip
