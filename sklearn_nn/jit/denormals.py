"""Denormal numbers in the arithmetic of a thread.

Arithmetic with numbers below the smallest normal one (1e-38 in float32) takes many times as long.
Each thread has a control word that lets the processor read and write them as zero.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir

from sklearn_nn.jit import cgutils, intrinsic, types
from sklearn_nn.jit.emit import call_intrinsic, emitted, int64
from sklearn_nn.jit.host import TARGET, is_arm64

_IS_ARM64 = is_arm64(platform.machine())
_IS_X86 = not _IS_ARM64 and TARGET[0].startswith("x86_64")
#: Bits of the control word: FZ of FPCR; FTZ and DAZ of MXCSR.
_FLUSH = 1 << 24 if _IS_ARM64 else 1 << 15 | 1 << 6
_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _access_mxcsr(builder: ir.IRBuilder, place: ir.Value, name: str) -> None:
    """Read or write MXCSR by the LLVM intrinsic `name`, to or from memory."""
    pointer = builder.bitcast(place, ir.IntType(8).as_pointer())
    call_intrinsic(builder, f"x86.sse.{name}", ir.VoidType(), pointer)


def _read(builder: ir.IRBuilder) -> ir.Value:
    """Return the thread's control word; 0 if the processor is neither x86-64 nor 64-bit ARM."""
    if _IS_ARM64:
        return call_intrinsic(builder, "aarch64.get.fpcr", _I64)
    if _IS_X86:
        place = cgutils.alloca_once(builder, _I32)
        _access_mxcsr(builder, place, "stmxcsr")
        return builder.zext(builder.load(place), _I64)
    return int64(0)


def _write(builder: ir.IRBuilder, word: ir.Value) -> None:
    """Set the thread's control word."""
    if _IS_ARM64:
        call_intrinsic(builder, "aarch64.set.fpcr", ir.VoidType(), word)
    elif _IS_X86:
        place = cgutils.alloca_once(builder, _I32)
        builder.store(builder.trunc(word, _I32), place)
        _access_mxcsr(builder, place, "ldmxcsr")


@intrinsic
def flush_denormals(typing_context: Any) -> Any:
    """Let this thread flush denormal numbers to zero; return the previous control word.

    The compiler may move arithmetic of the same function across this call, so that only functions
    called by address are sure to be affected.
    """

    def emit(builder: ir.IRBuilder) -> ir.Value:
        word = _read(builder)
        _write(builder, builder.or_(word, int64(_FLUSH)))
        return word

    return emitted(types.int64(), emit)


@intrinsic
def restore_arithmetic(typing_context: Any, word: types.Type) -> Any:
    """Set the control word that `flush_denormals` has returned."""

    def emit(builder: ir.IRBuilder, word: ir.Value) -> ir.Value:
        _write(builder, word)
        return ir.Constant(ir.IntType(8).as_pointer(), None)

    return emitted(types.void(types.int64), emit)
