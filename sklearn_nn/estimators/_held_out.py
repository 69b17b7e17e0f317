"""What an estimator is scored on while it trains: rows held out, or a validation set."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from sklearn_nn.estimators._encoding import encode_rows
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import predict


class HeldOut:
    """Mixin: the split of early stopping, the validation set passed to fit, the score on either."""

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
            if sample_weight is not None:
                sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            weight = self._weights(target, sample_weight, dtype)
            self._check_validation_target(target)
            return encode_rows(X, dtype), np.arange(X.shape[0]), target, weight
        except ValueError as error:
            raise ValueError(f"The validation set (X_val, y_val): {error}") from error

    def _check_validation_target(self, target):
        """Raise a ValueError if the score is not defined for the validation target."""

    def _score_now(self, program, data, rows, target, weight):
        """The validation score of the weights as they are now."""
        jobs = resolve_n_jobs(self.n_jobs)
        output = predict(program, self._theta, self._state, data, rows, jobs)
        return float(self._validation_score(target, output, weight))
