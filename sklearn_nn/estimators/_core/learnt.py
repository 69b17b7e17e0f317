"""What an estimator keeps of its training, beside the weights."""

from __future__ import annotations

#: What the last training left and another solver would not replace.
LEARNT_BY_TRAINING = (
    "_history",
    "_optimizer",
    "_order",
    "_was_frozen",
    "_held_out",
    "_seed",
    "_incomplete",
    "_end_was_told",
    "_no_improvement_count",
    "history_",
    "loss_",
    "loss_curve_",
    "validation_loss_curve_",
    "best_loss_",
    "best_iteration_",
    "validation_scores_",
    "best_validation_score_",
)
