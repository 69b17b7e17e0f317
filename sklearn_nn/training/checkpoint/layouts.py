"""Weights in the layouts of other libraries: their names, and their order of axes and of gates.

A layer is recognized by its arrays. For each of them an `_Entry` tells from which arrays of the
other library it is made, and how. All layers of a network are converted in one pass, so that one
error can list all that is missing, left over or of another shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_nn.layers.standardize import INPUT_SCALE

Shape = tuple[int, ...]
Arrays = Mapping[str, np.ndarray]

KERAS, TORCH = "keras", "torch"
#: Layouts of other libraries; None is that of this package.
LAYOUTS = (KERAS, TORCH)
#: Ends of names of what is stored with weights, but is none: counters, and states of generators.
_NOT_WEIGHTS = ("num_batches_tracked", "seed_generator/vars/0", "seed_generator_state")
#: Stands for the name of an array in the name of a layer.
_WILDCARD = "*"
#: After the names of arrays of the first layer of a recurrent module of torch.
_FIRST_OF_TORCH = "_l0"
#: Arrays of a recurrent layer, and what their names begin with if it reads in both directions.
_RECURRENT = ("kernel", "recurrent_kernel", "bias")
_DIRECTIONS = ("forward_", "backward_")
#: Arrays of a normalization here and in torch.
_NORMALIZATION = {
    "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
    "moving_variance": "running_var",
}  # fmt: skip


class _Entry(NamedTuple):
    """One array of a layer here, and the arrays there that it is made from."""

    ours: str
    #: Names there; one array here may need two.
    theirs: tuple[str, ...]
    #: Shapes that each of these may have.
    shapes: tuple[tuple[Shape, ...], ...]
    to_ours: Callable[[Sequence[np.ndarray]], np.ndarray]
    to_theirs: Callable[[np.ndarray], Sequence[np.ndarray]]


def _same(ours: str, shape: Shape, theirs: str | None = None) -> _Entry:
    """Return the entry of an array that is the same there."""
    names = (ours if theirs is None else theirs,)
    return _Entry(ours, names, ((shape,),), lambda given: given[0], lambda own: [own])


def _windows(kernel: Shape) -> _Entry:
    """Return the entry of a kernel, whose last two axes come first in torch, the last one first."""
    rank = len(kernel)
    axes = (rank - 1, rank - 2, *range(rank - 2))
    back = tuple(axes.index(axis) for axis in range(rank))
    return _Entry(
        "kernel", ("weight",), ((tuple(kernel[axis] for axis in axes),),),
        lambda given: given[0].transpose(back), lambda own: [own.transpose(axes)],
    )  # fmt: skip


def _by_channel(kernel: Shape) -> _Entry:
    """Return the entry of a kernel whose filters see one channel each, that of a DepthwiseConv.

    Its last two axes there are channels, and filters of a channel.
    """
    theirs = (*kernel[:-2], kernel[-1], 1)
    return _Entry(
        "kernel", ("kernel",), ((theirs, kernel),),
        lambda given: given[0].reshape(kernel), lambda own: [own.reshape(theirs)],
    )  # fmt: skip


def _in_order(array: np.ndarray, n_gates: int) -> np.ndarray:
    """Return columns in the order of the other side: those of a GRU are z, r here, r, z there."""
    if n_gates != 3:
        return array
    return array.reshape(*array.shape[:-1], 3, -1)[..., [1, 0, 2], :].reshape(array.shape)


def _recurrent_of_torch(shapes: Mapping[str, Shape], prefix: str, turned: str) -> list[_Entry]:
    """Return the entries of a recurrent layer of torch, in one direction."""
    ending = _FIRST_OF_TORCH + turned
    kernel, recurrent, bias = (shapes[prefix + name] for name in _RECURRENT)
    gates = recurrent[1] // recurrent[0]

    def matrix(ours: str, theirs: str, shape: Shape) -> _Entry:
        return _Entry(
            prefix + ours, (theirs + ending,), ((shape[::-1],),),
            lambda given: _in_order(given[0].T, gates), lambda own: [_in_order(own, gates).T],
        )  # fmt: skip

    names = "bias_ih" + ending, "bias_hh" + ending
    if len(bias) == 2:  # of a GRU
        biases = _Entry(
            prefix + "bias", names, ((bias[1:],),) * 2,
            lambda given: _in_order(np.stack(given), gates), lambda own: [*_in_order(own, gates)],
        )  # fmt: skip
    else:
        biases = _Entry(
            prefix + "bias", names, ((bias,),) * 2,
            lambda given: given[0] + given[1], lambda own: [own, np.zeros_like(own)],
        )  # fmt: skip
    kernels = (
        matrix("kernel", "weight_ih", kernel),
        matrix("recurrent_kernel", "weight_hh", recurrent),
    )
    return [*kernels, biases]


def _entries(shapes: Mapping[str, Shape], layout: str | None, channels: int) -> list[_Entry]:
    """Return the entries of a layer that reads channels, or none for an unknown kind."""
    if layout is None:
        return [_same(name, shape) for name, shape in shapes.items()]
    names, of_torch = {*shapes}, layout == TORCH
    for prefixes, endings in (("",), ("",)), (_DIRECTIONS, ("", "_reverse")):
        if names == {prefix + name for prefix in prefixes for name in _RECURRENT}:
            if not of_torch:
                return [_same(name, shape) for name, shape in shapes.items()]
            pairs = zip(prefixes, endings, strict=True)
            return [e for pair in pairs for e in _recurrent_of_torch(shapes, *pair)]
    if names in ({"gamma", "beta"}, {*_NORMALIZATION}):
        return [_same(n, s, _NORMALIZATION[n] if of_torch else n) for n, s in shapes.items()]
    if names == {"embeddings"}:
        return [_same("embeddings", shapes["embeddings"], "weight" if of_torch else None)]
    if names not in ({"kernel"}, {"kernel", "bias"}) or len(shapes["kernel"]) > 4:
        return []
    kernel = shapes["kernel"]
    if of_torch:
        first = _windows(kernel)
    elif len(kernel) > 2 and kernel[-2:] == (1, channels) != (1, 1):
        first = _by_channel(kernel)
    else:
        first = _same("kernel", kernel)
    return [first, *(_same(name, shapes[name]) for name in ("bias",) if name in names)]


class _Layer(NamedTuple):
    """A layer of a network, and what it is called there."""

    name: str
    theirs: str
    entries: list[_Entry]
    #: Names of its arrays, in the order in which Keras numbers them.
    arrays: list[str]

    def keys(
        self, entry: _Entry, layout: str | None, given: Arrays | None, *, numbered: bool
    ) -> list[str]:
        """Return the names there of the arrays of an entry, as they are or shall be in a file.

        `given` are the arrays of a file, if there is one. Otherwise Keras's are `numbered`, or not.
        """
        if layout == KERAS:
            found = None if given is None else self._found(entry.ours, given)
            return [self._of_keras(entry.ours, numbered=numbered) if found is None else found]
        if _WILDCARD in self.theirs:
            parts = [name.partition(_FIRST_OF_TORCH) for name in entry.theirs]
            return [self.theirs.replace(_WILDCARD, name) + end for name, _, end in parts]
        return [f"{self.theirs}.{name}" if self.theirs else name for name in entry.theirs]

    def _part(self, ours: str) -> tuple[str, str, int]:
        """Return the direction of an array, its name without it, and its number in Keras."""
        prefix = next((p for p in _DIRECTIONS if ours.startswith(p)), "")
        same = [name for name in self.arrays if name.startswith(prefix)]
        return prefix, ours.removeprefix(prefix), same.index(ours)

    def _of_keras(self, ours: str, *, numbered: bool) -> str:
        """Return the name of an array in a file for Keras."""
        prefix, name, number = self._part(ours)
        if not numbered:
            return f"{self.theirs}/{prefix}{name}"
        inner = f"{prefix}layer/" if prefix else ""
        cell = "cell/" if {*_RECURRENT} <= {self._part(one)[1] for one in self.arrays} else ""
        return f"{self.theirs}/{inner}{cell}vars/{number}"

    def _found(self, ours: str, given: Arrays) -> str | None:
        """Return the name of an array in a file of Keras: the layer's name, and the array's own."""
        prefix, name, number = self._part(ours)
        ends = f"/{name}", f"/{prefix}{name}", f"/vars/{number}"
        for key in given:
            _, _, within = f"/{key}".partition(f"/{self.theirs}/")
            of_direction = within and (not prefix or f"/{prefix}" in f"/{within}")
            is_weight = f"/{within}".endswith(ends) and not key.endswith(_NOT_WEIGHTS)
            if of_direction and is_weight:
                return key
        return None


def _shapes_before(network: Any) -> dict[str, Shape]:
    """Return for each layer the shape of a sample before it, or after the layer above it."""
    shapes = [network.plan.form["shape"], *(line.output_shape for line in network.outline)]
    return {line.name: tuple(s) for line, s in zip(network.outline, shapes, strict=False)}


def _layers(network: Any, layout: str | None, names: Mapping[str, str] | None) -> list[_Layer]:
    """Return the layers of a network that have arrays, or those that `names` has.

    Raises ValueError for layers that do not exist, or have no counterpart there.
    """
    arrays: dict[str, dict[str, Shape]] = {}
    for place in network.places:
        arrays.setdefault(place.layer, {})[place.name] = place.shape
    if layout is not None:
        arrays.pop(INPUT_SCALE, None)
    names = {name: name for name in arrays} if names is None else names
    if unknown := [name for name in names if name not in arrays]:
        raise ValueError(
            f"names has {unknown}, but the layers with weights here are {[*arrays]}; its keys are "
            "names of layers as in summary(), its values those in the file."
        )
    before, layers = _shapes_before(network), []
    for name, theirs in names.items():
        entries = _entries(arrays[name], layout, before.get(name, (0,))[-1])
        if not entries:
            kept = ", ".join(f"{one} {shape}" for one, shape in arrays[name].items())
            raise ValueError(
                f"layer {name!r} has {kept}, for which layout={layout!r} has no counterpart; give "
                "`names` of the other layers only."
            )
        layers.append(_Layer(name, theirs, entries, [*arrays[name]]))
    return layers


def _image_before(network: Any, layer: str) -> Shape | None:
    """Return the shape of the image that a layer reads flattened, or None.

    Layers between `Flatten` and the layer have no weights and keep the number of values.
    """
    outline, before = network.outline, _shapes_before(network)
    at = next(i for i, line in enumerate(outline) if line.name == layer)
    for line in outline[at - 1 :: -1] if at else ():
        shape = before[line.name]
        if line.layer.startswith("Flatten"):
            return shape if len(shape) > 1 else None
        if len(shape) > 1 or line.n_parameters:
            return None
    return None


def _flattened(
    network: Any, layer: str, entry: _Entry, own: np.ndarray, *, to_ours: bool
) -> np.ndarray:
    """Return a kernel with its rows in the order in which the other side flattens images.

    torch flattens channels first, this package and Keras flatten them last.
    """
    image = _image_before(network, layer) if entry.ours == "kernel" and own.ndim == 2 else None
    if image is None:
        return own
    numbers = np.arange(len(own))
    if to_ours:
        return own[np.moveaxis(numbers.reshape(image[-1], *image[:-1]), 0, -1).ravel()]
    return own[np.moveaxis(numbers.reshape(image), -1, 0).ravel()]


def _is_of(layout: str, given: Arrays) -> bool:
    """Return whether names of arrays are such as a layout has, and others have not."""
    if layout == KERAS:
        return any("/" in key for key in given)
    return any(key.endswith(".weight") or ".weight_ih_l" in key for key in given)


def to_ours(
    network: Any, given: Arrays, layout: str | None, names: Mapping[str, str] | None
) -> dict[str, dict[str, np.ndarray]]:
    """Return the arrays of another library as a network has them, by layer and name.

    Raises one ValueError that lists all arrays that are missing, misshapen or, without `names`,
    left over.
    """
    missing: list[str] = []
    misshapen: list[str] = []
    used: set[str] = set()
    found: dict[str, dict[str, np.ndarray]] = {}
    for layer in _layers(network, layout, names):
        for entry in layer.entries:
            keys = layer.keys(entry, layout, given, numbered=False)
            absent = [key for key in keys if key not in given]
            missing += absent
            if absent:
                continue
            used |= {*keys}
            arrays = [given[key] for key in keys]
            triples = list(zip(keys, arrays, entry.shapes, strict=True))
            wrong = [(key, a.shape, s[0]) for key, a, s in triples if a.shape not in s]
            misshapen += [f"{key} {shape}, not {wanted}" for key, shape, wanted in wrong]
            if not wrong:
                own = entry.to_ours(arrays)
                if layout == TORCH:
                    own = _flattened(network, layer.name, entry, own, to_ours=True)
                found.setdefault(layer.name, {})[entry.ours] = own
    left = [key for key in given if key not in used and not key.endswith(_NOT_WEIGHTS)]
    told = [f"missing: {', '.join(missing)}"] if missing else []
    told += [f"not used: {', '.join(left)}"] if left and (missing or names is None) else []
    told += [f"of another shape: {'; '.join(misshapen)}"] if misshapen else []
    if told:
        other = next((one for one in LAYOUTS if _is_of(one, given)), layout)
        remedy = (
            f"Pass layout={other!r}, whose names these are, and names="
            if other != layout
            else "Pass names="
        )
        raise ValueError(
            f"The arrays do not fit the network: {'. '.join(told)}. {remedy}{{ours: theirs}} "
            "for layers that have other names there, and make the layers equal, or leave out the "
            "output layer by layers='body'."
        )
    return found


def to_theirs(
    network: Any, layout: str | None, names: Mapping[str, str] | None, *, numbered: bool
) -> dict[str, np.ndarray]:
    """Return the arrays of a network by name as another library has them."""
    views = {(p.layer, p.name): v for p, v in zip(network.places, network.views(), strict=True)}
    found = {}
    for layer in _layers(network, layout, names):
        for entry in layer.entries:
            own = views[layer.name, entry.ours]
            if layout == TORCH:
                own = _flattened(network, layer.name, entry, own, to_ours=False)
            keys = layer.keys(entry, layout, None, numbered=numbered)
            for key, array in zip(keys, entry.to_theirs(own), strict=True):
                found[key] = np.array(array, order="C")
    return found
