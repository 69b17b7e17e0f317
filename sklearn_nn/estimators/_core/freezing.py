"""Frozen layers, and factors on the learning rates of layers."""

from __future__ import annotations

import numpy as np

from sklearn_nn.estimators._core.rate_factors import (
    PRETRAINED,
    as_names,
    check_known,
    frozen,
    resolve,
    thawed,
)
from sklearn_nn.network.lowering import lower


def _frozen_arrays(program):
    """Where what is frozen lies: (parameters in `theta`, memories in `state`)."""
    memories = [program.memories.get(layer, {}).values() for layer in program.frozen]
    return (
        [placed for placed in program.parameters if placed.parameter.rate == 0],
        [placed for layer in memories for placed in layer],
    )


def _held(places, now, other):
    """Another vector with what is frozen as it is now."""
    held = other.copy()
    for placed in places:
        placed.view(held)[...] = placed.view(now)
    return held


class Freezing:
    """Mixin: `freeze` and `unfreeze`, and what `learning_rate_factors` does to the network."""

    def freeze(self, *names):
        """Leave layers as they are in training, to the last bit.

        The next training heeds it. Frozen layers are neither updated nor penalised nor clipped. A
        frozen :class:`~sklearn_nn.layers.BatchNorm` uses its running statistics and does not change
        them. Dropout goes on within frozen layers.

        This sets the parameter `learning_rate_factors`, in which 0 stands for a frozen layer, so
        clones are frozen, too.

        Parameters
        ----------
        *names : str
            Names of layers; "residual1" stands for all layers within it, and 'pretrained' for those
            that :meth:`from_pretrained` copies.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If no layer has such a name; of an estimator that is not fitted `fit` raises it.
        """
        if not names:
            raise ValueError("freeze needs names of layers, as in freeze('conv1', 'conv2').")
        copied = vars(self).get("_pretrained", {"arrays": ()})["arrays"]
        names = self._known_names(names)
        return self._change_factors(lambda factors: frozen(factors, names, copied))

    def unfreeze(self, *names):
        """Train layers again that were frozen; without names, all of them.

        A `partial_fit`, or a fit that resumes, goes on with a new optimizer then: moments that
        stood still while the others' grew would make its first steps too long.

        Parameters
        ----------
        *names : str
            Names of layers, as for :meth:`freeze`.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If no layer has such a name; of an estimator that is not fitted `fit` raises it.
        """
        names = self._known_names(names)
        return self._change_factors(lambda factors: thawed(factors, names))

    def _known_names(self, names):
        """The names, if they are those of layers, as far as that is known."""
        names = [name for group in names for name in as_names(group, "names")]
        if "_theta" in vars(self):
            known = [line.name for line in self._trained_program().outline]
            check_known([name for name in names if name != PRETRAINED], known, "The network")
        return names

    def _change_factors(self, changed):
        """Change the parameter, and a network that there is."""
        factors = changed(self.learning_rate_factors)
        if "_theta" in vars(self):
            self._trained_program()
            # Of the network as it was fitted: other parameters wait for the next fit.
            own = self._made_with.get("learning_rate_factors")
            made_with = {**self._made_with, "learning_rate_factors": changed(own)}
            twin = self._twin()
            twin._made_with = made_with
            program = twin._with_its_parameters()._lower(self._theta.dtype.name)
            self._forget_programs()
            self._made_with, self._network = made_with, program
        self.learning_rate_factors = factors
        return self

    # --- training ------------------------------------------------------------------------

    def _lower(self, dtype, form=None):
        """The program for the layers and the loss at hand, and samples of a form.

        None is the form of those that were fitted.
        """
        layers, link = self._layers(), self._loss().link_layer()
        form = self._form() if form is None else form
        program = lower(layers, dtype=dtype, link=link, **form)
        factors = self.learning_rate_factors
        if not factors:
            return program
        copied = self._copied_layers(program) if PRETRAINED in factors else ()
        rates = resolve(factors, [line.name for line in program.outline], copied)
        return lower(layers, dtype=dtype, link=link, rates=rates, **form)

    def _check_some_trained(self, program):
        """Raise a ValueError if all layers are frozen."""
        if not len(program.groups()[0]):
            raise ValueError(
                f"All layers are frozen (learning_rate_factors={self.learning_rate_factors}), so "
                "there is nothing to train; unfreeze('output'), or copy layers='body' only with "
                "from_pretrained."
            )

    def _check_frozen_or_not(self, program):
        """Raise a ValueError if there are factors that L-BFGS, which takes no steps, has not."""
        if np.isin(program.groups()[1][:, 0], (0, 1)).all():
            return
        if not all(factor in (0, 1) for factor in (self.learning_rate_factors or {}).values()):
            raise ValueError(
                f"learning_rate_factors={self.learning_rate_factors} acts on steps of a "
                "first-order solver; use solver='adam', say, or factors of 0 and 1 only with "
                "solver='lbfgs'."
            )
        for layer, arrays in program.layers.items():
            for name, placed in arrays.items():
                if placed.parameter.rate not in (0, 1):
                    raise ValueError(
                        f"layer {layer!r} learns its {name} at {placed.parameter.rate:g} times the "
                        "learning rate, which solver='lbfgs' has not; use solver='adam', say, or "
                        "set the layer's factors on the rate (such as rate_factor) to 1."
                    )

    def _thaws(self, program):
        """Whether training goes on with layers that were frozen in the last one."""
        return not set(vars(self).get("_was_frozen", ())).issubset(program.frozen)

    def _hold_frozen(self, program, history):
        """Keep what is frozen as it is now, wherever training goes on from, or back to."""
        self._was_frozen = program.frozen
        parameters, memories = _frozen_arrays(program)
        if not parameters and not memories:
            return
        descent = self._optimizer
        if descent.average is not None and descent.raw is not None:
            # The average is what the user sees, and stands still with its parameter.
            descent.raw = _held(parameters, self._theta, descent.raw)
        if history.last is not None:
            theta, state = history.last
            theta = _held(parameters, self._theta, theta)
            history.last = theta, _held(memories, self._state, state)
        if history.best_theta is not None:
            theta = _held(parameters, self._theta, history.best_theta)
            state = _held(memories, self._state, history.best_state)
            same = np.array_equal(theta, history.best_theta)
            if not same or not np.array_equal(state, history.best_state):
                history.forget_best()
