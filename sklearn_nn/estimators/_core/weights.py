"""Weights of an estimator as users see them: views of the fitted network's flat vectors.

Writing into a view changes what `predict` and the next `partial_fit` use. An array that a user puts
in the place of a view is copied into the network when it is next needed.
"""

from __future__ import annotations

import operator

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_nn.estimators._core.fitted_network import FittedNetwork, check_layout


def publish(estimator, network):
    """Set the network of an estimator, and publish views of its arrays.

    They are `layers_`, and lists of the arrays of one name (`_ARRAY_LISTS`): `coefs_`, say.
    """
    estimator._network = network
    estimator._views, layers = network.views(), {}
    for place, view in zip(network.places, estimator._views, strict=True):
        layers.setdefault(place.layer, {})[place.name] = view
    estimator.layers_ = layers
    for attribute, name in estimator._ARRAY_LISTS.items():
        arrays = [layer[name] for layer in layers.values() if "kernel" in layer]
        setattr(estimator, attribute, arrays)


def _seen_arrays(estimator):
    """Return the arrays that users may have replaced, in the order of the network's places."""
    lists = {
        name: list(getattr(estimator, attribute))
        for attribute, name in estimator._ARRAY_LISTS.items()
    }
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
            if not listed:  # a list that is too short
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

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If an array was replaced by one of another shape.
    """
    check_fitted(estimator)
    arrays, views = _seen_arrays(estimator), estimator._views
    if len(arrays) != len(views) or not all(map(operator.is_, arrays, views)):
        # Not in place: another thread may be predicting with the network at hand.
        publish(estimator, estimator._network.with_arrays(arrays))
    return estimator._network


def sources_of(estimator, X):
    """Check X and return an iterator over its sources, as predictions read them."""
    return estimator._reader.blocks(X, network_of(estimator), estimator)


def data_format_of(estimator):
    """Return the order of axes of the samples that were fitted, or None for vectors."""
    return getattr(vars(estimator).get("_reader"), "data_format", None)


def remarks_of(estimator):
    """Return names and texts for a summary of an estimator, beside its layers."""
    return estimator._remarks()


def has_weights(estimator):
    """Return whether there are weights to go on from."""
    lists = estimator._ARRAY_LISTS
    return (
        all(hasattr(estimator, name) for name in lists) if lists else hasattr(estimator, "_network")
    )


def adopted(estimator, plan, program):
    """Return a network of the program that goes on from the present weights.

    Raises
    ------
    ValueError
        If the architecture has changed since the weights were learnt.
    """
    network = FittedNetwork.of(plan, program, *program.new_buffers())
    arrays = _seen_arrays(estimator)
    shapes, wanted = [np.shape(a) for a in arrays], [place.shape for place in network.places]
    if shapes != wanted:
        raise ValueError(
            f"The weights at hand have shapes {shapes}, but the parameters now ask for "
            f"{wanted}; fit with warm_start=False to begin anew."
        )
    for place, array in zip(network.places, arrays, strict=True):
        place.view(network.theta, network.state)[...] = array
    check_layout(program, network.theta, network.state)
    return network


def writable(array):
    """Return the array; a copy if it is read-only, such as one that joblib maps into memory."""
    return array if array.flags.writeable else np.array(array)
