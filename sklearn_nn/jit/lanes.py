"""Loops over vectors of lanes as explicit vector code, for bodies that use many rows.

Before a vectorized loop the compiler tests whether outputs overlap inputs. For short loops over
many rows the tests take longer than the loop, and with too many of them it is not vectorized at
all. Here nothing is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from sklearn_nn.jit import intrinsic, types
from sklearn_nn.jit.emit import define, int64, lanes_below, load_vector, multiply_add, store_vector
from sklearn_nn.jit.host import VECTOR_BITS

_I64 = ir.IntType(64)
Matrix = Sequence[Sequence[float]]

Load = Callable[[int, int], ir.Value]
Store = Callable[[ir.Value, int, int], None]
Emit = Callable[[ir.IRBuilder, Sequence[Load], Sequence[Store]], None]


class _Operand(NamedTuple):
    """Array in the body of the loop, from which vectors are loaded and to which they are stored."""

    builder: ir.IRBuilder
    start: ir.Value
    strides: Sequence[ir.Value]
    vector: ir.VectorType
    mask: ir.Value | None

    def _address(self, i: int, j: int) -> ir.Value:
        builder = self.builder
        terms = [builder.mul(s, int64(k)) for s, k in zip(self.strides, (i, j), strict=True)]
        place = builder.gep(self.start, [builder.add(*terms)])
        return builder.bitcast(place, self.vector.as_pointer())

    def load(self, i: int, j: int) -> ir.Value:
        """Return the vector at place (i, j)."""
        return load_vector(self.builder, self._address(i, j), self.mask)

    def store(self, value: ir.Value, i: int, j: int) -> None:
        """Write the vector at place (i, j)."""
        store_vector(self.builder, value, self._address(i, j), self.mask)


class Loop:
    """Loop ``for index in range(0, count, step)`` around the code up to `close`.

    The count may be 0. Values `carried` change from step to step.
    """

    def __init__(
        self, builder: ir.IRBuilder, count: ir.Value, step: int = 1,
        carried: Sequence[ir.Value] = (),
    ) -> None:  # fmt: skip
        self._builder, function, before = builder, builder.function, builder.block
        self._head, body, self._end = (
            function.append_basic_block(name) for name in ("head", "body", "end")
        )
        builder.branch(self._head)
        builder.position_at_end(self._head)
        self.index = builder.phi(_I64)
        self.index.add_incoming(int64(0), before)
        self.carried = [builder.phi(value.type) for value in carried]
        for phi, value in zip(self.carried, carried, strict=True):
            phi.add_incoming(value, before)
        self._next = builder.add(self.index, int64(step))
        # A partial step is left to the code after the loop.
        builder.cbranch(builder.icmp_signed("<=", self._next, count), body, self._end)
        builder.position_at_end(body)

    def close(self, carried: Sequence[ir.Value] = ()) -> None:
        """End the body; `carried` are the values for the next step."""
        for phi, value in zip(self.carried, carried, strict=True):
            phi.add_incoming(value, self._builder.block)
        self.index.add_incoming(self._next, self._builder.block)
        self._builder.branch(self._head)
        self._builder.position_at_end(self._end)


def _define(module: ir.Module, name: str, emit: Emit, scalar: ir.Type, operands: int) -> Any:
    """Define ``void f(count, lanes, (start, step, row stride, column stride), ...)``."""
    width = VECTOR_BITS // (32 if isinstance(scalar, ir.FloatType) else 64)
    vector = ir.VectorType(scalar, width)

    def loops(builder: ir.IRBuilder, count: ir.Value, lanes: ir.Value, *given: ir.Value) -> None:
        items = Loop(builder, count)

        def body(lane: ir.Value, left: ir.Value | None) -> None:
            mask = None if left is None else lanes_below(builder, left, width)
            found = []
            for k in range(operands):
                start, step, *strides = given[4 * k : 4 * k + 4]
                begin = builder.gep(start, [builder.add(lane, builder.mul(items.index, step))])
                found.append(_Operand(builder, begin, strides, vector, mask))
            emit(builder, [o.load for o in found], [o.store for o in found])

        vectors = Loop(builder, lanes, width)
        body(vectors.index, None)
        vectors.close()
        left = builder.sub(lanes, vectors.index)
        with builder.if_then(builder.icmp_signed(">", left, int64(0))):
            body(vectors.index, left)
        items.close()

    arguments = [_I64, _I64, *[scalar.as_pointer(), _I64, _I64, _I64] * operands]
    return define(module, name, arguments, loops)


def make_lanes(name: str, operands: int, emit: Emit) -> Any:
    """Return an intrinsic ``f(count, lanes, ((array, step, row, column), ...))``.

    For item i and lane l, place (p, q) of an operand is the array's element
    ``i * step + p * row + q * column + l``. Arrays are C-contiguous, start at the operand's first
    element, and share one dtype, float32 or float64. Nothing is checked. `name` names the symbol.
    `emit` writes the body of the loops; it is called with (builder, loads, stores), which hold for
    each operand a function that loads the vector at place (p, q) and one that stores a vector.
    """

    @intrinsic
    def loop(typingctx, count, lanes, arrays):
        kind = arrays.types[0].types[0].dtype

        def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
            scalar = context.get_data_type(kind)
            symbol = f"{name}_lanes_f{kind.bitwidth}"
            function = _define(builder.module, symbol, emit, scalar, operands)
            values = list(args[:2])
            for k, of_operand in enumerate(signature.args[2].types):
                operand = builder.extract_value(args[2], k)
                array, *numbers = (builder.extract_value(operand, i) for i in range(4))
                values.append(context.make_array(of_operand.types[0])(context, builder, array).data)
                values += numbers
            builder.call(function, values)
            return context.get_dummy_value()

        size = types.int64
        wanted = types.Tuple([types.Tuple([o.types[0], size, size, size]) for o in arrays.types])
        return types.void(size, size, wanted), codegen

    return loop


def _combine(builder: ir.IRBuilder, factors: Sequence[float], values: Sequence[ir.Value]) -> Any:
    """Return the sum of values times factors, in order; factors 0 are omitted."""
    total = None
    for factor, value in zip(factors, values, strict=True):
        if factor == 0:
            continue
        if abs(factor) != 1:
            constant = ir.Constant(value.type, [factor] * value.type.count)
            if total is None:
                total = builder.fmul(value, constant)
            else:
                total = multiply_add(builder, value, constant, total)
        elif total is None:
            total = value if factor > 0 else builder.fneg(value)
        else:
            total = (builder.fadd if factor > 0 else builder.fsub)(total, value)
    return total


def make_sandwich(name: str, matrix: Matrix) -> Any:
    """Return a loop over lanes for Y = T X T', for many X and Y at once; see `make_lanes`.

    The constant T, `matrix`, becomes additions and multiplications in registers. The transforms of
    fast convolution are such products. The first operand is X, the second Y; they must not overlap.
    """

    def emit(builder: ir.IRBuilder, loads: Sequence[Load], stores: Sequence[Store]) -> None:
        size = range(len(matrix[0]))
        columns = []
        for q in size:
            column = [loads[0](p, q) for p in size]
            columns.append([_combine(builder, row, column) for row in matrix])
        for i in range(len(matrix)):
            for j, row in enumerate(matrix):
                stores[1](_combine(builder, row, [columns[q][i] for q in size]), i, j)

    return make_lanes(f"sandwich_{name}", 2, emit)
