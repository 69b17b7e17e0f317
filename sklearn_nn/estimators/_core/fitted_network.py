"""Fitted networks: what predictions, inspection, files and ensembles use of an estimator."""

from __future__ import annotations

import collections
import math
import operator
import threading
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_nn._hints import question
from sklearn_nn.layers.layer import Layer, Memory
from sklearn_nn.network.lowering import Features, lower
from sklearn_nn.network.machine import FewRows, input_gradient, predict
from sklearn_nn.network.program import aligned, allocate

#: Programs that a network keeps for data of another form than the training data.
MOST_PROGRAMS = 32
#: Programs prepared for few rows that a network keeps: one for each thread that predicts.
_MOST_PREPARED = 8


class Programs:
    """Cache of the `most` programs used last, by key. Several threads may use it."""

    def __init__(self, most=MOST_PROGRAMS):
        self._most = most
        self._found = {}
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._found)

    def get(self, key, make):
        """Return the value stored under a key, or call `make` and store what it returns."""
        with self._lock:
            if key in self._found:
                self._found[key] = self._found.pop(key)  # most recently used is last
                return self._found[key]
        made = make()  # several threads may do so, with equal results
        with self._lock:
            self._found.pop(key, None)
            self._found[key] = made
            while len(self._found) > self._most:
                del self._found[next(iter(self._found))]
        return made


@dataclass(frozen=True)
class Plan:
    """Architecture of a network: everything that a program is lowered from."""

    #: Layers by name, from input to raw output.
    layers: list[tuple[str, Layer]]
    #: Layer applied to the raw output in prediction.
    link: Layer | None
    dtype: str
    #: Arguments of `lower`: the shape of a sample, and whether samples are ragged or carried over.
    form: dict[str, Any]
    #: Learning-rate factors of layers.
    rates: dict[str, float] | None = None
    #: Number of values at each time step of a sequence.
    channels: int = 1

    def lower(self, **form):
        """Lower the layers to a program, for samples of another form if one is given."""
        rates = {"rates": self.rates} if self.rates else {}
        return lower(
            self.layers, dtype=self.dtype, link=self.link, **{**self.form, **form}, **rates
        )


class Place(NamedTuple):
    """Position of an array in theta or state; addresses in state have the buffer "fixed"."""

    layer: str
    name: str
    start: int
    shape: tuple[int, ...]
    buffer: str

    def view(self, theta, state):
        """Return the array as a view."""
        buffer = theta if self.buffer == "theta" else state
        return buffer[self.start : self.start + math.prod(self.shape)].reshape(self.shape)


def places_of(program):
    """Return the place of every parameter, then of every memory, of a program."""
    return [
        Place(layer, name, placed.start, placed.parameter.shape, _buffer_of(placed.parameter))
        for places in (program.layers, program.memories)
        for layer, arrays in places.items()
        for name, placed in arrays.items()
    ]


def _buffer_of(parameter):
    if not isinstance(parameter, Memory):
        return "theta"
    return "state" if parameter.counted is None else "fixed"


def _no_prepared():
    """Return an empty stock of prepared programs; appending to a full one drops the oldest."""
    return collections.deque(maxlen=_MOST_PREPARED)


@dataclass(eq=False)
class FittedNetwork:
    """A network that can run: its plan, its parameters `theta` and its memories `state`.

    Parameters and memories are flat vectors; `arrays` returns views of them by layer and name. The
    program, which holds addresses of machine code, is lowered when it is first needed and stays out
    of pickles.
    """

    plan: Plan
    theta: np.ndarray
    state: np.ndarray
    places: list[Place]
    _program: Any = None
    _others: Programs = field(default_factory=Programs)
    #: `FewRows` that no thread uses at present.
    _idle: Any = field(default_factory=_no_prepared)

    @classmethod
    def of(cls, plan, program, theta, state):
        """Return a network of a program that was lowered from the plan."""
        return cls(plan, theta, state, places_of(program), program)

    @property
    def program(self):
        """Program for data of the form of the training data."""
        if self._program is None:
            program = self.plan.lower()
            check_layout(program, self.theta, self.state)
            self._program = program
        return self._program

    @property
    def dtype(self):
        """Data type of the computations, as a string."""
        return "float32" if self.theta.itemsize == 4 else "float64"  # dtype.name takes 2 us

    @property
    def outline(self):
        """Lines of a summary, one for each layer."""
        return self.program.outline

    def with_weights(self, theta, state):
        """Return the same network with other parameters and memories."""
        return FittedNetwork(self.plan, theta, state, self.places, self._program, self._others)

    def copy(self):
        """Return a network with copies of the parameters and memories."""
        return self.with_weights(aligned(self.theta), aligned(self.state))

    def rebuilt(self, plan):
        """Return the network of another plan, with the weights of all layers that both have."""
        program = plan.lower()
        made = FittedNetwork.of(plan, program, *program.new_buffers())
        known = {place[:2]: view for place, view in zip(self.places, self.views(), strict=True)}
        for place in made.places:
            if place[:2] in known:
                place.view(made.theta, made.state)[...] = known[place[:2]]
        return made

    # --- running ---------------------------------------------------------------------------

    def program_for(self, data):
        """Return the program for a source, which may hold sequences of any length."""
        program, form = self.program, self._form_of(data)
        if not form:
            return program

        def make():
            found = self.plan.lower(**form)
            shapes = [[p.parameter.shape for p in one.parameters] for one in (found, program)]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f"X has sequences of {form['shape'][0]} steps, but the network was fitted with "
                    f"{program.input_width // self.plan.channels}, and has layers whose weights "
                    "depend on that number; use pooling over time in place of Flatten."
                )
            return found

        return self._others.get((data.width, form["ragged"]), make)

    def _form_of(self, data):
        """Return the arguments of `lower` in which a source differs from the training data."""
        ragged, channels = data.lengths is not None, self.plan.channels
        if (data.width, ragged) == (self.program.input_width, self.program.ragged):
            return {}
        return {"shape": (data.width // channels, channels), "ragged": ragged}

    def reads(self, steps, *, ragged):
        """Return whether the layers can read sequences of up to `steps` time steps."""

        def reads():
            try:
                self.plan.lower(shape=(steps, self.plan.channels), ragged=ragged)
            except ValueError:
                return False
            return True

        return self._others.get(("reads", steps, ragged), reads)

    def run(self, data, layer=None, n_jobs=1):
        """Return the output after the link for all rows of a source.

        `layer` is the name of one whose output is returned in its place, or `Features`.
        """
        program = self.program_for(data)
        if isinstance(layer, Features):
            form = self._form_of(data)
            key = (layer, data.width, data.lengths is not None)
            program = self._others.get(key, lambda: self.plan.lower(**form, features=layer))
        elif layer is not None:
            program = program.cut(layer)
        return predict(program, self.theta, self.state, data, None, n_jobs)

    def run_few(self, rows):
        """Return the output that `run` does for few rows of numbers; None leaves them to `run`.

        `rows` is an array of floats of shape (n_rows, n_features). It need not be checked: None is
        also returned if values, or outputs, are not finite.
        """
        try:
            few = self._idle.pop()
        except IndexError:
            if not FewRows.suits(self.program):
                return None
            few = FewRows(self.program, self.theta, self.state)
        output = few.run(rows)
        self._idle.append(few)
        return output

    def input_gradient(self, data, seeds, n_jobs=1):
        """Return the gradient of a sum of raw outputs with respect to each row of a source.

        `seeds`, of shape (n_rows, n_raw_outputs), are the weights of the outputs in the sum.
        """
        form = {**self.plan.form, **self._form_of(data), "input_gradient": True}
        key = ("input_gradient", data.width, data.lengths is not None)
        layers, dtype = self.plan.layers, self.dtype
        program = self._others.get(key, lambda: lower(layers, dtype=dtype, **form))
        check_layout(program, self.theta, self.state)
        seeds = seeds.astype(self.dtype, copy=False)
        return input_gradient(program, self.theta, self.state, data, seeds, n_jobs)

    # --- arrays ----------------------------------------------------------------------------

    def views(self):
        """Return a view of every array, in the order of `places`; addresses are read-only."""
        fixed = self.state.view()
        fixed.flags.writeable = False
        return [
            place.view(self.theta, fixed if place.buffer == "fixed" else self.state)
            for place in self.places
        ]

    def with_arrays(self, arrays):
        """Return a network with the given arrays, in the order of `places`, as its weights."""
        shapes = [np.shape(array) for array in arrays]
        wanted = [place.shape for place in self.places]
        if shapes != wanted:
            raise ValueError(
                f"The weights have been replaced by arrays of shapes {shapes}; pass arrays of the "
                f"shapes {wanted}."
            )
        theta, state = (allocate(vector.size, self.dtype) for vector in (self.theta, self.state))
        for place, array in zip(self.places, arrays, strict=True):
            place.view(theta, state)[...] = array
        if any(place.buffer == "fixed" for place in self.places):
            self.program.check_state(state)
        return self.with_weights(theta, state)

    def output_shape(self, layer):
        """Return the shape of a sample after a layer; raise ValueError if the layer is unknown.

        `layer` may be `Features`, which are vectors.
        """
        if isinstance(layer, Features):
            return (sum(self.widths(layer)),)
        shapes = {line.name: line.output_shape for line in self.outline}
        if layer not in shapes:
            raise ValueError(
                f"layer={layer!r} is not in the network; its layers are {[*shapes]}."
                f"{question(layer, shapes)}"
            )
        return tuple(map(int, shapes[layer]))

    def widths(self, features):
        """Return the number of values of each layer of `Features`."""
        shapes = map(self.output_shape, features.layers)
        return [shape[-1] if features.pooling else math.prod(shape) for shape in shapes]

    @property
    def is_finite(self):
        """True if all parameters are finite."""
        return bool(np.isfinite(self.theta).all())

    def __getstate__(self):
        # Addresses of machine code are valid in this process only.
        return {**vars(self), "_program": None, "_others": None, "_idle": None}

    def __setstate__(self, state):
        vars(self).update(state, _others=Programs(), _idle=_no_prepared())


def check_layout(program, theta, state):
    """Raise ValueError if the weights are not those of the program."""
    if (theta.shape, state.shape) != ((program.n_theta,), (program.n_state,)):
        raise ValueError(
            f"The estimator holds {theta.size} weights, but its network has {program.n_theta}; fit "
            "again."
        )
    program.check_state(state)


def publish_network(estimator, network):
    """Set an estimator's network, `layers_`, and the lists `_ARRAY_LISTS`, such as `coefs_`."""
    estimator._network = network
    estimator._views, layers = network.views(), {}
    for place, view in zip(network.places, estimator._views, strict=True):
        layers.setdefault(place.layer, {})[place.name] = view
    estimator.layers_ = layers
    for attribute, name in estimator._ARRAY_LISTS.items():
        arrays = [layer[name] for layer in layers.values() if "kernel" in layer]
        setattr(estimator, attribute, arrays)
        estimator.n_layers_ = len(arrays) + 1  # with the input, as scikit-learn counts
    estimator._published = _shown_arrays(estimator)


def publish_history(estimator, history, n_epochs):
    """Publish the history under scikit-learn's names, and its own."""
    curves = history.curves
    estimator.n_iter_ = n_epochs
    estimator.t_ = history.samples_seen
    estimator.loss_curve_ = curves.setdefault("loss", [])
    estimator.validation_loss_curve_ = curves.get("val_loss")
    if estimator.loss_curve_:
        estimator.loss_ = estimator.loss_curve_[-1]
    estimator.best_loss_ = None if history.validated else history.best_loss
    estimator.best_iteration_ = history.best_epoch
    scored = history.validated or "val_score" in curves
    estimator.validation_scores_ = curves.get("val_score", []) if scored else None
    estimator.best_validation_score_ = history.best_score if scored else None
    estimator._no_improvement_count = history.no_improvement


def _shown_arrays(estimator):
    """Return all arrays in public attributes of the estimator, some of them twice."""
    shown = []
    for layer in estimator.layers_.values():
        shown += layer.values()
    for attribute in estimator._ARRAY_LISTS:
        shown += getattr(estimator, attribute)
    return shown


def _seen_arrays(estimator):
    """Return the arrays in public attributes, replaced ones included, in the order of `places`."""
    lists = {name: list(getattr(estimator, a)) for a, name in estimator._ARRAY_LISTS.items()}
    if "_network" not in vars(estimator):  # weights that were set before there was a network
        return [array for arrays in zip(*lists.values(), strict=True) for array in arrays]
    layers, places = estimator.layers_, estimator._network.places
    if not lists:
        return [layers[place.layer][place.name] for place in places]
    seen = []
    for place, view in zip(places, estimator._views, strict=True):
        array = layers[place.layer][place.name]
        listed = lists.get(place.name)
        if listed is not None:
            if not listed:  # the list is too short
                continue
            other = listed.pop(0)
            array = array if other is view else other  # whichever was replaced
        seen.append(array)
    return [*seen, *(array for rest in lists.values() for array in rest)]


def check_fitted(estimator):
    """Raise NotFittedError if the estimator has no network."""
    if "_network" not in vars(estimator):  # the check costs a tenth of a one-row predict
        check_is_fitted(estimator, "_network")


def network_of(estimator):
    """Return the fitted network of an estimator, with the arrays that users have replaced.

    Raise NotFittedError without a network, and ValueError if the shape of an array has changed.
    """
    check_fitted(estimator)
    shown, published = _shown_arrays(estimator), estimator._published
    if len(shown) != len(published) or not all(map(operator.is_, shown, published)):
        # Not in place: another thread may be predicting with the present network.
        publish_network(estimator, estimator._network.with_arrays(_seen_arrays(estimator)))
    return estimator._network


def sources_of(estimator, X):
    """Check X and return an iterator over its sources, as predictions read them."""
    return estimator._reader.blocks(X, network_of(estimator), estimator)


def data_format_of(estimator):
    """Return the order of axes of the samples that were fitted, or None for vectors."""
    return getattr(vars(estimator).get("_reader"), "data_format", None)


def remarks_of(estimator):
    """Return names and texts that the summary of an estimator shows in addition to its layers."""
    return estimator._remarks()


def has_weights(estimator):
    """Return whether the estimator has weights, from which training can continue."""
    lists = estimator._ARRAY_LISTS
    return all(hasattr(estimator, name) for name in lists or ("_network",))


def adopted(estimator, plan, program):
    """Return a program's network with the estimator's weights, which must have the same shapes."""
    network = FittedNetwork.of(plan, program, *program.new_buffers())
    arrays = _seen_arrays(estimator)
    shapes, wanted = [np.shape(a) for a in arrays], [place.shape for place in network.places]
    if shapes != wanted:
        raise ValueError(
            f"The fitted weights have shapes {shapes}, but the parameters now require {wanted}; "
            "fit with warm_start=False to begin with new weights."
        )
    for place, array in zip(network.places, arrays, strict=True):
        place.view(network.theta, network.state)[...] = array
    check_layout(program, network.theta, network.state)
    return network
