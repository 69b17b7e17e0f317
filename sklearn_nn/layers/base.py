"""Common declarations of layer kernels: signatures, the context, and the division of rows."""

from __future__ import annotations

import numpy as np

from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kind
from sklearn_nn.jit.team import load_word, share

_COMMON = {"ctx": "int64[:]", "op": "const int64[:]", "part": "int64", "parts": "int64"}


def _kind(name: str, vectors: str, matrices: str = "") -> Kind:
    """Return the kind of kernels that take these arrays of reals after `_COMMON`."""
    arrays = dict.fromkeys(vectors.split(), "real[:]")
    return Kind(name, **_COMMON, **arrays, **dict.fromkeys(matrices.split(), "real[:,:]"))


FORWARD = _kind("forward", "theta state work", "x y")
BACKWARD = _kind("backward", "theta grad state work", "x y dx dy")
PREPARE = _kind("prepare", "theta work")

#: Places in `ctx`, which every kernel reads:
#: TRAINING: 0 in prediction; in training the usual number of rows of a batch.
#: PARTNER: share of each row's loss that is computed with its partner's target, as the bits of a
#: real number; 0 unless a layer mixes rows. The partner of row i is row n - 1 - i.
#: LENGTHS: where in `ctx` the numbers of steps of the batch's rows begin, or 0 if all sequences are
#: of equal length; LONGEST: the largest of them (see lengths.py).
#: CONTINUES: 1 if the rows continue those of the previous batch, so that recurrent layers begin
#: with their last state.
#: PROGRESS: fraction of the planned training that is done, as the bits of a real number.
#: STOP_AT: address of the word that `is_stopped` reads, or 0.
STEP, SEED, TRAINING, PARTNER, LENGTHS, LONGEST, CONTINUES, PROGRESS, STOP_AT = range(9)
#: Numbers of `ctx` before the scratch memory: whole cache lines, so that its vectors are aligned.
CTX_SIZE = 16
#: The rows of a batch are divided among parts in multiples of this.
ROW_GRAIN = 8


@njit(**INLINED_OPTIONS)
def owned_rows(x: np.ndarray, part: int, parts: int) -> tuple[int, int]:
    """Return the first and one past the last row of a batch that `part` owns."""
    return share(x.shape[0], part, parts, ROW_GRAIN)


@njit(**INLINED_OPTIONS)
def is_stopped(ctx: np.ndarray) -> bool:
    """Return whether the caller has cancelled the computation, so that the kernel may return."""
    return ctx[STOP_AT] != 0 and load_word(ctx[STOP_AT]) != 0
