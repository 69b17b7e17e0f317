"""Files of estimators: arrays and plain values only."""

from __future__ import annotations

import copy
import importlib
import os

import numpy as np
from sklearn.utils._param_validation import validate_parameter_constraints

from sklearn_nn._spec import Spec
from sklearn_nn.estimators._core import saved_values, transfer
from sklearn_nn.estimators._core.all_or_nothing import OF_A_FIT
from sklearn_nn.estimators._core.fitted_network import (
    FittedNetwork,
    check_layout,
    network_of,
    publish_history,
    publish_network,
)
from sklearn_nn.estimators._core.parameters import ACT_AT_ONCE
from sklearn_nn.estimators._core.parts import warn
from sklearn_nn.network.program import aligned
from sklearn_nn.training import checkpoint
from sklearn_nn.training.checkpoint import CheckpointError
from sklearn_nn.training.checkpoint.encoding import decode, encode
from sklearn_nn.training.checkpoint.tensors import Part
from sklearn_nn.training.history import History
from sklearn_nn.training.optimizers import Adam, Optimizer, OptimizerState
from sklearn_nn.training.schedules import Schedule

#: Attributes that are derived from others, or that belong to a fit in progress.
_NOT_SAVED = (
    *OF_A_FIT, "_callback_fit_ctx", "_codec", "_earlier", "_made_with", "_metadata_request",
    "_network", "_optimizer", "_parent_callback_ctx", "_pretrained", "_reader", "_skl_callbacks",
    "_skl_callbacks_to_teardown", "_sklearn_output_config", "_waits_for",
    # Published by the reader and the codec:
    "classes_", "encoder_", "input_scale_", "input_shape_", "n_layers_", "n_outputs_",
    "out_activation_", "vocabulary_",
)  # fmt: skip
#: Results of the last training, which may have been one without a history.
_OF_LAST_TRAINING = ("t_", "loss_", "best_loss_", "best_iteration_", "best_validation_score_")
#: Attributes that are published from the history.
_PUBLISHED = ("history_", "loss_curve_", "validation_loss_curve_", "validation_scores_")
#: Attributes that only resumed training needs, or that continue the last optimizer.
_OF_RESUMING = ("_optimizer", "_order", "_held_out", "_set_aside", "_incomplete", "_resumes")
#: Attributes of an optimizer state that are saved beside its optimizer and its schedule.
_OF_DESCENT = (
    "base_rate", "learning_rate", "moments", "weight_decay", "step", "epochs", "stood_alone",
    "average", "raw",
)  # fmt: skip


def subclasses(kind):
    """Yield a class and all that derive from it; a class comes after those that derive from it."""
    for child in kind.__subclasses__():
        yield from subclasses(child)
    yield kind


def import_all():
    """Import all estimators of this package, most of which wait until they are first used."""
    package = importlib.import_module("sklearn_nn")
    for name in package.__all__:
        getattr(package, name)


def _known():
    """Return the classes of this package that a file may name: bundles of plain values."""
    # Keys name the family, too: schedules and initializers both have a class Constant.
    specs = {
        f"{family.__name__}.{kind.__name__}": kind
        for family in Spec.__subclasses__()
        for kind in subclasses(family)
        if kind.__module__.startswith("sklearn_nn.")
    }
    return {"History": History, **specs}


def _encode_parameters(parameters, arrays):
    """Return encoded parameters, and the names of those that cannot be saved, such as functions."""
    saved, left_out = {}, []
    for name, value in parameters.items():
        try:
            saved[name] = encode(value, arrays, _known())
        except TypeError:
            left_out.append(name)
    return saved, left_out


def _encode_descent(descent, arrays):
    """Return an encoded optimizer state, without a user-defined optimizer or schedule."""
    made = {"optimizer": descent.optimizer, "schedule": descent.schedule}
    saved, _ = _encode_parameters(made, arrays)
    fields = {name: getattr(descent, name) for name in _OF_DESCENT}
    return {"fields": encode(fields, arrays, _known()), "made_of": saved}


def _encode_attribute(name, value, arrays):
    """Return an encoded attribute, which was learnt or set by a user."""
    try:
        return encode(value, arrays, _known())
    except TypeError as error:
        raise TypeError(f"Attribute {name!r} cannot be saved; delete it first: {error}") from error


def _as_buffer(name, array, shape, dtype):
    """Return an array as machine code needs it; raise ValueError if its shape or type differs."""
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"{name} of another network")
    return aligned(array)


def _reserved(estimator):
    """Return the names of attributes that a file must not hold."""
    # Parameters that a user-defined constructor lacks are set by it.
    parameters = {*estimator.get_params(deep=False), *estimator._declared_names()}
    return {*parameters, *_NOT_SAVED, *estimator._transient, *estimator._ARRAY_LISTS}


def _without_training(estimator):
    """Return a copy that predicts the same, but cannot resume its training."""
    copied = estimator._twin()
    for name in _OF_RESUMING:
        vars(copied).pop(name, None)
    if "_history" in vars(copied):
        copied._history = estimator._history.copy()
        if copied._history.best_theta is not None:
            copied._history.forget_best()
    return copied


#: Endings of files of other programs, and what writes such a file.
_TORCH, _KERAS, _PICKLE = (
    "save_weights('weights.npz', layout='torch') writes weights for torch",
    "save_weights('weights.h5', layout='keras') writes weights for Keras",
    "joblib.dump(estimator, path) writes a pickle",
)
_OF_OTHERS = {
    **dict.fromkeys((".pth", ".pt"), _TORCH),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), _KERAS),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), _PICKLE),
    ".onnx": "sklearn_nn.to_onnx makes a model of ONNX",
    ".skops": "skops.io.dump(estimator, path) writes such a file",
}


def _warn_of_ending(path):
    """Warn if the name of a file ends like those of another program, which cannot read it."""
    ending = os.path.splitext(os.fsdecode(path))[1].lower()
    if ending in _OF_OTHERS:
        warn(
            f"save has written {os.fsdecode(path)!r} in the format of sklearn_nn.load, and not as "
            f"the {ending} file of another program. Use the ending .npz or .safetensors; "
            f"{_OF_OTHERS[ending]}."
        )


def save(estimator, path, *, training_state=True):
    """Write a fitted estimator to a file: see `BaseNetwork.save`."""
    network = network_of(estimator)
    estimator = estimator if training_state else _without_training(estimator)
    parameters, arrays = estimator.get_params(deep=False), {}
    saved, left_out = _encode_parameters(parameters, arrays)
    made_with, waits_for = estimator._made_with, vars(estimator).get("_waits_for", ())
    made_with = {name: value for name, value in made_with.items() if name not in waits_for}
    left_out += [name for name in waits_for if name not in left_out]
    reserved, has_history = _reserved(estimator), hasattr(estimator, "_history")
    attributes = {
        name: _encode_attribute(name, value, arrays)
        for name, value in vars(estimator).items()
        if name not in reserved
        and not (name == "_random_state" and value is estimator.random_state)
        and not (name in _PUBLISHED and has_history)
    }
    descent, start = vars(estimator).get("_optimizer"), vars(estimator).get("_pretrained")
    networks = [*vars(estimator).get("_earlier", ()), network]
    learnt = {
        "networks": [{"theta": one.theta, "state": one.state} for one in networks],
        "reader": estimator._reader.learnt(),
        "codec": estimator._codec.learnt(),
        "pretrained": None if start is None else start._asdict(),
    }
    meta = {
        "class": type(estimator).__name__,
        "parameters": saved,
        "left_out": left_out,
        "made_with": _encode_parameters(made_with, arrays)[0],
        "attributes": attributes,
        "learnt": {n: _encode_attribute(n, value, arrays) for n, value in learnt.items()},
        "descent": None if descent is None else _encode_descent(descent, arrays),
    }
    checkpoint.write(path, meta, arrays, _parts(networks, arrays))
    _warn_of_ending(path)  # when the file exists: an error would lose the training


def _parts(networks, arrays):
    """Return the named arrays of layers within the vectors of networks, by the vectors' keys.

    Names are those in `layers_`, such as "dense1.kernel"; before those of one of several networks
    is its number.
    """
    keys, parts = {id(array): key for key, array in arrays.items()}, {}
    for number, one in enumerate(networks):
        before = f"{number}." if len(networks) > 1 else ""
        for place in one.places:
            vector = one.theta if place.buffer == "theta" else one.state
            named = Part(f"{before}{place.layer}.{place.name}", place.start, place.shape)
            parts.setdefault(keys[id(vector)], []).append(named)
    return parts


def load(cls, path):
    """Read an estimator from a file: see `BaseNetwork.load`."""
    meta, arrays = checkpoint.read(path)
    try:
        estimator = _from_saved(cls, meta, arrays)
        left_out = ", ".join(meta["left_out"])
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except Exception as error:  # constructors may raise any error for forged values
        raise CheckpointError(
            f"{path} does not describe an estimator of this version: {error}. Save it again."
        ) from error
    if left_out:
        warn(
            f"Parameters that are functions or user-defined objects were not saved and have "
            f"their defaults: {left_out}. Pass them again with set_params."
        )
    return estimator


def _from_saved(cls, meta, arrays):
    """Return the estimator that a file describes; raise an error if the file is invalid."""
    kinds = {kind.__name__: kind for kind in subclasses(cls)}
    if meta["class"] not in kinds:
        import_all()
        kinds = {kind.__name__: kind for kind in subclasses(cls)}
    if meta["class"] not in kinds:
        raise CheckpointError(
            f"the file holds a {meta['class']}, which is not a {cls.__name__}; use "
            "sklearn_nn.load, or import the estimator's class."
        )
    known = _known()

    def decoded(values):
        return {name: decode(value, arrays, known) for name, value in values.items()}

    estimator = kinds[meta["class"]](**decoded(meta["parameters"]))
    saved_values.check_attributes({"n_jobs": estimator.n_jobs}, estimator)
    state, learnt = decoded(meta["attributes"]), decoded(meta["learnt"])
    saved_values.check_names(state, estimator, _reserved(estimator))
    made_with, left_out = decoded(meta["made_with"]), meta["left_out"]
    if not saved_values.sequence_of(list, saved_values.of_kind(str))(left_out, estimator):
        raise ValueError("the names of omitted parameters must be a list of strings")
    estimator._made_with = _checked_made_with(estimator, made_with, left_out)
    networks = _networks(learnt["networks"])
    estimator._network = networks[-1]  # attributes are checked against it
    estimator.__setstate__({**vars(estimator), **state})
    saved_values.check_attributes(state, estimator)
    saved_values.check_parts(learnt, _as_fitted(estimator))
    if learnt["pretrained"] is not None:
        estimator._pretrained = transfer.Pretrained(**learnt["pretrained"])
    if "_random_state" not in state:  # it is the parameter
        estimator._random_state = estimator.random_state
        saved_values.check_attributes({"_random_state": estimator.random_state}, estimator)
    _publish_parts(estimator, learnt["reader"], learnt["codec"], networks)
    _publish_history(estimator, state)
    if meta["descent"] is not None:
        _restore_descent(estimator, meta["descent"], arrays)
    return estimator


def _networks(saved):
    """Return networks of saved vectors, which have no plan yet; raise ValueError if invalid."""
    if type(saved) is not list or not saved:
        raise ValueError("a list of networks is missing")
    networks, size, dtype = [], saved[-1]["theta"].shape, saved[-1]["theta"].dtype
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"weights of type {dtype}")
    for one in saved:
        if set(one) != {"theta", "state"} or one["theta"].shape != size:
            raise ValueError("networks of unequal size")
        vectors = [_as_buffer(n, one[n], (one[n].size,), dtype) for n in ("theta", "state")]
        if not all(np.isfinite(vector).all() for vector in vectors):
            raise ValueError("weights that are not finite")
        networks.append(FittedNetwork(None, *vectors, []))
    return networks


def _as_fitted(estimator):
    """Return a copy with the parameters of the fit, which may have been set since."""
    twin = estimator._twin()
    vars(twin).update(estimator._made_with)
    return twin


def _publish_parts(estimator, of_reader, of_codec, networks):
    """Make reader, codec and networks from what was learnt and the parameters of the fit."""
    twin = _as_fitted(estimator)
    reader, codec = twin._make_reader(), twin._make_codec()
    reader.take(of_reader)
    codec.take(of_codec)
    twin._reader, twin._codec, twin._earlier = reader, codec, networks[:-1]
    reader.settle(twin)
    for part in (reader, codec):
        part.check_loaded(twin)
    twin._check_loaded()
    plan, program = twin._plan(reader, codec, networks[-1].dtype)
    for one in networks:
        check_layout(program, one.theta, one.state)
    made = [FittedNetwork.of(plan, program, one.theta, one.state) for one in networks]
    estimator._reader, estimator._codec = reader, codec
    reader.publish(estimator)
    codec.publish(estimator)
    if "histories_" in vars(estimator):  # one for each of several networks
        estimator._earlier = made[:-1]
    elif len(made) > 1:
        raise ValueError("several networks of an estimator that has one")
    publish_network(estimator, made[-1])


def remake_parts(estimator):
    """Make reader, codec and networks again after parameters of the fit have been set."""
    earlier, network = vars(estimator).get("_earlier", []), network_of(estimator)
    learnt = estimator._reader.learnt(), estimator._codec.learnt()
    _publish_parts(estimator, *learnt, [*earlier, network])


def _publish_history(estimator, state):
    """Check the history that was loaded, and set the attributes that follow from it."""
    if not hasattr(estimator, "_history"):
        return
    history, program = estimator._history, estimator._network.program
    for kept in (history.best_state, (history.last or (None, None))[1]):
        if kept is not None:
            program.check_state(kept)
    estimator.history_ = history.curves
    publish_history(estimator, history, estimator.n_iter_)
    # Results of a later training without a history.
    vars(estimator).update({n: state[n] for n in _OF_LAST_TRAINING if n in state})


def _checked_made_with(estimator, made_with, left_out):
    """Return the checked parameters of a fit; missing ones are defaults until `set_params`."""
    names = {name for name in estimator.get_params(deep=False) if name not in ACT_AT_ONCE}
    if not set(made_with) <= names:
        raise ValueError("parameters of a fit that do not exist")
    constraints = estimator._parameter_constraints
    validate_parameter_constraints(constraints, made_with, type(estimator).__name__)
    missing = [name for name in names if name not in made_with]
    if not set(missing) <= set(left_out):
        raise ValueError(f"parameters of the fit are missing: {', '.join(missing)}")
    estimator._waits_for = tuple(sorted(missing))
    return {**made_with, **{name: copy.deepcopy(getattr(estimator, name)) for name in missing}}


def _restore_descent(estimator, saved, arrays):
    """Restore the optimizer state that was saved."""
    fields = {"epochs": None, "stood_alone": False, **decode(saved["fields"], arrays, _known())}
    made_of = {k: decode(v, arrays, _known()) for k, v in saved["made_of"].items()}
    # User-defined optimizers and schedules are not saved; the next fit takes them from parameters.
    estimator._incomplete = len(made_of) < 2
    optimizer, schedule = made_of.get("optimizer", Adam()), made_of.get("schedule", Schedule())
    if not isinstance(optimizer, Optimizer) or not isinstance(schedule, Schedule):
        raise ValueError("an optimizer state without an optimizer and a schedule")
    n_moments = optimizer.n_moments if "optimizer" in made_of else len(fields["moments"])
    shapes = {"moments": (n_moments, estimator._network.theta.size)}
    shapes |= dict.fromkeys(("average", "raw"), estimator._network.theta.shape)
    for name, shape in shapes.items():
        if fields[name] is not None:
            fields[name] = _as_buffer(name, fields[name], shape, estimator._network.theta.dtype)
            if not np.isfinite(fields[name]).all() and name != "moments":
                raise ValueError(f"{name} is not finite")
    for name, check in saved_values.OF_DESCENT.items():
        if not check(fields[name], estimator):
            raise ValueError(f"{name} of the optimizer is {fields[name]!r:.60}, which is invalid")
    schedule.check()
    optimizer.scalars(np.arange(1, 3), 0.5).astype(np.float64)
    estimator._optimizer = OptimizerState(
        optimizer, schedule, **{k: fields[k] for k in _OF_DESCENT}
    )
