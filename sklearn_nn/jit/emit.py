"""Emission of LLVM code: the parts that tiles, lanes and transposition share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def emitted(signature: Any, emit: Callable[..., ir.Value]) -> tuple[Any, Callable[..., ir.Value]]:
    """Return the result of an intrinsic whose code ``emit(builder, *arguments)`` writes."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return emit(builder, *args)

    return signature, codegen


def int64(value: int) -> ir.Constant:
    """Return a constant integer of 64 bits."""
    return ir.Constant(_I64, value)


def is_given(builder: ir.IRBuilder, pointer: ir.Value) -> ir.Value:
    """Return whether `pointer` is not null."""
    return builder.icmp_unsigned("!=", builder.ptrtoint(pointer, _I64), int64(0))


def splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    """Return a vector with `value` in every lane."""
    vector = ir.VectorType(value.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _suffix(vector: ir.VectorType) -> str:
    """Return a vector type's part of the names of LLVM intrinsics, such as "v8f32"."""
    return f"v{vector.count}f{_bits(vector.element)}"


def _bits(scalar: ir.Type) -> int:
    return 32 if isinstance(scalar, ir.FloatType) else 64


def multiply_add(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """Return a b + c of vectors, fused if the processor can.

    Unlike `fma` it never calls a library routine for every lane.
    """
    return call_intrinsic(builder, f"fmuladd.{_suffix(a.type)}", a.type, a, b, c)


def call_intrinsic(
    builder: ir.IRBuilder, name: str, result: ir.Type, *arguments: ir.Value
) -> ir.Value:
    """Call the LLVM intrinsic `name`, which returns a value of type `result`."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}")
    return builder.call(function, arguments)


def load_vector(builder: ir.IRBuilder, address: ir.Value, mask: ir.Value | None = None) -> ir.Value:
    """Return the vector at a typed address; lanes that a mask leaves out are 0 and not read."""
    vector = address.type.pointee
    align = _bits(vector.element) // 8
    if mask is None:
        return builder.load(address, align=align)
    rest = ir.Constant(_I32, align), mask, ir.Constant(vector, None)
    return call_intrinsic(builder, f"masked.load.{_suffix(vector)}.p0", vector, address, *rest)


def store_vector(
    builder: ir.IRBuilder, value: ir.Value, address: ir.Value, mask: ir.Value | None = None
) -> None:
    """Write a vector to a typed address, without the lanes that a mask leaves out."""
    align = _bits(value.type.element) // 8
    if mask is None:
        builder.store(value, address, align=align)
        return
    name, rest = f"masked.store.{_suffix(value.type)}.p0", (ir.Constant(_I32, align), mask)
    call_intrinsic(builder, name, ir.VoidType(), value, address, *rest)


def lanes_below(builder: ir.IRBuilder, count: ir.Value, lanes: int) -> ir.Value:
    """Return the mask of the first `count` of a vector's lanes."""
    numbers = ir.Constant(ir.VectorType(_I64, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, splat(builder, count, lanes))


def define(
    module: ir.Module, name: str, arguments: Sequence[ir.Type], emit: Callable[..., None]
) -> ir.Function:
    """Return the function `name` of `module`, whose code ``emit(builder, *arguments)`` writes once.

    It is never inlined: with many loops in one large function the optimiser is slow, and worse at
    keeping vectors in registers.
    """
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.linkage = "internal"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    emit(builder, *function.args)
    builder.ret_void()
    return function


def prefetch(builder: ir.IRBuilder, pointer: ir.Value) -> None:
    """Prefetch the cache line that `pointer` points into; any address is allowed."""
    address = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    # Read access, first-level cache, data.
    how = (ir.Constant(_I32, number) for number in (0, 3, 1))
    call_intrinsic(builder, "prefetch.p0", ir.VoidType(), address, *how)
