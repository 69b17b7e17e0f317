"""A progress bar for training, drawn by rich."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import Any

from sklearn_nn.training.callbacks import Callback

__all__ = ["ProgressBar"]


def can_draw() -> bool:
    """Return whether stdout is a terminal and rich is installed."""
    return sys.stdout.isatty() and importlib.util.find_spec("rich") is not None


class ProgressBar(Callback):
    """Progress bar with loss, validation score, samples per second and remaining time.

    `verbose=True` shows one by itself if stdout is a terminal.

    Parameters
    ----------
    max_epochs : int or None, default=None
        Length of the bar; None is the estimator's `max_iter`.
    n_samples : int or None, default=None
        Samples per epoch, for the speed.
    unit : str, default='samples'
        Unit of the speed.
    """

    def __init__(
        self, max_epochs: int | None = None, n_samples: int | None = None, unit: str = "samples"
    ) -> None:
        self.max_epochs = max_epochs
        self.n_samples = n_samples
        self.unit = unit

    def on_fit_begin(self, estimator: Any) -> None:
        """Draw the bar.

        Raises
        ------
        ImportError
            If rich is not installed.
        """
        try:
            from rich import progress
        except ImportError as error:
            raise ImportError(
                "ProgressBar draws with rich; install it with pip install 'sklearn_nn[progress]'."
            ) from error
        self._bar = progress.Progress(
            progress.TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[figures]}"),
            progress.TimeRemainingColumn(),
        )
        total = self.max_epochs or estimator.max_iter
        self._task = self._bar.add_task("training", total=total, figures="")
        self._shown = 0.0
        self._log: dict[str, float] = {}
        self._bar.start()

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Advance the bar, at most ten times a second."""
        self._log = log
        now = time.perf_counter()
        if now - self._shown > 0.1:
            self._shown = now
            self._show(epoch)

    def on_fit_end(self, estimator: Any) -> None:
        """Show the last epoch and stop drawing."""
        self._show(len(estimator.history_.get("loss", ())))
        self._bar.stop()
        del self._bar, self._task, self._log  # a bar holds a lock, which cannot be pickled

    def _show(self, epoch: int) -> None:
        """Move the bar to the end of an epoch and show the figures of the last one."""
        log, figures = self._log, []
        if "loss" in log:
            figures.append(f"loss {log['loss']:.4f}")
        if "val_score" in log:
            figures.append(f"val_score {log['val_score']:.4f}")
        if self.n_samples and log.get("seconds", 0) > 0:
            figures.append(f"{self.n_samples / log['seconds']:,.0f} {self.unit}/s")
        self._bar.update(self._task, completed=epoch, figures="  ".join(figures))
