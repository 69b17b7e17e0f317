"""Progress bars: HTML in notebooks; on terminals drawn by rich or tqdm, which are optional."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterator, Sequence
from html import escape
from typing import Protocol, TypeVar

from sklearn_nn.jit.console import in_notebook, is_watched, tell_once

T = TypeVar("T")


class Bar(Protocol):
    """Drawing of the progress through a known number of steps."""

    def show(self, done: int, text: str) -> None:
        """Draw that `done` steps are done, with a text."""

    def close(self) -> None:
        """Leave the last state on the screen."""


class _Rich:
    def __init__(self, name: str, total: int) -> None:
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("{task.description} {task.completed:.0f}/{task.total:.0f}"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[text]}"),
            progress.TimeRemainingColumn(),
        )
        self._task = self._bar.add_task(name, total=total, text="")
        self._bar.start()

    def show(self, done: int, text: str) -> None:
        self._bar.update(self._task, completed=done, text=text)

    def close(self) -> None:
        self._bar.stop()


class _Tqdm:
    def __init__(self, name: str, total: int) -> None:
        from tqdm import tqdm

        form = "{desc} {n_fmt}/{total_fmt} |{bar}| {unit}  {remaining}"
        options = {"file": sys.stdout, "dynamic_ncols": True}  # the bar fills what the text leaves
        self._bar = tqdm(desc=name, total=total, unit="", bar_format=form, **options)

    def show(self, done: int, text: str) -> None:
        self._bar.n, self._bar.unit = done, text
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


class _Notebook:
    """Output of a cell that is replaced at each step. It is its own content."""

    def __init__(self, name: str, total: int) -> None:
        from IPython.display import display

        self._name, self._total, self._begun = name, total, time.perf_counter()
        self._done, self._text = 0, ""
        self._handle = display(self, display_id=True)

    def show(self, done: int, text: str) -> None:
        self._done, self._text = done, text
        self._handle.update(self)

    def close(self) -> None:
        pass

    def __repr__(self) -> str:
        parts = [f"{self._name} {self._done}/{self._total}"]
        if self._text:
            parts.append(self._text)
        if 0 < self._done < self._total:
            seconds = (time.perf_counter() - self._begun) * (self._total / self._done - 1)
            parts.append(f"{seconds // 60:.0f}:{seconds % 60:02.0f} left")
        return "  ".join(parts)

    def _repr_html_(self) -> str:
        bar = f'<progress value="{self._done}" max="{self._total}"></progress>'
        return f"<div>{bar} <samp>{escape(repr(self))}</samp></div>"


def begin_bar(name: str, total: int) -> Bar:
    """Draw and return a bar; `name` is what its steps are, such as "epoch".

    Raises ImportError on a terminal if neither rich nor tqdm is installed.
    """
    if in_notebook():
        return _Notebook(name, total)
    for kind in (_Rich, _Tqdm):
        try:
            return kind(name, total)
        except ImportError:
            continue
    raise ImportError(
        "ProgressBar draws with rich or tqdm; install one of them with "
        "pip install 'sklearn_nn[progress]'."
    )


def can_draw() -> bool:
    """Return whether stdout is a terminal or notebook on which a bar can be drawn.

    On a terminal without rich and tqdm, tell once per process what to install.
    """
    if not is_watched(sys.stdout):
        return False
    if in_notebook():
        return "spyder_kernels" not in sys.modules  # Spyder does not replace an output
    if any(importlib.util.find_spec(name) for name in ("rich", "tqdm")):
        return True
    tell_once("for a progress bar in place of lines, pip install rich")
    return False


def watched(items: Sequence[T], name: str) -> Iterator[T]:
    """Yield the items, with a bar of their number where one can be drawn."""
    if not can_draw():
        yield from items
        return
    bar = begin_bar(name, len(items))
    try:
        for done, item in enumerate(items, 1):
            yield item
            bar.show(done, "")
    finally:
        bar.close()
