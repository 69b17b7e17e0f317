"""Blocks of rows of Parquet files and other tables that are larger than memory."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sklearn_nn._optional import imported

#: Rows of the shuffle buffer, in blocks, unless they are given.
_BLOCKS_IN_BUFFER = 4


class ParquetBatches:
    """Stream of blocks of a table in Parquet files, for `fit` and `predict` of all estimators.

    Each iteration reads the table once and yields blocks ``(X, y)``, ``(X, y, sample_weight)``, or,
    without a target, X alone. X is a data frame of pandas. With a shuffle buffer, row groups are
    read in a random order, and rows are mixed in the buffer, which makes their order nearly random.
    The order depends only on `random_state` and on the epoch, so that interrupted training can be
    resumed to the last bit.

    Parameters
    ----------
    path : str, path, list of these, or table
        A file, a folder of files, a pattern such as ``data/*.parquet``, or a list of files. Also a
        dataset of pyarrow, a lazy frame of polars, or a data frame of Dask, whose partitions take
        the place of row groups; of a lazy frame, rows are mixed in the buffer only.
    target : str, list of str or None, default=None
        Name of the column of targets, or names of several. None yields X alone, for `predict`.
    columns : list of str or None, default=None
        Names of the columns of X; None is all others. Only these columns are read.
    sample_weight : str or None, default=None
        Name of the column of sample weights.
    batch_rows : int, default=65536
        Number of rows of a block; the last one of an epoch may have fewer. Estimators divide blocks
        into mini-batches of their own `batch_size`.
    shuffle_buffer : int or None, default=None
        Number of rows in memory among which rows are mixed. None is four blocks, and 0 keeps the
        order of the table. Memory is needed for about three times as many rows.
    random_state : int, default=0
        Seed of the order.

    See Also
    --------
    sliding_windows : Windows of time series in memory.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.preprocessing import ParquetBatches
    >>> table = pd.DataFrame({"a": range(1000), "b": 1.0, "y": range(1000)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_parquet(Path(folder) / "part.parquet")
    ...     stream = ParquetBatches(folder, target="y", batch_rows=250)
    ...     model = MLPRegressor(max_iter=2, random_state=0, tol=0, n_iter_no_change=9).fit(stream)
    ...     [len(X) for X, y in stream]
    [250, 250, 250, 250]
    """

    def __init__(
        self,
        path: Any,
        *,
        target: str | Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        sample_weight: str | None = None,
        batch_rows: int = 65536,
        shuffle_buffer: int | None = None,
        random_state: int = 0,
    ) -> None:
        if batch_rows < 1:
            raise ValueError(f"batch_rows={batch_rows} must be at least 1.")
        buffer = _BLOCKS_IN_BUFFER * batch_rows if shuffle_buffer is None else shuffle_buffer
        if buffer < 0:
            raise ValueError(f"shuffle_buffer={shuffle_buffer} must be at least 0, or None.")
        if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer):
            raise ValueError(
                f"random_state={random_state!r} must be an integer, so that the order of an epoch "
                "can be repeated."
            )
        if sample_weight is not None and target is None:
            raise ValueError(f"sample_weight={sample_weight!r} needs a target.")
        self.path, self.target, self.sample_weight = path, target, sample_weight
        self.batch_rows, self.shuffle_buffer = int(batch_rows), int(buffer)
        self.random_state = int(random_state)
        self.epoch = 0
        self._table = _table_of(path)
        self._set_columns(columns)

    def _set_columns(self, columns: Sequence[str] | None) -> None:
        target = [self.target] if isinstance(self.target, str) else list(self.target or ())
        taken = target + ([] if self.sample_weight is None else [self.sample_weight])
        known = self._table.names
        given = [name for name in known if name not in taken] if columns is None else list(columns)
        missing = [name for name in [*given, *taken] if name not in known]
        if missing:
            raise ValueError(f"The table has no columns {missing}; its columns are {known}.")
        shared = [name for name in given if name in taken]
        if shared:
            raise ValueError(f"columns={given} has {shared}, the target or the sample weight.")
        if not given:
            raise ValueError(f"The table has no columns but {taken}.")
        self.columns, self._targets = given, target
        self._read = [*given, *taken]

    def __repr__(self) -> str:
        """Return the parameters as text."""
        return (
            f"ParquetBatches({self.path!r}, target={self.target!r}, batch_rows={self.batch_rows}, "
            f"shuffle_buffer={self.shuffle_buffer}, random_state={self.random_state})"
        )

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration, as `fit` does before each epoch.

        Parameters
        ----------
        epoch : int
            Number of epochs before it.
        """
        self.epoch = int(epoch)

    def __iter__(self) -> Iterator[Any]:
        """Yield the blocks of an epoch."""
        rng = None
        if self.shuffle_buffer:
            rng = np.random.default_rng([self.random_state, self.epoch])
        pa = imported("pyarrow", "ParquetBatches needs pyarrow", "parquet")
        for table in self._blocks(pa, self._table.parts(self._read, self.batch_rows, rng), rng):
            yield self._split(table.to_pandas())

    def _blocks(
        self, pa: Any, parts: Iterator[Any], rng: np.random.Generator | None
    ) -> Iterator[Any]:
        """Yield tables of `batch_rows` rows, of which the last may have fewer, mixed in a buffer.

        When it is full, half of the rows leave the buffer.
        """
        pool: list[Any] = []
        n, size = 0, self.batch_rows
        full = max(size, self.shuffle_buffer)
        for part in parts:
            pool.append(part)
            n += part.num_rows
            del part
            if n < full:
                continue
            table = _mixed(pa, pool, rng)
            kept = self.shuffle_buffer // 2
            leaving = max(1, (n - kept) // size) * size
            for start in range(0, leaving, size):
                yield table.slice(start, size)
            n -= leaving
            # A copy, since a slice holds all rows in memory.
            pool = [table.take(np.arange(leaving, leaving + n))] if n else []
            del table
        if n:
            table = _mixed(pa, pool, rng)
            for start in range(0, n, size):
                yield table.slice(start, size)

    def _split(self, frame: Any) -> Any:
        """Return a data frame as a block."""
        X = frame[self.columns]
        if self.target is None:
            return X
        y = frame[self.target if isinstance(self.target, str) else self._targets].to_numpy()
        if self.sample_weight is None:
            return X, y
        return X, y, frame[self.sample_weight].to_numpy()


def _mixed(pa: Any, pool: list[Any], rng: np.random.Generator | None) -> Any:
    """Return the rows of several tables as one, in a random order if there is a generator."""
    table = pool[0] if len(pool) == 1 else pa.concat_tables(pool)
    return table if rng is None else table.take(rng.permutation(table.num_rows))


# --- where rows come from --------------------------------------------------------------------


def _table_of(path: Any) -> Any:
    """Return the table at a path, or that of another library."""
    if hasattr(path, "collect_batches"):
        return _Lazy(path)
    if hasattr(path, "partitions") and hasattr(path, "npartitions"):
        return _Partitioned(path)
    dataset = imported("pyarrow.dataset", "ParquetBatches needs pyarrow", "parquet")
    imported("pandas", "ParquetBatches needs pandas", "parquet")
    if isinstance(path, dataset.Dataset):
        return _Files(path)
    if isinstance(path, str | os.PathLike):
        name = os.fspath(path)
        if not os.path.exists(name):
            found = sorted(glob.glob(name))
            if not found:
                raise FileNotFoundError(f"There is no file {name!r}, nor one of this pattern.")
            return _Files(dataset.dataset(found, format="parquet"))
        return _Files(dataset.dataset(name, format="parquet"))
    if isinstance(path, list | tuple) and path:
        return _Files(dataset.dataset([os.fspath(one) for one in path], format="parquet"))
    raise TypeError(
        f"path is a {type(path).__name__}; pass a file, a folder, a pattern, a list of files, a "
        "dataset of pyarrow, a lazy frame of polars, or a data frame of Dask."
    )


class _Files:
    """Row groups of a dataset of pyarrow."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.names: list[str] = list(dataset.schema.names)

    def parts(
        self, columns: list[str], n_rows: int, rng: np.random.Generator | None
    ) -> Iterator[Any]:
        """Yield tables of at most `n_rows` rows, of row groups in a random order."""
        pa = imported("pyarrow", "ParquetBatches needs pyarrow", "parquet")
        groups = [
            group
            for fragment in self._dataset.get_fragments()
            for group in fragment.split_by_row_group()
        ]
        order = np.arange(len(groups)) if rng is None else rng.permutation(len(groups))
        for k in order:
            batches = groups[k].to_batches(
                schema=self._dataset.schema, columns=columns, batch_size=n_rows, batch_readahead=0,
                fragment_readahead=0, use_threads=False, cache_metadata=False,
            )  # fmt: skip
            for batch in batches:
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])


class _Lazy:
    """Rows of a lazy frame of polars, in their order."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names: list[str] = frame.collect_schema().names()

    def parts(
        self, columns: list[str], n_rows: int, rng: np.random.Generator | None
    ) -> Iterator[Any]:
        """Yield tables of at most `n_rows` rows."""
        for batch in self._frame.select(columns).collect_batches(chunk_size=n_rows):
            yield batch.to_arrow()


class _Partitioned:
    """Partitions of a data frame of Dask."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names: list[str] = list(frame.columns)

    def parts(
        self, columns: list[str], n_rows: int, rng: np.random.Generator | None
    ) -> Iterator[Any]:
        """Yield the partitions, in a random order."""
        pa = imported("pyarrow", "ParquetBatches needs pyarrow", "parquet")
        n = self._frame.npartitions
        for k in range(n) if rng is None else rng.permutation(n):
            part = self._frame[columns].partitions[int(k)].compute()
            if len(part):
                yield pa.Table.from_pandas(part, preserve_index=False)
