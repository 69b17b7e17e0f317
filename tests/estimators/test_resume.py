"""Training that is resumed equals training that was never interrupted, to the last bit."""

import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest

from helpers.estimators.mlp_problem import BOTH
from helpers.estimators.noisy_data import (
    CLASSES,
    NUMBERS,
    WEIGHTS,
    X,
    assert_same_training,
    make,
    output,
    target,
    validation,
)
from sklearn_nn import MLPClassifier, MLPRegressor, load, load_checkpoint
from sklearn_nn.training import Cosine, LambdaCallback, ModelCheckpoint, ReduceLROnPlateau, RMSprop

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EPOCHS = 12
SOLVERS = ["sgd", "adagrad", "rmsprop", "adam", "adamw", "nadam", "adamax", "adadelta", "lion"]
TOGETHER = {
    "dropout": 0.3, "input_noise": 0.1, "learning_rate": "onecycle", "early_stopping": True,
    "n_iter_no_change": 6, "batch_norm": True, "clipnorm": 1.0, "max_norm": 3.0,
    "ema_momentum": 0.9, "weight_decay": 0.01, "alpha": 0.01, "l1_ratio": 0.3,
    "callbacks": [ReduceLROnPlateau(patience=1)],
}  # fmt: skip
#: Parameters, and the epochs after which training is taken up again.
CONFIGURATIONS = {
    "plain": ({}, (1, 6)),
    "dropout": ({"dropout": 0.3}, (1, 7)),
    "schedule": ({"learning_rate": "cosine"}, (5, 11)),
    "early stopping": ({"early_stopping": True, "n_iter_no_change": 3}, (1, 5, 7)),
    "batch norm": ({"batch_norm": True}, (3, 11)),
    "everything": (TOGETHER, range(1, EPOCHS + 1)),
}


def with_checkpoints(estimator, folder):
    """The estimator, which saves itself after every epoch."""
    save = ModelCheckpoint(folder / "{epoch:02d}.npz")
    return estimator.set_params(callbacks=[*(estimator.callbacks or ()), save])


def check_every_file(straight, folder, epochs, *arguments, **validated):
    for path in sorted(folder.iterdir()):
        if int(path.stem) in epochs:
            resumed = load_checkpoint(path).fit(*arguments, **validated)
            assert_same_training(resumed, straight)
            np.testing.assert_array_equal(output(resumed), output(straight))


# --- from checkpoints -------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_checkpoints_of_every_solver(solver, name, tmp_path):
    parameters, epochs = CONFIGURATIONS[name]
    model = make(solver=solver, **parameters)
    straight = with_checkpoints(model, tmp_path).fit(X, CLASSES)
    assert len(list(tmp_path.iterdir())) == straight.n_iter_
    check_every_file(straight, tmp_path, epochs, X, CLASSES)


OTHERS = {
    "float32": {"dtype": "float32"},
    "threads": {"n_jobs": 2, "dropout": 0.2, "batch_norm": True},
    "generator": {"random_state": "generator", "early_stopping": True},
    "no shuffle": {"shuffle": False},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.02, "n_iter_no_change": 1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "plateau": {"learning_rate": "plateau"},
    "warm-up": {"learning_rate": Cosine(warmup=3, restarts=1)},
    "solver object": {"solver": RMSprop(momentum=0.9, centered=True)},
    "best": {"early_stopping": "best", "scoring": "loss", "ema_momentum": 0.8},
    "odd batches": {"batch_size": 37, "learning_rate": "exponential"},
}


@BOTH
@pytest.mark.parametrize("name", OTHERS)
def test_checkpoints_of_other_configurations(Estimator, name, tmp_path):
    parameters = {**OTHERS[name]}
    if name == "generator":
        parameters["random_state"] = np.random.RandomState(5)
    straight = with_checkpoints(make(Estimator, **parameters), tmp_path).fit(X, target(Estimator))
    check_every_file(straight, tmp_path, (1, 4, 11), X, target(Estimator))


@BOTH
@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_and_a_validation_set(Estimator, early_stopping, tmp_path):
    model = with_checkpoints(make(Estimator, early_stopping=early_stopping), tmp_path)
    arguments, validated = (X, target(Estimator), WEIGHTS), validation(Estimator)
    straight = model.fit(*arguments, **validated)
    assert len(straight.validation_scores_) == straight.n_iter_
    check_every_file(straight, tmp_path, (1, 4, 11), *arguments, **validated)


def test_a_new_process(tmp_path):
    straight = with_checkpoints(make(**TOGETHER), tmp_path).fit(X, CLASSES)
    joblib.dump((X, CLASSES), tmp_path / "data")
    script = """
        import sys, joblib
        from sklearn_nn import load_checkpoint
        X, y = joblib.load(sys.argv[2])
        load_checkpoint(sys.argv[1]).fit(X, y).save(sys.argv[3])
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    files = [tmp_path / name for name in ("04.npz", "data", "resumed")]
    subprocess.run([*command, *files], check=True, timeout=900)
    assert_same_training(load(tmp_path / "resumed"), straight)


def test_the_loaded_estimator_may_be_pickled_before_it_goes_on(tmp_path):
    straight = with_checkpoints(make(early_stopping=True), tmp_path).fit(X, CLASSES)
    copied = pickle.loads(pickle.dumps(load_checkpoint(tmp_path / "04.npz")))
    assert_same_training(copied.fit(X, CLASSES), straight)


# --- warm_start="resume" ------------------------------------------------------------------------

#: Schedules that look ahead to max_iter are not among them: they have changed its end.
WITHOUT_HORIZON = {
    "plain": {},
    "sgd": {"solver": "sgd", "learning_rate": "invscaling"},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.02, "n_iter_no_change": 1},
    "dropout": {"dropout": 0.2, "batch_norm": True},
    "average": {"ema_momentum": 0.9},
    # These have gone back to the best weights when they are resumed.
    "early stopping": {"early_stopping": True, "n_iter_no_change": 100},
    "best": {"early_stopping": "best", "ema_momentum": 0.9, "batch_norm": True},
    "exponential": {"learning_rate": "exponential", "solver": "nadam"},
    "float32": {"dtype": "float32", "n_jobs": 2},
    "no shuffle": {"shuffle": False},
    "callbacks": {"callbacks": [ReduceLROnPlateau(patience=1, factor=0.5)]},
}


@BOTH
@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("name", WITHOUT_HORIZON)
def test_ten_and_ten_epochs_are_twenty(Estimator, name, pickled):
    parameters, y = WITHOUT_HORIZON[name], target(Estimator)
    straight = make(Estimator, max_iter=20, **parameters).fit(X, y)
    halves = make(Estimator, max_iter=10, warm_start="resume", **parameters).fit(X, y)
    assert halves.n_iter_ == 10
    if pickled:
        halves = pickle.loads(pickle.dumps(halves))
    halves.set_params(max_iter=20).fit(X, y)
    assert_same_training(halves, straight)


def test_the_best_weights_had_taken_the_place_of_the_last():
    """Otherwise the test above would not have tried it."""
    models = [
        make(Estimator, max_iter=10, **WITHOUT_HORIZON[name]).fit(X, target(Estimator))
        for Estimator in (MLPClassifier, MLPRegressor)
        for name in ("early stopping", "best")
    ]
    assert any(model.best_iteration_ < model.n_iter_ for model in models)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_saved_after_the_fit_and_resumed(early_stopping, tmp_path):
    parameters = {"early_stopping": early_stopping, "n_iter_no_change": 100, "batch_norm": True}
    make(max_iter=10, **parameters).fit(X, CLASSES).save(tmp_path / "model")
    resumed = load_checkpoint(tmp_path / "model").set_params(max_iter=20).fit(X, CLASSES)
    assert_same_training(resumed, make(max_iter=20, **parameters).fit(X, CLASSES))


def test_weights_and_a_validation_set_with_warm_start():
    def fit(model):
        return model.fit(X, CLASSES, WEIGHTS, **validation(MLPClassifier))

    parameters = {"early_stopping": True, "n_iter_no_change": 100}
    halves = fit(make(max_iter=10, warm_start="resume", **parameters))
    fit(halves.set_params(max_iter=20))
    assert_same_training(halves, fit(make(max_iter=20, **parameters)))


def test_a_random_state_instance():
    straight = make(max_iter=20, random_state=np.random.RandomState(1)).fit(X, CLASSES)
    halves = make(max_iter=10, random_state=np.random.RandomState(1), warm_start="resume")
    halves.fit(X, CLASSES).set_params(max_iter=20).fit(X, CLASSES)
    assert_same_training(halves, straight)


def test_epoch_by_epoch():
    straight = make(dropout=0.2, max_iter=6).fit(X, CLASSES)
    model = make(dropout=0.2, warm_start="resume")
    for epochs in range(1, 7):
        model.set_params(max_iter=epochs).fit(X, CLASSES)
        assert model.n_iter_ == epochs
    assert_same_training(model, straight)


def test_restarts_resume_what_was_kept():
    """The best of three goes on as if it had been alone."""
    model = make(max_iter=10, n_restarts=3, warm_start="resume").fit(X, CLASSES)
    first_epochs = list(model.loss_curve_)
    model.set_params(max_iter=20).fit(X, CLASSES)
    generator, runs = np.random.RandomState(3), []
    for _ in range(3):
        state = generator.get_state()
        runs.append(make(max_iter=10, random_state=generator).fit(X, CLASSES))
        again = np.random.RandomState()
        again.set_state(state)
        runs[-1].longer = make(max_iter=20, random_state=again).fit(X, CLASSES)
    kept = min(runs, key=lambda run: run.loss_)
    assert kept is not runs[-1]
    assert kept.loss_curve_ == first_epochs
    assert_same_training(model, kept.longer)


def test_a_first_fit_and_one_after_initialize():
    straight = make().fit(X, CLASSES)
    assert_same_training(make(warm_start="resume").fit(X, CLASSES), straight)
    initialized = make(warm_start="resume").initialize(X, CLASSES)
    np.testing.assert_array_equal(
        initialized.set_params(shuffle=False).fit(X, CLASSES)._network.theta,
        make(shuffle=False).fit(X, CLASSES)._network.theta,
    )


# --- what is over, and what does not fit ----------------------------------------------------------


@pytest.mark.parametrize("parameters", [{}, {"early_stopping": True, "batch_norm": True}], ids=str)
def test_a_finished_estimator_does_no_further_epoch(parameters, tmp_path):
    model = make(warm_start="resume", **parameters).fit(X, CLASSES)
    theta, curve = model._network.theta.copy(), list(model.loss_curve_)
    model.save(tmp_path / "model")
    for estimator in (model, load_checkpoint(tmp_path / "model")):
        estimator.fit(X, CLASSES)
        estimator.set_params(max_iter=5).fit(X, CLASSES)
        np.testing.assert_array_equal(estimator._network.theta, theta)
        assert estimator.loss_curve_ == curve
        assert estimator.n_iter_ == EPOCHS


@pytest.mark.parametrize("early_stopping", [False, True])
def test_fits_that_stopped_early_stay_stopped(early_stopping, tmp_path):
    parameters = {"early_stopping": early_stopping, "tol": 0.5, "n_iter_no_change": 2}
    model = make(warm_start="resume", **parameters).fit(X, CLASSES)
    assert model.n_iter_ < EPOCHS
    theta, epochs = model._network.theta.copy(), model.n_iter_
    model.save(tmp_path / "model")
    for estimator in (model, load_checkpoint(tmp_path / "model")):
        estimator.set_params(max_iter=50).fit(X, CLASSES)
        np.testing.assert_array_equal(estimator._network.theta, theta)
        assert estimator.n_iter_ == len(estimator.loss_curve_) == epochs


def test_other_data(tmp_path):
    """An error, after which training with the right data can still go on."""
    straight = with_checkpoints(make(early_stopping=True), tmp_path).fit(X, CLASSES)
    model = load_checkpoint(tmp_path / "03.npz")
    with pytest.raises(ValueError, match=r"X has 150 samples.*had 200; pass the same data"):
        model.fit(X[:150], CLASSES[:150])
    with pytest.raises(ValueError, match="X has 5 features"):
        model.fit(X[:, :5], CLASSES)
    with pytest.raises(ValueError, match="the same classes"):
        model.fit(X, CLASSES + 1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, CLASSES[:150])
    assert_same_training(model.fit(X, CLASSES), straight)


def test_other_numbers_of_outputs(tmp_path):
    with_checkpoints(make(MLPRegressor), tmp_path).fit(X, NUMBERS)
    with pytest.raises(ValueError, match="y has 2 outputs, but MLPRegressor was fitted with 1"):
        load_checkpoint(tmp_path / "03.npz").fit(X, np.c_[NUMBERS, NUMBERS])


def test_an_order_that_was_not_kept():
    """As in pickles of versions that kept it only for those who said that they would resume."""
    model = make(max_iter=3).fit(X, CLASSES)
    del model._order
    with pytest.raises(ValueError, match=r"nothing to resume.*warm_start=True .*a file of `save`"):
        model.set_params(warm_start="resume", max_iter=6).fit(X, CLASSES)


@pytest.mark.parametrize("solvers", [("sgd", "adam"), ("adam", "sgd"), ("adadelta", "lion")])
def test_another_solver(solvers):
    """Its moments would lie where there is no memory."""
    model = make(solver=solvers[0], warm_start="resume").fit(X, CLASSES)
    model.set_params(solver=solvers[1], max_iter=20)
    before = model._network.theta.copy()
    with pytest.raises(ValueError, match=f"solver='{solvers[1]}'.*of another solver.*warm_start=T"):
        model.fit(X, CLASSES)
    np.testing.assert_array_equal(model._network.theta, before)
    model.set_params(solver=solvers[0]).fit(X, CLASSES)
    assert model.n_iter_ == 20


def test_a_changed_architecture():
    model = make(warm_start="resume").fit(X, CLASSES)
    with pytest.raises(ValueError, match=r"warm_start=False to begin with new weights"):
        model.set_params(hidden_layer_sizes=(9,), max_iter=20).fit(X, CLASSES)


def test_lbfgs_goes_on_from_its_weights():
    model = make(solver="lbfgs", warm_start="resume", max_iter=5).fit(X, CLASSES)
    loss = model.loss_
    assert model.fit(X, CLASSES).loss_ < loss


def test_warm_start_means_what_it_means_to_scikit_learn():
    """As many epochs again, from the present weights, with a new optimizer."""
    model = make(warm_start=True, max_iter=5).fit(X, CLASSES)
    model.fit(X, CLASSES)
    assert model.n_iter_ == 5
    assert len(model.loss_curve_) == 10
    assert model._optimizer.step == 5 * 7


# --- live weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [{}, {"ema_momentum": 0.9}, {"early_stopping": True, "n_iter_no_change": 100}],
    ids=str,
)
def test_weights_that_were_set_by_hand_are_gone_on_with(parameters):
    """Also where an average, or the best weights, stood in the place of the last."""
    begun = []
    look = LambdaCallback(on_fit_begin=lambda estimator: begun.append(estimator.coefs_[1].copy()))
    model = make(max_iter=10, warm_start="resume", callbacks=[look], **parameters)
    model.fit(X, CLASSES)
    for array in (*model.coefs_, *model.intercepts_):
        array[...] = 0.25
    model.set_params(max_iter=11).fit(X, CLASSES)
    assert len(begun) == 2
    assert (begun[1] == 0.25).all()
    if "ema_momentum" in parameters:
        np.testing.assert_allclose(model.coefs_[1], 0.25, atol=0.1)
