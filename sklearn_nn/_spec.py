"""Base class `Spec` of objects that hold hyperparameters, and conversion of parameter values."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import sys
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, TypeVar, dataclass_transform

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_nn._hints import hint, unexpected

#: Types that `plain` converts.
_CONVERTED = (np.generic, list, tuple, dict)


def plain(value: Any) -> Any:
    """Convert NumPy scalars to Python's bool, int, float or str, also within lists, tuples, dicts.

    A value that contains no NumPy scalar is returned unchanged.
    """
    if isinstance(value, np.generic):
        return _plain_scalar(value)
    kind = type(value)
    if kind is list or kind is tuple:
        items = [plain(item) for item in value]
        is_plain = all(new is old for new, old in zip(items, value, strict=True))
        return value if is_plain else kind(items)
    if kind is dict:
        entries = {key: plain(item) for key, item in value.items()}
        return value if all(entries[key] is item for key, item in value.items()) else entries
    return value


def _plain_scalar(value: np.generic) -> Any:
    if isinstance(value, np.timedelta64):  # a subclass of np.integer, but not a number here
        return value
    for kind, own in ((np.bool_, bool), (np.integer, int), (np.floating, float), (np.str_, str)):
        if isinstance(value, kind):
            return own(value)
    return value


@functools.cache
def _parameters_of(kind: Any) -> frozenset[str]:
    """Return the parameter names of a class, or an empty set if its `__init__` takes ``*args``."""
    try:
        return frozenset(kind._get_param_names())
    except RuntimeError:
        return frozenset()


def set_plain(self: Any, name: str, value: Any) -> None:
    """Set an attribute; NumPy scalars in parameters are converted to Python values.

    This is the `__setattr__` of classes with parameters. A search over `scipy.stats.randint` or
    `np.logspace` sets NumPy scalars, which are not instances of int or bool, overflow at the size
    of their type, and turn float32 arithmetic into float64. They are converted where a parameter is
    set, by `__init__`, `set_params` or by name. Learnt attributes, whose names begin or end with an
    underscore, are left unchanged.
    """
    if isinstance(value, _CONVERTED) and "_" not in (name[0], name[-1]):
        kind: Any = type(self)
        value = plain(value) if name in _parameters_of(kind) else value
    object.__setattr__(self, name, value)


#: What scikit-learn's diagrams link: pages of the documentation of the last release.
DOC_LINKS = ("sklearn_nn", "https://sklearn-nn.readthedocs.io/en/stable/{page}")
#: Modules that the documentation lists public classes under, but for those of sklearn_nn itself.
_LISTED_UNDER = {
    "layers": "sklearn_nn.layers",
    "network": "sklearn_nn.network.initializers",
    "training": "sklearn_nn.training",
}


def doc_page(self: Any) -> dict[str, str]:
    """Return the page of an object's class, for the address in `DOC_LINKS`.

    This is scikit-learn's `_doc_link_url_param_generator`. The page of a class that is not public
    is the list of those that are.
    """
    kind: Any = type(self)
    module = _LISTED_UNDER.get(kind.__module__.split(".")[1], "sklearn_nn")
    public = getattr(sys.modules[module], "__all__", None) or vars(sys.modules[module])
    is_listed = kind.__name__ in public
    return {"page": f"generated/{module}.{kind.__name__}.html" if is_listed else "api.html"}


_Class = TypeVar("_Class", bound=type)


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field,))
def parameters(kind: _Class, *, bases_first: bool = False) -> _Class:
    """Turn the annotated attributes of a class, inherited ones included, into its parameters.

    The decorated class gets an `__init__` that sets them, as from :func:`dataclasses.dataclass`.
    In its signature, keyword-only parameters are ordered by the classes that declare them: first
    those of the class itself, then those of its bases in the order of inheritance; with
    `bases_first` the other way round. Unknown keyword arguments raise TypeError with a hint at the
    parameter that is probably meant, and values without a name in a class whose parameters are all
    keyword-only raise it with their names; `unnamed` of the class ends that error.
    """
    dataclasses.dataclass(eq=False, repr=False)(kind)
    init: Any = vars(kind)["__init__"]
    classes = reversed(kind.__mro__) if bases_first else kind.__mro__
    declared = [name for base in classes for name in inspect.get_annotations(base)]

    def place(one: inspect.Parameter) -> tuple[int, int]:
        return one.kind, declared.index(one.name) if one.kind is one.KEYWORD_ONLY else 0

    # Without annotations, which only the modules of the bases could evaluate.
    init.__annotations__ = {}
    made = [
        one.replace(annotation=one.empty) for one in inspect.signature(init).parameters.values()
    ]
    signature = inspect.Signature(sorted(made, key=place))

    known = [*signature.parameters][1:]
    named_only = bool(known) and all(one.kind is one.KEYWORD_ONLY for one in made[1:])

    @functools.wraps(init)
    def checked_init(self: Any, *args: Any, **values: Any) -> None:
        owner = type(self).__name__
        if args and named_only:
            raise TypeError(
                f"{owner}.__init__() takes parameters by name only, but got {args[0]!r:.80}; they "
                f"are {', '.join(known)}{getattr(self, 'unnamed', '')}"
            )
        for name in values:
            if name not in signature.parameters:
                told = hint(name, known) or f"; its parameters are {', '.join(known)}"
                raise unexpected(f"{owner}.__init__", name, told)
        init(self, *args, **values)

    checked_init.__signature__ = signature  # type: ignore[attr-defined]
    kind.__init__ = checked_init  # type: ignore[misc]
    return kind


def set_known(self: Any, set_params: Any, values: Mapping[str, Any]) -> Any:
    """Call scikit-learn's `set_params`; its error about an unknown parameter gets a hint."""
    try:
        return set_params(**values)
    except ValueError as error:
        known = dict.fromkeys(name.partition("__")[0] for name in self.get_params())
        unknown = [name for name in values if name.partition("__")[0] not in known]
        told = hint(unknown[0].partition("__")[0], known) if unknown else ""
        if not told or "Invalid parameter" not in str(error):
            raise
        end = "" if told.endswith("?") else "."
        raise ValueError(f"{str(error).removesuffix('.')}{told}{end}") from None


def is_number(value: Any, kind: Any = Real) -> bool:
    """Return whether a value is a real number, or one of another kind, but not True or False."""
    return isinstance(value, kind) and not isinstance(value, bool)


def lies_in(value: Any, interval: str) -> bool:
    """Return whether a number lies in an interval in mathematical notation, such as "(0, 1]"."""
    low, high = map(float, interval[1:-1].split(","))
    at_end = (value == low and interval[0] == "[") or (value == high and interval[-1] == "]")
    return bool(at_end or low < value < high)


@functools.cache
def _default(kind: Any, name: str) -> Any:
    """Return the default of a hyperparameter, or None if the class does not tell."""
    given = inspect.signature(kind).parameters.get(name)
    default = getattr(kind, name, None) if given is None else given.default
    return None if default is inspect.Parameter.empty else default


@functools.cache
def _declared(kind: Any) -> Mapping[str, str]:
    """Return the annotations of the parameters that classes of this package declare, by name."""
    names = _parameters_of(kind)
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.partition(".")[0] == __package__:
            own = inspect.get_annotations(base)
            found |= {name: str(own[name]) for name in own if name in names}
    return found


def _remedy(value: Any, declared: str, interval: str | None, default: Any) -> str | None:
    """Return what to use in place of a value that does not suit a parameter, or None if it does.

    Other annotations than the simple ones say nothing: such parameters have checks of their own.
    """
    one = declared.removesuffix(" | None")
    or_none = " or None" if one != declared else ""
    if value is None and or_none:
        return None
    simple: dict[str, tuple[Any, str]] = {
        "bool": (bool, "True or False"),
        "str": (str, "a string"),
        "str | Path": ((str, os.PathLike), "the path of a file"),
    }
    if one in simple:
        kinds, text = simple[one]
        fits = isinstance(value, kinds)
    elif one.startswith("Callable"):
        fits, text = callable(value) and not isinstance(value, type), "a function"
    elif interval is not None or one == "float":
        whole = one == "int" or is_number(default, Integral)
        is_right = is_number(value, Integral if whole else Real)
        fits = is_right and lies_in(value, interval or "(-inf, inf)")
        text = f"a {'whole ' * whole}number in {interval}" if interval else "a finite number"
    else:
        return None
    return None if fits else text + or_none


class Spec(BaseEstimator):
    """Base class of layers, optimizers, schedules and initializers: hyperparameters only.

    A Spec clones, prints, pickles and nests in a parameter grid like any scikit-learn estimator;
    two Specs of one class with equal parameters are equal. Fitted values are stored elsewhere.
    """

    #: Interval of numbers, such as "(0, 1]"; a number with an integer default must be whole.
    limits: ClassVar[Mapping[str, str]] = {}

    __setattr__ = set_plain
    _doc_link_module, _doc_link_template = DOC_LINKS
    _doc_link_url_param_generator = doc_page

    def check(self) -> None:
        """Raise ValueError if a parameter is not of its type, or a number outside its limits.

        Types are those of the annotations in this package: int (with limits), float, bool, str,
        Callable, or a path. A number is finite, and neither True nor False.
        """
        kind: Any = type(self)
        # Of the class: a user-defined hyperparameter may have the name `limits`.
        limits = kind.limits if isinstance(kind.limits, Mapping) else {}
        for name, declared in {**dict.fromkeys(limits, ""), **_declared(kind)}.items():
            value, default = getattr(self, name), _default(kind, name)
            remedy = _remedy(value, declared, limits.get(name), default)
            if remedy is not None:
                example = "" if default is None else f", such as {default!r}"
                raise ValueError(
                    f"{name}={value!r} does not suit {kind.__name__}; use {remedy}{example}."
                )

    def set_params(self, **params: Any) -> Any:
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Parameters by name; those of objects in them as ``name__parameter``.

        Returns
        -------
        self : object
            The object.
        """
        return set_known(self, super().set_params, params)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        mine, theirs = self.get_params(deep=False), other.get_params(deep=False)
        return mine.keys() == theirs.keys() and all(
            np.array_equal(value, theirs[name])
            if isinstance(value, np.ndarray) or isinstance(theirs[name], np.ndarray)
            else bool(value == theirs[name])
            for name, value in mine.items()
        )

    def __hash__(self) -> int:
        plain_ones = self.get_params(deep=False).items()
        return hash((type(self), *sorted((n, v) for n, v in plain_ones if isinstance(v, Real))))


_Kind = TypeVar("_Kind")


def named_classes(base: type[_Kind], namespace: Mapping[str, Any]) -> list[type[_Kind]]:
    """Return the public subclasses of `base` with a `name` that a module defines, in its order.

    `namespace` is the module's `globals()`. Tables of values that parameters accept by name are
    made from this list; user-defined classes are not in it, since other modules define them.
    """
    return [
        kind
        for key, kind in namespace.items()
        if isinstance(kind, type) and issubclass(kind, base) and hasattr(kind, "name")
        if kind.__module__ == namespace["__name__"] and not key.startswith("_")
    ]
