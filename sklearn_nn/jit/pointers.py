"""Pointer arithmetic in jitted code, for the contraction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sklearn_nn.jit.host import VECTOR_BITS
from sklearn_nn.jit.tile import is_given


@intrinsic
def advance(typingctx: Any, pointer: types.Type, count: types.Type) -> Any:
    """Return `pointer` moved by `count` elements."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.int64), codegen


@intrinsic
def advance_any(typingctx: Any, pointer: types.Type, count: types.Type) -> Any:
    """Return `pointer` moved by `count` elements; null stays null."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        moved = builder.gep(args[0], [args[1]])
        return builder.select(is_given(builder, args[0]), moved, args[0])

    return pointer(pointer, types.int64), codegen


@intrinsic
def exists(typingctx: Any, pointer: types.Type) -> Any:
    """Return whether `pointer` is not null."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return is_given(builder, args[0])

    return types.boolean(pointer), codegen


@intrinsic
def element_bits(typingctx: Any, pointer: types.Type) -> Any:
    """Return the bits of an element that `pointer` points to."""
    bits = pointer.dtype.bitwidth

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return ir.Constant(ir.IntType(64), bits)

    return types.int64(pointer), codegen


@intrinsic
def zero_of(typingctx: Any, pointer: types.Type) -> Any:
    """Return 0 of the type that `pointer` points to."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return ir.Constant(context.get_data_type(pointer.dtype), 0.0)

    return pointer.dtype(pointer), codegen


@intrinsic(prefer_literal=True)
def stack_vectors(typingctx: Any, pointer: types.Type, vectors: types.IntegerLiteral) -> Any:
    """Allocate a constant number of vectors of the pointer's element type on the stack."""
    count = vectors.literal_value * VECTOR_BITS // pointer.dtype.bitwidth

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        room = cgutils.alloca_once(builder, context.get_data_type(pointer.dtype), size=count)
        room.align = VECTOR_BITS // 8
        return room

    return pointer(pointer, vectors), codegen
