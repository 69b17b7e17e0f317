"""Ways in which a fit goes on from the last one."""

from __future__ import annotations

from enum import Enum


class FitMode(Enum):
    """Way in which a fit goes on from the last one, if it does."""

    FRESH = "new weights"
    WARM = "the weights of the last fit, with a new optimizer"
    RESUMED = "the training of the last fit, as if there had been no interruption"
    ONE_EPOCH = "one epoch more, the first or a later one: partial_fit"

    @property
    def keeps_training(self):
        """Whether optimizer and history of the last fit are kept."""
        return self in (FitMode.RESUMED, FitMode.ONE_EPOCH)
