"""Layers that end in an activation: the parameter `activation` of `Dense` and of convolutions."""

from __future__ import annotations

from typing import Any

from sklearn_nn.layers.activation import ACTIVATIONS, OTHER_NAMES, Activation
from sklearn_nn.layers.base import Builder, Layer
from sklearn_nn.layers.tabular.parametric_activation import ParametricActivation


class Activated(Layer):
    """Base of layers with a parameter `activation`, which is applied to what they make.

    It is lowered as a layer of its own behind them would be, so results are the same to the last
    bit. What it learns, if anything, is filed under the name of the layer.
    """

    activation: Any

    @property
    def label(self) -> str:
        """Its class and the activation."""
        kind = type(self).__name__
        if self.activation is None:
            return kind
        value = self.activation
        name = value.activation if isinstance(value, Activation) else value
        return f"{kind}, {name if isinstance(name, str) else type(name).__name__}"

    def activation_layer(self) -> Layer | None:
        """Return the activation as a layer; None if there is none.

        Raises
        ------
        ValueError
            If `activation` is something else.
        """
        value = self.activation
        if isinstance(value, Activation | ParametricActivation):
            layer: Layer = value
        elif isinstance(value, str) and value in (*ACTIVATIONS, *OTHER_NAMES):
            layer = Activation(value)
        elif value is None:
            return None
        else:
            raise ValueError(
                f"activation={value!r} of {type(self).__name__} is not known; use None, one of "
                f"{', '.join(ACTIVATIONS)}, or a layer such as ParametricActivation('relu')."
            )
        layer.output_shape(())  # raises where the layer's own name is not known
        return layer

    def activate(self, builder: Builder, slot: int) -> int:
        """Append the activation of what lies in `slot`; returns the slot it ends in."""
        layer = self.activation_layer()
        if layer is None:
            return slot
        if builder.clock(slot) is not None and layer.lengths == "refuses":
            raise ValueError(
                f"activation={layer!r} of {type(self).__name__} does not take sequences of unequal "
                "length; use the name of an activation."
            )
        return layer.lower(builder, slot)
