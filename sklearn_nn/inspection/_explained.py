"""A prediction as a differentiable function of what the networks of an estimator read."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sklearn_nn.estimators._core.fitted_network import FittedNetwork, network_of
from sklearn_nn.estimators._targets.codec import BINARY, MULTICLASS
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.layers import (
    CategoryEmbedding,
    Embedding,
    OneHot,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
)
from sklearn_nn.network.source import sequences, source

#: What the attributions of a classifier add up to.
LOG_ODDS, PROBABILITY = "log_odds", "probability"
_LOOKUPS = (Embedding, OneHot, CategoryEmbedding)
#: Layers that hand on columns of codes, so that codes may be looked up before them.
_OF_NUMBERS = (PeriodicEmbedding, PiecewiseLinearEmbedding)
#: Links of regressors, and their derivatives as functions of the output.
_LINKS = {"identity": (np.copy, np.ones_like), "exp": (np.exp, np.copy)}


class Part(NamedTuple):
    """A network that reads numbers, after the lookup of codes that these come from, if any."""

    network: FittedNetwork
    lookup: FittedNetwork | None = None

    @classmethod
    def of(cls, fitted):
        """Return the part of a fitted network; raise ValueError if a lookup is not its first."""
        layers = fitted.plan.layers
        names = {kind.__name__ for kind in _LOOKUPS}
        n_lookups = sum(line.layer in names for line in fitted.outline)
        if not n_lookups:
            return cls(fitted)
        places = [i for i, (_, layer) in enumerate(layers) if isinstance(layer, _LOOKUPS)]
        at = places[0] if places else 0
        if (
            not places
            or n_lookups > 1
            or not all(isinstance(x, _OF_NUMBERS) for _, x in layers[:at])
        ):
            raise ValueError(
                "attributions needs numbers to move along a path, but this network looks up codes "
                "elsewhere than in one layer at its beginning; put a single Embedding, OneHot or "
                "CategoryEmbedding there."
            )
        name, _ = layers[at]
        plan = replace(fitted.plan, rates=None)
        lookup = fitted.rebuilt(replace(plan, layers=[layers[at]], link=None))
        shape = lookup.output_shape(name)
        channels = shape[-1] if len(shape) > 1 else 1
        layers, form = [*layers[:at], *layers[at + 1 :]], {**plan.form, "shape": shape}
        return cls(
            fitted.rebuilt(replace(plan, layers=layers, form=form, channels=channels)), lookup
        )

    @property
    def last(self):
        """Name of the layer of the raw output."""
        return self.network.plan.layers[-1][0]

    def encode(self, rows, lengths, n_jobs):
        """Return rows as the network reads them, with zeros after the end of sequences."""
        if self.lookup is None:
            return rows
        found = self.lookup.run(_source(self.lookup, rows, lengths), None, n_jobs)
        found = found.reshape(len(rows), -1)
        return found if lengths is None else np.where(_exist(found, lengths, self), found, 0)

    def fold(self, values, width):
        """Add up the values that each of the `width` numbers of a row has become."""
        if self.lookup is None:
            return values
        _, layer = self.lookup.plan.layers[0]
        if not isinstance(layer, CategoryEmbedding):  # a vector for each number
            return values.reshape(len(values), width, -1).sum(axis=2)
        n_kept = width - len(layer.sizes)
        kept, vectors = values[:, :n_kept], values[:, n_kept:]
        return np.hstack([kept, vectors.reshape(len(values), len(layer.sizes), -1).sum(axis=2)])

    def source(self, rows, lengths):
        """Return the source of encoded rows."""
        return _source(self.network, rows, lengths)


def _source(network, rows, lengths):
    """Return the source of rows; with `lengths`, of sequences of these numbers of steps."""
    if lengths is None:
        return source(rows, network.dtype)
    n, width = rows.shape
    starts, channels = np.arange(n) * width, network.plan.channels
    return sequences(rows.reshape(-1), starts, lengths, channels, network.dtype, width // channels)


def _exist(rows, lengths, part):
    """Return a mask of the encoded values that belong to steps before the end of a sequence."""
    steps = np.arange(rows.shape[1]) // part.network.plan.channels
    return steps < lengths[:, np.newaxis]


class Explained:
    """The number that attributions add up to, as a function of encoded rows.

    It is the prediction of a regressor in units of y, or the log-odds or probability of a class.
    An estimator may have several networks, whose predictions are averaged; the rows are encoded for
    each of them. Classes or outputs are chosen for each row by number.
    """

    def __init__(self, estimator, output=LOG_ODDS):
        self.estimator = estimator
        self.codec = estimator._codec
        self.is_probability = output == PROBABILITY
        fitted = [*vars(estimator).get("_earlier", []), network_of(estimator)]
        self.parts = [Part.of(network) for network in fitted]
        self.temperatures = vars(estimator).get("_temperatures", [1.0] * len(fitted))
        self.n_jobs = resolve_n_jobs(estimator.n_jobs)
        #: Activation by which predictions follow from raw outputs; the middle quantile is one.
        self.link = getattr(fitted[-1].plan.link, "activation", "identity")
        #: Kind of target of a classifier, else None.
        self.kind = None if self.codec.is_numeric else getattr(self.codec, "kind", MULTICLASS)
        if self.kind is None and self.link not in _LINKS:
            raise ValueError(
                f"attributions does not know the link {self.link!r} of the loss; use a loss whose "
                f"link is one of {[*_LINKS]}."
            )

    def encode(self, rows, lengths):
        """Return rows as each network reads them."""
        return [part.encode(rows, lengths, self.n_jobs) for part in self.parts]

    def exist(self, rows, lengths):
        """Return masks of the encoded values before the end of each sequence, for each network."""
        if lengths is None:
            return [True] * len(rows)
        return [_exist(x, lengths, part) for x, part in zip(rows, self.parts, strict=True)]

    # --- values and gradients ----------------------------------------------------------------

    def scores(self, encoded, lengths):
        """Return what classes are chosen by: the log-probability of each; zeros of a regressor."""
        raw = self._raw(encoded, lengths)
        if self.kind is None:
            return np.zeros((len(raw[0]), raw[0].shape[2] // self.codec.per_target))
        if self.kind == MULTICLASS:
            return self._mean_log_p(raw)[0]
        if self.kind == BINARY:  # the second class, whatever its probability
            return np.tile([0.0, 1.0], (len(raw[0]), 1))[:, : len(self.codec.classes)]
        pairs = (self._mean_log_p(_pairs(raw, k))[0] for k in range(raw[0].shape[2]))
        return np.column_stack([pair[:, 1] for pair in pairs])

    def values(self, encoded, lengths, chosen):
        """Return the number for each row."""
        return self._values_and_seeds(self._raw(encoded, lengths), chosen)[0]

    def gradients(self, encoded, lengths, chosen):
        """Return the gradient of the number of each row, for the rows of each network."""
        raw = self._raw(encoded, lengths)
        _, seeds = self._values_and_seeds(raw, chosen)
        found = []
        for part, rows, seed in zip(self.parts, encoded, seeds, strict=True):
            data = part.source(rows, lengths)
            whole = self._in_place(part, seed, rows, lengths)
            gradient = part.network.input_gradient(data, whole, self.n_jobs)
            found.append(gradient[:, : rows.shape[1]])
        return found

    # --- raw outputs -------------------------------------------------------------------------

    def _raw(self, encoded, lengths):
        """Return the raw output of each network, of shape (n_rows, n_members, n_outputs)."""
        found = []
        for part, rows in zip(self.parts, encoded, strict=True):
            raw = part.network.run(part.source(rows, lengths), part.last, self.n_jobs)
            raw = raw.astype(np.float64).reshape(len(rows), -1, self._n_outputs(part))
            if not np.isfinite(raw).all():
                raise ValueError(
                    "The network's output is not finite for some rows between X and background; "
                    "scale both as the training data was."
                )
            if not part.network.program.has_members and raw.shape[1] > 1:  # one for each step
                last = _last_steps(raw.shape[1], lengths, len(raw))
                raw = raw[np.arange(len(raw)), last][:, np.newaxis]
            found.append(raw)
        return found

    def _n_outputs(self, part):
        return int(part.network.output_shape(part.last)[-1])

    def _in_place(self, part, seeds, rows, lengths):
        """Return the weights of all raw outputs: of all steps, these of the last one."""
        n, _, outputs = seeds.shape
        program = part.network.program
        if program.has_members or len(part.network.output_shape(part.last)) == 1:
            return seeds.reshape(n, -1)
        steps = rows.shape[1] // part.network.plan.channels
        whole = np.zeros((n, steps, outputs))
        whole[np.arange(n), _last_steps(steps, lengths, n)] = seeds[:, 0]
        return whole.reshape(n, -1)

    def _values_and_seeds(self, raw, chosen):
        """Return the number of each row and its derivatives with respect to the raw outputs."""
        rows = np.arange(len(chosen))
        if self.kind is None:
            return self._of_numbers(raw, rows, chosen)
        if self.kind == MULTICLASS:
            return self._of_classes(raw, rows, chosen)
        is_binary = self.kind == BINARY
        column, side = (0 * chosen, chosen) if is_binary else (chosen, np.ones_like(chosen))
        values, of_pairs = self._of_classes(_pairs(raw, column), rows, side)
        seeds = [np.zeros(z.shape) for z in raw]
        for seed, of_pair in zip(seeds, of_pairs, strict=True):
            seed[rows, :, column] = of_pair[:, :, 1]
        return values, seeds

    def _of_numbers(self, raw, rows, chosen):
        """Return predictions of chosen outputs in units of y, and derivatives."""
        link, slope = _LINKS[self.link]
        values, seeds, column = np.zeros(len(rows)), [], self.codec.raw_columns(chosen)
        for z in raw:
            members = link(z)
            output = members.mean(axis=1)
            predicted = self.codec.decode(output).reshape(len(rows), -1)
            values += predicted[rows, chosen] / len(raw)
            seed = np.zeros(z.shape)
            factor = self.codec.slopes(output)[rows, column] / (len(raw) * z.shape[1])
            seed[rows, :, column] = factor[:, np.newaxis] * slope(members)[rows, :, column]
            seeds.append(seed)
        return values, seeds

    def _of_classes(self, raw, rows, chosen):
        """Return log-odds or probabilities of chosen classes, and derivatives."""
        log_p, steps = self._mean_log_p(raw)
        own = log_p[rows, chosen]
        if self.is_probability:
            values = np.exp(own)
            slope = np.zeros(log_p.shape)
            slope[rows, chosen] = values
        else:
            log_p_others = log_p.copy()
            log_p_others[rows, chosen] = -np.inf
            rest = _log_sum_exp(log_p_others, axis=1)
            values = own - rest
            slope = -np.exp(log_p_others - rest[:, np.newaxis])
            slope[rows, chosen] = 1
        return values, [self._seeds(slope, log_p, *step) for step in steps]

    def _mean_log_p(self, raw):
        """Return logarithms of the mean probabilities, and the steps that lead there by network.

        Members of a network are averaged, then its temperature applied, then networks averaged.
        """
        steps = []
        for z, temperature in zip(raw, self.temperatures, strict=True):
            of_members = _log_softmax(z)
            of_network = _log_sum_exp(of_members, axis=1) - np.log(z.shape[1])
            steps.append(
                (temperature, _log_softmax(of_network / temperature), of_network, of_members)
            )
        found = _log_sum_exp(np.array([scaled for _, scaled, _, _ in steps]), axis=0)
        return found - np.log(len(raw)), steps

    def _seeds(self, slope, log_p, temperature, scaled, of_network, of_members):
        """Return derivatives with respect to raw outputs, from those with respect to `log_p`."""
        slope = slope * np.exp(scaled - log_p) / len(self.parts)
        slope = _through_softmax(slope, scaled) / temperature
        shares = np.exp(of_members - of_network[:, np.newaxis]) / of_members.shape[1]
        return _through_softmax(slope[:, np.newaxis] * shares, of_members)


def _last_steps(steps, lengths, n):
    """Return the number of the last step of each of n sequences."""
    return np.full(n, steps - 1) if lengths is None else lengths - 1


def _pairs(raw, column):
    """Return zero and the raw output in a column: the softmax of the pair is the sigmoid."""
    rows = np.arange(len(raw[0]))
    own = [np.asarray(z[rows, :, column]) for z in raw]
    return [np.stack([np.zeros_like(z), z], axis=2) for z in own]


def _log_softmax(z):
    """Return log(softmax(z)) along the last axis."""
    return z - _log_sum_exp(z, axis=-1)[..., np.newaxis]


def _log_sum_exp(z, axis):
    """Return log(sum(exp(z))) along an axis, without overflow."""
    most = z.max(axis=axis, keepdims=True)
    return np.log(np.exp(z - most).sum(axis=axis)) + most.squeeze(axis)


def _through_softmax(slope, log_p):
    """Return derivatives with respect to z, from those with respect to log(softmax(z))."""
    return slope - np.exp(log_p) * slope.sum(axis=-1, keepdims=True)
