"""Recurrent layers as NumPy loops over the steps, and their gradients by hand.

Each cell is a function of ``(x, W, R, b)`` for x of shape (n, steps, features). It returns h of
every step, and a function from the gradient of these to those of x, W, R and b.
"""

import numpy as np


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def simple(x, W, R, b):
    """h = tanh(x W + h R + b)."""
    n, steps, _ = x.shape
    h = [np.zeros((n, len(R)))]
    for t in range(steps):
        h.append(np.tanh(x[:, t] @ W + h[-1] @ R + b))

    def backward(dh):
        dx, dW, dR, db = (np.zeros_like(a) for a in (x, W, R, b))
        carried = np.zeros_like(h[0])
        for t in reversed(range(steps)):
            da = (dh[:, t] + carried) * (1 - h[t + 1] ** 2)
            dx[:, t], carried = da @ W.T, da @ R.T
            dW += x[:, t].T @ da
            dR += h[t].T @ da
            db += da.sum(0)
        return dx, dW, dR, db

    return np.stack(h[1:], 1), backward


def lstm(x, W, R, b):
    """c = f c + i g, h = o tanh(c)."""
    n, steps, _ = x.shape
    h, c, gates = [np.zeros((n, len(R)))], [np.zeros((n, len(R)))], []
    for t in range(steps):
        i, f, g, o = np.split(x[:, t] @ W + h[-1] @ R + b, 4, axis=1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))
        gates.append((i, f, g, o))

    def backward(dh):
        dx, dW, dR, db = (np.zeros_like(a) for a in (x, W, R, b))
        carried, carried_c = np.zeros_like(h[0]), np.zeros_like(h[0])
        for t in reversed(range(steps)):
            i, f, g, o = gates[t]
            whole, inner = dh[:, t] + carried, np.tanh(c[t + 1])
            dc = carried_c + whole * o * (1 - inner**2)
            parts = (
                dc * g * i * (1 - i), dc * c[t] * f * (1 - f),
                dc * i * (1 - g**2), whole * inner * o * (1 - o),
            )  # fmt: skip
            da, carried_c = np.concatenate(parts, 1), dc * f
            dx[:, t], carried = da @ W.T, da @ R.T
            dW += x[:, t].T @ da
            dR += h[t].T @ da
            db += da.sum(0)
        return dx, dW, dR, db

    return np.stack(h[1:], 1), backward


def gru(x, W, R, b):
    """h = z h + (1 - z) hh, where r acts on what h R gives."""
    n, steps, _ = x.shape
    h, kept = [np.zeros((n, len(R)))], []
    for t in range(steps):
        az, ar, ah = np.split(x[:, t] @ W + b[0], 3, axis=1)
        sz, sr, q = np.split(h[-1] @ R + b[1], 3, axis=1)
        z, r = _sigmoid(az + sz), _sigmoid(ar + sr)
        hh = np.tanh(ah + r * q)
        h.append(z * h[-1] + (1 - z) * hh)
        kept.append((z, r, q, hh))

    def backward(dh):
        dx, dW, dR, db = (np.zeros_like(a) for a in (x, W, R, b))
        carried = np.zeros_like(h[0])
        for t in reversed(range(steps)):
            z, r, q, hh = kept[t]
            whole = dh[:, t] + carried
            dz = whole * (h[t] - hh) * z * (1 - z)
            dhh = whole * (1 - z) * (1 - hh**2)
            dr = dhh * q * r * (1 - r)
            of_x, of_h = np.hstack([dz, dr, dhh]), np.hstack([dz, dr, dhh * r])
            dx[:, t], carried = of_x @ W.T, of_h @ R.T + whole * z
            dW += x[:, t].T @ of_x
            dR += h[t].T @ of_h
            db += np.stack([of_x.sum(0), of_h.sum(0)])
        return dx, dW, dR, db

    return np.stack(h[1:], 1), backward


CELLS = {"SimpleRNN": simple, "LSTM": lstm, "GRU": gru}


def run(layer, parameters, x, dy=None):
    """Output of a layer, and with `dy` the gradients of x and of its parameters."""
    seen = x[:, ::-1] if layer.go_backwards else x
    h, backward = CELLS[type(layer).__name__](seen, *parameters)
    y = h if layer.return_sequences else h[:, -1]
    if dy is None:
        return y
    dh = np.zeros_like(h)
    if layer.return_sequences:
        dh[:] = dy
    else:
        dh[:, -1] = dy
    dx, *gradients = backward(dh)
    return (dx[:, ::-1] if layer.go_backwards else dx), gradients
