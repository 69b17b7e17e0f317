"""How a fitted estimator holds its weights: one flat vector, and views of it for the user."""

from __future__ import annotations

import inspect
import math
import operator

import numpy as np

from sklearn_nn.estimators._core.all_or_nothing import OF_A_FIT
from sklearn_nn.estimators._core.programs import Programs
from sklearn_nn.layers.base import Memory
from sklearn_nn.network.memory import allocate

#: Numbers of rows: the order that training has come to, and those held out.
_OF_ROWS = ("_order", "_held_out")


def writable(array):
    """The array; a copy where it is read-only, as one that joblib has mapped into memory is."""
    return array if array.flags.writeable else np.array(array)


def _buffer_of(parameter):
    """Where a parameter or memory lies; "fixed" is what kernels find their way by in `_state`."""
    if not isinstance(parameter, Memory):
        return "theta"
    return "state" if parameter.counted is None else "fixed"


def _compact(rows):
    """Numbers of rows, in half the room where they fit."""
    return rows if rows is None or rows.size >= 2**31 else rows.astype(np.int32)


class FlatWeights:
    """Mixin: the flat vector `_theta`, the arrays users see, pickling.

    The arrays that users see are views: writing into one changes what `predict` and the next
    `partial_fit` use. An array that was put in the place of a view is copied into the vector
    when it is next needed, and the view stands in its place again. Pickles hold the vector and a
    plain list of where each array lies; the program, which holds addresses of machine code, is
    made again when it is needed.
    """

    #: What is made from the rest and stays out of pickles.
    _transient: tuple[str, ...] = ("_network", "_others", "_validated", "_views", "layers_")

    def _link_weights(self, program):
        """Keep the program, and publish views of `_theta` and `_state`."""
        self._forget_programs()
        self._network = program
        self._layout = [
            (layer, name, placed.start, placed.parameter.shape, _buffer_of(placed.parameter))
            for places in (program.layers, program.memories)
            for layer, arrays in places.items()
            for name, placed in arrays.items()
        ]
        self.n_parameters_ = sum(placed.parameter.size for placed in program.parameters)
        self._publish_views()

    def _views_of(self, theta, state, fixed=None):
        """The arrays over flat vectors, in the order of the layout."""
        buffers = {"theta": theta, "state": state, "fixed": state if fixed is None else fixed}
        return [
            buffers[buffer][start : start + math.prod(shape)].reshape(shape)
            for _, _, start, shape, buffer in self._layout
        ]

    def _publish_views(self):
        """Set `layers_`: a dict of layer names to dicts of arrays."""
        fixed = self._state.view()
        fixed.flags.writeable = False
        self._views, layers = self._views_of(self._theta, self._state, fixed), {}
        for (layer, name, *_), view in zip(self._layout, self._views, strict=True):
            layers.setdefault(layer, {})[name] = view
        self.layers_ = layers

    def _seen_arrays(self):
        """The arrays that users may have replaced, in the order of the layout."""
        return [self.layers_[layer][name] for layer, name, *_ in self._layout]

    def _check_layout(self, program):
        """Raise a ValueError if the weights at hand are not those of the program."""
        if (self._theta.shape, self._state.shape) != ((program.n_theta,), (program.n_state,)):
            raise ValueError(
                f"The weights at hand are {self._theta.size} numbers, the network's "
                f"{program.n_theta}; fit again."
            )
        program.check_state(self._state)

    def _adopt_weights(self, program):
        """Go on from the present weights in `program`, whose architecture must be theirs.

        Raises
        ------
        ValueError
            If the architecture has changed since the weights were learnt.
        """
        arrays = self._seen_arrays()
        shapes = [np.shape(array) for array in arrays]
        memories = [m for layer in program.memories.values() for m in layer.values()]
        wanted = [placed.parameter.shape for placed in (*program.parameters, *memories)]
        if shapes != wanted:
            raise ValueError(
                f"The weights at hand have shapes {shapes}, but the parameters now ask for "
                f"{wanted}; fit with warm_start=False to begin anew."
            )
        theta, state = program.new_buffers()
        for placed, array in zip(program.parameters, arrays, strict=False):
            placed.view(theta)[...] = array
        for placed, array in zip(memories, arrays[len(program.parameters) :], strict=True):
            placed.view(state)[...] = array
        program.check_state(state)
        self._theta, self._state = theta, state

    def _take_in_replaced(self):
        """Copy arrays that were put in the place of views into `_theta` and `_state`.

        Raises
        ------
        ValueError
            If such an array has another shape than the view, or stands in the place of one that
            says where others lie.
        """
        arrays = self._seen_arrays()
        if len(arrays) == len(self._views) and all(map(operator.is_, arrays, self._views)):
            return
        shapes = [np.shape(array) for array in arrays]
        wanted = [shape for *_, shape, _ in self._layout]
        if shapes != wanted:
            raise ValueError(
                f"The weights have been replaced by arrays of shapes {shapes}; the network's are "
                f"{wanted}."
            )
        # Not in place: another thread may be predicting with these.
        theta = allocate(self._theta.size, self._theta.dtype.name)
        state = allocate(self._state.size, self._theta.dtype.name)
        for view, array in zip(self._views_of(theta, state), arrays, strict=True):
            view[...] = array
        if any(buffer == "fixed" for *_, buffer in self._layout):
            program = self.__dict__.get("_network")
            if program is None:
                program = self._with_its_parameters()._lower(self._theta.dtype.name)
            program.check_state(state)
        self._theta, self._state = theta, state
        # From here on an array counts no more than one in a copy of this estimator would: it may be
        # of another type, or lie in other weights.
        self._publish_views()

    def _trained_program(self):
        """The program to predict with, its weights up to date."""
        if "_is_as_fitted" in self.__dict__ and "_network" in self.__dict__:
            return self._network  # of a twin, which was made when they were
        self._take_in_replaced()
        program = self.__dict__.get("_network")
        if program is None:
            program = self._with_its_parameters()._lower(self._theta.dtype.name)
            self._check_layout(program)
            self._network = program
        return program

    def _forget_programs(self):
        """Make programs again when they are needed."""
        self.__dict__.pop("_network", None)
        self._others = Programs()

    def __copy__(self):
        """A shallow copy: with the arrays of this one, until one of them is trained.

        The optimizer and the history, which change as training goes on, are its own.
        """
        copied = type(self).__new__(type(self))
        copied.__setstate__(self.__getstate__())
        if "_optimizer" in vars(copied):
            copied._optimizer = self._optimizer.copy()
        history = vars(copied).get("_history")
        if history is not None:
            copied._history = history.copy()
            renewed = {id(old): copied._history.curves[n] for n, old in history.curves.items()}
            renewed[id(history.curves)] = copied._history.curves
            for name, value in [*vars(copied).items()]:
                if id(value) in renewed:
                    setattr(copied, name, renewed[id(value)])
                elif type(value) is list:  # the histories of several networks
                    setattr(copied, name, [renewed.get(id(item), item) for item in value])
        return copied

    def __getstate__(self):
        if "_layout" in self.__dict__:
            self._take_in_replaced()
        state = super().__getstate__()
        left_out = (*self._transient, *OF_A_FIT)
        state = {key: value for key, value in state.items() if key not in left_out}
        # As long as the data, so in as little room as they take.
        return {**state, **{key: _compact(state[key]) for key in _OF_ROWS if key in state}}

    def __setstate__(self, state):
        rows = {key: state[key] for key in _OF_ROWS if state.get(key) is not None}
        rows = {key: array.astype(np.int64) for key, array in rows.items()}
        super().__setstate__({**state, **rows})
        # A parameter that an older version did not have is what it is by default.
        for name, parameter in inspect.signature(type(self)).parameters.items():
            self.__dict__.setdefault(name, parameter.default)
        if "_layout" in state:
            self._publish_views()
        if "_theta" in state and "_made_with" not in state:
            self._take_down()  # of an older version: what the parameters say
