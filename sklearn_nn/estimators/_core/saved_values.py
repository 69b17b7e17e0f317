"""Checks of the attributes of fitted estimators that are read from files.

Each attribute has one check, by its name, whatever estimator has it. Attributes that follow from
others, such as the shape of a sample, are not read from files.
"""

from __future__ import annotations

import math
from numbers import Integral, Real

import numpy as np

from sklearn_nn.training.history import History

#: Upper limit of sizes and counts in files, so that their sums are exact as floats.
_MOST = 2**53


def whole(least=0, below=_MOST):
    """Return a check for a whole number."""

    def is_whole(value, _=None):
        is_number = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
        return is_number and least <= value < below

    return is_whole


def is_real(value, _=None):
    """Return whether a value is a real number, which may be infinite or NaN."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def is_rate(value, _=None):
    """Return whether a value is a finite number of at least 0."""
    return is_real(value) and 0 <= value < math.inf


def of_kind(*kinds):
    """Return a check for an instance of these types."""
    return lambda value, _: isinstance(value, kinds)


def or_none(check):
    """Return a check for None, or for what another check accepts."""
    return lambda value, estimator: value is None or check(value, estimator)


def sequence_of(kind, check):
    """Return a check for a list or tuple of what another check accepts."""
    return lambda value, est: type(value) is kind and all(check(item, est) for item in value)


def mapping_of(check):
    """Return a check for a dict of names to what another check accepts."""
    return lambda value, estimator: (
        type(value) is dict
        and all(type(name) is str and check(item, estimator) for name, item in value.items())
    )


def is_array(kinds, n_axes=None):
    """Return a check for an array of finite numbers of the given kinds of dtype."""
    return lambda value, _: (
        isinstance(value, np.ndarray)
        and value.dtype.kind in kinds
        and n_axes in (None, value.ndim)
        and bool(np.isfinite(value).all())
    )


def like(name):
    """Return a check for a finite vector of the shape and type of a vector of the network."""

    def is_such(value, estimator):
        wanted = getattr(estimator._network, name)
        is_finite = is_array("f")(value, estimator)
        return is_finite and (value.shape, value.dtype) == (wanted.shape, wanted.dtype)

    return is_such


def are_curves(value, _=None):
    """Return whether a value is a dict of equally long lists of numbers, as `history_` is."""
    if not mapping_of(sequence_of(list, is_real))(value, None):
        return False
    return len({len(curve) for curve in value.values()}) < 2 and (not value or "loss" in value)


def _are_weights(value, estimator):
    if type(value) is not tuple or len(value) != 2:
        return False
    return like("theta")(value[0], estimator) and like("state")(value[1], estimator)


_FLAG, _COUNT, _SEED = of_kind(bool), whole(), whole(below=2**32)
_are_numbers = sequence_of(list, is_real)
_OF_HISTORY = {
    **dict.fromkeys(("validated", "stopped", "takes_last", "loss_decides", "scores_tell"), _FLAG),
    **dict.fromkeys(("best_epoch", "no_improvement", "samples_seen"), _COUNT),
    **dict.fromkeys(("best_loss", "best_score", "least_gain"), is_real),
    "curves": are_curves,
    "best_theta": or_none(like("theta")),
    "best_state": or_none(like("state")),
    "last": or_none(_are_weights),
}


def _is_history(value, estimator):
    if type(value) is not History or set(vars(value)) != set(_OF_HISTORY):
        return False
    if not all(check(vars(value)[name], estimator) for name, check in _OF_HISTORY.items()):
        return False
    return (value.best_theta is None) == (value.best_state is None)


def _are_units(value, _):
    """Return whether a value is `units_of` samples."""
    if type(value) is not dict:
        return False
    kinds = {name: type(one) for name, one in value.items()}
    return kinds == {"bytes": bool, "whole": bool, "largest": float}


def _is_pretrained(value, estimator):
    """Return whether a value is what `from_pretrained` keeps."""
    return (
        type(value) is dict
        and set(value) == {"source", "names", "arrays", "raw_units", "units"}
        and type(value["source"]) is str
        and or_none(sequence_of(list, of_kind(str)))(value["names"], estimator)
        and mapping_of(mapping_of(is_array("f")))(value["arrays"], estimator)
        and or_none(is_array("f", 2))(value["raw_units"], estimator)
        and or_none(_are_units)(value["units"], estimator)
    )


def _are_feature_names(value, estimator):
    return (
        isinstance(value, np.ndarray)
        and value.shape == (estimator.n_features_in_,)
        and value.dtype.kind in "OU"
        and all(isinstance(name, str) for name in value.tolist())
    )


#: Checks of attributes by name. Curves are attributes if there is no history to make them from.
CHECKS = {
    **dict.fromkeys(("_all_trained", "_end_was_told", "_incomplete", "_resumes"), _FLAG),
    **dict.fromkeys(("_seed", "_split_seed"), _SEED),
    **dict.fromkeys(("_no_improvement_count", "_refit_epochs", "best_iteration_"), _COUNT),
    **dict.fromkeys(("_text_length", "n_characters_", "n_iter_", "t_"), _COUNT),
    "n_parameters_": _COUNT,
    **dict.fromkeys(("batch_size_", "max_iter_"), whole(1)),
    **dict.fromkeys(("best_loss_", "best_validation_score_"), or_none(is_real)),
    **dict.fromkeys(("validation_loss_curve_", "validation_scores_"), or_none(_are_numbers)),
    **dict.fromkeys(("_held_out", "_set_aside"), or_none(is_array("iu", 1))),
    **dict.fromkeys(("_chosen", "_rounds"), mapping_of(lambda *_: True)),
    "_history": _is_history,
    "_order": is_array("iu", 1),
    "_random_state": of_kind(np.random.RandomState),
    "_temperatures": sequence_of(list, lambda value, _: is_rate(value) and value > 0),
    "_was_frozen": sequence_of(tuple, of_kind(str)),
    "character_counts_": is_array("iu", 1),
    "feature_names_in_": _are_feature_names,
    "learning_rate_init_": is_rate,
    "histories_": sequence_of(list, are_curves),
    "history_": are_curves,
    "loss_": is_real,
    "loss_curve_": _are_numbers,
    "n_features_in_": whole(1),
    "n_jobs": or_none(whole(-(2**20))),
}
#: Checks of the state of the optimizer, by name.
OF_DESCENT = {
    **dict.fromkeys(("base_rate", "learning_rate", "weight_decay"), is_rate),
    "epochs": or_none(is_rate),
    "step": _COUNT,
    "stood_alone": _FLAG,
}
#: Checks of the attributes that the reader and the codec have learnt, by name.
OF_PARTS = {
    "bins": or_none(sequence_of(list, is_array("f", 1))),
    "classes": lambda value, _: isinstance(value, np.ndarray) and value.ndim == 1,
    "encoder": of_kind(dict),
    "kind": of_kind(str),
    "n_outputs": whole(1),
    "offsets": or_none(is_array("f", 2)),
    "ragged": _FLAG,
    "scale": or_none(is_array("f", 2)),
    "seen_shape": or_none(sequence_of(tuple, whole(1))),
    "units": or_none(_are_units),
    "vocabulary": of_kind(str),
    "weights": or_none(sequence_of(list, is_array("fiu", 1))),
}


def check_names(state, estimator, reserved):
    """Raise ValueError if attributes are missing, or would hide those of the class."""
    missing = [name for name in estimator._NEEDED if name not in state]
    if missing:
        raise ValueError(f"there is no {', '.join(missing)}")
    for name in state:
        if type(name) is not str or name in reserved or hasattr(type(estimator), name):
            raise ValueError(f"{name!r} is not a saved attribute")
    if "_order" in state and "_held_out" not in state:
        raise ValueError("_held_out is missing beside _order")


def check_attributes(state, estimator):
    """Raise ValueError if an attribute is invalid; those without a check were set by users."""
    for name, value in state.items():
        if name in CHECKS and not CHECKS[name](value, estimator):
            raise ValueError(f"{name} is {value!r:.60}, which is invalid")


def check_parts(learnt, estimator):
    """Raise ValueError if a learnt attribute of the reader or the codec is missing or invalid."""
    for name, part in (("reader", estimator._make_reader()), ("codec", estimator._make_codec())):
        found = learnt[name]
        if type(found) is not dict or not set(found) <= set(part.LEARNT):
            raise ValueError(f"the {name} has learnt {list(found)}")
        missing = [n for n in part.NEEDED if n not in found]
        if missing:
            raise ValueError(f"the {name} has not learnt {', '.join(missing)}")
        for key, value in found.items():
            if not OF_PARTS[key](value, estimator):
                raise ValueError(f"{key} is {value!r:.60}, which is invalid")
    if not or_none(_is_pretrained)(learnt["pretrained"], estimator):
        raise ValueError("invalid pretrained arrays")
