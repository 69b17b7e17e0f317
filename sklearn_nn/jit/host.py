"""What kernels are compiled for, and the options every kernel is compiled with."""

from __future__ import annotations

import os
import platform

from llvmlite import binding
from numba.core import config
from numba.core.registry import cpu_target

#: What Numba's compiler makes code for: a triple, a processor, its features ("+avx2,-avx512f,...").
#: Numba's settings (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES, NUMBA_ENABLE_AVX) are in it.
TARGET: tuple[str, str, str] = cpu_target.target_context.codegen().magic_tuple()

#: Adds sixteen integers. Compiled, it names the widest registers that the compiler uses.
_WIDE_SUM = """
define <16 x i32> @sum(<16 x i32> %x, <16 x i32> %y) {
  %z = add <16 x i32> %x, %y
  ret <16 x i32> %z
}
"""
_WIDE = (("zmm", 512), ("ymm", 256))


def is_arm64(machine: str) -> bool:
    """Whether `machine`, as `platform.machine` has it, is a 64-bit ARM processor."""
    return machine.lower() in ("arm64", "aarch64")


def _compiled_bits(triple: str, processor: str, features: str) -> int:
    """Bits of the widest registers in code that LLVM makes for x86 with these settings."""
    target = binding.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=processor, features=features)
    lines = machine.emit_assembly(binding.parse_assembly(_WIDE_SUM)).splitlines()
    # AVX without AVX2 moves 256 bits, but adds integers of 128.
    sums = [line for line in lines if "paddd" in line]
    return next((bits for name, bits in _WIDE if any(name in line for line in sums)), 128)


def registers_of(
    triple: str, processor: str, features: str, machine: str, named: bool = False
) -> tuple[int, int]:
    """Bits of a vector register and the number of these registers that kernels may count on.

    Parameters
    ----------
    triple, processor, features : str
        What code is compiled for, as in `TARGET`.
    machine : str
        The architecture, as `platform.machine` has it. LLVM names no features on macOS.
    named : bool, default=False
        Whether the processor is one that the user chose, and the features are this machine's:
        Numba compiles for the features. The widest vectors that both have are meant.

    Returns
    -------
    bits : {128, 256, 512}
    registers : {16, 32}
    """
    if is_arm64(machine):
        return 128, 32
    if not triple.startswith(("x86_64", "i386", "i686")):
        return 128, 16
    bits = _compiled_bits(triple, processor, features)
    # Other features imply a set that is switched off: LLVM uses it none the less.
    refused = features.split(",")
    if "-avx512f" in refused:
        bits = min(bits, 256)
    if "-avx2" in refused:
        bits = 128
    if named and bits > 128:
        # For a name that it does not know LLVM assumes a processor of 32 bits.
        bits = min(bits, _compiled_bits(triple, processor, "+64bit" if "64" in triple else ""))
    return bits, 32 if bits == 512 else 16


#: Width of a vector register in bits, and number of vector registers.
VECTOR_BITS, VECTOR_REGISTERS = registers_of(
    *TARGET,
    platform.machine(),
    named=config.CPU_NAME is not None and config.CPU_FEATURES is None,
)

#: How kernels are compiled. error_model="numpy": a division that may raise does not
#: vectorise. No "nnan", "ninf" (NaN must stay visible) and no "reassoc" (sums keep their order).
OPTIONS: dict[str, object] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
}

#: How functions are compiled that only kernels call. Ways in from Python and C cost as much
#: to compile as many a function itself.
HELPER_OPTIONS: dict[str, object] = {
    **OPTIONS,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

#: The same, merged into the caller before types are inferred. A function that is compiled by
#: itself is optimised twice, alone and within its caller.
INLINED_OPTIONS: dict[str, object] = {**HELPER_OPTIONS, "inline": "always"}


def lanes(dtype: str) -> int:
    """Number of elements of `dtype` ("float32" or "float64") in one vector register."""
    return VECTOR_BITS // (32 if dtype == "float32" else 64)


def available_cores() -> int:
    """Number of processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
