"""Loggers: which figures they hand on, to what, and when they begin and end it.

The packages that they write to are replaced by objects that note what they are told; with the
packages themselves they are tested in tests/ecosystem.
"""

import csv
import math
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_nn import MLPClassifier, TabularRegressor
from sklearn_nn.training import (
    CSVLogger,
    Logger,
    MLflowLogger,
    OptunaPruning,
    TensorBoard,
    WandbLogger,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((40, 3))
Y = (X[:, 0] > 0).astype(int)


def fit(*callbacks, **parameters):
    model = MLPClassifier((4,), max_iter=3, random_state=0, callbacks=[*callbacks], **parameters)
    return model.fit(X, Y)


def fit_two_networks(*callbacks):
    settings = {"n_networks": 2, "hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    return TabularRegressor(callbacks=[*callbacks], **settings).fit(X, X[:, 0])


class Noted(Logger):
    """A logger that notes its calls."""

    def __init__(self):
        self.calls = []

    def begin(self, estimator, network):
        self.calls.append(("begin", network))

    def record(self, epoch, figures, network):
        self.calls.append((epoch, figures, network))

    def end(self):
        self.calls.append("end")


def test_a_logger_is_told_the_figures_of_the_history():
    logger = Noted()
    model = fit(logger, early_stopping=True)
    begin, *records, end = logger.calls
    assert begin == ("begin", None)
    assert end == "end"
    curves = model.history_.items()
    rows = [{name: curve[k] for name, curve in curves} for k in range(3)]
    assert records == [(epoch, row, None) for epoch, row in enumerate(rows, 1)]
    assert "val_score" in rows[0]


def test_a_logger_is_told_the_network():
    logger = Noted()
    fit_two_networks(logger)
    assert [call[1] for call in logger.calls if call[0] == "begin"] == [
        "network_1_of_2", "network_2_of_2",
    ]  # fmt: skip
    assert [call[2] for call in logger.calls if call[0] == 3] == [
        "network_1_of_2",
        "network_2_of_2",
    ]
    assert logger.calls.count("end") == 2


def test_a_logger_ends_after_an_error():
    class Broken(Noted):
        def record(self, epoch, figures, network):
            raise OSError("disk full")

    logger = Broken()
    with pytest.raises(OSError, match="disk full"):
        fit(logger)
    assert logger.calls == [("begin", None), "end"]


def test_record_is_to_be_defined():
    with pytest.raises(NotImplementedError, match="Logger does not define record"):
        fit(Logger())


# --- CSVLogger ------------------------------------------------------------------------------------


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_log(callback, **curves):
    estimator = SimpleNamespace(history_={})
    callback.on_fit_begin(estimator)
    for epoch in range(1, 1 + len(curves["loss"])):
        estimator.history_ = {name: curve[:epoch] for name, curve in curves.items()}
        callback.on_epoch_end(epoch, {}, estimator)


def test_csv(tmp_path):
    path = tmp_path / "log.csv"
    write_log(CSVLogger(path), loss=[0.1, 1 / 3], val_loss=[math.nan, 2.0])
    rows = read(path)
    assert list(rows[0]) == ["epoch", "loss", "val_loss"]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) == 1 / 3
    write_log(CSVLogger(path), loss=[7.0])
    assert len(read(path)) == 1
    write_log(CSVLogger(path, append=True), loss=[8.0, 9.0])
    assert [row["loss"] for row in read(path)] == ["7.0", "8.0", "9.0"]
    assert path.read_text().count("epoch") == 1


def test_figures_that_come_later_do_not_shift_the_columns(tmp_path):
    """As where a validation set is passed to a later partial_fit."""
    path = tmp_path / "log.csv"
    write_log(CSVLogger(path), loss=[0.5])
    write_log(CSVLogger(path, append=True), loss=[0.25], val_loss=[7.0])
    assert read(path) == [{"epoch": "1", "loss": "0.5"}, {"epoch": "1", "loss": "0.25"}]


def test_appending_to_a_new_file(tmp_path):
    write_log(CSVLogger(tmp_path / "log.csv", append=True), loss=[8.0])
    assert len(read(tmp_path / "log.csv")) == 1


@pytest.mark.parametrize("text", ["\n", "epoch,loss\n1,0.5", "epoch,loss"])
def test_appending_to_a_line_that_was_cut_off(text, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(text)
    write_log(CSVLogger(path, append=True), loss=[8.0])
    lines = path.read_text().split()
    assert lines[0] == "epoch,loss"
    assert lines[-1] == "1,8.0"


def test_csv_holds_all_networks_of_a_fit(tmp_path):
    model = fit_two_networks(CSVLogger(tmp_path / "log.csv"))
    rows = read(tmp_path / "log.csv")
    assert [row["network"] for row in rows] == ["network_1_of_2"] * 3 + ["network_2_of_2"] * 3
    losses = [loss for history in model.histories_ for loss in history["loss"]]
    assert [float(row["loss"]) for row in rows] == losses


# --- packages that are not there ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logger", "absent", "named"),
    [
        (
            TensorBoard("runs"),
            ("tensorboardX", "tensorboard", "tensorboard.summary"),
            "tensorboardX",
        ),
        (MLflowLogger(), ("mlflow",), "mlflow"),
        (WandbLogger(), ("wandb",), "wandb"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Logger) else "",
)
def test_an_absent_package_is_named(logger, absent, named, monkeypatch):
    for name in absent:
        monkeypatch.setitem(sys.modules, name, None)
    told = rf'needs the package {named}; .*pip install {named}, .*"sklearn_nn\[ecosystem\]"'
    with pytest.raises(ImportError, match=told):
        fit(logger)


# --- TensorBoard ----------------------------------------------------------------------------------


class Events:
    """A writer of either package."""

    opened = None

    def __init__(self, folder, filename_suffix=""):
        Events.opened = self
        self.folder, self.scalars, self.is_closed = folder, [], False

    def add_scalar(self, tag, value, step):
        self.scalars.append((tag, value, step))

    def close(self):
        self.is_closed = True


@pytest.mark.parametrize("package", ["tensorboardX", "tensorboard"])
def test_tensorboard(package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=Events))
    if package == "tensorboard":
        monkeypatch.setitem(sys.modules, "tensorboardX", None)
        summary = SimpleNamespace(Writer=Events)
        monkeypatch.setitem(sys.modules, "tensorboard", SimpleNamespace(summary=summary))
        monkeypatch.setitem(sys.modules, "tensorboard.summary", summary)
    model = fit(board := TensorBoard(tmp_path / "run"))
    writer = Events.opened
    assert writer.folder == str(tmp_path / "run")
    assert writer.is_closed
    for name, curve in model.history_.items():
        assert [(n, *rest) for n, *rest in writer.scalars if n == name] == [
            (name, value, epoch) for epoch, value in enumerate(curve, 1)
        ]
    assert vars(board) == {"log_dir": str(tmp_path / "run")}
    fit_two_networks(board)
    assert Events.opened.scalars[0][0] == "network_2_of_2/loss"


def test_the_folder_is_a_path(tmp_path):
    """A str, so that files of the estimator can hold it."""
    assert TensorBoard(tmp_path / "a").get_params()["log_dir"] == str(tmp_path / "a")
    assert CSVLogger(tmp_path / "a").get_params()["path"] == str(tmp_path / "a")
    with pytest.raises(TypeError, match="log_dir=3 of TensorBoard is not the path"):
        TensorBoard(3)


# --- MLflow and Weights & Biases ------------------------------------------------------------------


class MLflow:
    """What `MLflowLogger` uses of mlflow: one active run, and a list of all calls."""

    def __init__(self):
        self.active, self.calls, self.n_runs = None, [], 0

    def active_run(self):
        return self.active

    def start_run(self, run_name=None, run_id=None):
        self.n_runs += run_id is None
        self.active = SimpleNamespace(info=SimpleNamespace(run_id=run_id or f"run {self.n_runs}"))
        self.calls.append(("start", self.active.info.run_id, run_name))
        return self.active

    def log_params(self, params):
        self.calls.append(("params", params))

    def log_metrics(self, metrics, step):
        self.calls.append((step, metrics))

    def end_run(self):
        self.active = None
        self.calls.append("end")


@pytest.fixture
def mlflow(monkeypatch):
    module = MLflow()
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return module


def test_mlflow_in_a_run_of_its_own(mlflow):
    model = fit(MLflowLogger("plain"), alpha=0.5)
    start, (_, parameters), *metrics, end = mlflow.calls
    assert start == ("start", "run 1", "plain")
    assert end == "end"
    assert parameters["alpha"] == 0.5
    assert parameters["hidden_layer_sizes"] == "(4,)"
    assert "callbacks" not in parameters
    assert [step for step, _ in metrics] == [1, 2, 3]
    assert [found["loss"] for _, found in metrics] == model.loss_curve_


def test_mlflow_in_the_active_run(mlflow):
    mlflow.start_run("outer")
    fit(MLflowLogger())
    assert mlflow.active is not None
    assert [call[0] for call in mlflow.calls] == ["start", 1, 2, 3]


def test_mlflow_logs_all_networks_in_one_run(mlflow):
    logger = MLflowLogger()
    for run in ("run 1", "run 2"):
        mlflow.calls.clear()
        fit_two_networks(logger)
        assert [call for call in mlflow.calls if call[0] == "start"] == [("start", run, None)] * 2
        assert [call[0] for call in mlflow.calls].count("params") == 1
        assert set(mlflow.calls[-2][1]) >= {"network_2_of_2/loss"}


class Wandb:
    """What `WandbLogger` uses of wandb."""

    def __init__(self):
        self.run, self.calls = None, []

    def init(self, **arguments):
        self.calls.append(arguments)
        self.run = SimpleNamespace(log=self.calls.append, finish=self.finish)
        return self.run

    def finish(self):
        self.run = None
        self.calls.append("finish")


@pytest.fixture
def wandb(monkeypatch):
    module = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_wandb_in_a_run_of_its_own(wandb):
    model = fit(logger := WandbLogger("digits", "plain"), alpha=0.5)
    begin, *logged, end = wandb.calls
    assert (begin["project"], begin["name"], begin["config"]["alpha"]) == ("digits", "plain", 0.5)
    assert end == "finish"
    assert [found["epoch"] for found in logged] == [1, 2, 3]
    assert [found["loss"] for found in logged] == model.loss_curve_
    assert pickle.loads(pickle.dumps(logger)) == logger


def test_wandb_in_the_active_run(wandb):
    run = wandb.init(project="outer")
    fit(WandbLogger("inner"))
    assert wandb.run is run
    assert len(wandb.calls) == 4


# --- Optuna ---------------------------------------------------------------------------------------


class TrialPruned(Exception):  # noqa: N818
    """Optuna's."""


class Trial:
    """A trial that is given up after so many reports."""

    def __init__(self, direction="MAXIMIZE", patience=99):
        self.study = SimpleNamespace(direction=SimpleNamespace(name=direction))
        self.reports, self.patience = [], patience

    def report(self, value, step):
        self.reports.append((step, value))

    def should_prune(self):
        return len(self.reports) >= self.patience

    def __deepcopy__(self, memo):
        raise AssertionError("a copied trial reports to a copied study")


@pytest.mark.parametrize(
    ("direction", "settings", "figure"),
    [
        ("MAXIMIZE", {"early_stopping": True}, "val_score"),
        ("MINIMIZE", {"early_stopping": True}, "val_loss"),
        ("MINIMIZE", {}, "loss"),
    ],
)
def test_reports_to_optuna(direction, settings, figure):
    trial = Trial(direction)
    model = clone(MLPClassifier((4,), max_iter=3, callbacks=[OptunaPruning(trial)], **settings))
    model.fit(X, Y)
    assert trial.reports == [*enumerate(model.history_[figure], 1)]


def test_a_trial_is_pruned(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", SimpleNamespace(TrialPruned=TrialPruned))
    trial = Trial("MINIMIZE", patience=2)
    with pytest.raises(TrialPruned, match="Pruned after epoch 2: loss 0"):
        fit(OptunaPruning(trial))
    assert len(trial.reports) == 2


def test_a_trial_without_a_study_is_not_pruned():
    trial = Trial()
    del trial.study
    fit(OptunaPruning(trial))
    assert trial.reports == []
    with pytest.raises(AttributeError, match="should_prune"):
        fit(OptunaPruning(None))


def test_only_the_first_network_is_reported():
    trial = Trial("MINIMIZE")
    model = fit_two_networks(OptunaPruning(trial))
    assert trial.reports == [*enumerate(model.histories_[0]["val_loss"], 1)]


@pytest.mark.parametrize(
    ("direction", "monitor", "told"),
    [
        ("MAXIMIZE", None, "monitor='val_score' of OptunaPruning is not among the figures"),
        ("MAXIMIZE", "loss", "lower, but the study maximizes; create .* direction='minimize'"),
    ],
)
def test_figures_that_do_not_suit_the_study(direction, monitor, told):
    with pytest.raises(ValueError, match=told):
        fit(OptunaPruning(Trial(direction), monitor))
