"""Checks of a random configuration: relations between runs, no expected values.

Every check raises `FaultError` with a kind, by which failures are counted, and what was seen.
"""

import copy
import functools
import os
import pickle
import random
import tempfile
import traceback
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import get_tags

import sklearn_nn
from helpers.configurations.data import count, forms_of, frozen, take, target_forms
from sklearn_nn._spec import Spec

#: What may be said, by a part of the message.
_USUAL_WARNINGS = (
    "Got `batch_size` less than 1",
    "X has feature names, but",
    "X does not have valid feature names",
    "R^2 score is not well-defined",
    "The least populated class",
    "y_pred contains classes not in y_true",
    "A single label was found",
    "The max_iter was reached",
    "lbfgs failed to converge",
    "The y_pred values do not sum",
    "Parameters that are functions",
    "it is treated as an unknown category",
    "These epochs are over, so the schedule begins again",
    "so that nothing more is learnt",
    "which looks like an output layer",
    "Training exploded: the loss rose from",
    "Predictions of the training data are no better",
)


class FaultError(AssertionError):
    """Error that says that a relation does not hold.

    Parameters
    ----------
    kind : str
        Which: failures are counted by it.
    seen : str
    """

    def __init__(self, kind, seen=""):
        super().__init__(f"{kind}: {seen}" if seen else kind)
        self.kind, self.seen = kind, seen


#: ValueErrors that calls after a fit may end in: there is nothing to go on from, or it goes on.
_REFUSALS = (
    "There is nothing to resume",
    "but the training to resume had",
    "warm_start=True continues from one",
    "does not support early_stopping=True without a validation set",
    "class_weight='balanced' is not supported for partial_fit",
    "begins again on all rows, which warm_start=True excludes",
    "non-finite",
    "not finite",
)


class DivergedError(Exception):
    """Error that says that training came to infinite numbers: there is nothing to check."""


# --- equality ------------------------------------------------------------------------------------


def same(a, b):
    """Return whether two values, of any types, are equal to the bit."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
            return False
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.dtype == object:
            return all(same(x, y) for x, y in zip(a.ravel(), b.ravel(), strict=True))
        return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, pd.DataFrame | pd.Series):
        return type(a) is type(b) and a.equals(b)
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b)
    if isinstance(a, np.random.RandomState):
        return same(a.get_state(legacy=False), b.get_state(legacy=False))
    if type(a) is not type(b):
        return False
    if isinstance(a, functools.partial):  # such as an initializer
        return same((a.func, a.args, a.keywords), (b.func, b.args, b.keywords))
    if hasattr(a, "__dict__") and not callable(a) and not isinstance(a, type):
        return same(state_of(a), state_of(b))
    return bool(a == b)


def state_of(value):
    """Return what a pickle of an object holds, by name."""
    pickled = type(value).__getstate__ is not object.__getstate__
    state = value.__getstate__() if pickled else vars(value)
    return {name: state[name] for name in sorted(state)}


def joined(parts):
    """Return outputs of parts of the samples, one after another."""
    if isinstance(parts[0], list):
        return [item for part in parts for item in part]
    return np.concatenate(parts)


# --- what an estimator says ----------------------------------------------------------------------


def outputs(estimator, X):
    """Return everything that is predicted for X."""
    found = {}
    for name in ("predict", "predict_proba", "transform"):
        if hasattr(estimator, name):
            found[name] = getattr(estimator, name)(X)
    return found


def learnt(estimator):
    """Return what training left, but for weights, curves and predictions."""
    network = getattr(estimator, "estimator_", estimator)
    names = (
        "layers_", "loss_curve_", "validation_loss_curve_", "validation_scores_", "n_iter_", "t_",
        "best_iteration_", "classes_", "loss_",
    )  # fmt: skip
    found = {name: getattr(network, name) for name in names if hasattr(network, name)}
    if hasattr(network, "sample"):
        found["sample"] = network.sample(9, network.vocabulary_[0], random_state=0)
    return found


def differences(a, b):
    """Return the names of values that differ in two dicts."""
    return [name for name in a if name not in b or not same(a[name], b[name])]


def check_same(kind, expected, found):
    """Raise a FaultError unless two dicts are the same."""
    if list(expected) != list(found):
        raise FaultError(kind, f"{list(expected)} and {list(found)}")
    if different := differences(expected, found):
        name = different[0]
        raise FaultError(kind, f"{', '.join(different)}; {_apart(expected[name], found[name])}")


def _apart(a, b):
    """Return how far two values are apart, in words."""
    while isinstance(a, dict) and isinstance(b, dict) and list(a) == list(b):
        key = next((key for key in a if not same(a[key], b[key])), None)
        if key is None:
            break
        a, b = a[key], b[key]
    try:
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{a.dtype} {a.shape} and {b.dtype} {b.shape}"
        return f"largest difference {np.nanmax(np.abs(a - b)):.3g} of {np.nanmax(np.abs(a)):.3g}"
    except (TypeError, ValueError):
        return f"{str(a)[:80]} and {str(b)[:80]}"


# --- NumPy's scalars -----------------------------------------------------------------------------


def as_numpy(value, rng):
    """Return a value with NumPy's scalars in place of Python's, as deep as it goes."""
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        kinds = [np.int64, np.int32, np.intp]
        kinds += [np.uint8, np.int16] * (0 <= value < 128)
        return kinds[rng.integers(len(kinds))](value)
    if isinstance(value, float):
        kinds = [np.float64] + [np.float32] * (value == float(np.float32(value)))
        return kinds[rng.integers(len(kinds))](value)
    if isinstance(value, list | tuple):
        return type(value)(as_numpy(item, rng) for item in value)
    if isinstance(value, dict):
        return {key: as_numpy(item, rng) for key, item in value.items()}
    if isinstance(value, Spec) or hasattr(value, "get_params"):
        parameters = value.get_params(deep=False)
        return type(value)(**{k: as_numpy(v, rng) for k, v in parameters.items()})
    return value


# --- the checks ----------------------------------------------------------------------------------


class Checks:
    """All checks of one configuration.

    Parameters
    ----------
    case : Case
    without : sequence of str
        Relations whose names hold one of these are left out.
    """

    def __init__(self, case, without=()):
        self.case, self.data, self.faults, self.without = case, case.data, [], without
        self.rng = np.random.default_rng([case.seed, 1])
        names = case.network.get_params(deep=False)
        self.fixed = names.get("dtype", "float64") != "auto" or names.get("solver") == "lbfgs"
        self.is_transformer = hasattr(case.estimator, "transform")
        self.forms = forms_of(self.data, self.fixed, self._takes_sparse())

    def _takes_sparse(self):
        return get_tags(self.case.estimator).input_tags.sparse and self.data.kind == "rows"

    def some(self, values, number):
        """Draw some of the values."""
        places = self.rng.permutation(len(values))[:number]
        return [values[place] for place in places]

    def run(self):
        """Run all checks; one that fails does not keep the others from being run."""
        if self.case.invalid is not None:
            self.attempt(self.check_invalid)
            return
        before = np.random.get_state()[1].copy(), random.getstate()
        X, y, weight = (frozen(a) for a in (self.data.X, self.data.y, self.data.weight))
        self.model = self.fitted(self.case.estimator)
        self.learnt = frozen(learnt(self.model))
        self.expected = outputs(self.model, self.data.query)
        if not (same(X, self.data.X) and same(y, self.data.y) and same(weight, self.data.weight)):
            self.faults.append(FaultError("fit changes its input"))
        for check in (
            self.check_finite, self.check_rows, self.check_forms, self.check_state,
            self.check_refit, self.check_resumed, self.check_set_params, self.check_copies,
            self.check_walk,
        ):  # fmt: skip
            self.attempt(check)
        after = np.random.get_state()[1], random.getstate()
        if not same(list(before), list(after)):
            self.faults.append(FaultError("the global random state is touched"))

    def attempt(self, check, *arguments):
        """Run a check, and note what it raises."""
        try:
            check(*arguments)
        except DivergedError:
            raise
        except Exception as error:
            self.faults.append(error)

    # --- fits ------------------------------------------------------------------------------

    def arguments(self, X=None, y=None, weight=None):
        """Return arguments of `fit`."""
        data = self.data
        arguments = {"X": data.X if X is None else X, "y": data.y if y is None else y}
        if data.weight is not None:
            arguments["sample_weight"] = data.weight if weight is None else weight
        if arguments["y"] is None:
            del arguments["y"]
        return {**arguments, **self.case.validation}

    def fitted(self, estimator, **changes):
        """Return a fitted clone; raise DivergedError if training diverges."""
        estimator = clone(estimator)
        try:
            estimator.fit(**self.arguments(**changes))
            outputs(estimator, self.data.query)
        except ValueError as error:
            if "non-finite" in str(error) or "not finite" in str(error):
                raise DivergedError from error
            raise
        return estimator

    # --- prediction ------------------------------------------------------------------------

    def check_finite(self):
        """Check that predictions and scores are finite, and that probabilities add up to 1."""
        for name, values in self.expected.items():
            parts = values if isinstance(values, list) else [values]
            if any(p.dtype.kind == "f" and not np.isfinite(p).all() for p in parts):
                raise FaultError("predictions are not finite", name)
            if name == "predict_proba" and self.data.target != "labels":
                for part in parts:
                    if len(part) and not np.allclose(part.sum(axis=-1), 1, atol=1e-5):
                        raise FaultError("probabilities do not add up to 1")
        if hasattr(self.model, "score"):
            y = () if self.data.y is None else (self.data.y,)
            score = self.model.score(self.data.X, *y)
            if not np.isfinite(score):
                raise FaultError("the score is not finite", str(score))

    def check_rows(self):
        """Check that the prediction of a row does not depend on the rows beside it."""
        X = self.data.query
        seen, n = frozen(X), count(X)
        order = self.rng.permutation(n)
        permuted = outputs(self.model, take(X, order))
        expected = {k: take(v, order) for k, v in self.expected.items()}
        check_same("permuted rows", self._lists(expected), self._lists(permuted))
        edges = np.sort(self.rng.integers(1, n, 2))
        parts = [part for part in np.split(np.arange(n), edges) if len(part)]
        found = [self._lists(outputs(self.model, take(X, part))) for part in parts]
        found = {name: joined([part[name] for part in found]) for name in found[0]}
        check_same("parts", self._lists(self.expected), found)
        for i in self.some(range(n), 3):
            found = self._lists(outputs(self.model, take(X, [i])))
            expected = {k: take(v, [i]) for k, v in self._lists(self.expected).items()}
            check_same("a row alone", expected, found)
        if not same(seen, X):
            raise FaultError("predict changes its input")

    def check_forms(self):
        """Check that the same samples in other forms have the same predictions."""
        for form in self.some([f for f in self.forms if not f.parameters], 3):
            self.attempt(self._check_form, form)

    def _check_form(self, form):
        try:
            found = outputs(self.model, form.function(self.data.query))
        except Exception as error:
            raise FaultError(
                f"predict of {form.name}", f"{type(error).__name__}: {error}"
            ) from error
        check_same(f"predict of {form.name}", self._lists(self.expected), self._lists(found))

    def _lists(self, found):
        """Return outputs of steps as lists of rows: of one length they may be an array."""
        if not self.data.steps:
            return found
        return {k: [np.asarray(item) for item in v] for k, v in found.items()}

    # --- state -----------------------------------------------------------------------------

    def check_state(self):
        """Check that predicting again, and setting parameters to what they are, changes nothing."""
        state = frozen(state_of(self.model))
        check_same("predicting again", self.expected, outputs(self.model, self.data.query))
        changed = differences(state, state_of(self.model))
        if changed:
            raise FaultError("predict changes the estimator", ", ".join(changed))
        repr(self.model)
        if hasattr(self.model, "summary"):
            str(self.model.summary())
        if hasattr(self.model, "get_feature_names_out"):
            names, width = self.model.get_feature_names_out(), self.expected["transform"].shape[1]
            if len(names) != width:
                raise FaultError("names of features", f"{len(names)} for {width}")
        deep = bool(self.rng.integers(2))
        self.model.set_params(**self.model.get_params(deep=deep))
        check_same("set_params of the same", self.expected, outputs(self.model, self.data.query))

    # --- copies ----------------------------------------------------------------------------

    def copiers(self):
        """Return ways to copy a fitted estimator, by name."""
        found = {
            "pickle": lambda model: pickle.loads(pickle.dumps(model)),
            "deepcopy": copy.deepcopy,
        }
        if hasattr(self.model, "save"):
            found["load"] = self.from_file
        return found

    def check_copies(self):
        """Check that pickles, deep copies and files are the same estimator."""
        for name, copier in self.some(list(self.copiers().items()), 2):
            other = copier(self.model)
            found = outputs(other, self.data.query)
            check_same(f"predictions of a copy ({name})", self.expected, found)
            check_same(f"attributes of a copy ({name})", self.learnt, learnt(other))

    def from_file(self, model):
        """Return a model after `save` and `load`."""
        folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=folder) as directory:
            path = Path(directory) / "model"
            model.save(path)
            loaded = sklearn_nn.load(path)
        # Functions and callbacks are not saved.
        parameters = model.get_params(deep=False)
        again = {k: parameters[k] for k in ("learning_rate", "callbacks") if k in parameters}
        return loaded.set_params(**again)

    def check_walk(self):
        """Check that a twin that is copied before every call stays equal, whatever is called."""
        copiers, twin = list(self.copiers().items()), self.model
        calls = [self.partly_fitted, self.resumed, self.warm_started, self.written]
        told = ""
        for _ in range(2):
            how, copier = self.some(copiers, 1)[0]
            (call,) = self.some(calls, 1)
            twin = copier(twin)
            told = f"{told}{how}, {call.__name__}; "
            seed = int(self.rng.integers(2**31))
            ends = [self.ending(call, m, np.random.default_rng(seed)) for m in (self.model, twin)]
            try:
                check_same(f"a copy ({how}) that goes on", *ends)
            except FaultError as fault:
                raise FaultError(fault.kind, f"{told}{fault.seen}") from None

    def ending(self, call, model, rng):
        """Return the model after a call, or the error that the call raises."""
        try:
            call(model, rng)
            return {**learnt(model), **outputs(model, self.data.query)}
        except ValueError as error:
            if not any(part in str(error) for part in _REFUSALS):
                raise
            return {"error": str(error)}

    def partly_fitted(self, model, rng):
        """Return a model after partial_fit with some of the samples."""
        if not hasattr(model, "partial_fit"):
            return
        n = count(self.data.X)
        rows = np.arange(n)
        if self.data.kind != "text":
            rows = np.sort(rng.permutation(n)[: max(2, n // 2)])
        arguments = self.arguments(take(self.data.X, rows), take(self.data.y, rows))
        if "sample_weight" in arguments:
            arguments["sample_weight"] = self.data.weight[rows]
        model.partial_fit(**arguments)

    def _gone_on(self, model, warm_start):
        before = model.get_params(deep=False)
        if "warm_start" not in before:
            return
        iterations = {} if isinstance(before["max_iter"], str) else {"max_iter": model.n_iter_ + 1}
        model.set_params(warm_start=warm_start, **iterations)
        try:
            model.fit(**self.arguments())
        finally:
            kept = ("warm_start", "max_iter")
            model.set_params(**{name: before[name] for name in kept})

    def resumed(self, model, rng):
        """Return a model whose fit goes on as if there had been no end."""
        self._gone_on(model, "resume")

    def warm_started(self, model, rng):
        """Return a model fitted from the weights of the last fit."""
        self._gone_on(model, True)

    def written(self, model, rng):
        """Return a model whose weights were written into."""
        layers = getattr(model, "layers_", {})
        arrays = [array for layer in layers.values() for array in layer.values()]
        # What says where weights lie is not for writing.
        arrays = [array for array in arrays if array.flags.writeable]
        if arrays:
            array = arrays[rng.integers(len(arrays))]
            array[...] = array * 0.5

    # --- fits that must come to the same ------------------------------------------------------

    def check_refit(self):
        """Check that other threads, NumPy scalars or other forms give the same fit to the bit."""
        changes = self.changes()
        try:
            self._check_changed(changes)
        except Exception as error:  # which of the changes it is
            known = len(self.faults)
            for change, function in changes.items():
                self.attempt(self._check_change, change, function)
            if len(self.faults) == known:
                seen = f"{type(error).__name__}: {error}"
                raise FaultError("refit with several changes", seen) from error

    def _check_change(self, name, change):
        try:
            self._check_changed({name: change})
        except Exception as error:
            raise FaultError(f"refit with {name}", f"{type(error).__name__}: {error}") from error

    def changes(self):
        """Return changes that leave a fit as it is: functions of estimator and arguments."""
        seeds = np.random.default_rng([self.case.seed, 2])
        found = {"nothing": lambda estimator, arguments: (clone(estimator), arguments)}
        if "n_jobs" in self.case.network.get_params(deep=False):
            found["n_jobs"] = self._other_jobs
        found["NumPy scalars"] = lambda estimator, arguments: (
            as_numpy(estimator, np.random.default_rng([self.case.seed, 3])), arguments,
        )  # fmt: skip
        if forms := [form for form in self.forms if form.refits]:
            form = forms[seeds.integers(len(forms))]
            found[f"X: {form.name}"] = partial(self._in_form, form)
        if forms := target_forms(self.data):
            name, function = forms[seeds.integers(len(forms))]
            found[f"y: {name}"] = partial(self._with, "y", function)
        if self.data.weight is not None:
            name, function = [
                ("list", np.ndarray.tolist),
                ("float32", lambda w: w.astype("float32")),
                ("negative strides", lambda w: w[::-1].copy()[::-1]),
            ][seeds.integers(3)]
            found[f"sample_weight: {name}"] = partial(self._with, "sample_weight", function)
        left_out = [name for name in found if any(part in name for part in self.without)]
        return {name: change for name, change in found.items() if name not in left_out}

    def _other_jobs(self, estimator, arguments):
        estimator = clone(estimator)
        network = getattr(estimator, "estimator", estimator)
        network.set_params(n_jobs=1 if network.n_jobs == 2 else 2)
        return estimator, arguments

    def _in_form(self, form, estimator, arguments):
        estimator = clone(estimator)
        network = getattr(estimator, "estimator", estimator)
        network.set_params(**form.parameters)
        changed = {"X": form.function(arguments["X"])}
        if "X_val" in arguments:
            changed["X_val"] = form.function(arguments["X_val"])
        return estimator, {**arguments, **changed}

    def _with(self, name, function, estimator, arguments):
        return estimator, {**arguments, name: function(arguments[name])}

    def _check_changed(self, changes):
        estimator, arguments = clone(self.case.estimator), self.arguments()
        form = None
        for name, change in changes.items():
            estimator, arguments = change(estimator, arguments)
            if name.startswith("X: "):
                form = change.args[0]
        estimator.fit(**arguments)
        X = self.data.query if form is None else form.function(self.data.query)
        found, expected = outputs(estimator, X), self.expected
        named = [name for name in changes if name.startswith("y: ")]
        own = frozen(self.learnt), learnt(estimator)
        for one in own:
            one.pop("classes_", None) if named else None
        check_same("weights", *own)
        if named and "predict" in found:  # labels come back in the type that they came in
            if self._plain(found["predict"]) != self._plain(expected["predict"]):
                raise FaultError("predictions", "labels that are not equal")
            found = {**found, "predict": expected["predict"]}
        check_same("predictions", self._lists(expected), self._lists(found))

    def _plain(self, y):
        return [np.asarray(item).tolist() for item in y]

    # --- resuming ----------------------------------------------------------------------------

    def check_resumed(self):
        """Check that half a fit, a copy of it, and the rest are the same as one fit."""
        parameters = self.case.estimator.get_params(deep=False)
        if parameters.get("max_iter") in (None, 1, "auto") or parameters.get("solver") == "lbfgs":
            return
        if parameters.get("n_restarts", 1) > 1 or parameters.get("n_networks", 1) != 1:
            return
        # Its weight decay and dropout go by the epochs that are planned.
        if parameters.get("architecture") == "realmlp":
            return
        if self._plans() or self.rng.random() < 0.4:
            return
        half = clone(self.case.estimator)
        half.set_params(warm_start="resume", max_iter=1)
        half.fit(**self.arguments())
        how = ["original", "pickle", "deepcopy", "load"][self.rng.integers(4)]
        if how == "pickle":
            half = pickle.loads(pickle.dumps(half))
        elif how == "deepcopy":
            half = copy.deepcopy(half)
        elif how == "load":
            half = self.from_file(half)
        half.set_params(max_iter=parameters["max_iter"], callbacks=parameters.get("callbacks"))
        half.fit(**self.arguments())
        kind = f"a fit that is resumed ({how})"
        check_same(kind, self.learnt, learnt(half))
        check_same(kind, self.expected, outputs(half, self.data.query))

    def _plans(self):
        """Return whether training depends on its planned length: then half of it is another."""
        parameters = self.case.estimator.get_params(deep=False)
        plans = parameters.get("learning_rate", "constant")
        named = isinstance(plans, str) and plans in (
            "constant",
            "invscaling",
            "exponential",
            "step",
        )
        flat = "flat_cos" in repr(self.case.estimator)
        callbacks = repr(parameters.get("callbacks"))
        return not named or flat or "EarlyStopping" in callbacks or "Reduce" in callbacks

    # --- set_params ----------------------------------------------------------------------------

    def check_set_params(self):
        """Check that, after another parameter is set, estimator and copies predict the same."""
        others = {
            "activation": ("tanh", "relu"), "pooling": ("max", "average", "mean"),
            "loss": ("focal", "log_loss", "poisson", "squared_error"), "dropout": (0.375,),
            "batch_norm": (True, False), "bidirectional": (True, False), "cell": ("gru", "lstm"),
            "hidden_layer_sizes": ((3,),), "padding": ("valid",), "hidden_size": (9,),
            "strides": (3,), "truncation": (2, None), "return_sequences": (True, False),
            "layers": (None,), "quantile": (0.75,), "n_networks": (3,), "num_layers": (3,),
            "embedding_size": (3, None), "max_iter": (9,), "solver": ("sgd", "adam"),
        }  # fmt: skip
        parameters = self.case.estimator.get_params(deep=False)
        names = [name for name in others if name in parameters]
        if not names:
            return
        model = self.fitted(self.case.estimator)
        constraints = model._parameter_constraints
        name = self.some(names, 1)[0]
        if any(part in f"set_params({name})" for part in self.without):
            return
        for value in self.some(list(others[name]), 2):
            allowed = str(constraints.get(name))
            if isinstance(value, str) and repr(value) not in allowed and name != "solver":
                continue
            model.set_params(**{name: value})
            found = {"original": model}
            for how, copied in (("pickle", lambda m: pickle.loads(pickle.dumps(m))),
                                ("deepcopy", copy.deepcopy)):  # fmt: skip
                found[how] = copied(model)
            ends = {how: self._end(other) for how, other in found.items()}
            for how, end in ends.items():
                check_same(f"set_params({name}) after fit ({how})", ends["original"], end)

    def _end(self, model):
        """Return predictions, or the error that there are none."""
        try:
            return self._lists(outputs(model, self.data.query))
        except ValueError as error:
            return {"error": type(error).__name__}

    # --- invalid parameters ----------------------------------------------------------------------

    def check_invalid(self):
        """Check that fit refuses a parameter, names it, and leaves the estimator as it was."""
        name, value = self.case.invalid
        estimator = clone(self.case.estimator)
        setattr(estimator, name, value)
        before = dict(vars(estimator))
        try:
            estimator.fit(**self.arguments())
        except (ValueError, TypeError) as error:
            if name not in str(error):
                raise FaultError(
                    "the error names no parameter", f"{name}={value!r}: {error}"
                ) from error
            if before.keys() != vars(estimator).keys():
                raise FaultError("a refused fit leaves something", f"{name}={value!r}") from error
            try:
                estimator.predict(self.data.query)
            except (NotFittedError, AttributeError):
                return
            raise FaultError("a refused fit can predict", f"{name}={value!r}") from error
        raise FaultError("an invalid parameter is taken", f"{name}={value!r}")


def check(case, without=()):
    """Run all checks of a configuration.

    Returns
    -------
    faults : list of (kind, seen)
        What does not hold, and what crashed.
    diverged : bool
        Whether training came to infinite numbers and the estimator said so.
    """
    checks = Checks(case, without)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            checks.run()
        except DivergedError:
            return [], True
        except Exception as error:
            checks.faults.append(error)
    for warning in seen:
        message = str(warning.message)
        if issubclass(warning.category, ConvergenceWarning):
            continue
        if any(part in message for part in _USUAL_WARNINGS):
            continue
        where = f"{Path(warning.filename).name}:{warning.lineno}"
        kind = f"{warning.category.__name__}: {' '.join(message.split()[:4])} ..."
        checks.faults.append(FaultError(kind, f"{message} ({where})"))
    faults = [f for f in checks.faults if not any(part in described(f)[0] for part in without)]
    return faults, False


def described(error):
    """Return the kind of a fault or a crash, and what was seen."""
    if isinstance(error, FaultError):
        return error.kind, error.seen
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}:{frame.name}", str(error)
