from pathlib import Path

import optuna
from dask.distributed import Client
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_nn import MLPClassifier
from sklearn_nn.training import OptunaPruning

X, y = load_digits(return_X_y=True)
X, X_val, y, y_val = train_test_split(X / 16, y, random_state=0)


def objective(trial):
    network = MLPClassifier(
        (trial.suggest_int("width", 8, 64, log=True),),
        learning_rate_init=trial.suggest_float("rate", 1e-4, 1e-1, log=True),
        max_iter=20,
        early_stopping="best",
        callbacks=[OptunaPruning(trial)],
        random_state=0,
    )
    return network.fit(X, y, X_val=X_val, y_val=y_val).best_validation_score_


def work(path, seed):
    """Add trials to the study in a file that all workers see."""
    storage = JournalStorage(JournalFileBackend(path))
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.load_study(study_name="digits", storage=storage, sampler=sampler)
    study.optimize(objective, n_trials=5)


if __name__ == "__main__":
    path = str(Path("digits.journal").absolute())  # workers may run in another folder
    storage = JournalStorage(JournalFileBackend(path))
    study = optuna.create_study(study_name="digits", storage=storage, direction="maximize")

    client = Client()
    client.gather([client.submit(work, path, seed) for seed in range(4)])
    print(len(study.trials), study.best_params, study.best_value)
