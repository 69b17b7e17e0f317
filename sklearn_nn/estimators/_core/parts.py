"""Parts of an estimator that learn from data: the reader of X and the codec of y."""

from __future__ import annotations

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
