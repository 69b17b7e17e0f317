"""Compilation of Python functions to machine code, independent of neural networks.

Numba takes longer to import than a small network to train, and is needed only to compile. Machine
code from the cache is loaded without it. Therefore, modules take Numba's names from here: `types`,
`cgutils` and `errors` are imported when one of their names is first used, and what the decorators
`njit`, `intrinsic` and `register_jitable` return is handed to Numba when it first compiles a use.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any


@contextlib.contextmanager
def paused_collection() -> Iterator[None]:
    """Pause garbage collection, which would often visit the very many objects of Numba.

    It takes a third of the time of Numba's import and an eighth of that of compilation.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class _Module:
    """Module that is imported when one of its names is first used."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked for by tools that look at every object
            raise AttributeError(name)
        with paused_collection():
            value = getattr(importlib.import_module(self._path), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    from numba.core import cgutils as cgutils
    from numba.core import errors as errors
    from numba.core import types as types
else:
    cgutils, errors, types = (
        _Module(f"numba.core.{name}") for name in ("cgutils", "errors", "types")
    )


def global_name(thing: Any, name: str) -> str | None:
    """Return the name by which an object of this package is pickled; None if it is a user's."""
    path = getattr(thing, "__module__", "")
    is_there = path.startswith("sklearn_nn.") and getattr(sys.modules[path], name, None) is thing
    return name if is_there else None


class Later:
    """Object of compiled code that is made when Numba first compiles a use of it.

    That of a user's function can be pickled, by libraries that pickle functions by their code.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __reduce__(self) -> Any:
        known = {name: value for name, value in vars(self).items() if name not in _MADE}
        return global_name(self, known.get("__name__", "")) or (Later, (self._make,), known)

    @functools.cached_property
    def made(self) -> Any:
        """The object itself."""
        with paused_collection():
            return self._make()

    @functools.cached_property
    def _numba_type_(self) -> Any:
        """The type of the object, which Numba asks for."""
        from numba.core.registry import cpu_target

        made, context = self.made, cpu_target.typing_context
        context.refresh()  # learns of what has been made just now
        return context.resolve_value_type(made)

    def __call__(self, *arguments: Any) -> Any:
        """Call the object from Python."""
        return self.made(*arguments)


#: What a `Later` keeps after Numba has compiled a use of it.
_MADE = ("made", "_numba_type_")


def _decorator(module: str, name: str, options: dict[str, Any]) -> Callable[..., Any]:
    """Return a decorator that applies one of Numba's when the function is first compiled."""

    def decorate(function: Callable[..., Any]) -> Later:
        def make() -> Any:
            decorator = getattr(importlib.import_module(module), name)
            return decorator(**options)(function) if options else decorator(function)

        later = Later(make)
        functools.update_wrapper(later, function)
        if name == "njit":  # Numba reads these to inline the function before it asks for its type
            vars(later).update(py_func=function, targetoptions=options)
        return later

    return decorate


def njit(**options: Any) -> Callable[..., Any]:
    """Return a decorator as `numba.njit`."""
    return _decorator("numba", "njit", options)


def intrinsic(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Decorate as `numba.extending.intrinsic`."""
    decorate = _decorator("numba.extending", "intrinsic", options)
    return decorate if function is None else decorate(function)


def register_jitable(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Decorate as `numba.extending.register_jitable`.

    Compiled code must use what is returned; Numba's decorator returns the function itself.
    """
    decorate = _decorator("numba.extending", "register_jitable", options)
    return decorate if function is None else decorate(function)


@functools.cache
def _settings_alone() -> Any:
    """Return a copy of Numba's settings, made by their module without the rest of Numba."""
    package: Any = importlib.util.find_spec("numba")
    path = f"{package.submodule_search_locations[0]}/core/config.py"
    spec: Any = importlib.util.spec_from_file_location("sklearn_nn.jit.numba_settings", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings() -> Any:
    """Return Numba's settings, a module, without importing Numba."""
    if "numba" not in sys.modules:
        with contextlib.suppress(Exception):  # Numba's files may be arranged otherwise
            return _settings_alone()
    return importlib.import_module("numba.core.config")


def compiler_problem() -> str | None:
    """Return what prevents Numba from compiling, and the remedy; None if nothing does."""
    if not settings().DISABLE_JIT:
        return None
    return (
        "sklearn_nn computes with functions that Numba compiles, and NUMBA_DISABLE_JIT=1 switches "
        "its compiler off. Unset that variable (or DISABLE_JIT in .numba_config.yaml and "
        "numba.config) for processes that use sklearn_nn; to step through a compiled function of "
        "your own, call its py_func."
    )


if (_problem := compiler_problem()) is not None:
    raise ImportError(_problem)
