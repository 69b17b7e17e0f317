"""How a fitted estimator holds its weights: one flat vector, and views of it for the user."""

from __future__ import annotations

import math
import operator

import numpy as np

from sklearn_nn.network.memory import allocate


def writable(array):
    """The array; a copy where it is read-only, as one that joblib has mapped into memory is."""
    return array if array.flags.writeable else np.array(array)


class FlatWeights:
    """Mixin: the flat vector `_theta`, the arrays users see, pickling.

    The arrays that users see are views: writing into one changes what `predict` and the next
    `partial_fit` use. An array that was put in the place of a view is copied into the vector
    when it is next needed. Pickles hold the vector and a plain list of where each array lies;
    the program, which holds addresses of machine code, is made again when it is needed.
    """

    #: What is made from the rest and stays out of pickles.
    _transient: tuple[str, ...] = ("_network", "_views", "layers_")

    def _link_weights(self, program):
        """Keep the program, and publish views of `_theta`."""
        self._network = program
        self._layout = [
            (layer, name, placed.start, placed.parameter.shape)
            for layer, arrays in program.layers.items()
            for name, placed in arrays.items()
        ]
        self._publish_views()

    def _views_of(self, theta):
        """The parameters as arrays over a flat vector, in the order of the layout."""
        spans = [(start, start + math.prod(shape), shape) for _, _, start, shape in self._layout]
        return [theta[start:stop].reshape(shape) for start, stop, shape in spans]

    def _publish_views(self):
        """Set `layers_`: a dict of layer names to dicts of arrays."""
        self._views = self._views_of(self._theta)
        self.layers_ = {}
        for (layer, name, _, _), view in zip(self._layout, self._views, strict=True):
            self.layers_.setdefault(layer, {})[name] = view

    def _seen_arrays(self):
        """The arrays that users may have replaced, in the order of the layout."""
        return [self.layers_[layer][name] for layer, name, _, _ in self._layout]

    def _adopt_weights(self, program):
        """Go on from the present weights in `program`, whose architecture must be theirs.

        Raises
        ------
        ValueError
            If the architecture has changed since the weights were learnt.
        """
        arrays = self._seen_arrays()
        shapes = [np.shape(array) for array in arrays]
        wanted = [placed.parameter.shape for placed in program.parameters]
        if shapes != wanted:
            raise ValueError(
                f"The weights at hand have shapes {shapes}, but the parameters now ask for "
                f"{wanted}; fit with warm_start=False to begin anew."
            )
        theta = allocate(program.n_theta, program.dtype)
        for placed, array in zip(program.parameters, arrays, strict=True):
            placed.view(theta)[...] = array
        self._theta = theta
        if not hasattr(self, "_state"):
            self._state = np.zeros(program.n_state, dtype=program.dtype)
        self._state = writable(self._state)

    def _take_in_replaced(self):
        """Copy arrays that were put in the place of views into `_theta`.

        Raises
        ------
        ValueError
            If such an array has another shape than the view.
        """
        arrays = self._seen_arrays()
        if len(arrays) == len(self._views) and all(map(operator.is_, arrays, self._views)):
            return
        shapes = [np.shape(array) for array in arrays]
        wanted = [shape for *_, shape in self._layout]
        if shapes != wanted:
            raise ValueError(
                f"The weights have been replaced by arrays of shapes {shapes}; the network's are "
                f"{wanted}."
            )
        # Not in place: another thread may be predicting with these.
        theta = allocate(self._theta.size, self._theta.dtype.name)
        for view, array in zip(self._views_of(theta), arrays, strict=True):
            view[...] = array
        self._theta = theta

    def _trained_program(self):
        """The program to predict with, its weights up to date."""
        self._take_in_replaced()
        program = self.__dict__.get("_network")
        if program is None:
            program = self._network = self._lower(self._theta.dtype.name)
        return program

    def __getstate__(self):
        if "_layout" in self.__dict__:
            self._take_in_replaced()
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key not in self._transient}

    def __setstate__(self, state):
        super().__setstate__(state)
        if "_layout" in state:
            self._publish_views()
