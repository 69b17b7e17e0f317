"""Transposition in blocks that stay in registers.

A plain double loop writes each number to another cache line. Here a square block is loaded by rows,
transposed by log2(width) rounds of shuffles, and stored by rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from sklearn_nn.jit import intrinsic, register_jitable, types
from sklearn_nn.jit.emit import define, emitted, int64, load_vector, store_vector
from sklearn_nn.jit.host import VECTOR_BITS

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _exchange(builder: ir.IRBuilder, rows: list[ir.Value], distance: int) -> list[ir.Value]:
    """Swap the two off-diagonal quarters in square blocks of 2*distance.

    The right half of row r is exchanged with the left half of row r + distance.
    """
    lanes = len(rows)
    low, high = [], []
    for lane in range(lanes):
        from_first = lane & distance == 0
        low.append(lane if from_first else lane - distance + lanes)
        high.append(lane + distance if from_first else lane + lanes)
    kind = ir.VectorType(_I32, lanes)
    new = list(rows)
    for r in range(lanes):
        if r & distance == 0:
            first, second = rows[r], rows[r + distance]
            new[r] = builder.shuffle_vector(first, second, ir.Constant(kind, low))
            new[r + distance] = builder.shuffle_vector(first, second, ir.Constant(kind, high))
    return new


def _block_function(module: ir.Module, scalar: ir.Type, bits: int, lanes: int) -> ir.Function:
    """Define ``void block(source, source_stride, target, target_stride)`` in `module`."""
    pointer, vector = scalar.as_pointer(), ir.VectorType(scalar, lanes)

    def emit(builder: ir.IRBuilder, *arguments: ir.Value) -> None:
        source, source_stride, target, target_stride = arguments

        def address(start: ir.Value, stride: ir.Value, row: int) -> ir.Value:
            place = builder.gep(start, [builder.mul(stride, int64(row))])
            return builder.bitcast(place, vector.as_pointer())

        rows = [load_vector(builder, address(source, source_stride, r)) for r in range(lanes)]
        distance = lanes // 2
        while distance:
            rows = _exchange(builder, rows, distance)
            distance //= 2
        for r, row in enumerate(rows):
            store_vector(builder, row, address(target, target_stride, r))

    name = f"transpose_{lanes}_f{bits}"
    return define(module, name, [pointer, _I64, pointer, _I64], emit)


@intrinsic
def _width(typingctx: Any, array: types.Type) -> Any:
    """Return the width of the blocks in which `array` is transposed."""
    return emitted(types.int64(array), lambda *_: int64(VECTOR_BITS // array.dtype.bitwidth))


@intrinsic
def _transpose_block(
    typingctx: Any, source: types.Type, target: types.Type, i: types.Type, j: types.Type
) -> Any:
    """Set target[j + q, i + p] = source[i + p, j + q] for p, q in one block."""
    lanes = VECTOR_BITS // source.dtype.bitwidth

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        kinds = signature.args
        source = context.make_array(kinds[0])(context, builder, args[0])
        target = context.make_array(kinds[1])(context, builder, args[1])
        i, j = args[2:]
        source_stride = builder.extract_value(source.shape, 1)
        target_stride = builder.extract_value(target.shape, 1)
        scalar = context.get_data_type(kinds[0].dtype)
        block = _block_function(builder.module, scalar, kinds[0].dtype.bitwidth, lanes)
        start = builder.gep(source.data, [builder.add(builder.mul(i, source_stride), j)])
        end = builder.gep(target.data, [builder.add(builder.mul(j, target_stride), i)])
        builder.call(block, [start, source_stride, end, target_stride])
        return context.get_dummy_value()

    return types.void(source, target, types.int64, types.int64), codegen


@register_jitable
def transpose(source: Any, target: Any, lo: int, hi: int) -> None:
    """Set target[j, i] = source[i, j] for rows [lo, hi) of `source`.

    Both arrays are C-contiguous, of one dtype, float32 or float64; `source` may be read-only.
    Nothing is checked.
    """
    width, columns = _width(source), source.shape[1]
    if hi - lo < width or columns < width:
        for j in range(columns):
            for i in range(lo, hi):
                target[j, i] = source[i, j]
        return
    # The last block of a row or column is moved back to fit and writes some numbers twice.
    for i in range(lo, hi, width):
        for j in range(0, columns, width):
            _transpose_block(source, target, min(i, hi - width), min(j, columns - width))
