"""Target processor of compiled kernels, and compiler options."""

from __future__ import annotations

import functools
import os
import platform
import sys

from llvmlite import binding
from llvmlite.binding import targets

from sklearn_nn.jit import settings

binding.initialize_native_target()
binding.initialize_native_asmprinter()


def _features() -> str:
    """Return the features of this processor that Numba lets LLVM use."""
    if settings().CPU_FEATURES is not None:
        return settings().CPU_FEATURES
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # LLVM names none for this processor
        return ""
    if not settings().ENABLE_AVX:
        features.update((name, False) for name in features if name.startswith("avx"))
    return features.flatten()


#: Target of Numba's compiler: triple, processor, features ("+avx2,-avx512f,..."). It includes
#: Numba's settings (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES, NUMBA_ENABLE_AVX).
TARGET: tuple[str, str, str] = (
    binding.get_process_triple(),
    binding.get_host_cpu_name() if settings().CPU_NAME is None else settings().CPU_NAME,
    _features(),
)

#: Adds sixteen integers. Its assembly names the widest registers that the compiler uses.
_WIDE_SUM = """
define <16 x i32> @sum(<16 x i32> %x, <16 x i32> %y) {
  %z = add <16 x i32> %x, %y
  ret <16 x i32> %z
}
"""
_WIDE = (("zmm", 512), ("ymm", 256))


def is_arm64(machine: str) -> bool:
    """Return whether `machine`, from `platform.machine`, is a 64-bit ARM processor."""
    return machine.lower() in ("arm64", "aarch64")


def _compiled_bits(triple: str, processor: str, features: str) -> int:
    """Return the bits of the widest registers in LLVM's code for x86 with these settings."""
    target = binding.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=processor, features=features)
    lines = machine.emit_assembly(binding.parse_assembly(_WIDE_SUM)).splitlines()
    # AVX without AVX2 moves 256 bits, but adds integers in 128 bits.
    sums = [line for line in lines if "paddd" in line]
    return next((bits for name, bits in _WIDE if any(name in line for line in sums)), 128)


def registers_of(
    triple: str, processor: str, features: str, machine: str, named: bool = False
) -> tuple[int, int]:
    """Return the bits of a vector register and the number of registers for a target.

    `triple`, `processor` and `features` are as in `TARGET`; `machine` is the architecture from
    `platform.machine`, since LLVM names no features on macOS. `named` tells whether the user has
    named the processor only, so that the features are those of this machine; the result is then the
    widest vectors that both have.
    """
    if is_arm64(machine):
        return 128, 32
    if not triple.startswith(("x86_64", "i386", "i686")):
        return 128, 16
    bits = _compiled_bits(triple, processor, features)
    # LLVM uses a feature, although it is switched off, if other features imply it.
    refused = features.split(",")
    if "-avx512f" in refused:
        bits = min(bits, 256)
    if "-avx2" in refused:
        bits = 128
    if named and bits > 128:
        # LLVM assumes a 32-bit processor for an unknown name.
        bits = min(bits, _compiled_bits(triple, processor, "+64bit" if "64" in triple else ""))
    return bits, 32 if bits == 512 else 16


#: Width of a vector register in bits, and number of vector registers.
VECTOR_BITS, VECTOR_REGISTERS = registers_of(
    *TARGET, platform.machine(),
    named=settings().CPU_NAME is not None and settings().CPU_FEATURES is None,
)  # fmt: skip

#: Bytes of a cache line.
LINE = 64

#: Options of kernels. error_model="numpy": a division that may raise does not vectorize. No "nnan"
#: and "ninf" (NaN must stay visible) and no "reassoc" (sums keep their order).
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}

#: Options of functions that only kernels call. Wrappers for Python and C cost as much compile time
#: as many functions themselves.
HELPER_OPTIONS = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

#: The same, inlined before type inference. Otherwise a function is optimized twice, alone and
#: within its caller.
INLINED_OPTIONS = {**HELPER_OPTIONS, "inline": "always"}


#: Names of Intel's library of vector functions, by the beginning of the platform's name.
_SVML = {"linux": "libsvml.so", "darwin": "libsvml.dylib", "win": "svml_dispmd"}


@functools.cache
def uses_svml() -> bool:
    """Return whether Numba uses Intel's vector functions, and load them if so."""
    names = [name for system, name in _SVML.items() if sys.platform.startswith(system)]
    if settings().DISABLE_INTEL_SVML or not names or not targets.has_svml():
        return False
    try:
        binding.load_library_permanently(names[0])
    except RuntimeError:  # it is not installed
        return False
    return True


def lanes(dtype: str) -> int:
    """Return the number of elements of `dtype` in one vector register."""
    return VECTOR_BITS // (32 if dtype == "float32" else 64)


def available_cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
