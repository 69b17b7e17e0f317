"""Transfer learning: what one network has learnt, put to use in another."""

from __future__ import annotations

import math
import os

import numpy as np
from sklearn.base import _clone_parametrized

from sklearn_nn.estimators._core.as_fitted import as_fitted
from sklearn_nn.estimators._core.rate_factors import (
    PRETRAINED,
    as_names,
    check_known,
    is_within,
)
from sklearn_nn.estimators._core.saving import Saving
from sklearn_nn.estimators._inputs.encoding import check_fits

#: The layer that estimators add, whose width goes by the target.
OUTPUT = "output"
#: What `layers` of `from_pretrained` may be but names.
ALL, BODY = "all", "body"


def _arrays_of(network):
    """Copies of all arrays of a fitted network, by layer and name; nobody may write into them."""
    arrays = {}
    program = network._trained_program()
    for places, buffer in (
        (program.layers, network._theta),
        (program.memories, network._state),
    ):
        for layer, placed in places.items():
            for name, place in placed.items():
                array = place.view(buffer).copy()
                array.flags.writeable = False
                arrays.setdefault(layer, {})[name] = array
    return arrays


def _shapes(arrays):
    """Shapes by name, as an error says them."""
    return ", ".join(f"{name} {tuple(array.shape)}" for name, array in sorted(arrays.items()))


class Transfer:
    """Mixin: weights of another network to begin with, frozen layers, the output of a layer."""

    # --- weights of another network ------------------------------------------------------

    def from_pretrained(self, other, layers=ALL, freeze=None):
        """Begin with the weights of another network, in place of random ones.

        The arrays are copied now. Where this estimator has no weights yet, `fit`, `partial_fit` and
        `initialize` begin with them; what is not copied is drawn as ever. Where it has, they take
        the copied ones at once, so that `partial_fit` and a warm start go on from them; a `fit`
        without `warm_start` begins with them anew. Clones begin with them, too, so that
        cross-validation and searches do.

        Parameters
        ----------
        other : estimator or path
            A fitted network, a pipeline or search that ends in one, or a file that `save` has
            written. Its `dtype` may be another.
        layers : {'all', 'body'}, str or list of str, default='all'
            What is copied: the parameters, and what layers remember, such as the running means of
            :class:`~sklearn_nn.layers.BatchNorm`.
            'all' is every layer that both networks have, by name; the output layer only where its
            shapes are equal. 'body' is 'all' without the output layer, which is what is wanted
            where the targets are others. A name stands for a layer and all layers within it.
        freeze : 'all', str, list of str or None, default=None
            Layers to :meth:`freeze`; 'all' is those that are copied.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        NotFittedError
            If the other is not fitted.
        TypeError
            If the other is no network of sklearn_nn.
        ValueError
            If the other has no such layers. Whether shapes are equal is seen when there is a
            network to copy to, by `fit` at the latest.
        """
        network = self._network_of(other)
        arrays, names = _arrays_of(network), None
        known = [line.name for line in network._trained_program().outline]
        if layers == BODY:
            arrays.pop(OUTPUT, None)
        elif layers != ALL:
            names = as_names(layers, "layers")
            check_known(names, known, f"The {type(network).__name__} to copy from")
            arrays = {
                layer: own
                for layer, own in arrays.items()
                if any(is_within(layer, name) for name in names)
            }
        start = {"source": type(network).__name__, "names": names, "arrays": arrays}
        frozen = [] if freeze is None else as_names(freeze, "freeze")
        frozen = self._known_names([PRETRAINED] if freeze == ALL else frozen)
        if "_theta" in vars(self):
            program = self._trained_program()
            theta, state = program.new_buffers()
            theta[:], state[:] = self._theta, self._state
            self._copy_pretrained(program, start, theta, state)
            self._theta, self._state = theta, state
            self._publish_views()
            self._forget_programs()  # 'pretrained' stands for other layers now
        self._pretrained = start
        if frozen:
            self.freeze(*frozen)
        return self

    @staticmethod
    def _network_of(other):
        """The fitted network that a user has at hand or in a file."""
        from sklearn_nn.inspection._fitted import fitted_network

        if isinstance(other, str | os.PathLike):
            return Saving.load(other)
        network = fitted_network(other)
        if not isinstance(network, Transfer):
            raise TypeError(
                f"from_pretrained copies from networks of sklearn_nn, not from "
                f"{type(network).__name__}; pass one, or the path of a saved one."
            )
        return network

    def _copied_layers(self, program, start=None):
        """Names of the layers of a program that are copied.

        Raises
        ------
        ValueError
            If there are none, or a layer does not have the shapes of the one it is copied from.
        """
        start = vars(self).get("_pretrained") if start is None else start
        if start is None:
            return []
        if start["names"] is not None:
            known = [line.name for line in program.outline]
            check_known(start["names"], known, "The network to copy to")
        copied = []
        for layer, arrays in start["arrays"].items():
            places = {**program.layers.get(layer, {}), **program.memories.get(layer, {})}
            own = {name: placed.parameter for name, placed in places.items()}
            if {name: p.shape for name, p in own.items()} == {
                k: a.shape for k, a in arrays.items()
            }:
                copied.append(layer)
            elif start["names"] is not None or (own and layer != OUTPUT):
                others = [name for name in start["arrays"] if name != layer]
                raise ValueError(
                    f"layer {layer!r} has {_shapes(arrays)} in the {start['source']} to copy from, "
                    f"but {_shapes(own) or 'no arrays'} here; make the two layers and what they "
                    f"read equal, or leave it out: from_pretrained(..., layers={others})."
                )
        if not copied:
            raise ValueError(
                f"No layer is copied: the {start['source']} to copy from has arrays in "
                f"{list(start['arrays'])}, the network here in {list(program.layers)}; "
                "call layers by equal names."
            )
        return copied

    def _copy_pretrained(self, program, start, theta, state):
        """Copy arrays of another network into weights, where that was asked for."""
        for layer in self._copied_layers(program, start):
            for name, array in start["arrays"][layer].items():
                check_fits(f"{name} of layer {layer!r}", array, program.dtype)
            for places, buffer in (
                (program.layers, theta),
                (program.memories, state),
            ):
                for name, placed in places.get(layer, {}).items():
                    placed.view(buffer)[...] = start["arrays"][layer][name]
        program.check_state(state)

    def __sklearn_clone__(self):
        """An estimator with the same parameters, which begins with the same weights."""
        cloned = _clone_parametrized(self)
        if "_pretrained" in vars(self):
            cloned._pretrained = self._pretrained
        return cloned

    # --- the output of a layer -----------------------------------------------------------

    @as_fitted
    def _activations(self, X, layer):
        """The output of a layer in prediction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            The samples.
        layer : str
            Name of a layer, "residual1.conv2d2" for one within another.

        Returns
        -------
        activations : ndarray of shape (n_samples, *shape)
            In the type that the network computes in; `shape` is that of the layer's output.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If there is no such layer, or X is not valid.
        """
        shape = self._output_shape(layer)
        blocks = [output for _, output in self._outputs(X, layer)]
        flat = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        if flat.shape[1] != math.prod(shape):
            raise ValueError(
                f"Layer {layer!r} has an output for every step, of shape {shape} for sequences as "
                "long as those that were fitted, and X has others; use a layer behind the steps, "
                "such as a pool over time."
            )
        return flat.reshape(len(flat), *shape)

    def _output_shape(self, layer):
        """The shape of one sample after a layer; a ValueError if there is no such layer."""
        shapes = {line.name: line.output_shape for line in self._trained_program().outline}
        if layer not in shapes:
            raise ValueError(f"layer={layer!r} is not in the network; its layers are {[*shapes]}.")
        return tuple(map(int, shapes[layer]))
