"""What training has seen so far, and whether it still improves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Weights = tuple[np.ndarray, np.ndarray]


@dataclass
class History:
    """Losses and scores of every epoch, over all calls to fit that continue one another.

    Attributes
    ----------
    validated : bool
        Whether improvement is judged by the validation score (and the best weights kept), or by
        the training loss.
    curves : dict of str to list of float
        Every figure by epoch: "loss", "learning_rate", "seconds"; with a validation set "val_loss"
        and "val_score".
    best_loss, best_score : float
        The smallest training loss, and the largest validation score.
    best_epoch : int
        The epoch of the best validation score (of the smallest training loss, where that is what
        is watched), from 1.
    best_theta, best_state : ndarray or None
        Parameters and memories of the best validation score.
    last : tuple of ndarray or None
        Parameters and memories of the last epoch, while the best stand in their place: training
        that is resumed goes on from these.
    no_improvement : int
        For how many epochs there was none worth `tol`.
    samples_seen : int
        Number of samples trained on.
    stopped : bool
        Whether training has come to its end before all epochs were used.
    takes_last : bool
        Whether of epochs with the same best score the last is the best, and not the first.
    least_gain : float
        By more than this a score must exceed the best one to take its place.
    loss_decides : bool
        Whether the validation loss tells the best epoch, and whether there was an improvement, as
        long as all scores are equal.
    scores_tell : bool
        Whether there were scores that are not equal.
    """

    validated: bool
    curves: dict[str, list[float]] = field(default_factory=dict)
    best_loss: float = np.inf
    best_score: float = -np.inf
    best_epoch: int = 0
    best_theta: np.ndarray | None = None
    best_state: np.ndarray | None = None
    last: Weights | None = None
    no_improvement: int = 0
    samples_seen: int = 0
    stopped: bool = False
    takes_last: bool = False
    least_gain: float = 0.0
    loss_decides: bool = False
    scores_tell: bool = False

    @property
    def n_epochs(self) -> int:
        """Number of epochs recorded."""
        return len(self.curves.get("loss", ()))

    def copy(self) -> History:
        """Another, which can go on without a change to this one."""
        return replace(self, curves={name: [*curve] for name, curve in self.curves.items()})

    def mark(self) -> tuple[dict[str, Any], dict[str, int]]:
        """How far it has come, for `back_to`."""
        return vars(self).copy(), {name: len(curve) for name, curve in self.curves.items()}

    def back_to(self, mark: tuple[dict[str, Any], dict[str, int]]) -> None:
        """Forget what came after a mark."""
        fields, lengths = mark
        vars(self).update(fields)
        for name in [*self.curves]:
            if name in lengths:
                del self.curves[name][lengths[name] :]
            else:
                del self.curves[name]

    def forget_best(self) -> None:
        """Look for the best weights anew."""
        self.best_score, self.best_epoch, self.no_improvement = -np.inf, 0, 0
        self.best_theta = self.best_state = self.last = None
        self.scores_tell = False

    def record(self, log: dict[str, float], weights: Weights, tol: float) -> None:
        """Take down an epoch."""
        before = self.n_epochs
        # NaN where a figure was not taken: of a validation set that came later, say.
        for name in {**self.curves, **log}:
            self.curves.setdefault(name, [np.nan] * before).append(log.get(name, np.nan))
        loss, score = log["loss"], log.get("val_score")
        improved = not loss > self.best_loss - tol
        if not self.validated and loss < self.best_loss:
            self.best_epoch = self.n_epochs
        self.best_loss = min(self.best_loss, loss)
        if score is not None:
            better = self._is_better(score)
            self.scores_tell = self.scores_tell or not self._is_as_before(score)
            if self.validated and self.watches_loss:
                improved, better = self._compare_loss(score, tol)
            elif self.validated:
                improved = not score < self.best_score + tol
            if better:
                self._take_best(score, weights)
        self.no_improvement = 0 if improved else self.no_improvement + 1

    @property
    def watches_loss(self) -> bool:
        """Whether it is the validation loss that tells epochs apart, since no score does."""
        return self.loss_decides and not self.scores_tell

    def _is_better(self, score: float) -> bool:
        """Whether a score is to take the place of the best one."""
        is_as_good = self.takes_last and score == self.best_score
        is_first = bool(np.isnan(self.best_score)) and not np.isnan(score)
        return is_first or is_as_good or score > self.best_score + self.least_gain

    def _is_as_before(self, score: float) -> bool:
        """Whether a score is the best one, or there is none, or it is undefined as all before."""
        is_first = self.best_score == -np.inf and self.best_theta is None
        undefined = bool(np.isnan([score, self.best_score]).all())
        return is_first or undefined or score == self.best_score

    def _compare_loss(self, score: float, tol: float) -> tuple[bool, bool]:
        """Whether the validation loss of the last epoch is an improvement, and the smallest."""
        losses = self.curves["val_loss"]
        if self.best_theta is None:
            return True, bool(np.isfinite(losses[-1])) or self._is_better(score)
        best = losses[self.best_epoch - 1]
        return not losses[-1] > best - tol, losses[-1] < best

    def _take_best(self, score: float, weights: Weights) -> None:
        """Take down the best score so far, and what it was reached with."""
        self.best_score = score
        if self.validated:
            self.best_epoch = self.n_epochs
            self.best_theta, self.best_state = (array.copy() for array in weights)
