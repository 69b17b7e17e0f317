import optuna
from sklearn.datasets import load_breast_cancer

from sklearn_nn import TabularClassifier
from sklearn_nn.training import OptunaPruning

X, y = load_breast_cancer(return_X_y=True)


def objective(trial):
    model = TabularClassifier(
        learning_rate_init=trial.suggest_float("rate", 1e-5, 1.0, log=True),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
        n_networks=1,
        max_iter=12,
        callbacks=[OptunaPruning(trial)],
        random_state=0,
    )
    model.fit(X, y)
    return min(model.history_["val_loss"])


study = optuna.create_study(
    direction="minimize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
)
study.optimize(objective, n_trials=15)
