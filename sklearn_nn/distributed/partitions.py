"""Partitions of the data: where they come from, and what is learnt of them as a whole."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_nn.distributed.engines import Dask, Local

#: Most rows, and bytes of X, of the sample from which encodings, and the units of X, are learnt.
SAMPLE_ROWS, SAMPLE_BYTES = 2**17, 2**26


class Partition(NamedTuple):
    """Rows of X, their targets, and their weights or None."""

    X: Any
    y: Any
    weight: Any

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0]) if hasattr(self.X, "shape") else len(self.X)

    def rows(self, chosen: np.ndarray) -> Partition:
        """Return some of the rows."""
        return Partition(*(_rows(part, chosen) for part in self))


def _rows(part: Any, chosen: np.ndarray) -> Any:
    if part is None:
        return None
    if hasattr(part, "iloc"):
        return part.iloc[chosen]
    if isinstance(part, list):
        return [part[k] for k in chosen]
    return (part.tocsr() if sparse.issparse(part) else part)[chosen]


def joined(partitions: Sequence[Partition]) -> Partition:
    """Return the rows of several partitions, in order."""
    partitions = [part for part in partitions if part.n_rows] or list(partitions[:1])
    return Partition(*(_joined(parts) for parts in zip(*partitions, strict=True)))


def _joined(parts: Sequence[Any]) -> Any:
    first = parts[0]
    if len(parts) == 1 or first is None:
        return first
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat(parts)
    if isinstance(first, list):
        return [item for part in parts for item in part]
    return sparse.vstack(parts, "csr") if sparse.issparse(first) else np.concatenate(parts)


# --- readers, which run on workers -------------------------------------------------------------


def pack(X: Any, y: Any, weight: Any = None) -> Partition:
    """Return a partition of blocks."""
    return Partition(X, y, weight)


def from_table(frame: Any, target: Any, weight: str | None = None) -> Partition:
    """Return a partition of a data frame with a column, or columns, of targets, and of weights."""
    taken = [target] if isinstance(target, str) else list(target)
    taken += [] if weight is None else [weight]
    missing = [name for name in taken if name not in frame.columns]
    if missing:
        raise ValueError(f"There is no column {missing}; the columns are {list(frame.columns)}.")
    chosen = None if weight is None else frame[weight].to_numpy()
    return Partition(frame.drop(columns=taken), frame[target], chosen)


def from_parquet(path: str, target: Any, weight: str | None = None) -> Partition:
    """Return the partition in a Parquet file."""
    from pyarrow import parquet

    return from_table(parquet.read_table(path).to_pandas(), target, weight)


def from_columns(columns: dict[str, np.ndarray], target: Any, weight: str | None = None) -> Any:
    """Return a partition of arrays by name; a single array with several axes is X itself."""
    import pandas as pd

    taken = {target} if isinstance(target, str) else set(target)
    others = [name for name in columns if name not in taken and name != weight]
    if len(others) == 1 and np.ndim(columns[others[0]]) > 1:
        y = columns[target] if isinstance(target, str) else pd.DataFrame(columns)[list(target)]
        return Partition(columns[others[0]], y, None if weight is None else columns[weight])
    return from_table(pd.DataFrame(columns), target, weight)


# --- where partitions come from ----------------------------------------------------------------


def groups_of(X: Any, y: Any, weight: Any, engine: Local) -> list[list[Any]]:
    """Return references to the partitions of the data, in a list for each group.

    Each group trains a network between two averages. A group has the partitions in the memory of
    one worker; those that are not in memory, in order, an equal share of them.
    """
    if hasattr(X, "__dask_graph__"):
        return _of_dask(X, y, weight, engine)
    if hasattr(X, "to_numpy_refs"):
        _check_columns(y, weight)
        references = [engine.call(from_columns, r, y, weight) for r in X.to_numpy_refs()]
        return [[references[k] for k in part] for part in _shares(len(references), engine)]
    if not isinstance(X, list | tuple) or not X:
        raise TypeError(
            f"X is a {type(X).__name__}; pass a Dask array or data frame, a Ray dataset, a list of "
            "paths of Parquet files, or a list of arrays, one for each partition."
        )
    if all(isinstance(part, str | os.PathLike) for part in X):
        _check_columns(y, weight)
        calls = [(from_parquet, os.fspath(path), y, weight) for path in X]
    else:
        columns = [X, y] if weight is None else [X, y, weight]
        if any(not isinstance(c, list | tuple) or len(c) != len(X) for c in columns):
            raise ValueError(
                f"X is a list of {len(X)} partitions; pass y, and sample_weight if any, as lists "
                "of as many arrays."
            )
        calls = [(pack, *parts) for parts in zip(*columns, strict=True)]
    return [
        [engine.call(*calls[k], group=group) for k in part]
        for group, part in enumerate(_shares(len(calls), engine))
    ]


def _check_columns(y: Any, weight: Any) -> None:
    """Raise TypeError unless targets and weights are named columns."""
    if not isinstance(y, str) and not (isinstance(y, list) and all(type(n) is str for n in y)):
        raise TypeError(
            f"y={y!r:.80} must be the name of the column of targets, or a list of names, in files "
            "and Ray datasets."
        )
    if weight is not None and not isinstance(weight, str):
        raise TypeError(f"sample_weight={weight!r:.80} must be the name of a column.")


def _shares(n: int, engine: Local) -> list[range]:
    """Return the numbers of the partitions of each group."""
    groups = min(n, engine.n_workers)
    ends = [n * k // groups for k in range(groups + 1)]
    return [range(*pair) for pair in itertools.pairwise(ends)]


def _of_dask(X: Any, y: Any, weight: Any, engine: Local) -> list[list[Any]]:
    """Return the groups of a Dask collection."""
    if not isinstance(engine, Dask):
        raise TypeError("X is a Dask collection; pass the dask.distributed.Client as client.")
    from dask.delayed import delayed
    from distributed import futures_of, wait

    if isinstance(y, str | list):
        made: Callable[..., Partition] = from_table
        columns, rest = [_blocks(X)], [y, weight]
    else:
        made, rest = pack, []
        columns = [_blocks(part) for part in (X, y, weight) if part is not None]
    if len({len(blocks) for blocks in columns}) > 1:
        raise ValueError(
            "X, y and sample_weight have "
            f"{' and '.join(str(len(blocks)) for blocks in columns)} partitions; give them equal "
            "ones, by rechunk or repartition."
        )
    parts = [delayed(made, pure=False)(*blocks, *rest) for blocks in zip(*columns, strict=True)]
    client, shares = engine.client, _shares(len(parts), engine)
    if not futures_of(X):
        return [
            client.compute([parts[k] for k in share], **engine.where(group))
            for group, share in enumerate(shares)
        ]
    # In memory: the partitions of a group are those of a worker.
    references = client.compute(parts)
    wait(references)
    places = client.who_has(references)
    by_place: dict[str, list[Any]] = {}
    for reference in references:
        by_place.setdefault(min(places[reference.key], default=""), []).append(reference)
    if len(by_place) == len(shares):
        return [by_place[place] for place in sorted(by_place)]
    return [[references[k] for k in share] for share in shares]


def _blocks(collection: Any) -> list[Any]:
    """Return the partitions of a Dask array or data frame, which have all columns."""
    if hasattr(collection, "numblocks") and any(n > 1 for n in collection.numblocks[1:]):
        collection = collection.rechunk(dict.fromkeys(range(1, collection.ndim), -1))
    return list(np.ravel(np.asarray(collection.to_delayed(), dtype=object)))


# --- what is learnt of all ---------------------------------------------------------------------


@dataclass
class Summary:
    """Figures of the targets of a partition, or of several."""

    n_rows: int
    n_bytes: int
    #: Sum of weights, means, sums of squared differences, least and largest; None if not numbers.
    moments: tuple[Any, ...] | None
    #: Sum of weights by class, if targets are labels.
    counts: dict[Any, float]

    def plus(self, other: Summary) -> Summary:
        """Return the figures of both, as in Chan, Golub & LeVeque (1983)."""
        counts = dict(self.counts)
        for label, weight in other.counts.items():
            counts[label] = counts.get(label, 0.0) + weight
        moments = self.moments
        if moments is not None and other.moments is not None:
            (n, mean, squares, least, most), (m, *theirs) = moments, other.moments
            total = n + m or 1.0
            step, share = theirs[0] - mean, m / total
            moments = (
                n + m, mean + step * share, squares + theirs[1] + step**2 * n * share,
                np.minimum(least, theirs[2]), np.maximum(most, theirs[3]),
            )  # fmt: skip
        sizes = self.n_rows + other.n_rows, self.n_bytes + other.n_bytes
        return Summary(*sizes, moments, counts)


def summarize(partition: Partition, of_labels: bool) -> Summary | None:
    """Return the figures of a partition; None if it is empty."""
    n, X = partition.n_rows, partition.X
    if not n:
        return None
    size = X.memory_usage().sum() if hasattr(X, "memory_usage") else getattr(X, "nbytes", 0)
    y = np.asarray(partition.y)
    weight = np.ones(n) if partition.weight is None else np.asarray(partition.weight, np.float64)
    if of_labels:
        counts = {}
        if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
            labels, numbers = np.unique(y.ravel(), return_inverse=True)
            sums = np.bincount(numbers.ravel(), weight, len(labels))
            counts = dict(zip(labels.tolist(), sums.tolist(), strict=True))
        return Summary(n, int(size), None, counts)
    values = y.astype(np.float64).reshape(-1, y.shape[-1] if y.ndim > 1 else 1)
    weight = np.repeat(weight, len(values) // n)
    total = weight.sum() or 1.0
    mean = weight @ values / total
    squares = weight @ (values - mean) ** 2
    return Summary(
        n, int(size), (weight.sum(), mean, squares, values.min(axis=0), values.max(axis=0)), {}
    )


def sample(partition: Partition, share: float, key: Sequence[int], of_labels: bool) -> Partition:
    """Return a share of the rows, drawn at random, and the first row of each class."""
    n = partition.n_rows
    if share >= 1:
        return partition
    chosen = np.random.default_rng(key).choice(n, max(1, round(share * n)), replace=False)
    y = np.asarray(partition.y)
    if of_labels and y.ndim == 1:
        chosen = np.union1d(chosen, np.unique(y, return_index=True)[1])
    return partition.rows(np.sort(chosen))


def sample_share(summary: Summary) -> float:
    """Return the share of the rows that the sample has."""
    share = SAMPLE_ROWS / summary.n_rows
    return min(1.0, share, SAMPLE_BYTES / max(1, summary.n_bytes))
