"""Programs for sequences of other lengths than those that were fitted."""

from __future__ import annotations

from sklearn_nn.estimators._core.programs import Programs
from sklearn_nn.estimators._inputs.sequences import Sequences


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
        form = {**self._form(), "shape": (steps, self._channels()), "ragged": True}

        def reads():
            try:
                self._twin()._lower(dtype, form)
            except ValueError:
                return False
            return True

        return self._programs().get((steps, str(dtype)), reads)

    def _programs(self):
        """Programs for other forms than that of the fit."""
        return vars(self).setdefault("_others", Programs())

    def _suited_program(self, program, data):
        """The program for the form of some data, given that for the form of those fitted."""
        ragged = data.lengths is not None
        if (data.width, ragged) == (program.input_width, program.ragged):
            return program
        steps, channels = data.width // self._channels(), self._channels()

        def suited():
            form = {**self._form(), "shape": (steps, channels), "ragged": ragged}
            found = self._twin()._lower(program.dtype, form)
            shapes = [[p.parameter.shape for p in form.parameters] for form in (found, program)]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f"X has sequences of {steps} steps, but the network was fitted with "
                    f"{program.input_width // channels}, and has layers whose weights go by that "
                    "number; use pooling over time in place of Flatten."
                )
            return found

        return self._programs().get((data.width, ragged, program.dtype), suited)
