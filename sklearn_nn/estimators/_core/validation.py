"""What an estimator is scored on while it trains: rows held out, or a validation set."""

from __future__ import annotations

import inspect
import math

import numpy as np

from sklearn_nn.estimators._inputs.encoding import check_some_weight
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import Predictor
from sklearn_nn.training.callbacks import TrainingScore


def _takes_weights(scorer):
    """Whether a scorer, or the function it scores by, has an argument sample_weight."""
    parameters = inspect.signature(getattr(scorer, "_score_func", scorer)).parameters.values()
    return any(p.name == "sample_weight" or p.kind is p.VAR_KEYWORD for p in parameters)


class HeldOut:
    """Mixin: the split of early stopping, the validation set passed to fit, the score on either."""

    def _rows(self, target, weight, validation, n_rows, goes_on):
        """Rows to train on, and rows to hold out or None.

        Training that is resumed goes on with the rows it had, in the order of its last epoch; a
        further restart with the same split as the first.
        """
        splits = validation is None and self._splits(target)
        if goes_on == "incremental" and splits:
            raise ValueError(
                "partial_fit does not support early_stopping=True without a validation set, since "
                "it does not see all data at once; pass X_val and y_val."
            )
        if goes_on == "resumed":
            return self._rows_again(n_rows)
        if goes_on != "restarted" or not hasattr(self, "_held_out"):
            self._held_out = None
            rows = np.arange(n_rows)
            if splits:
                rows, self._held_out = self._split(target)
                check_some_weight(
                    None if weight is None else weight[self._held_out],
                    "held-out sample (early_stopping)",
                )
                check_some_weight(None if weight is None else weight[rows], "training sample")
            self._first_rows = rows
        return self._first_rows, self._held_out

    def _splits(self, target):
        """Whether rows are to be held out where no validation set is passed."""
        return bool(self.early_stopping)

    def _rows_again(self, n_rows):
        """The rows of the fit that is resumed."""
        if not hasattr(self, "_order"):
            raise ValueError(
                "There is nothing to resume: the order of the samples was not kept. Fit with "
                "warm_start='resume' from the start, or load what `save` or ModelCheckpoint wrote."
            )
        held_out = self._held_out
        known = self._order.size + (0 if held_out is None else held_out.size)
        if known != n_rows:
            raise ValueError(
                f"X has {n_rows} samples, but training that is resumed had {known}; pass the same "
                "data, or fit with warm_start=True to go on with other data."
            )
        order = self._order.astype(np.int64)
        rows = order if held_out is None else np.concatenate([order, held_out])
        if not np.array_equal(np.sort(rows), np.arange(n_rows)):
            raise ValueError("The order of the samples that was kept does not name each row once.")
        return order, held_out

    def _split(self, target):
        """Rows to train on and rows to hold out, drawn as scikit-learn's MLP draws them."""
        from sklearn.model_selection import train_test_split

        train, held_out = train_test_split(
            np.arange(len(target)),
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=self._stratify(target),
        )
        if held_out.size < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' "
                "or the size of your dataset."
            )
        return train, held_out

    def _check_validation(self, validation, dtype):
        """The validation set passed to fit: (data, rows, target, weights), or None."""
        X, y, sample_weight = (None, None, None) if validation is None else validation
        if X is None and y is None:
            if sample_weight is not None:
                raise ValueError("sample_weight_val is provided, but X_val and y_val were not.")
            return None
        if X is None or y is None:
            given, missing = ("X_val", "y_val") if y is None else ("y_val", "X_val")
            raise ValueError(f"{given} is provided, but {missing} was not provided.")
        try:
            X, y = self._validate(X, y, reset=False)
            target = self._encode_target(y)
            weight = self._weights(target, self._sample_weight(sample_weight, X), dtype)
            self._check_validation_target(target)
            target, weight = self._arrange_targets(target, weight, X)
            return self._encode_rows(X, dtype), np.arange(X.shape[0]), target, weight
        except ValueError as error:
            raise ValueError(f"The validation set (X_val, y_val): {error}") from error

    def _check_validation_target(self, target):
        """Raise a ValueError if the score is not defined for the validation target."""

    def _figures(self, program, training, validation, callbacks):
        """A function that returns an epoch's figures beside its loss; None where there are none.

        `training` and `validation` are the arguments of `_evaluation`, the second perhaps None.
        """
        held_out = validation and self._evaluation(program, *validation)
        wanted = any(isinstance(callback, TrainingScore) for callback in callbacks)
        trained_on = self._evaluation(program, *training) if wanted else None
        if held_out is None and trained_on is None:
            return None

        def figures():
            found = {}
            if trained_on is not None:
                found["score"] = trained_on()[1]
            if held_out is not None:
                found["val_loss"], found["val_score"] = held_out()
            return found

        return figures

    def _evaluation(self, program, data, rows, target, weight):
        """A function that returns loss and score of the weights as they are when it is called.

        `target` and `weight` are those of all rows of `data`.
        """
        targets = self._loss().targets(target, weight, program.dtype)
        program = self._suited_program(program, data)
        jobs, keeps = resolve_n_jobs(self.n_jobs), self.scoring != "loss"
        predictor = Predictor(program, data, rows, targets, jobs, keeps_output=keeps)
        target = target[rows]
        weight = None if weight is None else weight[rows]
        total = predictor.losses.size if weight is None else weight.sum()
        score = self._scorer(predictor, target, weight)

        def evaluate():
            predictor.run(self._theta, self._state)
            loss = float(predictor.losses.sum() / total)
            if not math.isfinite(loss):  # as it is where any output is not
                return loss, math.nan
            return loss, -loss if score is None else score()

        return evaluate

    def _scorer(self, predictor, target, weight):
        """The score of the predictor's last output, as a function; None for minus the loss."""
        if self.scoring == "loss":
            return None
        if self.scoring is None:

            def own_score():
                found = self._flat_targets(target, predictor.out, weight)
                return float(self._validation_score(*found))

            return own_score
        from sklearn.metrics import get_scorer

        scorer = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring
        flat, _, weights = self._flat_targets(target, predictor.out, weight)
        rows = slice(None)
        if weights is not None and weights.dtype.kind in "iu":  # how often each row occurs
            rows, weights = np.repeat(np.arange(len(flat)), weights), None
        if weights is not None and not _takes_weights(scorer):
            raise ValueError(
                f"scoring={self.scoring!r} takes no sample_weight, which there is for the "
                "validation set; give the function such an argument."
            )
        # A copy that predicts what the machine has just computed, whatever it is asked about.
        shown = self._one_target_a_row()
        y = self._decode_target(flat[rows])
        X = np.empty((len(y), 0))
        weights = {} if weights is None else {"sample_weight": weights}

        def score():
            _, output, _ = self._flat_targets(target, predictor.out.copy(), weight)
            shown._outputs = lambda _: [(None, output[rows])]
            return float(scorer(shown, X, y, **weights))

        return score

    def _one_target_a_row(self):
        """A copy of the estimator that predicts one target for each row of its output."""
        shown = self._twin()
        shown._is_as_fitted = True  # it is
        return shown
