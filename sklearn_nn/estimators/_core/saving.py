"""Saving an estimator to a file that holds numbers and plain values only, and loading it."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_nn._spec import Spec
from sklearn_nn.estimators._core.saved_values import (
    NEEDED,
    check_attributes,
    check_names,
    is_rate,
    whole,
)
from sklearn_nn.network.memory import allocate
from sklearn_nn.training import checkpoint
from sklearn_nn.training.checkpoint import CheckpointError
from sklearn_nn.training.descent import Descent
from sklearn_nn.training.encoding import decode, encode
from sklearn_nn.training.history import History
from sklearn_nn.training.optimizers import Adam, Optimizer
from sklearn_nn.training.schedule import Schedule

#: Attributes that are made again from others, or that belong to a fit that is under way.
_NOT_SAVED = (
    "_callback_data",
    "_callback_fit_ctx",
    "_descent_before",
    "_first_rows",
    "_is_read",
    "_layout",
    "_made_with",
    "_metadata_request",
    "_optimizer",
    "_parent_callback_ctx",
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_sklearn_output_config",
    "_stopped_by",
    "_subtasks",
    "_waits_for",
)
#: What is made of the rest when a file is loaded.
_FOLLOWING = ("input_shape_", "n_layers_", "out_activation_")
#: What the training that came last has said of itself, with a history or without.
_OF_LAST_TRAINING = ("t_", "loss_", "best_loss_", "best_iteration_", "best_validation_score_")
_MOST_THREADS = 2**20
#: What `_take_over` publishes from the history.
_PUBLISHED = (
    "history_",
    "loss_curve_",
    "validation_loss_curve_",
    "validation_scores_",
)
#: What is saved of a descent beside its optimizer and its schedule.
_OF_DESCENT = (
    "base_rate",
    "learning_rate",
    "moments",
    "weight_decay",
    "step",
    "epochs",
    "stood_alone",
    "average",
    "raw",
)


def _subclasses(kind):
    """A class and all that derive from it; the nearest come last."""
    for child in kind.__subclasses__():
        yield from _subclasses(child)
    yield kind


def _known():
    """The classes that a file may name: this package's own bundles of plain values."""
    # With their family: there is a Constant among the schedules, and one among the initializers.
    specs = {
        f"{family.__name__}.{kind.__name__}": kind
        for family in Spec.__subclasses__()
        for kind in _subclasses(family)
        if kind.__module__.startswith("sklearn_nn.")
    }
    return {"History": History, **specs}


def _encode_parameters(parameters, arrays):
    """Parameters that can be saved, and the names of those that cannot: functions, say."""
    saved, left_out = {}, []
    for name, value in parameters.items():
        try:
            saved[name] = encode(value, arrays, _known())
        except TypeError:
            left_out.append(name)
    return saved, left_out


def _names(names):
    """A list of names of parameters; a ValueError if it is something else."""
    if type(names) is not list or not all(type(name) is str for name in names):
        raise ValueError("what was left out is no list of names")
    return names


def _encode_descent(descent, arrays):
    """A descent; without its optimizer or schedule, where it is one of a user's own."""
    made = {"optimizer": descent.optimizer, "schedule": descent.schedule}
    saved, _ = _encode_parameters(made, arrays)
    fields = {name: getattr(descent, name) for name in _OF_DESCENT}
    return {"fields": encode(fields, arrays, _known()), "made_of": saved}


def _encode_attribute(name, value, arrays):
    """What was learnt, or what a user has set on the estimator."""
    try:
        return encode(value, arrays, _known())
    except TypeError as error:
        raise TypeError(f"Attribute {name!r} cannot be saved; delete it first: {error}") from error


def _as_buffer(name, array, shape, dtype):
    """An array that machine code will work in, as it needs it."""
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"{name} of another network")
    buffer = allocate(shape if len(shape) > 1 else shape[0], np.dtype(dtype).name)
    buffer[...] = array
    return buffer


class Saving:
    """Mixin: `save` and `load`."""

    def save(self, path):
        """Save the fitted estimator, with all that is needed to go on training it.

        The file is written under another name and then renamed, so that whatever happens there is
        a whole file under `path`, the old one or the new. It holds a checksum, arrays and plain
        values; loading it runs no code.

        Parameters
        ----------
        path : str or path
            The file.

        Raises
        ------
        NotFittedError
            If there is nothing to save yet.
        OSError
            If the file cannot be written; a file that was there before is as it was.
        """
        check_is_fitted(self)
        self._take_in_replaced()
        parameters = self.get_params(deep=False)
        arrays = {}
        saved, left_out = _encode_parameters(parameters, arrays)
        made_with = vars(self).get("_made_with", {})
        waits_for = vars(self).get("_waits_for", ())
        left_out += [name for name in waits_for if name not in left_out]
        attributes = {
            name: _encode_attribute(name, value, arrays)
            for name, value in self.__dict__.items()
            if name not in {*parameters, *_NOT_SAVED, *self._transient}
            and not (name == "_random_state" and value is self.random_state)
            and not (name in _PUBLISHED and hasattr(self, "_history"))
        }
        descent = None
        if hasattr(self, "_optimizer"):
            descent = _encode_descent(self._optimizer, arrays)
        meta = {
            "class": type(self).__name__,
            "parameters": saved,
            "left_out": left_out,
            "made_with": _encode_parameters(
                {name: value for name, value in made_with.items() if name not in waits_for}, arrays
            )[0],
            "attributes": attributes,
            "descent": descent,
        }
        checkpoint.write(path, meta, arrays)

    @classmethod
    def load(cls, path):
        """Load an estimator that was saved.

        Parameters
        ----------
        path : str or path
            A file that `save` or `ModelCheckpoint` has written.

        Returns
        -------
        estimator : object
            As it was when it was saved.

        Raises
        ------
        CheckpointError
            If the file is missing or damaged, is none of this package's, or holds another kind of
            estimator.
        """
        meta, arrays = checkpoint.read(path)
        try:
            estimator = cls._from_saved(meta, arrays)
            left_out = ", ".join(meta["left_out"])
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except Exception as error:  # whatever the constructors make of forged values
            raise CheckpointError(
                f"{path} does not describe an estimator of this version: {error}. Save it again."
            ) from error
        if left_out:
            warnings.warn(
                f"Parameters that are functions or objects of one's own were not saved and have "
                f"their defaults: {left_out}. Pass them again with set_params.",
                stacklevel=3,
            )
        return estimator

    @classmethod
    def _from_saved(cls, meta, arrays):
        """The estimator that a file describes."""
        kinds = {kind.__name__: kind for kind in _subclasses(cls)}
        if meta["class"] not in kinds:
            raise CheckpointError(
                f"the file holds a {meta['class']}, which is no {cls.__name__}; use "
                "sklearn_nn.load, or import the class that it is of."
            )
        known = _known()
        parameters = {k: decode(v, arrays, known) for k, v in meta["parameters"].items()}
        estimator = kinds[meta["class"]](**parameters)
        state = {k: decode(v, arrays, known) for k, v in meta["attributes"].items()}
        left_out = _names(meta["left_out"])
        estimator._take_on(state, meta, arrays, left_out)
        if meta["descent"] is not None:
            estimator._restore_descent(meta["descent"], arrays)
        return estimator

    def _needed(self):
        """Names of the attributes that a fitted estimator has."""
        return NEEDED

    def _check_learnt(self):
        """Raise a ValueError if attributes, now loaded, contradict one another."""
        self._check_target_kind()

    def _take_on(self, state, meta, arrays, left_out):
        """Become what a file describes, if all of it is what it can be."""
        if not (self.n_jobs is None or whole(-_MOST_THREADS)(self.n_jobs, self)):
            raise ValueError(f"n_jobs={self.n_jobs!r}")
        reserved = {*self.get_params(deep=False), *_NOT_SAVED, *self._transient}
        state = {name: value for name, value in state.items() if name != "_layout"}
        check_names(state, self, reserved)
        dtype = state["_theta"].dtype
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"weights of type {dtype}")
        for name in ("_theta", "_state"):
            state[name] = _as_buffer(name, state[name], (state[name].size,), dtype)
        if not np.isfinite(state["_theta"]).all() or not np.isfinite(state["_state"]).all():
            raise ValueError("weights that are not finite")
        made_with = meta.get("made_with")
        if made_with is not None:  # not in files of older versions: what the parameters say
            made_with = {k: decode(v, arrays, _known()) for k, v in made_with.items()}
            state["_made_with"] = self._checked_made_with(made_with, left_out)
        self.__setstate__(state)
        check_attributes(state, self)
        if "_random_state" not in state:  # it is the parameter
            self._random_state = self.random_state
            check_attributes({"_random_state": self.random_state}, self)
        twin = self._with_its_parameters()
        twin._check_learnt()
        # What follows from the rest: shapes, names of layers, where the weights lie.
        program = twin._lower(dtype.name)
        vars(self).update({n: vars(twin)[n] for n in _FOLLOWING if n in vars(twin)})
        self._check_layout(program)
        self._link_weights(program)
        if hasattr(self, "_history"):
            for kept in (self._history.best_state, (self._history.last or (None, None))[1]):
                if kept is not None:
                    program.check_state(kept)
            self._publish_history(self._history)
            self._take_over(self._history, self.n_iter_)
            # Of a training without a history that came later.
            vars(self).update({n: state[n] for n in _OF_LAST_TRAINING if n in state})

    def _restore_descent(self, saved, arrays):
        """Go on with a descent that was saved."""
        fields = decode(saved["fields"], arrays, _known())
        made_of = {k: decode(v, arrays, _known()) for k, v in saved["made_of"].items()}
        # One of a user's own is that of the parameters, when it is there. Moments then tell.
        self._incomplete = len(made_of) < 2
        optimizer, schedule = made_of.get("optimizer"), made_of.get("schedule")
        n_moments = len(fields["moments"]) if optimizer is None else optimizer.n_moments
        optimizer = Adam() if optimizer is None else optimizer
        schedule = Schedule() if schedule is None else schedule
        if not isinstance(optimizer, Optimizer) or not isinstance(schedule, Schedule):
            raise ValueError("a descent that is made of something else")
        shapes = {"moments": (n_moments, self._theta.size)}
        shapes |= dict.fromkeys(("average", "raw"), self._theta.shape)
        for name, shape in shapes.items():
            if fields[name] is not None:
                fields[name] = _as_buffer(name, fields[name], shape, self._theta.dtype)
                if not np.isfinite(fields[name]).all() and name != "moments":
                    raise ValueError(f"{name} that is not finite")
        if not whole()(fields["step"], self):
            raise ValueError("a step that is no number of batches")
        epochs = fields.setdefault("epochs", None)
        if epochs is not None and not (isinstance(epochs, int | float) and 0 <= epochs < np.inf):
            raise ValueError("epochs that are no number of them")
        if not isinstance(fields.setdefault("stood_alone", False), bool):
            raise ValueError("an epoch that stood neither alone nor not")
        rates = [fields[name] for name in ("base_rate", "learning_rate", "weight_decay")]
        if not all(map(is_rate, rates)):
            raise ValueError(f"rates that are none: {rates}")
        schedule.check()
        optimizer.scalars(np.arange(1, 3), 0.5).astype(np.float64)
        self._optimizer = Descent(optimizer, schedule, **{k: fields[k] for k in _OF_DESCENT})
