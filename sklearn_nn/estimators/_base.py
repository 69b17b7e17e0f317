"""The one skeleton of fit, partial_fit and predict that all estimators share."""

from __future__ import annotations

import functools
import math
import warnings
from abc import ABC, abstractmethod

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from sklearn_nn.estimators._encoding import (
    check_fits,
    check_no_dates,
    check_some_weight,
    encode_rows,
    row_blocks,
)
from sklearn_nn.estimators._held_out import HeldOut
from sklearn_nn.estimators._weights import FlatWeights, writable
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import Machine, predict
from sklearn_nn.network.program import lower
from sklearn_nn.training.descent import Descent
from sklearn_nn.training.history import History
from sklearn_nn.training.trainer import Ending, Trainer

#: What the last training left and another solver would not replace.
_LEARNT_BY_TRAINING = (
    "_history",
    "_optimizer",
    "_no_improvement_count",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
)


class BaseNetwork(HeldOut, FlatWeights, BaseEstimator, ABC):
    """Base of all estimators.

    A subclass says which layers it is made of, how its target is encoded and scored, and which
    optimizer it asks for: the methods of the first block below. The rest is the same for all.
    """

    # --- what a subclass says ------------------------------------------------------------

    @abstractmethod
    def _has_weights(self):
        """Whether there are weights to go on from."""

    @abstractmethod
    def _layers(self):
        """(name, layer) pairs from input to raw output, for `n_outputs_` outputs."""

    @abstractmethod
    def _learn_target(self, y, *, incremental):
        """Learn what kind of target y is, or check that it is the kind seen before."""

    @abstractmethod
    def _encode_target(self, y):
        """Targets of shape (n_samples, n_columns) as numbers."""

    @abstractmethod
    def _loss(self):
        """The loss for the kind of target at hand."""

    @abstractmethod
    def _optimizer_and_schedule(self):
        """What a first-order solver works with."""

    @abstractmethod
    def _validation_score(self, target, output, sample_weight):
        """The score of outputs after the link; NaN where they are not finite."""

    def _stratify(self, target):
        """What the validation split is stratified by; None for nothing."""
        return

    def _learn_class_weights(self, target, sample_weight, *, incremental):
        """Learn how much each class counts."""

    def _class_weights(self, target):
        """Weights of the samples by class, or None."""
        return

    # --- fit -----------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight=None, validation=None, *, incremental=False):
        """Validate, encode, lower, train, and publish what was learnt.

        Parameters
        ----------
        validation : tuple or None
            (X_val, y_val, sample_weight_val) as passed to fit.
        incremental : bool
            One epoch that goes on from the last call: partial_fit.
        """
        before = self.__dict__.copy()
        try:
            train = self._prepare(X, y, sample_weight, validation, incremental)
        except BaseException:
            # A fit that cannot begin leaves the estimator as it was.
            self.__dict__ = before
            raise
        train()
        self._check_finite_weights()
        return self

    def _prepare(self, X, y, sample_weight, validation, incremental):
        """Everything up to training, which is returned as a function without arguments."""
        first_pass = not self._has_weights() or not (self.warm_start or incremental)
        X, y = self._validate(X, y, reset=first_pass)
        self._learn_target(y, incremental=incremental)
        target = self._encode_target(y)
        dtype = self._compute_dtype(X, first_pass=first_pass)
        check_fits("y", target, dtype)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        self._learn_class_weights(target, sample_weight, incremental=incremental)
        weight = self._weights(target, sample_weight, dtype)
        validation = self._check_validation(validation, dtype)
        self._random_state = check_random_state(self.random_state)
        program = self._lower(dtype)
        if first_pass:
            self._start(program)
        else:
            self._adopt_weights(program)
        self._link_weights(program)
        data = encode_rows(X, dtype)
        if self.solver == "lbfgs":
            return self._lbfgs(program, data, target, weight)
        return self._descent(program, data, target, weight, validation, incremental)

    def _validate(self, X, y, *, reset):
        """X and y checked by scikit-learn, X in float64 or float32."""
        check_no_dates(X)
        try:
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse=["csr", "csc"],
                multi_output=True,
                y_numeric=is_regressor(self),
                dtype=(np.float64, np.float32),
                reset=reset,
            )
        except TypeError as error:
            if "NA is ambiguous" in str(error):
                message = "Input contains missing values (pd.NA); fill or drop them first."
                raise ValueError(message) from error
            raise
        if y.ndim == 2 and y.shape[1] == 1 and not sparse.issparse(y):
            y = column_or_1d(y, warn=True)
        return X, y

    def _weights(self, target, sample_weight, dtype):
        """Sample weights times class weights, or None where there are neither."""
        weights = self._class_weights(target)
        if sample_weight is not None:
            weights = sample_weight if weights is None else weights * sample_weight
        if weights is not None:
            check_some_weight(weights, "sample")
            check_fits("sample_weight", weights, dtype)
        return weights

    def _compute_dtype(self, X, *, first_pass):
        """The type that the network computes in."""
        if not first_pass and hasattr(self, "_theta"):
            return self._theta.dtype.name
        if self.dtype != "auto":
            return self.dtype
        # scipy's L-BFGS works in float64, and so does scikit-learn's MLP with it.
        return "float64" if self.solver == "lbfgs" else X.dtype.name

    def _lower(self, dtype):
        """The program for the layers and the loss at hand."""
        shape = (self.n_features_in_,)
        return lower(self._layers(), shape, dtype, self._loss().link_layer())

    def _start(self, program):
        """Begin anew: fresh weights, nothing seen, no optimizer."""
        self._theta = program.initialize(self._random_state)
        self._state = np.zeros(program.n_state, dtype=program.dtype)
        self.n_iter_ = 0
        self.t_ = 0
        for name in _LEARNT_BY_TRAINING:
            self.__dict__.pop(name, None)

    def _machine(self, program, capacity):
        """The machine to train the estimator's weights."""
        # Nothing is drawn without need: scikit-learn's MLP draws no such number.
        seed = self._random_state.randint(2**31 - 1) if np.any(self.dropout) else 0
        return Machine(
            program,
            self._theta,
            self._state,
            capacity,
            alpha=self.alpha,
            seed=seed,
            n_jobs=resolve_n_jobs(self.n_jobs),
        )

    def _lbfgs(self, program, data, target, weight):
        """Training on all rows at once with L-BFGS, as a function without arguments."""
        machine = self._machine(program, data.n_rows)
        targets = self._loss().targets(target, weight, program.dtype)
        return functools.partial(self._run_lbfgs, machine, data, targets)

    def _run_lbfgs(self, machine, data, targets):
        from sklearn.utils.optimize import _check_optimize_result

        from sklearn_nn.training.lbfgs import minimize

        result = minimize(
            machine,
            data,
            targets,
            max_iter=self.max_iter,
            max_fun=self.max_fun,
            tol=self.tol,
            verbose=bool(self.verbose),
        )
        self.n_iter_ = _check_optimize_result("lbfgs", result, self.max_iter)
        self.loss_ = float(result.fun)

    def _descent(self, program, data, target, weight, validation, incremental):
        """Training in batches with a first-order optimizer, as a function without arguments."""
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        rows = np.arange(data.n_rows)
        if self.early_stopping and validation is None:
            rows, held_out = self._split(target)
            held_weight = None if weight is None else weight[held_out]
            check_some_weight(held_weight, "held-out sample (early_stopping)")
            check_some_weight(weight if weight is None else weight[rows], "training sample")
            validation = (data, held_out, target[held_out], held_weight)
        history = self.__dict__.setdefault("_history", History(bool(self.early_stopping)))
        history.early_stopping = bool(self.early_stopping)
        if not incremental or not hasattr(self, "_optimizer"):
            optimizer, schedule = self._optimizer_and_schedule()
            rate = self.learning_rate_init
            self._optimizer = Descent.start(optimizer, schedule, rate, self._theta)
        self._optimizer.moments = writable(self._optimizer.moments)
        batch_size = self._batch_size(rows.size)
        trainer = Trainer(
            machine=self._machine(program, batch_size),
            data=data,
            targets=self._loss().targets(target, weight, program.dtype),
            descent=self._optimizer,
            history=history,
            rows=rows,
            batch_size=batch_size,
            random_state=self._random_state if self.shuffle else None,
            tol=self.tol,
            patience=self.n_iter_no_change,
            score=validation and functools.partial(self._score_now, program, *validation),
            verbose=bool(self.verbose),
        )
        return functools.partial(self._run_descent, trainer, once=incremental)

    def _run_descent(self, trainer, *, once):
        ending = trainer.run(self.max_iter, once=once)
        self._take_over(trainer.history, trainer.n_epochs)
        if ending is Ending.INTERRUPTED:
            warnings.warn("Training interrupted by user.", stacklevel=5)
        elif ending is Ending.EXHAUSTED:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) "
                "reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )
        elif ending is Ending.DIVERGED:
            self._tell_divergence(trainer)

    def _tell_divergence(self, trainer):
        """Warn where there are best weights to keep, else raise."""
        told = (
            f"Training diverged in epoch {trainer.n_epochs} with a learning rate of "
            f"{trainer.descent.learning_rate:g}; scale the data (StandardScaler) or lower "
            "learning_rate_init."
        )
        if self.early_stopping and trainer.history.best_theta is not None:
            message = f"{told} The best weights are kept."
            warnings.warn(message, ConvergenceWarning, stacklevel=6)
            return
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large"
            f" values and need to be preprocessed. {told} The weights from before that epoch are"
            " kept."
        )

    def _take_over(self, history, n_epochs):
        """Publish the history under scikit-learn's names."""
        watched = self.early_stopping
        self.n_iter_ = n_epochs
        self.t_ = history.samples_seen
        self.loss_curve_ = history.loss_curve
        if history.loss_curve:
            self.loss_ = history.loss_curve[-1]
        self.best_loss_ = None if watched else history.best_loss
        scored = watched or bool(history.validation_scores)
        self.validation_scores_ = history.validation_scores if scored else None
        self.best_validation_score_ = history.best_score if scored else None
        self._no_improvement_count = history.no_improvement

    def _check_finite_weights(self):
        """What reaches the user is finite, whatever happened."""
        if not np.isfinite(self._theta).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large"
                " values and need to be preprocessed."
            )

    def _batch_size(self, n_samples):
        if self.batch_size == "auto":
            return min(200, n_samples)
        if self.batch_size > n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than "
                "sample size. It is going to be clipped",
                stacklevel=5,
            )
        return min(self.batch_size, n_samples)

    # --- predict -------------------------------------------------------------------------

    def _outputs(self, X):
        """Check X and yield (rows, output after the link), a block of rows at a time."""
        if "_theta" not in self.__dict__:  # the check costs a tenth of a one-row predict
            check_is_fitted(self)
        if not self._needs_no_validation(X):
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
            if X.dtype.kind in "mM":
                check_no_dates(X)
        program = self._trained_program()
        jobs = 1 if self.n_jobs is None else resolve_n_jobs(self.n_jobs)
        for rows, data in row_blocks(X, program.dtype):
            output = predict(program, self._theta, self._state, data, None, jobs)
            if not np.isfinite(output).all():
                raise ValueError(
                    "The network's output is not finite for some rows of X, whose values are too"
                    " large for it; scale X as the training data was."
                )
            yield rows, output

    def _needs_no_validation(self, X):
        """Whether X is plainly what validation would return: a finite matrix of known width.

        Validation takes longer than predicting a row does.
        """
        if type(X) is not np.ndarray or X.dtype.name not in ("float64", "float32"):
            return False
        if X.ndim != 2 or X.shape[0] == 0 or X.shape[1] != self.n_features_in_:
            return False
        with np.errstate(all="ignore"):
            return not hasattr(self, "feature_names_in_") and math.isfinite(X.sum())

    def _output(self, X):
        """The output after the link for all rows of X, of shape (n_samples, n_outputs)."""
        blocks = [output for _, output in self._outputs(X)]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
