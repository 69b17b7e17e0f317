"""Views of contiguous arrays and of memory, faster than Numba's slice and reshape, and sums.

A sum's order is the compiler's choice but depends on the length only: the same vector has the same
sum wherever it lies and whichever thread adds it up. The loops vectorize, unlike sums from first to
last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_nn.jit import cgutils, intrinsic, njit, register_jitable, types
from sklearn_nn.jit.emit import prefetch
from sklearn_nn.jit.host import HELPER_OPTIONS, LINE


def _array(
    context: Any, builder: Any, kind: types.Type, data: Any, shape: Sequence[Any], itemsize: Any
) -> Any:
    """Emit a C-contiguous array at `data`, which it does not own; valid in the calling function."""
    from numba.np.arrayobj import make_array, populate_array  # slow to import: compiling only

    view, strides = make_array(kind)(context, builder), [itemsize]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(length, strides[0]))
    data = builder.bitcast(data, view.data.type)
    layout = {"shape": shape, "strides": strides, "itemsize": itemsize}
    populate_array(view, data=data, meminfo=None, **layout)
    return view._getvalue()


def _view(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
    """Emit an array of the lengths values[2:] that begins at element values[1] of values[0]."""
    buffer = context.make_array(sig.args[0])(context, builder, values[0])
    first = builder.gep(buffer.data, [values[1]])
    return _array(context, builder, sig.return_type, first, values[2:], buffer.itemsize)


@intrinsic
def vector(typing_context: Any, buffer: types.Type, start: Any, size: Any) -> Any:
    """Return elements [start, start + size) of a C-contiguous array, flat, without a check."""
    return buffer.copy(ndim=1)(buffer, types.int64, types.int64), _view


@intrinsic
def matrix(typing_context: Any, buffer: types.Type, start: Any, rows: Any, columns: Any) -> Any:
    """Return elements of a C-contiguous array from `start` on as (rows, columns), unchecked."""
    return buffer.copy(ndim=2)(buffer, types.int64, types.int64, types.int64), _view


@intrinsic
def octets(typing_context: Any, address: types.Type, size: Any) -> Any:
    """Return the `size` bytes from an address on as uint8, without a check."""
    view_type = types.Array(types.uint8, 1, "C", readonly=True)

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        first = builder.inttoptr(values[0], context.get_data_type(types.uint8).as_pointer())
        size = context.get_constant(types.intp, 1)
        return _array(context, builder, view_type, first, values[1:], size)

    return view_type(types.int64, types.int64), codegen


def _numbers_at(element: types.Type) -> Any:
    """Return an intrinsic's signature and code: the address as a pointer to `element`."""
    pointer = types.CPointer(element)

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        return builder.inttoptr(values[0], context.get_data_type(pointer))

    return pointer(types.int64), codegen


@intrinsic
def words(typing_context: Any, address: types.Type) -> Any:
    """Return the int64 at an address and those after it, to be read and written by index."""
    return _numbers_at(types.int64)


@intrinsic
def doubles(typing_context: Any, address: types.Type) -> Any:
    """Return the float64 at an address and those after it, to be read and written by index."""
    return _numbers_at(types.float64)


@intrinsic
def copy_bytes(typing_context: Any, target: types.Type, source: types.Type, size: Any) -> Any:
    """Copy `size` bytes from an address to another; the two runs must not overlap."""

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        octet = context.get_data_type(types.uint8).as_pointer()
        target, source = (builder.inttoptr(value, octet) for value in values[:2])
        cgutils.raw_memcpy(builder, target, source, values[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def _fetch_line(typing_context: Any, address: types.Type) -> Any:
    """Prefetch the cache line at an address, to be written."""

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        octet = context.get_data_type(types.uint8).as_pointer()
        prefetch(builder, builder.inttoptr(values[0], octet), to_write=True)
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@register_jitable
def fetch_to_write(address: int, size: int) -> None:
    """Prefetch `size` bytes that are written soon, from an address on.

    Lines that another core has read are asked for together. Without this, a loop that writes them
    waits for each.
    """
    for line in range(address, address + size, LINE):
        _fetch_line(line)


@register_jitable
def row(array: Any, i: int) -> Any:
    """Return row i of a C-contiguous matrix, without a check."""
    return vector(array, i * array.shape[1], array.shape[1])


@intrinsic
def workspace(typing_context: Any, ctx: types.Type, start: Any, like: types.Type) -> Any:
    """Return the memory after the first `start` numbers of `ctx`, in the type of `like`."""
    view_type = types.Array(like.dtype, 1, "C")
    ratio = ctx.dtype.bitwidth // like.dtype.bitwidth

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        whole = context.make_array(sig.args[0])(context, builder, values[0])
        length = builder.extract_value(whole.shape, 0)
        itemsize = context.get_constant(types.intp, like.dtype.bitwidth // 8)
        size = builder.mul(builder.sub(length, values[1]), context.get_constant(types.intp, ratio))
        first = builder.gep(whole.data, [values[1]])
        return _array(context, builder, view_type, first, [size], itemsize)

    return view_type(ctx, types.int64, like), codegen


_reassociated = njit(**{**HELPER_OPTIONS, "fastmath": {"contract", "nsz", "reassoc"}})


@_reassociated
def total(values: np.ndarray) -> float:
    """Return the sum of the values."""
    result = values.dtype.type(0)
    for i in range(values.size):
        result += values[i]
    return result


@_reassociated
def total_of_squares(values: np.ndarray, center: float) -> float:
    """Return the sum of (value - center)^2; `center` has the values' type."""
    result = values.dtype.type(0)
    for i in range(values.size):
        difference = values[i] - center
        result += difference * difference
    return result


@_reassociated
def total_of_magnitudes(values: np.ndarray) -> float:
    """Return the sum of the absolute values."""
    result = values.dtype.type(0)
    for i in range(values.size):
        result += abs(values[i])
    return result


@_reassociated
def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Return the sum of a[i] b[i]."""
    result = a.dtype.type(0)
    for i in range(a.size):
        result += a[i] * b[i]
    return result
