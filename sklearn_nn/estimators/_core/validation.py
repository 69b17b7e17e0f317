"""Rows held out of training, and the score on them or on a validation set."""

from __future__ import annotations

import inspect
import math

import numpy as np

from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import Predictor


def kept_order(estimator):
    """Return the last order of the rows; raise ValueError if it was not kept."""
    if not hasattr(estimator, "_order"):
        raise ValueError(
            "There is nothing to resume: the order of the samples was not kept, as in a file of "
            "save(training_state=False). Fit with warm_start=True to continue from the weights "
            "with a new optimizer, or load a file of `save` or ModelCheckpoint with the state of "
            "training."
        )
    return estimator._order.astype(np.int64)


def resumed_rows(estimator, n_rows):
    """Return the rows to train on, in their last order, and the rows held out, of the last fit."""
    order, held_out = kept_order(estimator), estimator._held_out
    rows = order if held_out is None else np.concatenate([order, held_out])
    if rows.size != n_rows:
        raise ValueError(
            f"X has {n_rows} samples, but the training to resume had {rows.size}; pass the same "
            "data, or fit with warm_start=True to continue with other data."
        )
    if not np.array_equal(np.sort(rows), np.arange(n_rows)):
        raise ValueError("The stored order of the samples does not hold each row once.")
    return order, held_out


def split(n_rows, share, labels, random_state):
    """Return the rows to train on and the rows to hold out, drawn as in scikit-learn's MLP."""
    from sklearn.model_selection import train_test_split

    if not share:
        raise ValueError(
            f"validation_fraction={share} holds out nothing, but early_stopping needs a validation "
            "set; use 0.1, for example, or pass X_val and y_val to fit."
        )
    options = {"random_state": random_state, "test_size": share, "stratify": labels}
    try:
        train, held_out = train_test_split(np.arange(n_rows), **options)
    except ValueError as error:
        if "_size" not in str(error):  # a fault of the targets
            raise
        raise ValueError(
            f"validation_fraction={share} does not suit {n_rows} samples: {error}"
        ) from error
    if held_out.size < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    return train, held_out


def is_given(X, y, sample_weight):
    """Return whether a validation set was passed to fit; raise ValueError if only half of it."""
    if X is None and y is None:
        if sample_weight is not None:
            raise ValueError("sample_weight_val is provided, but X_val and y_val were not.")
        return False
    if X is None or y is None:
        given, missing = ("X_val", "y_val") if y is None else ("y_val", "X_val")
        raise ValueError(f"{given} is provided, but {missing} was not provided.")
    return True


def evaluation(estimator, data, rows, target, weight):
    """Return a function that returns loss and score of the present weights on rows of `data`."""
    network, codec = estimator._network, estimator._codec
    targets = codec.loss.targets(target, weight, network.dtype)
    jobs, keeps = resolve_n_jobs(estimator.n_jobs), estimator.scoring != "loss"
    program = network.program_for(data)
    predictor = Predictor(program, data, rows, targets, jobs, keeps_output=keeps)
    target = target[rows]
    weight = None if weight is None else weight[rows]
    total = predictor.losses.size if weight is None else weight.sum()
    score = _scorer(estimator, predictor, target, weight)

    def evaluate():
        predictor.run(network.theta, network.state)
        loss = float(predictor.losses.sum() / total)
        if not math.isfinite(loss):  # as is the case if an output is not finite
            return loss, math.nan
        return loss, -loss if score is None else score()

    return evaluate


def _takes_weights(scorer):
    """Return whether a scorer, or the function that it calls, has an argument sample_weight."""
    parameters = inspect.signature(getattr(scorer, "_score_func", scorer)).parameters.values()
    return any(p.name == "sample_weight" or p.kind is p.VAR_KEYWORD for p in parameters)


def _scorer(estimator, predictor, target, weight):
    """Return a function that scores the predictor's last output, or None for minus the loss."""
    scoring, codec = estimator.scoring, estimator._codec
    if scoring == "loss":
        return None
    if scoring is None:
        return lambda: float(codec.score(*codec.flat(target, predictor.out, weight)))
    from sklearn.metrics import get_scorer

    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    flat, _, weights = codec.flat(target, predictor.out, weight)
    rows = slice(None)
    if weights is not None and weights.dtype.kind in "iu":  # counts of equal rows
        rows, weights = np.repeat(np.arange(len(flat)), weights), None
    if weights is not None and not _takes_weights(scorer):
        raise ValueError(
            f"scoring={scoring!r} takes no sample_weight, but the validation set has "
            "weights; give the function such an argument."
        )
    # A copy whose predictions are the outputs computed last, for any X.
    shown = estimator._twin()
    shown._codec = codec.one_target_a_row()
    y = shown._codec.decode_target(flat[rows])
    X = np.empty((len(y), 0))
    weights = {} if weights is None else {"sample_weight": weights}

    def score():
        _, output, _ = codec.flat(target, predictor.out.copy(), weight)
        shown._outputs = lambda _: [(None, output[rows])]
        return float(scorer(shown, X, y, **weights))

    return score


def objective(estimator):
    """Return what restarts are compared by, smaller is better: minus the score, then the loss."""
    history, scores = (getattr(estimator, n, None) for n in ("_history", "validation_scores_"))
    found = getattr(estimator, "loss_", np.inf), 0.0
    if history is not None and scores:
        kept = history.best_theta is not None
        score, epoch = (history.best_score, history.best_epoch - 1) if kept else (scores[-1], -1)
        found = -score, history.curves["val_loss"][epoch]
    return tuple(value if np.isfinite(value) else np.inf for value in found)
