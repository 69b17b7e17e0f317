"""Programs for sequences of other lengths than those that were fitted."""

from __future__ import annotations

import copy

from sklearn_nn.estimators._sequences import Sequences


class Forms:
    """Mixin: where layers do not go by the number of steps, any number of them can be read."""

    def _channels(self):
        """Values of a step."""
        return 1

    def _encode_rows(self, X, dtype):
        # Sequences may be too short for a window that slides over them, such as a convolution's:
        # they are then read in as much room as those that were fitted had.
        if isinstance(X, Sequences) and X.window is None:
            steps = X.sample_shape[0]
            if steps < self.input_shape_[0] and not self._reads(steps, dtype):
                X.window = self.input_shape_[0]
        return super()._encode_rows(X, dtype)

    def _reads(self, steps, dtype):
        """Whether the layers can be made for so many steps."""
        others = vars(self).setdefault("_others", {})
        key = steps, str(dtype)
        if key not in others:
            form = {**self._form(), "shape": (steps, self._channels()), "ragged": True}
            try:
                copy.copy(self)._lower(dtype, form)
            except ValueError:
                others[key] = False
            else:
                others[key] = True
        return others[key]

    def _suited_program(self, program, data):
        """The program for the form of some data, given that for the form of those fitted."""
        ragged = data.lengths is not None
        if (data.width, ragged) == (program.input_width, program.ragged):
            return program
        others = vars(self).setdefault("_others", {})
        key = data.width, ragged, program.dtype, str(self.learning_rate_factors)
        if key not in others:
            channels = self._channels()
            form = {**self._form(), "shape": (data.width // channels, channels), "ragged": ragged}
            found = copy.copy(self)._lower(program.dtype, form)
            shapes = [[p.parameter.shape for p in form.parameters] for form in (found, program)]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f"X has sequences of {data.width // channels} steps, but the network was "
                    f"fitted with {program.input_width // channels}, and has layers whose weights "
                    "go by that number; use pooling over time in place of Flatten."
                )
            others[key] = found
        return others[key]
