"""How Python becomes machine code; knows nothing of neural networks."""

import gc

# Numba's import makes very many objects, all of which stay. A collection in the midst of it looks
# at them and at all that was imported before: a third of the import's time, to find nothing.
_collecting = gc.isenabled()
gc.disable()
try:
    import numba
finally:
    if _collecting:
        gc.enable()


def compiler_problem() -> str | None:
    """What keeps Numba from compiling, and what helps; None where nothing does."""
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
