"""Time of the jitted functions and random numbers, in ns an element, beside NumPy's.

Run by hand: python tests/benchmarks/functions.py
"""

import time

import numpy as np
from numba import njit
from scipy import special

from sklearn_nn.jit import functions, random
from sklearn_nn.jit.host import OPTIONS

SIZE = 1024  # in and out fit the first-level cache
REPEATS = 200

NUMPY = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": special.expit,
    "softplus": lambda x, out: np.logaddexp(x, 0, out=out),
    "erf": special.erf,
}
GENERATOR = np.random.default_rng(0)
NUMPY_RANDOM = {
    "random_uniform": lambda _, out: GENERATOR.random(out=out, dtype=out.dtype),
    "random_normal": lambda _, out: GENERATOR.standard_normal(out=out, dtype=out.dtype),
}


def repeated(module, name, expression):
    """A jitted loop that evaluates the expression for every element, many times over."""
    source = (
        "def loop(x, out):\n"
        f"    for repeat in range({REPEATS}):\n"
        "        for i in range(x.shape[0]):\n"
        f"            out[i] = {expression}\n"
    )
    namespace = {name: getattr(module, name)}
    exec(source, namespace)
    return njit(**OPTIONS)(namespace["loop"])


def best(function, x, repeats):
    """Least time of one element in ns."""
    out = np.empty_like(x)
    function(x, out)
    times = []
    for _ in range(100):
        start = time.perf_counter()
        function(x, out)
        times.append(time.perf_counter() - start)
    return min(times) / repeats / x.size * 1e9


def main():
    print(f"{'ns an element':16s}{'float32':>10s}{'NumPy':>10s}{'float64':>10s}{'NumPy':>10s}")
    rows = [(functions, name, f"{name}(x[i])", numpy) for name, numpy in NUMPY.items()]
    rows += [
        (random, name, f"{name}(repeat, i, x.dtype)", numpy) for name, numpy in NUMPY_RANDOM.items()
    ]
    for module, name, expression, numpy in rows:
        loop = repeated(module, name, expression)
        line = f"{name:16s}"
        for dtype in (np.float32, np.float64):
            x = np.random.default_rng(0).uniform(0.01, 5, SIZE).astype(dtype)
            line += f"{best(loop, x, REPEATS):10.2f}{best(numpy, x, 1):10.2f}"
        print(line)


if __name__ == "__main__":
    main()
