"""Arguments of the drivers in batch_loops.py."""

from __future__ import annotations

from sklearn_nn.jit.driver import Layout
from sklearn_nn.jit.kernel import Kind

#: Arguments of all drivers; each uses some. Those named `..._at` are addresses of kernels and
#: routines. `works`, `arenas` and `darenas` have a row for each part that has memory of its own.
FRAME = Layout(Kind(
    "driver",
    contexts="int64[:,:]", table="const int64[:,:]", ends="const int64[:]", capacity="int64",
    batch_size="int64", first="int64", last="int64", windows="int64", order="const int64[:]",
    n_rows="int64", piece_rows="int64", piece_cost="int64", counters="int64[:]",
    gather_at="int64", values="const real[:]", indices="const int64[:]", indptr="const int64[:]",
    loss_at="int64", options="const float64[:]", target="const real[:,:]", weight="const real[:]",
    settings="const float64[:]", groups="const int64[:,:]", factors="const float64[:,:]",
    matrices="const int64[:,:]", decays="const float64[:]", all_scalars="const float64[:,:]",
    progress="const float64[:]", theta="const real[:]", grad="real[:]", state="const real[:]",
    kept="real[:]", works="real[:,:]", arenas="real[:,:]", darenas="real[:,:]",
    moments="real[:,:]", average="real[:]", all_losses="float64[:]", numbers="int64[:]",
    penalties="float64[:]", norms="float64[:]", totals="float64[:]", batch_losses="float64[:]",
    out="real[:,:]", seeds="const real[:,:]",
    **dict.fromkeys(
        ("forward_at", "backward_at", "take_losses_at", "descend_at", "weigh_at", "count_at",
         "add_at", "penalize_at", "measure_at", "shrink_at", "update_at", "limit_at", "average_at"),
        "int64",
    ),
))  # fmt: skip
#: Return the record of the frame at an address.
frame_at = FRAME.reader()
