"""Stacks of recurrent layers that are made from plain parameters."""

from __future__ import annotations

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.layers import GRU, LSTM, Bidirectional, Dropout, SimpleRNN

#: What `cell` may be.
CELLS = {"lstm": LSTM, "gru": GRU, "rnn": SimpleRNN}
COUNT = [Interval(Integral, 1, None, closed="left")]
RECURRENT_CONSTRAINTS: dict = {
    "hidden_size": COUNT,
    "cell": [StrOptions(set(CELLS))],
    "num_layers": COUNT,
}


def recurrent_layers(
    cell, units, rates, *, return_sequences=True, bidirectional=False, kernel_initializer=None
):
    """Recurrent layers, each of which reads the steps of the one before.

    Parameters
    ----------
    cell : str
        One of `CELLS`.
    units : int
        Of each layer, in each direction.
    rates : list of float
        For each layer the rate of the dropout behind it. That of the last is left to the caller.
    return_sequences : bool
        Whether the last layer hands on every step.
    bidirectional : bool
    kernel_initializer : str, Initializer or None

    Returns
    -------
    layers : list of (name, Layer)
    """
    layers = []
    for i, rate in enumerate(rates, 1):
        steps = i < len(rates) or return_sequences
        layer = CELLS[cell](units, return_sequences=steps, kernel_initializer=kernel_initializer)
        if bidirectional:
            layer = Bidirectional(layer)
        layers.append((f"{cell}{i}", layer))
        if rate and i < len(rates):
            layers.append((f"{cell}dropout{i}", Dropout(rate)))
    return layers
