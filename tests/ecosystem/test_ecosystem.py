"""The snippets of the page "Around the ecosystem", and MLflow with every estimator."""

import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest

import sklearn_nn
from helpers.estimators.more_estimators import NAMES, answers, fitted_ones
from sklearn_nn import MLPClassifier, TabularClassifier
from sklearn_nn.training import MLflowLogger, OptunaPruning, TensorBoard, WandbLogger

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore"),  # those of other packages
]
FOLDER = Path(__file__).parent / "snippets"
PAGE = Path(__file__).parents[2] / "docs" / "guide_ecosystem.rst"


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """Return the address of MLflow's database, which takes some seconds to be set up."""
    return f"sqlite:///{(tmp_path_factory.mktemp('mlflow') / 'mlflow.db').as_posix()}"


@pytest.fixture(autouse=True)
def _elsewhere(database, tmp_path, monkeypatch):
    """Put what packages write into folders of the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)


def run(name, package):
    """Run a snippet; return its variables."""
    pytest.importorskip(package, exc_type=ImportError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return runpy.run_path(str(FOLDER / f"{name}.py"))


def test_the_page_shows_every_snippet():
    shown = {path.stem for path in FOLDER.glob("*.py")}
    text = PAGE.read_text(encoding="utf-8")
    assert len(shown) >= 9
    assert {name for name in shown if f"../tests/ecosystem/snippets/{name}.py" in text} == shown


def test_shap():
    found = run("shap_values", "shap")
    assert found["values"].shape == (3, 13, 3)
    explained = found["values"].sum(axis=1) + found["explainer"].expected_value
    np.testing.assert_allclose(explained, found["model"].predict_proba(found["X"][:3]), atol=1e-6)


def test_imbalanced_learn():
    found = run("imbalanced", "imblearn")
    assert found["score"] > 0.75


def test_mapie_classification():
    found = run("conformal_classification", "mapie")
    covered = found["in_set"][np.arange(len(found["y_test"])), found["y_test"], 0]
    assert found["in_set"].shape == (450, 10, 1)
    assert 0.8 < covered.mean() < 0.98
    np.testing.assert_array_equal(found["classes"], found["network"].predict(found["X_test"]))


def test_mapie_regression():
    found = run("conformal_regression", "mapie")
    low, high = found["bounds"][:, 0, 0], found["bounds"][:, 1, 0]
    assert 0.8 < np.mean((low <= found["y_test"]) & (found["y_test"] <= high)) <= 1
    assert (low <= high).all()


def test_fairlearn():
    plain, fair = run("fairness", "fairlearn")["differences"]
    assert fair < plain / 2


def test_category_encoders():
    assert run("encoders", "category_encoders")["scores"].min() > 0.9


def test_tensorboard(tmp_path):
    run("tensorboard_run", "tensorboardX")
    runs = [path.name for path in (tmp_path / "runs").iterdir()]
    assert sorted(runs) == ["rate 0.001", "rate 0.01"]


def scalars(folder):
    """Return the scalars that tensorboardX has written, as (tag, step, value)."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in folder.iterdir():
        data, at = path.read_bytes(), 0
        while at < len(data):  # a record: its length, a checksum of 4 bytes, itself, a checksum
            length = int.from_bytes(data[at : at + 8], "little")
            event = Event.FromString(data[at + 12 : at + 12 + length])
            found += [(v.tag, event.step, v.simple_value) for v in event.summary.value]
            at += 16 + length
    return found


def test_what_tensorboard_reads(tmp_path):
    pytest.importorskip("tensorboardX")
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    board = TensorBoard(tmp_path / "run")
    model = MLPClassifier((3,), max_iter=4, callbacks=[board], random_state=0).fit(X, y)
    found = scalars(tmp_path / "run")
    for name, curve in model.history_.items():
        steps = [(step, value) for tag, step, value in found if tag == name]
        assert [step for step, _ in steps] == [1, 2, 3, 4]
        np.testing.assert_allclose([value for _, value in steps], curve, rtol=1e-6)


def test_fits_of_one_second_do_not_replace_each_other(tmp_path):
    """tensorboardX names files after the second."""
    pytest.importorskip("tensorboardX")
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    board = TensorBoard(tmp_path / "run")
    model = TabularClassifier(max_iter=2, n_networks=3, callbacks=[board], random_state=0)
    model.fit(X, y)
    MLPClassifier((3,), max_iter=2, callbacks=[board], random_state=0).fit(X, y)
    losses = [(tag, step) for tag, step, _ in scalars(tmp_path / "run") if tag.endswith("/loss")]
    names = [f"network_{k}_of_3/loss" for k in (1, 2, 3)]
    assert sorted(losses) == [(name, step) for name in names for step in (1, 2)]
    steps = [step for tag, step, _ in scalars(tmp_path / "run") if tag == "loss"]
    assert steps == [1, 2]


def test_wandb(monkeypatch):
    """Without a network: the files of the run stay on this machine."""
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    settings = {"hidden_layer_sizes": (3,), "max_iter": 4, "random_state": 0}
    MLPClassifier(callbacks=[WandbLogger("networks", "plain")], **settings).fit(X, y)
    assert wandb.run is None
    with wandb.init(project="networks") as run:
        model = MLPClassifier(callbacks=[WandbLogger()], **settings).fit(X, y)
        assert wandb.run is run
        assert run.summary["epoch"] == 4
        assert run.summary["loss"] == model.loss_


def test_optuna_prunes():
    found = run("optuna_pruning", "optuna")
    states = [trial.state.name for trial in found["study"].trials]
    assert set(states) == {"COMPLETE", "PRUNED"}
    pruned = [trial for trial in found["study"].trials if trial.state.name == "PRUNED"]
    assert all(0 < len(trial.intermediate_values) < 12 for trial in pruned)
    whole = [trial for trial in found["study"].trials if trial.state.name == "COMPLETE"]
    for trial in whole:
        assert [*trial.intermediate_values] == [*range(1, 13)]
        assert min(trial.intermediate_values.values()) == trial.value


def test_optuna_and_cross_validation():
    """Clones report to the same trial."""
    optuna = pytest.importorskip("optuna")
    from sklearn.base import clone

    study = optuna.create_study(direction="maximize")
    trial = study.ask()
    model = MLPClassifier((3,), max_iter=3, early_stopping=True, callbacks=[OptunaPruning(trial)])
    clone(model).fit(np.arange(40.0)[:, None], np.arange(40) % 2)
    study.tell(trial, 0.5)
    assert [*study.trials[0].intermediate_values] == [1, 2, 3]


def test_mlflow():
    found = run("mlflow_models", "mlflow")
    import mlflow

    network, loaded = found["model"][-1], found["loaded"]
    np.testing.assert_array_equal(
        loaded.predict_proba(found["X"]), found["model"].predict_proba(found["X"])
    )
    logged = mlflow.MlflowClient().get_metric_history(found["run"].info.run_id, "loss")
    logged = sorted(logged, key=lambda metric: metric.step)
    assert [metric.step for metric in logged] == [*range(1, network.n_iter_ + 1)]
    assert [metric.value for metric in logged] == network.loss_curve_


def test_a_run_of_mlflow_that_the_logger_begins():
    mlflow = pytest.importorskip("mlflow")
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    logger = MLflowLogger("plain")
    MLPClassifier((3,), max_iter=4, callbacks=[logger], random_state=0).fit(X, y)
    assert mlflow.active_run() is None
    run = mlflow.last_active_run()
    assert run.info.run_name == "plain"
    assert run.info.status == "FINISHED"
    assert run.data.params["hidden_layer_sizes"] == "(3,)"
    assert run.data.metrics.keys() >= {"loss", "learning_rate"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["pickle", "cloudpickle", "skops"])
def test_mlflow_loads_every_estimator(form, name, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    model, X = fitted_ones()[name]
    trusted = [*sklearn_nn.TRUSTED_TYPES]
    if name == "search":
        trusted += ["sklearn.metrics._scorer._PassthroughScorer"]
        trusted += ["sklearn.model_selection._split.StratifiedKFold"]
    mlflow.sklearn.save_model(
        model, tmp_path / "model", serialization_format=form, pip_requirements=["sklearn_nn"],
        skops_trusted_types=trusted if form == "skops" else None,
    )  # fmt: skip
    loaded = mlflow.sklearn.load_model(str(tmp_path / "model"))
    assert type(loaded) is type(model)
    for mine, other in zip(answers(model, X), answers(loaded, X), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_mlflow_serves_a_table(tmp_path):
    """As a function of Python, which takes data frames only."""
    mlflow = pytest.importorskip("mlflow")
    model, table = fitted_ones()["table"]
    mlflow.sklearn.save_model(
        model, tmp_path / "model", serialization_format="skops", pip_requirements=["sklearn_nn"],
        skops_trusted_types=[*sklearn_nn.TRUSTED_TYPES], pyfunc_predict_fn="predict_proba",
    )  # fmt: skip
    served = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(served.predict(table), model.predict_proba(table))


def test_skforecast():
    found = run("skforecast_recursive", "skforecast")
    np.testing.assert_allclose(found["forecast"], found["sold"][380:], atol=1)


def test_mlforecast():
    found = run("mlforecast_panel", "mlforecast")
    forecast, coming = found["forecast"], found["coming"]
    assert (forecast["unique_id"].to_numpy() == coming["unique_id"].to_numpy()).all()
    error = forecast["network"].to_numpy() - coming["y"].to_numpy()
    assert np.sqrt(np.mean(error**2)) < 1


def test_darts():
    found = run("darts_covariates", "darts")
    error = found["forecast"].values() - found["sold"][386:].values()
    assert np.sqrt(np.mean(error**2)) < 2
