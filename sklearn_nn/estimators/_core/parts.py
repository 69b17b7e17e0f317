"""Parts of an estimator that learn from data, and ways in which a fit goes on from the last."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Part:
    """Base of `InputReader` and `TargetCodec`: parameters, and what was learnt, by name.

    A part is made for each fit from the parameters of that time. Predictions use the parts of the
    last fit, whatever parameters are set afterwards.
    """

    #: Names of the attributes that are learnt, and saved in files.
    LEARNT: ClassVar[tuple[str, ...]] = ()
    #: Those of them that a file must have.
    NEEDED: ClassVar[tuple[str, ...]] = ()
    #: Attributes that the estimator publishes, by the name of the part's attribute.
    PUBLISHED: ClassVar[dict[str, str]] = {}

    def learnt(self):
        """Return what was learnt, by name."""
        return {name: vars(self)[name] for name in self.LEARNT if name in vars(self)}

    def going_on(self, before):
        """Take over what another part of this kind has learnt, if there is one; return self."""
        if before is not None:
            vars(self).update({n: vars(before)[n] for n in self.LEARNT if n in vars(before)})
        return self

    def take(self, learnt):
        """Take over what `learnt` returned, from a file perhaps."""
        vars(self).update(learnt)

    def publish(self, estimator):
        """Set the public attributes of the estimator."""
        for own, public in self.PUBLISHED.items():
            if own in vars(self):
                setattr(estimator, public, vars(self)[own])

    def check_loaded(self, estimator):
        """Raise ValueError if what was learnt, now loaded from a file, contradicts itself."""


class FitMode(Enum):
    """Way in which a fit goes on from the last one, if it does."""

    FRESH = "new weights"
    WARM = "the weights of the last fit, with a new optimizer"
    RESUMED = "the training of the last fit, as if there had been no interruption"
    ONE_EPOCH = "one epoch more, the first or a later one: partial_fit"

    @property
    def keeps_training(self):
        """True if the optimizer and the history of the last fit are kept."""
        return self in (FitMode.RESUMED, FitMode.ONE_EPOCH)
