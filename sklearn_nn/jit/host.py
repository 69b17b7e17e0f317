"""What this machine has, and the options every kernel is compiled with."""

from __future__ import annotations

import os

from llvmlite import binding

_FEATURES = binding.get_host_cpu_features()

#: Width of a vector register in bits.
VECTOR_BITS: int = 512 if _FEATURES.get("avx512f") else 256 if _FEATURES.get("avx2") else 128
#: Number of vector registers.
VECTOR_REGISTERS: int = 32 if _FEATURES.get("avx512f") or _FEATURES.get("neon") else 16

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
