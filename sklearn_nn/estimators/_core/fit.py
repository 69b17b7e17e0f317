"""One call of fit: read, encode, lower, train, publish."""

from __future__ import annotations

import contextlib
import copy
import functools
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import _check_sample_weight

from sklearn_nn._hints import about_class
from sklearn_nn.estimators._core import fitted_network, lbfgs, transfer
from sklearn_nn.estimators._core.all_or_nothing import all_or_nothing
from sklearn_nn.estimators._core.automatic import settle
from sklearn_nn.estimators._core.callbacks import (
    SubtaskCallback,
    name_network,
)
from sklearn_nn.estimators._core.descent import Descent
from sklearn_nn.estimators._core.endings import (
    DivergenceError,
)
from sklearn_nn.estimators._core.fitted_network import FittedNetwork, has_weights, publish_network
from sklearn_nn.estimators._core.parts import FitMode, check_fits, check_some_weight, is_bytes, warn
from sklearn_nn.estimators._core.queue import in_turn
from sklearn_nn.estimators._core.validation import (
    evaluation,
    is_given,
    kept_order,
    objective,
    resumed_rows,
    split,
)
from sklearn_nn.estimators._inputs.batches import check_stream_alone
from sklearn_nn.estimators._inputs.streams import (
    Stream,
    Survey,
    blocks_of,
    check_streams,
    is_stream_of_epochs,
)
from sklearn_nn.estimators._targets import conformal
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import Machine, adapt
from sklearn_nn.network.program import Program
from sklearn_nn.network.source import Source
from sklearn_nn.training.callbacks import Callback, ProgressBar, TrainingScore
from sklearn_nn.training.history import History
from sklearn_nn.training.optimizers import OptimizerState, get_optimizer
from sklearn_nn.training.progress import can_draw
from sklearn_nn.training.schedules import get_schedule
from sklearn_nn.training.trainer import Ending, Trainer

#: Schedules of scikit-learn's MLP, which solver="adam" ignores, as it does there.
_SCIKIT_LEARN_SCHEDULES = ("constant", "invscaling", "adaptive")
#: Attributes that training sets, and that are deleted before training from new weights.
LEFT_BY_TRAINING = (
    "_history", "_optimizer", "_order", "_was_frozen", "_seed", "_incomplete", "_end_was_told",
    "_no_improvement_count", "history_", "loss_", "loss_curve_", "validation_loss_curve_",
    "best_loss_", "best_iteration_", "validation_scores_", "best_validation_score_",
    "batch_size_", "learning_rate_init_", "max_iter_", "_rounds",
)  # fmt: skip


def is_lbfgs(estimator) -> bool:
    """Return whether the estimator is trained on all samples at once, by scipy's L-BFGS."""
    return isinstance(estimator.solver, str) and estimator.solver == "lbfgs"


def mode_of(estimator):
    """Return the mode in which a fit continues the last one."""
    if not has_weights(estimator):
        return FitMode.FRESH
    resumes = vars(estimator).get("_resumes", False) or isinstance(estimator.warm_start, str)
    if resumes and hasattr(estimator, "_history"):
        return FitMode.RESUMED
    return FitMode.WARM if estimator.warm_start else FitMode.FRESH


@dataclass(frozen=True)
class FitRequest:
    """Data of a fit, ready for the machine: samples, encoded targets, weights, and the network.

    Weights are those of the samples times those of their classes, or None if all are 1.
    """

    source: Source
    target: np.ndarray
    weight: np.ndarray | None
    #: Source, rows, target and weight of the validation set.
    validation: tuple | None
    program: Program

    def on_rows(self, rows):
        """Return source, the given rows, target and weight."""
        return self.source, rows, self.target, self.weight


class Fit:
    """One call of fit, partial_fit or initialize, which sets the attributes of the estimator.

    Data are as passed by the user; `validation` is (X_val, y_val, sample_weight_val). In the place
    of X and y, a stream yields blocks of rows in each epoch; X and y are then a sample of them.
    """

    #: Whether X may be a stream of blocks.
    takes_streams = True
    #: Whether rows of zero weight are left out of these.
    drops_weightless = False

    def __init__(self, estimator, mode, X, y, sample_weight=None, validation=(None, None, None)):
        self.estimator = estimator
        self.mode = mode
        self.X, self.y, self.sample_weight = X, y, sample_weight
        self.validation = validation
        self.begins = mode is FitMode.FRESH or not has_weights(estimator)
        #: Blocks that X yields in each epoch, and what a pass over them has learnt, or None.
        self.stream = self.survey = None
        if self.takes_streams and mode is not FitMode.ONE_EPOCH and is_stream_of_epochs(X):
            check_stream_alone(y, sample_weight)
            self.stream = Stream(X, drops_weightless=self.drops_weightless)
        #: Number of rows from which parameters that are "auto" follow, if X is a sample of them.
        self.n_rows_of_all = None
        self.is_restart = self.explosion_was_told = False

    def run(self):
        """Read, encode, lower, train and publish; an error leaves the estimator as it was."""
        est = self.estimator
        with all_or_nothing(est):
            if self.mode is FitMode.ONE_EPOCH:
                est._validate_params()
            else:
                est.__dict__.pop("_resumes", None)  # set by `load_checkpoint`
            est._callback_data = self.X, self.y
            self._prepare()
            self.train(1 if self.mode is not FitMode.FRESH else est.n_restarts)
            if "_subtasks" in est.__dict__:
                est._subtasks.end(est)
            if not est._network.is_finite:
                raise ValueError(
                    "Solver produced non-finite parameter weights. The input data may contain "
                    "large values and need to be preprocessed."
                )
            if self.set_aside is not None:
                conformal.calibrate(self, self.set_aside)
        return est

    def initialize(self):
        """Read, encode, lower and draw the initial weights."""
        with all_or_nothing(self.estimator):
            self._prepare()
        return self.estimator

    def _prepare(self):
        est = self.estimator
        if self.mode is FitMode.RESUMED:
            own = est._random_state
            est._random_state = own if own is est.random_state else copy.deepcopy(own)
        else:
            est._random_state = check_random_state(est.random_state)
        est._take_down()
        if self.stream is not None:
            check_streams(est, self.validation)
            self.survey = Survey(self.stream, est, self.watch())
            self.X, self.y, self.sample_weight = self.survey.sample
            self.n_rows_of_all = self.survey.n_rows
            est._callback_data = self.X, self.y
        self.set_aside = conformal.set_aside(self)
        self.request = self.prepare()

    def watch(self):
        """Return a function that looks at (X, sample_weight) of each block of a stream, or None."""
        return

    # --- data and network --------------------------------------------------------------------

    def prepare(self):
        """Read and encode the data, lower the network, and return a request."""
        est, reader, codec = self.estimator, self.reader(), self.codec()
        samples, lengths, y, sample_weight = self.read(reader, codec)
        sample_weight = codec.row_weights(sample_weight, lengths)
        codec.learn(y, self.mode, est, sample_weight)
        if self.survey is not None:
            self.survey.complete(codec, self.mode)
        target = codec.encode(y)
        dtype = self.dtype(samples, reader)
        check_fits("y", target, dtype)
        if self.survey is None:
            codec.learn_class_weights(target, sample_weight, self.mode)
        else:
            codec.learn_class_weights(*self.survey.balance(codec, target, sample_weight), self.mode)
        weight = self.weight(codec, target, sample_weight, dtype)
        target, weight = codec.arrange(target, weight, lengths)
        self.build(reader, codec, dtype)
        validation = self.read_validation(reader, codec, dtype)
        source = reader.source(samples, dtype, est._network)
        program = est._network.program_for(source)
        if self.begins:
            self._adapt(program, source)
        return FitRequest(source, target, weight, validation, program)

    def reader(self):
        """Return the reader for the current parameters."""
        reader = self.estimator._make_reader()
        return reader if self.begins else reader.going_on(vars(self.estimator).get("_reader"))

    def codec(self):
        """Return the codec for the current parameters."""
        return self.estimator._make_codec().going_on(vars(self.estimator).get("_codec"))

    def read(self, reader, codec):
        """Return samples, their lengths, y and sample weights, all checked."""
        est = self.estimator
        codec.check_given(self.y, est)
        samples = reader.learn(self.X, est) if self.begins else reader.check(self.X, est)
        return self.read_targets(reader, codec, samples, self.y, self.sample_weight)

    def read_targets(self, reader, codec, samples, y, sample_weight):
        """Return samples, their lengths, y and weights, the latter two checked."""
        lengths = reader.lengths(samples)
        y = codec.check_y(y, lengths, self.estimator)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, samples, ensure_non_negative=True)
        return samples, lengths, y, sample_weight

    def read_validation(self, reader, codec, dtype):
        """Return source, rows, target and weight of the validation set passed to fit, or None."""
        X, y, sample_weight = self.validation
        if (X is None and y is None and sample_weight is None) or not is_given(*self.validation):
            return None
        try:
            samples, target, weight = self.encoded(reader, codec, dtype, X, y, sample_weight)
            codec.check_validation_target(target, self.estimator.scoring)
            source = reader.source(samples, dtype, self.estimator._network)
            return source, np.arange(samples.shape[0]), target, weight
        except ValueError as error:
            raise ValueError(f"The validation set (X_val, y_val): {error}") from error

    def encoded(self, reader, codec, dtype, X, y, sample_weight):
        """Return samples, targets and weights of further data, read by learnt parts."""
        samples = reader.check(X, self.estimator)
        _, lengths, y, weight = self.read_targets(reader, codec, samples, y, sample_weight)
        target = codec.encode(y)
        weight = self.weight(codec, target, codec.row_weights(weight, lengths), dtype)
        return samples, *codec.arrange(target, weight, lengths)

    def weight(self, codec, target, sample_weight, dtype):
        """Return sample weights times class weights, or None if there are neither."""
        weight = codec.class_weights(target)
        check_some_weight(weight, "sample", "class_weight")
        if sample_weight is not None:
            weight = sample_weight if weight is None else weight * sample_weight
        if weight is not None:
            check_some_weight(weight, "sample")
            check_fits("sample_weight", weight, dtype)
        return weight

    def dtype(self, samples, reader):
        """Return the data type of the computations."""
        est = self.estimator
        if not self.begins and "_network" in vars(est):
            return est._network.dtype
        if est.dtype != "auto":
            return est.dtype
        # scipy's L-BFGS works in float64, and so does scikit-learn's MLP with it.
        if is_lbfgs(est):
            return "float64"
        if is_bytes(samples):  # images are scaled; in a table, bytes are like other integers
            return "float64" if reader.divisor == 1 else "float32"
        return samples.dtype.name

    def build(self, reader, codec, dtype):
        """Lower the network, give it weights, and publish network, reader and codec."""
        est = self.estimator
        plan, program = est._plan(reader, codec, dtype)
        if self.begins:
            est._advise(codec)
            network = self._fresh(plan, program, codec)
        else:
            network = fitted_network.adopted(est, plan, program)
        est._reader, est._codec = reader, codec
        est.n_parameters_ = sum(placed.parameter.size for placed in program.parameters)
        reader.publish(est)
        codec.publish(est)
        publish_network(est, network)

    def _fresh(self, plan, program, codec):
        """Return a network with new weights, and delete what earlier training has set."""
        est = self.estimator
        theta, state = program.initialize(est._random_state), program.initial_state()
        network = FittedNetwork.of(plan, program, theta, state)
        if (start := vars(est).get("_pretrained")) is not None:
            transfer.copy_into(network, start, codec)
        est.n_iter_ = est.t_ = 0
        for name in LEFT_BY_TRAINING:
            est.__dict__.pop(name, None)
        return network

    def _adapt(self, program, source):
        """Initialize from data the layers that require it, except those that are copied."""
        est, network = self.estimator, self.estimator._network
        start, jobs = vars(est).get("_pretrained"), resolve_n_jobs(est.n_jobs)
        kept = () if start is None else transfer.copied_layers(program, start)
        rng = est._random_state
        adapt(program, network.theta, network.state, source, rng, kept=kept, n_jobs=jobs)

    # --- training ----------------------------------------------------------------------------

    def train(self, times):
        """Train the given number of times from other weights, and keep the best.

        Raise DivergenceError if all trainings diverge.
        """
        est = self.estimator
        generator, best, failures = est._random_state, None, []
        with contextlib.closing(in_turn(self, times)) as trainings:
            try:
                for training in trainings:
                    try:
                        ending = training.conclude(self)
                        diverged = ending is Ending.DIVERGED and est._history.best_theta is None
                    except DivergenceError as error:
                        ending, diverged = Ending.DIVERGED, True
                        failures.append(error)
                    del training  # with its memory
                    rank = diverged, *(objective(est) if times > 1 else ())
                    if best is None or rank < best[0]:
                        # The best training continues from the random numbers that it has reached.
                        state = {"_random_state": copy.deepcopy(generator)} if times > 1 else {}
                        best = rank, {**est.__dict__, **state}
                    if ending is Ending.INTERRUPTED:
                        break
            except KeyboardInterrupt as interrupt:  # before training has begun
                if best is not None:
                    est.__dict__ = best[1]
                    est._stopped_by = interrupt
                raise
        (diverged, *_), est.__dict__ = best
        if failures and diverged:
            raise failures[0]
        if failures:
            message = f"{len(failures)} of {times} restarts diverged and were left out."
            warn(message, ConvergenceWarning)

    def nth(self, number, times):
        """Return the training of a network, ready to begin; `number` counts from 0."""
        name_network(self.estimator, number + 1, times)
        return self.restart() if number else self.ready()

    def adopt(self, other):
        """Set the estimator to the state of a copy on which a training has run."""
        est, generator = self.estimator, self.estimator._random_state
        generator.set_state(other._random_state.get_state(legacy=False))
        est.__dict__ = {**vars(other), "n_jobs": est.n_jobs, "_random_state": generator}

    def follows_plan(self):
        """Return whether the random numbers that a training draws are known when it begins."""
        est = self.estimator
        if is_lbfgs(est) or not est.shuffle:
            return True
        return est.early_stopping is not True and self.uses_all_epochs()

    def work(self):
        """Return the multiplications and additions of training on a batch, and in an epoch."""
        est, n_rows = self.estimator, self.request.source.n_rows
        settle(est, n_rows)
        batch_size = n_rows if is_lbfgs(est) else est._setting("batch_size")
        batch_size = 200 if batch_size == "auto" else batch_size
        of_row = 3 * self.request.program.cost
        return min(n_rows, batch_size) * of_row, n_rows * of_row

    def restart(self):
        """Draw other weights, and return a training that is ready to begin, as `ready` does."""
        self.begins = self.is_restart = True
        est, request = self.estimator, self.request
        network = self._fresh(est._network.plan, est._network.program, est._codec)
        publish_network(est, network)
        self._adapt(request.program, request.source)
        return self.ready()

    def ready(self):
        """Return a training that is ready to begin."""
        est, request = self.estimator, self.request
        if not request.program.groups()[0].size:
            raise ValueError(
                f"All layers are frozen (learning_rate_factors={est.learning_rate_factors}), so "
                "there is nothing to train; unfreeze('output'), or copy layers='body' only with "
                "from_pretrained."
            )
        if is_lbfgs(est):
            return lbfgs.Minimization(self, request)
        return Descent(self, self.trainer(request))

    def callbacks(self):
        """Return the estimator's callbacks; raise an error if one is invalid."""
        callbacks = self.estimator.callbacks
        callbacks = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        for i, callback in enumerate(callbacks):
            if not isinstance(callback, Callback):
                raise InvalidParameterError(
                    f"callbacks[{i}]={callback!r} is not a Callback object of sklearn_nn.training; "
                    f"scikit-learn's own callbacks are for set_callbacks.{about_class(callback)}"
                )
            callback.check_parameters()
        return callbacks

    def machine(self, program, capacity):
        """Return the machine that trains the estimator's weights."""
        est = self.estimator
        if not hasattr(est, "_seed"):
            # The seed is drawn only if it is needed, since scikit-learn's MLP draws none.
            est._seed = est._random_state.randint(2**31 - 1) if program.is_random else 0
        return Machine(
            program, est._network.theta, est._network.state, capacity, alpha=est.alpha,
            l1_ratio=est.l1_ratio, clipnorm=est.clipnorm, max_norm=est.max_norm,
            average_keep=est.ema_momentum, seed=est._seed, n_jobs=resolve_n_jobs(est.n_jobs),
        )  # fmt: skip

    def loss_over_all(self, request):
        """Return the machine and the function that L-BFGS minimizes; see `minimize`."""
        from sklearn_nn.training.lbfgs import on_all_rows

        machine = self.machine(request.program, request.source.n_rows)
        loss = self.estimator._codec.loss
        targets = loss.targets(request.target, request.weight, request.program.dtype)
        return machine, on_all_rows(machine, request.source, targets)

    # --- first order -------------------------------------------------------------------------

    def _optimizer_and_schedule(self):
        solver, parameters = self.estimator.solver, self.estimator._settings()
        schedule = parameters["learning_rate"]
        if solver == "adam" and schedule in _SCIKIT_LEARN_SCHEDULES:
            schedule = "constant"
        return get_optimizer(solver, parameters), get_schedule(schedule, parameters)

    def trainer(self, request):
        """Return a trainer, which trains in batches with a first-order optimizer."""
        est, mode, program = self.estimator, self.mode, request.program
        if mode is FitMode.WARM and not self.is_restart:
            est.__dict__.pop("_seed", None)
        rows, held_out = self.rows(request)
        if held_out is not None:
            request = replace(request, validation=request.on_rows(held_out))
        n_rows = rows.size if self.stream is None else self.n_rows_of_all
        settle(est, n_rows)
        history = self._begin_history(request.validation is not None)
        self._begin_optimizer(program)
        est._was_frozen = program.frozen
        if program.frozen or any(placed.parameter.rate == 0 for placed in program.parameters):
            transfer.hold_frozen(est, program, history)
        batch_size = self.batch_size(n_rows)
        verbose, callbacks = bool(est.verbose), self.callbacks()
        if verbose and self.mode is not FitMode.ONE_EPOCH and can_draw():
            verbose, callbacks = False, [*callbacks, self.progress_bar(n_rows)]
        trainer = Trainer(
            machine=self.machine(program, batch_size),
            data=request.source,
            targets=est._codec.loss.targets(request.target, request.weight, program.dtype),
            descent=est._optimizer,
            history=history,
            rows=rows,
            batch_size=batch_size,
            random_state=est._random_state if est.shuffle else None,
            tol=est.tol,
            patience=self.patience(),
            evaluate=self._figures(request, rows, callbacks),
            callbacks=callbacks,
            estimator=est,
            verbose=verbose,
            counts_rows=est._like_scikit_learn,
            n_epochs=history.n_epochs if self._resumes else 0,
        )
        if self.stream is not None:
            trainer.blocks = functools.partial(blocks_of, self)
            trainer.block_totals = n_rows, self.survey.n_batches(batch_size)
        est.history_ = history.curves
        est._order = rows  # before the first epoch too, since an interrupt may come at any time
        return trainer

    @property
    def _resumes(self):
        return self.mode is FitMode.RESUMED and not self.is_restart

    def _begin_optimizer(self, program):
        """Make a new optimizer, or continue with that of the last training."""
        est, setting = self.estimator, self.estimator._setting
        incomplete = est.__dict__.pop("_incomplete", False)
        continues = self.mode.keeps_training and hasattr(est, "_optimizer")
        thaws = not set(vars(est).get("_was_frozen", ())) <= set(program.frozen)
        if not continues or thaws:
            est._optimizer = OptimizerState.start(
                *self._optimizer_and_schedule(), setting("learning_rate_init"), est._network.theta,
                weight_decay=setting("weight_decay"), averaged=est.ema_momentum > 0,
            )  # fmt: skip
        else:
            est._descent_before = est._optimizer.copy()  # if training fails
            # The current parameters apply, such as `max_iter`.
            optimizer, est._optimizer.schedule = self._optimizer_and_schedule()
            if self._resumes or incomplete:  # files hold no user-defined functions
                est._optimizer.optimizer = optimizer
        descent = est._optimizer
        descent.decay_schedule = self.decay_schedule()
        wanted = (descent.optimizer.n_moments, est._network.theta.size)
        if descent.moments.shape != wanted:
            raise ValueError(
                f"solver={est.solver!r} cannot continue the training of another solver, whose "
                "moments differ; set that solver, or fit with warm_start=True to begin with a new "
                "optimizer."
            )
        # Arrays that joblib has mapped into memory are read-only and are copied.
        descent.moments = np.require(descent.moments, requirements="W")
        if descent.average is not None:
            descent.average = np.require(descent.average, requirements="W")

    def _begin_history(self, has_validation):
        """Return the history of the last training, or a new one."""
        est = self.estimator
        watches = bool(est.early_stopping) and has_validation
        history = est.__dict__.setdefault("_history", History(watches))
        history.validated = watches
        history.takes_last, history.least_gain = self.rule_of_best()
        # With such parameters, scikit-learn's MLP keeps the first of equal scores.
        is_theirs = est._like_scikit_learn and est.early_stopping != "best"
        history.loss_decides = not (is_theirs and est.scoring is None)
        if not self._resumes:
            history.stopped, history.last = False, None
        return history

    def _figures(self, request, rows, callbacks):
        """Return a function that returns an epoch's scores and validation loss, or None."""
        est, validation = self.estimator, request.validation
        held_out = validation and evaluation(est, *validation)
        trained_on = None
        if any(isinstance(callback, TrainingScore) for callback in callbacks):
            if self.stream is not None:  # the sample of its rows
                rows = np.arange(request.source.n_rows)
            trained_on = evaluation(est, *request.on_rows(np.sort(rows)))
        if held_out is None and trained_on is None:
            return None

        def figures():
            found = {} if trained_on is None else {"score": trained_on()[1]}
            if held_out is not None:
                found["val_loss"], found["val_score"] = held_out()
            return found

        return figures

    # --- rows held out -----------------------------------------------------------------------

    def rows(self, request):
        """Return the rows to train on, and the rows to hold out, or None.

        Resumed training uses its last order of rows, and restarts use the split of the first.
        """
        est, weight = self.estimator, request.weight
        if self.stream is not None:  # the last order is that of a block
            est._held_out = None
            return (kept_order(est) if self._resumes else np.arange(0)), None
        splits = request.validation is None and self.splits(request.target)
        if self.mode is FitMode.ONE_EPOCH and splits:
            raise ValueError(
                "partial_fit does not support early_stopping=True without a validation set, since "
                "it does not see all data at once; pass X_val and y_val."
            )
        if self._resumes:
            return resumed_rows(est, request.source.n_rows)
        if not self.is_restart or not hasattr(est, "_held_out"):
            est._held_out = None
            rows = np.arange(request.source.n_rows)
            if splits:
                rows, est._held_out = self.split(request.target)
                if weight is not None:
                    check_some_weight(weight[est._held_out], "held-out sample (early_stopping)")
                    check_some_weight(weight[rows], "training sample")
            est._first_rows = rows
        return est._first_rows, est._held_out

    def splits(self, target):
        """Return whether rows are held out if no validation set is passed."""
        return bool(self.estimator.early_stopping)

    def split(self, target):
        """Return rows to train on and rows to hold out."""
        est = self.estimator
        labels = est._codec.stratify(target)
        return split(len(target), est.validation_fraction, labels, est._random_state)

    # --- rules of training -------------------------------------------------------------------

    def batch_size(self, n_samples):
        """Return the number of samples in a batch."""
        batch_size = self.estimator._setting("batch_size")
        if batch_size == "auto":
            return min(200, n_samples)
        if batch_size > n_samples:
            warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
            )
        return min(batch_size, n_samples)

    def decay_schedule(self):
        """Return the schedule of the factors on `weight_decay`, or None."""
        return

    def rule_of_best(self):
        """Return `takes_last` and `least_gain` of the history."""
        return False, 0.0

    def uses_all_epochs(self):
        """Return whether it is intended to train for all `max_iter` epochs."""
        est = self.estimator
        schedule = self._optimizer_and_schedule()[1]
        return est.early_stopping == "best" or schedule.plans_the_end

    def patience(self):
        """Return the number of epochs without improvement after which training stops."""
        est = self.estimator
        goes_on = self.uses_all_epochs() and est.early_stopping is not True
        return np.inf if goes_on else est.n_iter_no_change

    def progress_bar(self, n_rows):
        """Return the progress bar for a terminal."""
        return ProgressBar(self.estimator._setting("max_iter"), n_rows)

    def begin_subtasks(self, most):
        """Begin a fit of at most `most` epochs for scikit-learn's callbacks, if there are any."""
        est = self.estimator
        if getattr(est, "_skl_callbacks", None) and "_subtasks" not in est.__dict__:
            est._subtasks = SubtaskCallback(est, most)
