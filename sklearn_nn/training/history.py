"""What training has seen so far, and whether it still improves."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class History:
    """Losses and scores of every epoch, over all calls to fit that continue one another.

    Attributes
    ----------
    early_stopping : bool
        Whether improvement is judged by the validation score (and the best weights kept), or
        by the training loss.
    loss_curve, validation_scores : list of float
    best_loss, best_score : float
    best_theta : ndarray or None
        The parameters of the best validation score, where early stopping watches it.
    no_improvement : int
        For how many epochs there was none worth `tol`.
    samples_seen : int
        Number of samples trained on.
    """

    early_stopping: bool
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_score: float = -np.inf
    best_theta: np.ndarray | None = None
    no_improvement: int = 0
    samples_seen: int = 0

    def record(self, loss: float, score: float | None, theta: np.ndarray, tol: float) -> None:
        """Take down an epoch."""
        self.loss_curve.append(loss)
        if score is not None:
            self.validation_scores.append(score)
        if self.early_stopping and score is not None:
            improved = not score < self.best_score + tol
        else:
            improved = not loss > self.best_loss - tol
        self.no_improvement = 0 if improved else self.no_improvement + 1
        self.best_loss = min(self.best_loss, loss)
        if score is not None and score > self.best_score:
            self.best_score = score
            if self.early_stopping:
                self.best_theta = theta.copy()
