"""How Python becomes machine code; knows nothing of neural networks."""

import gc

# Numba's import makes very many objects, all of which stay. A collection in the midst of it looks
# at them and at all that was imported before: a third of the import's time, to find nothing.
_collecting = gc.isenabled()
gc.disable()
try:
    import numba  # noqa: F401
finally:
    if _collecting:
        gc.enable()
