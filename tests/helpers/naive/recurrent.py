"""Recurrent layers as NumPy loops over the steps, and their gradients by hand.

Each cell is a function of ``(x, W, R, b, start, mask, activation)`` for x of shape (n, steps,
features). It begins with the state `start` (h, and of an LSTM c), and h R reads h times the mask.
The activation is one of ACTIVATIONS. It returns h of every step, the state after the last, and a
function from the gradient of h to those of x, W, R and b; `start` gets none.
"""

import numpy as np
from sklearn.base import clone


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


#: The value of x, and the derivative from that value.
ACTIVATIONS = {
    "tanh": (np.tanh, lambda y: 1 - y**2),
    "relu": (lambda x: np.maximum(x, 0), lambda y: np.where(y > 0, 1, 0)),
    "logistic": (_sigmoid, lambda y: y * (1 - y)),
    "identity": (lambda x: x, np.ones_like),
}
OTHER_NAMES = {"sigmoid": "logistic", "linear": "identity", None: "identity"}


def simple(x, W, R, b, start, mask, activation):
    """Compute h = f(x W + h R + b)."""
    value, slope = activation
    steps, h = x.shape[1], [start[0]]
    for t in range(steps):
        h.append(value(x[:, t] @ W + (h[-1] * mask) @ R + b))

    def backward(dh):
        dx, dW, dR, db = (np.zeros_like(a) for a in (x, W, R, b))
        carried = np.zeros_like(h[0])
        for t in reversed(range(steps)):
            da = (dh[:, t] + carried) * slope(h[t + 1])
            dx[:, t], carried = da @ W.T, da @ R.T * mask
            dW += x[:, t].T @ da
            dR += (h[t] * mask).T @ da
            db += da.sum(0)
        return dx, dW, dR, db

    return np.stack(h[1:], 1), (h[-1],), backward


def lstm(x, W, R, b, start, mask, activation):
    """Compute c = f c + i g, h = o a(c)."""
    value, slope = activation
    steps, h, c, gates = x.shape[1], [start[0]], [start[1]], []
    for t in range(steps):
        i, f, g, o = np.split(x[:, t] @ W + (h[-1] * mask) @ R + b, 4, axis=1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), value(g), _sigmoid(o)
        c.append(f * c[-1] + i * g)
        h.append(o * value(c[-1]))
        gates.append((i, f, g, o))

    def backward(dh):
        dx, dW, dR, db = (np.zeros_like(a) for a in (x, W, R, b))
        carried, carried_c = np.zeros_like(h[0]), np.zeros_like(h[0])
        for t in reversed(range(steps)):
            i, f, g, o = gates[t]
            whole, inner = dh[:, t] + carried, value(c[t + 1])
            dc = carried_c + whole * o * slope(inner)
            parts = (
                dc * g * i * (1 - i), dc * c[t] * f * (1 - f),
                dc * i * slope(g), whole * inner * o * (1 - o),
            )  # fmt: skip
            da, carried_c = np.concatenate(parts, 1), dc * f
            dx[:, t], carried = da @ W.T, da @ R.T * mask
            dW += x[:, t].T @ da
            dR += (h[t] * mask).T @ da
            db += da.sum(0)
        return dx, dW, dR, db

    return np.stack(h[1:], 1), (h[-1], c[-1]), backward


def gru(x, W, R, b, start, mask, activation):
    """Compute h = z h + (1 - z) hh, where r acts on h R."""
    value, slope = activation
    steps, h, kept = x.shape[1], [start[0]], []
    for t in range(steps):
        az, ar, ah = np.split(x[:, t] @ W + b[0], 3, axis=1)
        sz, sr, q = np.split((h[-1] * mask) @ R + b[1], 3, axis=1)
        z, r = _sigmoid(az + sz), _sigmoid(ar + sr)
        hh = value(ah + r * q)
        h.append(z * h[-1] + (1 - z) * hh)
        kept.append((z, r, q, hh))

    def backward(dh):
        dx, dW, dR, db = (np.zeros_like(a) for a in (x, W, R, b))
        carried = np.zeros_like(h[0])
        for t in reversed(range(steps)):
            z, r, q, hh = kept[t]
            whole = dh[:, t] + carried
            dz = whole * (h[t] - hh) * z * (1 - z)
            dhh = whole * (1 - z) * slope(hh)
            dr = dhh * q * r * (1 - r)
            of_x, of_h = np.hstack([dz, dr, dhh]), np.hstack([dz, dr, dhh * r])
            dx[:, t], carried = of_x @ W.T, of_h @ R.T * mask + whole * z
            dW += x[:, t].T @ of_x
            dR += (h[t] * mask).T @ of_h
            db += np.stack([of_x.sum(0), of_h.sum(0)])
        return dx, dW, dR, db

    return np.stack(h[1:], 1), (h[-1],), backward


CELLS = {"SimpleRNN": simple, "LSTM": lstm, "GRU": gru}


def run(layer, parameters, x, dy=None, *, start=None, last=False, masks=(1, 1)):
    """Return the output of a layer, and with `dy` the gradients of x and of its parameters.

    `start` is the state before the first step, zeros if it is None; with `last` the state after
    the last step is returned. `masks` are those of x and of h, one for all steps.
    """
    of_x = np.asarray(masks[0]) if np.isscalar(masks[0]) else masks[0][:, np.newaxis]
    seen = (x[:, ::-1] if layer.go_backwards else x) * of_x
    if start is None:
        start = [np.zeros((len(x), layer.units))] * 2
    activation = ACTIVATIONS[OTHER_NAMES.get(layer.activation, layer.activation)]
    cell = CELLS[type(layer).__name__]
    h, state, backward = cell(seen, *parameters, start, masks[1], activation)
    if last:
        return state
    y = h if layer.return_sequences else h[:, -1]
    if dy is None:
        return y
    dh = np.zeros_like(h)
    if layer.return_sequences:
        dh[:] = dy
    else:
        dh[:, -1] = dy
    dx, *gradients = backward(dh)
    dx = dx * of_x
    return (dx[:, ::-1] if layer.go_backwards else dx), gradients


def merge(mode, a, b):
    """Return Bidirectional's merge of both values, and a function for their gradients."""
    return {
        "concat": (np.concatenate([a, b], -1), lambda d: np.split(d, 2, axis=-1)),
        "sum": (a + b, lambda d: (d, d)),
        "mul": (a * b, lambda d: (d * b, d * a)),
        "ave": ((a + b) / 2, lambda d: (d / 2, d / 2)),
    }[mode]


def run_both_ways(layer, parameters, x, dy=None):
    """Return the same for a Bidirectional layer; its parameters are those of both directions."""
    one, other = layer.layer, clone(layer.layer).set_params(go_backwards=True)
    turn = (lambda a: a[:, ::-1]) if one.return_sequences else (lambda a: a)
    a, b = run(one, parameters[:3], x), turn(run(other, parameters[3:], x))
    y, back = merge(layer.merge_mode, a, b)
    if dy is None:
        return y
    da, db = back(dy)
    dx, gradients = run(one, parameters[:3], x, da)
    other_dx, others = run(other, parameters[3:], x, turn(db))
    return dx + other_dx, gradients + others
