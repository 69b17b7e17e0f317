"""Fit of several networks to a table, and calibration of their probabilities."""

from __future__ import annotations

import contextlib
import copy

import numpy as np
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import is_classifier
from sklearn.utils.validation import _check_sample_weight, _num_samples

from sklearn_nn.estimators._core.callbacks import name_network
from sklearn_nn.estimators._core.fit import Fit
from sklearn_nn.estimators._core.parts import FitMode
from sklearn_nn.estimators._core.queue import in_turn
from sklearn_nn.estimators._inputs.table.reader import TableRows
from sklearn_nn.estimators._inputs.table.tally import CategoryTally
from sklearn_nn.estimators.tabular.architecture import N_BINS, PIECEWISE_LINEAR
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import predict
from sklearn_nn.training.callbacks import Callback
from sklearn_nn.training.trainer import Ending

#: Bounds of the natural logarithm of the temperature.
_BOUNDS = (-3.0, 3.0)
#: Weight of a virtual row with equal probabilities of all classes. It keeps the temperature away
#: from its lower bound if the network is right in all of a few rows.
_DOUBT = 1 / 3


class StopAfter(Callback):
    """Callback that ends training after the given number of epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, epoch, log, estimator):
        """Return whether the number of epochs is reached."""
        return epoch >= self.epochs


def _log_odds(output, one_of_many):
    """Return logits, in float64, that the link maps to the given probabilities."""
    p = output.astype(np.float64)
    tiny = np.finfo(output.dtype).tiny
    logs = np.log(np.maximum(p, tiny))
    if one_of_many:
        return logs
    # For p that rounds to 1, 1 - p is at most half the spacing of floats below 1.
    rest = np.finfo(output.dtype).epsneg / 2
    return logs - np.log(np.maximum(1 - p, rest))


def fit_temperature(output, target, weight, *, one_of_many):
    """Return the temperature with the smallest smoothed log loss; 1 leaves probabilities unchanged.

    `output` of shape (n_samples, n_outputs) holds probabilities: of classes that sum to one if
    `one_of_many`, else of independent labels. `target` of shape (n_samples, n_targets) holds the
    class index, or zeros and ones. `weight` (n_samples,) counts rows, or is None.

    References
    ----------
    Guo, C., Pleiss, G., Sun, Y., & Weinberger, K. Q. (2017). On calibration of modern neural
    networks. ICML.

    Platt, J. (1999). Probabilistic outputs for support vector machines and comparisons to
    regularized likelihood methods. Advances in Large Margin Classifiers. (For smoothed targets.)
    """
    z = _log_odds(output, one_of_many)
    rows = np.arange(len(z))
    # Weights with a small sum do not reduce the number of rows.
    n_rows = len(z) if weight is None else max(len(z), weight.sum())
    doubt = _DOUBT / (n_rows + _DOUBT)

    def loss(log_temperature):
        scaled = z * np.exp(-log_temperature)
        if one_of_many:
            logs = log_softmax(scaled, axis=1)
            of_right, of_any = logs[rows, target[:, 0]], logs.mean(axis=1)
        else:
            yes, no = log_expit(scaled), log_expit(-scaled)
            of_right = np.where(target > 0, yes, no).sum(axis=1)
            of_any = (yes + no).sum(axis=1) / 2
        return -np.average((1 - doubt) * of_right + doubt * of_any, weights=weight)

    found = minimize_scalar(loss, bounds=_BOUNDS, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def at_temperature(output, temperature, *, one_of_many):
    """Return probabilities at a temperature, which keeps their order."""
    if temperature == 1:
        return output
    z = _log_odds(output, one_of_many) / temperature
    found = softmax(z, axis=1) if one_of_many else expit(z)
    return found.astype(output.dtype, copy=False)


class Calibrator(Callback):
    """Callback that fits the estimator's temperature on its validation set after training.

    `program` is the network for the shape of the validation set. `validation` is a tuple of the
    data, the rows in use, and the targets and weights of all rows.
    """

    def __init__(self, program, validation, one_of_many):
        self.program = program
        self.validation = validation
        self.one_of_many = one_of_many

    def on_fit_end(self, estimator):
        """Fit the temperature for the final weights."""
        data, rows, target, weight = self.validation
        jobs = resolve_n_jobs(estimator.n_jobs)
        network = estimator._network
        output = predict(self.program, network.theta, network.state, data, rows, jobs)
        if np.isfinite(output).all():
            weight = None if weight is None else weight[rows]
            found = fit_temperature(output, target[rows], weight, one_of_many=self.one_of_many)
            estimator._temperatures = [*estimator._temperatures[:-1], found]


class TableFit(Fit):
    """Fit of `n_networks` networks, each with its own validation split.

    The estimator's `_network` is the last one; `_earlier` holds those trained before it.
    """

    #: Rows of zero weight do not count for the recipe, nor for the encoder.
    drops_weightless = True
    #: Categories of the columns in all blocks of a stream, or None.
    tally = None

    # --- data --------------------------------------------------------------------------------

    def prepare(self):
        """Determine parameters that are "auto", read and encode the data and lower the network."""
        est = self.estimator
        if self.mode is FitMode.FRESH:
            est._chosen = self._recipe()
        elif self.mode is FitMode.WARM:
            est._chosen = {**est._chosen, "n_networks": 1}
        if self.mode in (FitMode.FRESH, FitMode.WARM):
            self._begin_networks()
        return super().prepare()

    def watch(self):
        """Return a function that counts the categories in each block of a stream."""
        if not self.begins:
            return None
        self.tally = CategoryTally(self.estimator.categorical_features, self.estimator)
        return self.tally.add

    def _recipe(self):
        """Return the recipe's parameters for the number of rows with a weight other than zero."""
        est, n_rows = self.estimator, _num_samples(self.X)
        if self.sample_weight is not None:
            n_rows = np.count_nonzero(_check_sample_weight(self.sample_weight, self.X))
        if self.n_rows_of_all is not None:
            n_rows = self.n_rows_of_all
        recipe = est._recipe().parameters(n_rows, est._kind())
        if est.warm_start:
            recipe["n_networks"] = 1
        return recipe

    def read(self, reader, codec):
        """Return encoded rows, their lengths, y and weights, all checked."""
        est = self.estimator
        if self.begins:
            reader.learn_encoder(self.X, self.sample_weight, est, self.tally)
        values = reader.check(self.X, est)
        _, _, y, weight = self.read_targets(reader, codec, values, self.y, self.sample_weight)
        rows = TableRows(values, y, weight).without_weightless()
        # In a single batch, the result does not depend on the order of the rows.
        n_rows = len(rows.values)
        rows = rows.distinct() if self.batch_size(n_rows) == n_rows else rows
        if self.begins and est._setting("num_embedding") == PIECEWISE_LINEAR:
            reader.learn_bins(rows.values, N_BINS, rows.weight)
        return rows.values, reader.lengths(rows.values), rows.y, rows.weight

    def read_targets(self, reader, codec, samples, y, sample_weight):
        """Return samples, their lengths, y and weights, the latter two checked."""
        y = y.toarray() if sparse.issparse(y) else y
        return super().read_targets(reader, codec, samples, y, sample_weight)

    # --- validation split --------------------------------------------------------------------

    def splits(self, target):
        """Return whether rows are held out: not if there are very few, nor for `refit_full`."""
        refits = "_refit_epochs" in vars(self.estimator)
        return super().splits(target) and not refits and self._shared_out(target)[1] > 1

    def _shared_out(self, target):
        """Return the class of each row, and the number of rows to hold out."""
        labels = self.estimator._codec.stratify(target)
        labels = np.zeros(len(target), dtype=np.intp) if labels is None else labels
        # The only row of a class is not held out.
        n_shared = np.count_nonzero(np.bincount(labels)[labels] > 1)
        return labels, int(self.estimator.validation_fraction * n_shared + 0.5)

    def split(self, target):
        """Return rows to train on and rows to hold out, stratified by class.

        Networks hold out different rows, until each row has been held out once.
        """
        est = self.estimator
        labels, n = self._shared_out(target)
        rows = np.flatnonzero(np.bincount(labels)[labels] > 1)
        n_parts = max(1, len(rows) // n)
        turn, part = divmod(len(est._earlier), n_parts)
        np.random.RandomState((est._split_seed + turn) % 2**32).shuffle(rows)
        # Rows at equal distances, after sorting by class.
        rows = rows[np.argsort(labels[rows], kind="stable")]
        held_out = np.zeros(len(target), dtype=bool)
        places = (np.arange(n) + (part + 0.5) / n_parts) * len(rows) / n
        held_out[rows[places.astype(np.intp)]] = True
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    # --- networks ----------------------------------------------------------------------------

    def _begin_networks(self):
        """Discard the networks of the last fit, except one that a warm start continues from."""
        est = self.estimator
        if est.warm_start is True:
            self._check_can_go_on()
        est._earlier, est.histories_ = [], []
        if is_classifier(est):
            est._temperatures = [1.0]
        for name in ("_refit_epochs", "_all_trained"):
            est.__dict__.pop(name, None)
        est._split_seed = est._random_state.randint(2**31 - 1)

    def _check_can_go_on(self):
        """Raise ValueError if a warm start is impossible: it needs a single network."""
        est = self.estimator
        if est.refit_full:
            raise ValueError(
                "refit_full=True begins again on all rows, which warm_start=True excludes; set one "
                "of them to False."
            )
        n_last = 1 if self.mode is FitMode.FRESH else len(est._earlier) + 1
        if n_last > 1:
            raise ValueError(
                f"The last fit trained {n_last} networks, but warm_start=True continues from one; "
                "set n_networks=1 and warm_start=False for a first fit that can be continued."
            )
        if est._setting("n_networks") > 1:
            raise ValueError(
                f"warm_start=True continues from one network, not n_networks={est.n_networks}; set "
                "n_networks=1, or warm_start=False."
            )

    def _check_can_resume(self):
        """Raise ValueError if all of several trainings have ended."""
        est = self.estimator
        n_trained = len(est.histories_)
        if est.__dict__.pop("_all_trained", False) and n_trained > 1:
            raise ValueError(
                f"There is nothing to resume: the {n_trained} trainings of the last fit "
                "(n_networks, refit_full) have ended. Begin again with warm_start=False (a file by "
                "`load`), or fit with n_networks=1 and refit_full=False to continue later."
            )

    def train(self, times):
        """Train `n_networks` networks, with `refit_full` each a second time on all rows."""
        est = self.estimator
        of = est._setting("n_networks")
        rest = max(1, of - len(est._earlier))
        with contextlib.closing(in_turn(self, rest)) as trainings:
            for training in trainings:
                ending = training.conclude(self)
                refits = est.refit_full and est._held_out is not None
                if ending is not Ending.INTERRUPTED and refits:
                    again = self._afresh(_refit_epochs=est.best_iteration_)
                    name_network(est, len(est._earlier) + 1, of, "all rows")
                    again.run()
                    ending = again.conclude(self)
                    del again
                del training  # with its memory
                if ending is Ending.INTERRUPTED:
                    return
        est._all_trained = True

    def nth(self, number, times):
        """Return the training of a network, ready to begin; `number` counts from 0."""
        est, changes = self.estimator, {}
        if number:
            changes["_earlier"] = [*est._earlier, est._network]
            if is_classifier(est):
                changes["_temperatures"] = [*est._temperatures, 1.0]
        training = self._afresh(**changes) if number else self.ready()
        name_network(est, len(est._earlier) + 1, est._setting("n_networks"))
        return training

    def adopt(self, other):
        """Set the estimator to the state of a copy on which a training has run."""
        before = vars(self.estimator).get("_temperatures")
        super().adopt(other)
        if before is not None:  # the copy has been made before these were known
            est, n = self.estimator, len(self.estimator._earlier)
            est._temperatures = [*before[:n], est._temperatures[-1]]

    def follows_plan(self):
        """Return whether the random numbers that a training draws are known when it begins."""
        return not self.estimator.refit_full and super().follows_plan()

    def _afresh(self, **changes):
        """Return a further training with another split; change nothing if there is an error."""
        est = self.estimator
        before = {**est.__dict__, "_random_state": copy.deepcopy(est._random_state)}
        try:
            for name in ("_held_out", "_refit_epochs"):
                est.__dict__.pop(name, None)
            est.__dict__.update(changes)
            return self.restart()
        except BaseException as error:
            est.__dict__ = before
            if isinstance(error, KeyboardInterrupt):
                est._stopped_by = error
            raise

    def trainer(self, request):
        """Return the trainer of one network."""
        est, resumes = self.estimator, self._resumes
        if resumes:
            self._check_can_resume()
        trainer = super().trainer(request)
        if self.mode is FitMode.WARM and not self.is_restart and trainer.history.validated:
            trainer.history.forget_best()  # scores on other rows
        before = est.histories_[:-1] if resumes else est.histories_
        est.histories_ = [*before, est.history_]
        if not (est.early_stopping is True and trainer.history.validated):
            trainer.patience = np.inf  # schedules are planned for all epochs
        if "_refit_epochs" in vars(est):
            # The user's callbacks may need the validation set, which does not exist here.
            own = [c for c in trainer.callbacks if not any(c is d for d in self.callbacks())]
            trainer.callbacks = [*own, StopAfter(est._refit_epochs)]
            return trainer
        validation = request.validation
        if est._held_out is not None:
            validation = request.on_rows(est._held_out)
        if validation is not None:
            judges = est._judges(request.program, validation)
            trainer.callbacks = [*trainer.callbacks, *judges]
        return trainer

    # --- rules of training -------------------------------------------------------------------

    def batch_size(self, n_samples):
        """Return the number of samples in a batch."""
        return min(self.estimator._setting("batch_size"), n_samples)

    def decay_schedule(self):
        """Return the schedule of the factors on `weight_decay`, or None."""
        return self.estimator._recipe().decay_schedule

    def rule_of_best(self):
        """Return `takes_last` and `least_gain` of the history."""
        est = self.estimator
        # Smaller differences of log losses are noise, and earlier epochs overfit less.
        if is_classifier(est) and est.scoring == "loss":
            return False, est.tol
        # Scores of few rows are often equal, and later epochs have lower learning rates.
        return True, 0.0

    def uses_all_epochs(self):
        """Return whether training is planned for all `max_iter` epochs."""
        return True

    def begin_subtasks(self, most):
        """Announce the epochs of all trainings to scikit-learn's callbacks."""
        est = self.estimator
        super().begin_subtasks(most * est._setting("n_networks") * (2 if est.refit_full else 1))
