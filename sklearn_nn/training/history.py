"""History of a training: curves, the best epoch, and improvement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

#: Parameters and state.
Weights = tuple[np.ndarray, np.ndarray]


@dataclass
class History:
    """Losses and scores of every epoch, over all calls to fit that continue one another."""

    #: Whether improvement is judged by the validation score (and the best weights are kept), or by
    #: the training loss.
    validated: bool
    #: Figures by epoch: "loss", "learning_rate", "seconds"; with a validation set also "val_loss"
    #: and "val_score".
    curves: dict[str, list[float]] = field(default_factory=dict)
    best_loss: float = np.inf  # smallest training loss
    best_score: float = -np.inf  # largest validation score
    #: Epoch, from 1, of the best validation score, or of the smallest training loss if not
    #: `validated`.
    best_epoch: int = 0
    best_theta: np.ndarray | None = None  # parameters and state at the best validation score
    best_state: np.ndarray | None = None
    #: Weights of the last epoch, from which training continues, while the best ones are in use.
    last: Weights | None = None
    no_improvement: int = 0  # consecutive epochs without an improvement of `tol`
    samples_seen: int = 0  # number of samples trained on
    stopped: bool = False  # whether training stopped before all epochs were used
    takes_last: bool = False  # break ties between scores in favour of the later epoch
    least_gain: float = 0.0  # a score must exceed the best one by more than this to replace it
    loss_decides: bool = False  # compare epochs by validation loss while all scores are equal
    scores_tell: bool = False  # whether scores have differed

    @property
    def n_epochs(self) -> int:
        """Number of epochs recorded."""
        return len(self.curves.get("loss", ()))

    def copy(self) -> History:
        """Return a copy that can be continued without changing this one."""
        return replace(self, curves={name: [*curve] for name, curve in self.curves.items()})

    def mark(self) -> tuple[dict[str, Any], dict[str, int]]:
        """Return the present position, for `back_to`."""
        return vars(self).copy(), {name: len(curve) for name, curve in self.curves.items()}

    def back_to(self, mark: tuple[dict[str, Any], dict[str, int]]) -> None:
        """Undo everything recorded after a mark."""
        fields, lengths = mark
        vars(self).update(fields)
        for name in [*self.curves]:
            if name in lengths:
                del self.curves[name][lengths[name] :]
            else:
                del self.curves[name]

    def forget_best(self) -> None:
        """Restart the search for the best weights."""
        self.best_score, self.best_epoch, self.no_improvement = -np.inf, 0, 0
        self.best_theta = self.best_state = self.last = None
        self.scores_tell = False

    def record(self, log: dict[str, float], weights: Weights, tol: float) -> None:
        """Record an epoch."""
        before, curves = self.n_epochs, self.curves
        # NaN for a missing figure, for example before a validation set was given.
        for name in log:
            if name not in curves:
                curves[name] = [np.nan] * before
        for name, curve in curves.items():
            curve.append(log.get(name, np.nan))
        loss, score = log["loss"], log.get("val_score")
        improved = not loss > self.best_loss - tol
        if not self.validated and loss < self.best_loss:
            self.best_epoch = self.n_epochs
        self.best_loss = min(self.best_loss, loss)
        if score is not None:
            better = self._is_better(score)
            self.scores_tell = self.scores_tell or not self._equals_best(score)
            if self.validated and self.watches_loss:
                improved, better = self._compare_loss(score, tol)
            elif self.validated:
                improved = not score < self.best_score + tol
            if better:
                self._take_best(score, weights)
        self.no_improvement = 0 if improved else self.no_improvement + 1

    @property
    def watches_loss(self) -> bool:
        """True if epochs are compared by validation loss because all scores are equal."""
        return self.loss_decides and not self.scores_tell

    def _is_better(self, score: float) -> bool:
        """Return whether a score replaces the best one."""
        is_as_good = self.takes_last and score == self.best_score
        is_first = bool(np.isnan(self.best_score)) and not np.isnan(score)
        return is_first or is_as_good or score > self.best_score + self.least_gain

    def _equals_best(self, score: float) -> bool:
        """Return whether a score is the first, equal to the best, or NaN like all before."""
        is_first = self.best_score == -np.inf and self.best_theta is None
        undefined = bool(np.isnan([score, self.best_score]).all())
        return is_first or undefined or score == self.best_score

    def _compare_loss(self, score: float, tol: float) -> tuple[bool, bool]:
        """Return whether the last validation loss is an improvement, and whether it is the best."""
        losses = self.curves["val_loss"]
        if self.best_theta is None:
            return True, bool(np.isfinite(losses[-1])) or self._is_better(score)
        best = losses[self.best_epoch - 1]
        return not losses[-1] > best - tol, losses[-1] < best

    def _take_best(self, score: float, weights: Weights) -> None:
        """Store the best score and, if `validated`, its epoch and weights."""
        self.best_score = score
        if self.validated:
            self.best_epoch = self.n_epochs
            self.best_theta, self.best_state = (array.copy() for array in weights)
