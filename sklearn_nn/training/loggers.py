"""Callbacks that hand the figures of a run to something else: a file, a dashboard, a search.

A new logger is a subclass of `Logger` here, named in `__all__`.
"""

from __future__ import annotations

import contextlib
import csv
import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any

from sklearn_nn._spec import parameters
from sklearn_nn.training.callbacks import Callback, monitored, path_of

__all__ = ["CSVLogger", "Logger", "MLflowLogger", "OptunaPruning", "TensorBoard", "WandbLogger"]

#: Characters of the text of a parameter; dashboards refuse long ones.
_LONGEST = 500


class Logger(Callback):
    """Base class of callbacks that record the figures of every epoch.

    A subclass defines `record`, and `begin` and `end` if it opens something. What these methods
    keep between calls in attributes should be deleted by `end`, unless it can be pickled.

    Examples
    --------
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import Logger
    >>> class Print(Logger):
    ...     def record(self, epoch, figures, network):
    ...         print(epoch, *figures)
    >>> model = NeuralNetworkRegressor([Dense(4)], callbacks=[Print()], max_iter=2)
    >>> model = model.fit([[0.0], [1.0]], [0.0, 1.0])
    1 loss learning_rate seconds
    2 loss learning_rate seconds
    """

    def begin(self, estimator: Any, network: str | None) -> None:
        """Begin to record a training.

        Parameters
        ----------
        estimator : object
            The estimator.
        network : str or None
            Which of several networks is trained, such as "network_2_of_4"; None is a single one.
        """

    def record(self, epoch: int, figures: dict[str, float], network: str | None) -> None:
        """Record the figures of an epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 1.
        figures : dict of str to float
            The figures of `history_`, such as "loss", "val_loss" and "learning_rate".
        network : str or None
            The network, as in `begin`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define record.")

    def end(self) -> None:
        """End the recording, also of a training that has failed."""

    def on_fit_begin(self, estimator: Any) -> None:
        """Begin to record."""
        self.begin(estimator, _network_of(estimator))

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> bool | None:
        """Record the figures of the epoch."""
        figures = {name: curve[-1] for name, curve in estimator.history_.items()}
        self.record(epoch, figures, _network_of(estimator))
        return None

    def on_fit_end(self, estimator: Any) -> None:
        """End the recording."""
        self.end()


def _network_of(estimator: Any) -> str | None:
    """Return the name of the network in training as one word, or None if there is only one."""
    name = vars(estimator).get("_network_name")
    return None if name is None else re.sub(r"\W+", "_", name)


def _is_first(network: str | None) -> bool:
    """Return whether a training is the first of its fit."""
    return network is None or re.fullmatch(r"network_1_of_\d+", network) is not None


def _below(network: str | None, figures: Mapping[str, float]) -> dict[str, float]:
    """Return the figures with the network before their names: "network_2_of_4/loss"."""
    return {name if network is None else f"{network}/{name}": v for name, v in figures.items()}


def _settings(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator by name: plain values, and short texts of others."""
    plain = (str, int, float, bool, type(None))
    return {
        name: value if isinstance(value, plain) else " ".join(repr(value).split())[:_LONGEST]
        for name, value in estimator.get_params(deep=False).items()
        if name != "callbacks"
    }


def _imported(names: tuple[str, ...], owner: Callback) -> Any:
    """Import the first module that is there; raise ImportError with the remedy if none is."""
    for name in names:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    package = names[0].partition(".")[0]
    raise ImportError(
        f"{type(owner).__name__} needs the package {package}; install it with: "
        f"pip install {package}, or all that this package works with: pip install "
        '"sklearn_nn[ecosystem]"'
    )


@parameters
class CSVLogger(Logger):
    """Callback that appends the figures of every epoch to a CSV file.

    If a fit trains several networks (`n_restarts`, `n_networks`), a column `network` names each.

    Parameters
    ----------
    path : str or path
        Path of the file.
    append : bool, default=False
        Continue an existing file with its columns, for resumed training.

    Examples
    --------
    >>> import os, tempfile
    >>> from pathlib import Path
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import CSVLogger
    >>> path = os.path.join(tempfile.mkdtemp(), "training.csv")
    >>> model = NeuralNetworkRegressor([Dense(4)], callbacks=[CSVLogger(path)], max_iter=3)
    >>> model = model.fit([[0.0], [1.0]], [0.0, 1.0])
    >>> lines = Path(path).read_text().splitlines()
    >>> lines[0], len(lines)
    ('epoch,loss,learning_rate,seconds', 4)
    """

    path: str | Path
    _: KW_ONLY
    append: bool = False

    def __post_init__(self) -> None:
        self.path = path_of(self)

    def begin(self, estimator: Any, network: str | None) -> None:
        """Empty the file unless `append` is set, or this is a further network of a fit."""
        if not self.append and _is_first(network):
            Path(self.path).write_text("", encoding="utf-8")
        with Path(self.path).open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # the last line was cut off
                    file.write(b"\n")

    def record(self, epoch: int, figures: dict[str, float], network: str | None) -> None:
        """Append a line; the first line is preceded by the column names."""
        named = {} if network is None else {"network": network}
        row = {**named, "epoch": epoch, **figures}
        with Path(self.path).open("a+", encoding="utf-8", newline="") as file:
            file.seek(0)
            names = next(filter(None, csv.reader(file)), None)
            writer = csv.DictWriter(file, names or list(row), extrasaction="ignore")
            if names is None:
                writer.writeheader()
            writer.writerow(row)


@parameters
class TensorBoard(Logger):
    """Callback that writes the figures of every epoch as scalars for TensorBoard.

    It writes through tensorboardX or, where that is absent, through tensorboard's own writer.
    Figures of one of several networks are named after it, as in "network_2_of_4/loss".

    Parameters
    ----------
    log_dir : str or path
        Folder of the run. TensorBoard compares the runs in subfolders of the folder that it shows.
        Each fit adds a file; TensorBoard joins the curves of several fits in one folder.

    Examples
    --------
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import TensorBoard
    >>> model = MLPClassifier(callbacks=[TensorBoard("runs/plain")])
    >>> model.fit(X, y)  # doctest: +SKIP

    Then, in a shell, ``tensorboard --logdir runs``.
    """

    log_dir: str | Path

    def __post_init__(self) -> None:
        self.log_dir = path_of(self, "log_dir")

    def begin(self, estimator: Any, network: str | None) -> None:
        """Open a file of events in the folder.

        Raises
        ------
        ImportError
            If neither tensorboardX nor tensorboard is installed.
        """
        module = _imported(("tensorboardX", "tensorboard.summary"), self)
        folder = str(self.log_dir)
        if hasattr(module, "SummaryWriter"):
            # It names files after the second, and would replace that of another fit or network.
            suffix = f".{os.urandom(4).hex()}"
            self._writer = module.SummaryWriter(folder, filename_suffix=suffix)
        else:
            self._writer = module.Writer(folder)

    def record(self, epoch: int, figures: dict[str, float], network: str | None) -> None:
        """Write a scalar for each figure, with the epoch as its step."""
        for name, value in _below(network, figures).items():
            self._writer.add_scalar(name, value, epoch)

    def end(self) -> None:
        """Close the file."""
        self._writer.close()
        del self._writer


@parameters
class MLflowLogger(Logger):
    """Callback that logs the figures of every epoch as metrics to MLflow.

    They go to the active run. If there is none, a run begins and ends with the fit, and has the
    parameters of the estimator, too. Figures of one of several networks are named after it, as in
    "network_2_of_4/loss".

    Parameters
    ----------
    run_name : str or None, default=None
        Name of a run that the callback begins; None lets MLflow choose one.

    Examples
    --------
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import MLflowLogger
    >>> model = MLPClassifier(callbacks=[MLflowLogger("plain")])
    >>> model.fit(X, y)  # doctest: +SKIP
    """

    run_name: str | None = None

    def begin(self, estimator: Any, network: str | None) -> None:
        """Begin a run unless one is active; further networks of a fit continue its run.

        Raises
        ------
        ImportError
            If mlflow is not installed.
        """
        mlflow = _imported(("mlflow",), self)
        self._owns_run = mlflow.active_run() is None
        if not self._owns_run:
            return
        if _is_first(network) or not hasattr(self, "_run_id"):
            self._run_id = mlflow.start_run(run_name=self.run_name).info.run_id
            mlflow.log_params(_settings(estimator))
        else:
            mlflow.start_run(run_id=self._run_id)

    def record(self, epoch: int, figures: dict[str, float], network: str | None) -> None:
        """Log the figures, with the epoch as their step."""
        _imported(("mlflow",), self).log_metrics(_below(network, figures), step=epoch)

    def end(self) -> None:
        """End the run if the callback began it."""
        if self._owns_run:
            _imported(("mlflow",), self).end_run()


@parameters
class WandbLogger(Logger):
    """Callback that logs the figures of every epoch to Weights & Biases.

    They go to the active run. If there is none, a run begins and ends with the fit, and has the
    parameters of the estimator as its configuration; each of several networks has a run.

    Parameters
    ----------
    project : str or None, default=None
        Project of a run that the callback begins.
    name : str or None, default=None
        Name of such a run; that of one of several networks has the network's name after it.

    Examples
    --------
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import WandbLogger
    >>> model = MLPClassifier(callbacks=[WandbLogger("digits", "plain")])
    >>> model.fit(X, y)  # doctest: +SKIP
    """

    project: str | None = None
    name: str | None = None

    def begin(self, estimator: Any, network: str | None) -> None:
        """Begin a run unless one is active.

        Raises
        ------
        ImportError
            If wandb is not installed.
        """
        wandb = _imported(("wandb",), self)
        self._run, self._owns_run = wandb.run, wandb.run is None
        if self._owns_run:
            name = " ".join(filter(None, (self.name, network))) or None
            settings = _settings(estimator)
            self._run = wandb.init(project=self.project, name=name, config=settings)

    def record(self, epoch: int, figures: dict[str, float], network: str | None) -> None:
        """Log the figures and the epoch."""
        # The run counts the steps, which must not go back where a further network begins.
        self._run.log({"epoch": epoch, **_below(network, figures)})

    def end(self) -> None:
        """End the run if the callback began it."""
        if self._owns_run:
            self._run.finish()
        del self._run


@parameters
class OptunaPruning(Logger):
    """Callback that reports a figure of every epoch to a trial of Optuna, and ends a poor trial.

    A trial that Optuna's pruner gives up ends by ``optuna.TrialPruned``, which a study expects. The
    first network of a fit is reported; the networks after it (`n_networks`) are not, since they
    begin again with epoch 1. A trial should call `fit` once.

    Parameters
    ----------
    trial : optuna.trial.Trial or optuna.trial.FixedTrial
        The trial of an objective function. Clones of the callback share it. A pickle of the
        estimator holds it, too, and some studies with it; ``set_params(callbacks=None)`` before.
        A FixedTrial, which belongs to no study, gets no reports.
    monitor : str or None, default=None
        Figure to report, as in `EarlyStopping`. None is "val_score" if the study maximizes, and
        "val_loss" (or "loss", without a validation set) if it minimizes.

    Examples
    --------
    >>> from sklearn_nn import TabularClassifier
    >>> from sklearn_nn.training import OptunaPruning
    >>> def objective(trial):
    ...     rate = trial.suggest_float("rate", 1e-3, 1.0, log=True)
    ...     stop = OptunaPruning(trial)
    ...     model = TabularClassifier(learning_rate_init=rate, n_networks=1, callbacks=[stop])
    ...     return model.fit(X, y).best_validation_score_
    >>> study = optuna.create_study(direction="maximize")  # doctest: +SKIP
    >>> study.optimize(objective, n_trials=50)  # doctest: +SKIP
    """

    trial: Any
    monitor: str | None = None

    def __sklearn_clone__(self) -> OptunaPruning:
        """Return a callback of the same trial, whose copy would report to a copy of its study."""
        return type(self)(self.trial, self.monitor)

    def __deepcopy__(self, memo: Any) -> OptunaPruning:
        return self.__sklearn_clone__()

    def record(self, epoch: int, figures: dict[str, float], network: str | None) -> None:
        """Report the figure.

        Raises
        ------
        optuna.TrialPruned
            If the pruner gives the trial up.
        ValueError
            If the figure does not exist, or is better in the other direction than the study's.
        """
        if not _is_first(network):
            return
        if not hasattr(self.trial, "study") and not self.trial.should_prune():
            return  # a FixedTrial, which is never pruned
        grows = self.trial.study.direction.name == "MAXIMIZE"
        wanted = "val_score" if grows and self.monitor is None else self.monitor
        name = monitored(wanted, figures, "OptunaPruning")
        if name.endswith("score") != grows:
            raise ValueError(
                f"monitor={name!r} of OptunaPruning is better if {'lower' if grows else 'higher'}, "
                f"but the study {'maximizes' if grows else 'minimizes'}; create the study with "
                f"direction={'minimize' if grows else 'maximize'!r}, or monitor another figure."
            )
        self.trial.report(figures[name], step=epoch)
        if self.trial.should_prune():
            optuna = _imported(("optuna",), self)
            raise optuna.TrialPruned(f"Pruned after epoch {epoch}: {name} {figures[name]:g}.")
