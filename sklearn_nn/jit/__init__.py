"""Compilation of Python functions to machine code, independent of neural networks."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused_collection() -> Iterator[None]:
    """Pause garbage collection, which would often visit the very many objects of Numba.

    It takes a third of the time of Numba's import and an eighth of that of compilation.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


with paused_collection():
    import numba


def compiler_problem() -> str | None:
    """Return what prevents Numba from compiling, and the remedy; None if nothing does."""
    if not numba.config.DISABLE_JIT:
        return None
    return (
        "sklearn_nn computes with functions that Numba compiles, and NUMBA_DISABLE_JIT=1 switches "
        "its compiler off. Unset that variable (or DISABLE_JIT in .numba_config.yaml and "
        "numba.config) for processes that use sklearn_nn; to step through a compiled function of "
        "your own, call its py_func."
    )


if (_problem := compiler_problem()) is not None:
    raise ImportError(_problem)
