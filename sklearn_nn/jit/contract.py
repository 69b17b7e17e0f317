"""Strided, blocked contraction on register tiles: the only matrix product in the project.

Kernels call `contract`, or `matmul` for plain matrices. Its machine code is compiled once for each
dtype and linked by the name of a symbol, so that the tiles are not compiled again inside every
kernel. Call `load_contract` before code that calls `contract` is compiled or loaded.

Every element of the result is summed in an order that depends only on the lengths K and O of the
reduction (and on whether B is a single column). The result is therefore the same, bit for bit,
however rows and columns are divided among threads or batches.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import binding, ir

from sklearn_nn.jit import cgutils, errors, intrinsic, njit, types
from sklearn_nn.jit.blocks import plain, tiled
from sklearn_nn.jit.cache import KernelCache
from sklearn_nn.jit.emit import call_compiled, int64
from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.machine_code import obtain
from sklearn_nn.jit.views import vector

_LOCK = threading.Lock()


def _symbol(dtype: str) -> str:
    return f"sklearn_nn_contract_{dtype}"


def real_type(dtype: str) -> types.Type:
    """Return Numba's type of "float32" or "float64"; raise KeyError for another name."""
    return {"float32": types.float32, "float64": types.float64}[dtype]


def _signature(dtype: str) -> Any:
    """Return the signature of the machine code."""
    pointer, size = types.CPointer(real_type(dtype)), types.int64
    of_a, of_b, of_c = (pointer, *[size] * 3), (pointer, *[size] * 2), (pointer, size) * 2
    return types.void(*of_a, *of_b, *of_c, *[size] * 7, pointer, *[size] * 2)


def _compile(function: Callable[..., None], dtype: str) -> int:
    """Return the address of `function` as machine code for `dtype`."""
    # No fast-math flag: in an unrolled reduction of one step, "contract" would allow rounding once
    # instead of twice, in some tiles but not in others.
    options = {name: value for name, value in HELPER_OPTIONS.items() if name != "fastmath"}
    cache = KernelCache(f"contract_{function.__name__}_{dtype}", __file__)
    return obtain(function, cache, dtype, lambda: _signature(dtype), options)


def _compile_best(dtype: str) -> int:
    """Return the address of the tiles, or of the plain loops if the compiler rejects them."""
    try:
        return _compile(tiled, dtype)
    except (errors.NumbaError, RuntimeError, NotImplementedError) as error:
        warnings.warn(
            f"The fast matrix product cannot be compiled here ({error}); a slower one is used.",
            RuntimeWarning,
            stacklevel=4,
        )
        return _compile(plain, dtype)


@functools.cache
def _load(dtype: str) -> int:
    """Return the address of the machine code for `dtype`, which gets its symbol once."""
    compiled = _compile_best(dtype)
    binding.add_symbol(_symbol(dtype), compiled)
    return compiled


def load_contract(dtype: str) -> None:
    """Compile or load `contract` for kernels of `dtype`, "float32" or "float64"."""
    with _LOCK:
        _load(dtype)


def _check(arrays: Sequence[types.Type], names: Sequence[str]) -> types.Type:
    """Return the dtype that the operands share."""
    dtypes = {getattr(array, "dtype", None) for array in arrays}
    for name, array in zip(names, arrays, strict=True):
        if not isinstance(array, types.Array) or array.layout != "C":
            raise errors.TypingError(f"contract: {name} must be a C-contiguous array, got {array}.")
    if len(dtypes) != 1 or not dtypes <= {types.float32, types.float64}:
        raise errors.TypingError(f"contract: operands must share float32 or float64, got {dtypes}.")
    if not arrays[-1].mutable:
        raise errors.TypingError("contract: c is read-only.")
    return dtypes.pop()


def _calling(dtype: types.Type, arrange: Callable[..., Sequence[Any]]) -> Callable[..., Any]:
    """Return the code of an intrinsic that calls the machine code for `dtype`.

    ``arrange(builder, *values)`` returns the arguments of the machine code from those of the
    intrinsic, with arrays as pointers to their first element.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        given = [
            context.make_array(kind)(context, builder, value).data
            if isinstance(kind, types.Array)
            else value
            for kind, value in zip(signature.args, args, strict=True)
        ]
        values = arrange(builder, *given)

        def find(kind: ir.FunctionType) -> ir.Value:
            return cgutils.get_or_insert_function(builder.module, kind, _symbol(dtype.name))

        call_compiled(context, builder, find, _signature(dtype.name).args, values)
        return context.get_dummy_value()

    return codegen


#: Number and strides of groups, for a contraction of one group of rows.
_ONE_GROUP = (int64(1), int64(0), int64(0))


def _nothing_wanted(c: Any) -> tuple[Any, ...]:
    """Return the last arguments of a contraction that prefetches its operands only."""
    return ir.Constant(c.type, None), int64(0), int64(0)


def _if(builder: Any, number: Any, pointer: Any) -> Any:
    """Return `pointer`, or null if `number` is 0."""
    given = builder.icmp_signed("!=", number, ir.Constant(number.type, 0))
    return builder.select(given, pointer, ir.Constant(pointer.type, None))


@intrinsic
def contract(typingctx, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, beta):
    """Compute C[i, j] (+)= sum_o sum_k A[i*ars + o*ao + k*acs] * B[o*bo + k*bs + j].

    Indices run over i < M, j < N, k < K and o < O, and C[i, j] is at c[i*cs + j]; `beta` = 0 writes
    C, 1 adds to it. `a`, `b` and `c` are C-contiguous arrays that start at the operand's first
    element and share one dtype, float32 or float64; `a` and `b` may be read-only. Strides count
    elements. `c` must not overlap `a` or `b`. Nothing is checked.
    """

    def arrange(builder: Any, *values: Any) -> Sequence[Any]:
        *operands, c, cs, M, N, K, O, beta = values
        d = _if(builder, beta, c)
        return *operands, c, cs, d, cs, M, N, K, O, *_ONE_GROUP, *_nothing_wanted(c)

    dtype, size = _check((a, b, c), "abc"), types.int64
    signature = types.void(a, size, size, size, b, size, size, c, *[size] * 6)
    return signature, _calling(dtype, arrange)


@intrinsic
def contract_and_fetch(
    typingctx, wanted, row, first, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, beta
):
    """Compute what `contract` does, while prefetching memory that is needed soon.

    For each i < M, a run of memory begins at ``wanted[i*row]``. Each tile prefetches one run, the
    first tile that of i = `first`: a cache line for each step of its reduction, of which there are
    at most K and `BLOCK`. Runs may begin and end anywhere.
    """

    def arrange(builder: Any, *values: Any) -> Sequence[Any]:
        wanted, row, first, *operands, c, cs, M, N, K, O, beta = values
        d = _if(builder, beta, c)
        return *operands, c, cs, d, cs, M, N, K, O, *_ONE_GROUP, wanted, row, first

    dtype, size = _check((wanted, a, b, c), ("wanted", *"abc")), types.int64
    of_wanted = (wanted, size, size)
    signature = types.void(*of_wanted, a, size, size, size, b, size, size, c, *[size] * 6)
    return signature, _calling(dtype, arrange)


@intrinsic
def contract_onto(typingctx, d, ds, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O):
    """Compute C[i, j] = D[i*ds + j] + sum_o sum_k A[i*ars + o*ao + k*acs] * B[o*bo + k*bs + j].

    In contrast to `contract`, C may be another array than D. With ds = 0, D is one row, such as a
    layer's bias.
    """

    def arrange(builder: Any, *values: Any) -> Sequence[Any]:
        d, ds, *operands, c, cs, M, N, K, O = values
        return *operands, c, cs, d, ds, M, N, K, O, *_ONE_GROUP, *_nothing_wanted(c)

    dtype, size = _check((d, a, b, c), "dabc"), types.int64
    signature = types.void(d, size, a, size, size, size, b, size, size, c, *[size] * 5)
    return signature, _calling(dtype, arrange)


@intrinsic
def contract_groups(typingctx, d, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, G, ag, cg):
    """Compute C[g, i, j] = d[j] + sum_o sum_k A[g*ag + i*ars + o*ao + k*acs] B[o*bo + k*bs + j].

    Arguments are those of `contract`, for g < G and C[g, i, j] at c[g*cg + i*cs + j]: the rows of C
    have two levels, like the reduction. `d` is one row, added to all, or empty. One call saves some
    hundred cycles per group.

    Pass the first four arguments by position: with more keywords, Python passes a dictionary, which
    Numba does not compile. The same holds for `contract_and_fetch`.
    """
    dtype, size = _check((d, a, b, c), "dabc"), types.int64
    signature = types.void(d, a, size, size, size, b, size, size, c, *[size] * 8)

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        row = context.make_array(signature.args[0])(context, builder, args[0])

        def arrange(builder: Any, d: Any, *values: Any) -> Sequence[Any]:
            *operands, c, cs, M, N, K, O, G, ag, cg = values
            d = _if(builder, row.nitems, d)
            return *operands, c, cs, d, int64(0), M, N, K, O, G, ag, cg, *_nothing_wanted(c)

        return _calling(dtype, arrange)(context, builder, signature, args)

    return signature, codegen


@njit(**INLINED_OPTIONS)
def matmul(a: Any, b: Any, c: Any) -> None:
    """Compute c = a b for matrices of shapes (M, K), (K, N) and (M, N)."""
    contract(
        a=a, ars=a.shape[1], acs=1, ao=0, b=b, bs=b.shape[1], bo=0, c=c, cs=c.shape[1],
        M=c.shape[0], N=c.shape[1], K=a.shape[1], O=1, beta=0,
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def matmul_onto(d: Any, a: Any, b: Any, c: Any) -> None:
    """Compute c = d + a b, as `matmul`, with a vector d that is added to each row."""
    contract_onto(
        d=d, ds=0, a=a, ars=a.shape[1], acs=1, ao=0, b=b, bs=b.shape[1], bo=0, c=c, cs=c.shape[1],
        M=c.shape[0], N=c.shape[1], K=a.shape[1], O=1,
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def matmul_transposed(a: Any, first: int, b: Any, c: Any) -> None:
    """Compute c = a[:, first : first + M]^T b, for b of shape (K, N) and c of shape (M, N)."""
    contract(
        a=vector(a, first, 0), ars=1, acs=a.shape[1], ao=0, b=b, bs=b.shape[1], bo=0,
        c=c, cs=c.shape[1], M=c.shape[0], N=c.shape[1], K=b.shape[0], O=1, beta=0,
    )  # fmt: skip
