"""One network trained on several processes or machines."""

from __future__ import annotations

import os
import warnings
from numbers import Integral
from pathlib import Path

from sklearn_nn._spec import is_number, lies_in
from sklearn_nn.distributed import rounds
from sklearn_nn.distributed.cluster_fit import on_cluster
from sklearn_nn.distributed.engines import engine_of
from sklearn_nn.distributed.partitions import groups_of
from sklearn_nn.estimators._core.all_or_nothing import all_or_nothing
from sklearn_nn.estimators._core.fit import is_lbfgs
from sklearn_nn.estimators._core.fitted_network import publish_network
from sklearn_nn.estimators._core.loading import load_checkpoint
from sklearn_nn.estimators._core.parts import FitMode
from sklearn_nn.training.callbacks import TrainingScore

#: Parameters that may differ between a fit and the one that continues it, and types of others that
#: are compared.
_FREE = {"callbacks", "n_jobs", "verbose", "random_state", "max_iter"}
_PLAIN = (str, int, float, bool, type(None), tuple)


def fit(
    estimator, X, y=None, sample_weight=None, *, client=None, n_workers=None, sync_every=20,
    outer_learning_rate=1.0, outer_momentum=None, X_val=None, y_val=None, sample_weight_val=None,
    checkpoint=None,
):  # fmt: skip
    """Fit an estimator to data on the workers of a cluster.

    Rows stay on the workers, in groups: one for each worker. In a round each group trains the
    present network on its next `sync_every` batches. The mean of the changes, weighted by the rows,
    is the gradient of an outer step with Nesterov momentum (DiLoCo [1]_); without momentum, the
    weights become the mean of those of the groups (federated averaging [2]_). The moments of the
    solver and the running statistics of normalization are averaged as well, so that a round depends
    on nothing that only a worker knows: if one dies, the round is repeated on others, with the same
    result.

    With ``sync_every=1`` the gradients of one batch of each group are averaged, and the solver
    makes one step: training with batches that are as many times larger.

    Parameters
    ----------
    estimator : estimator
        An estimator of this package that trains one network. It is fitted in place. `batch_size` is
        that of a group, and `n_jobs` the threads of a worker; None is all threads that it has.
    X : Dask array or data frame, Ray dataset, or list
        The samples, in partitions of rows. A list holds paths of Parquet files, or arrays, one for
        each partition, which are sent to the workers once.
    y : Dask array or series, str, or list, default=None
        The targets, in the partitions of X. In data frames, datasets and files the name of a
        column, or a list of names.
    sample_weight : Dask array or series, str, or list, default=None
        Weights of the samples, or the name of their column.
    client : dask.distributed.Client, 'ray', 'local' or None, default=None
        The cluster. 'ray' is an initialised Ray, and 'local' this process, which trains the groups
        one after another. None is Dask's present client, or else Ray.
    n_workers : int or None, default=None
        Number of groups; results depend on it, but not on the number of workers. None is the
        number of workers; in Ray, that of processors divided by `n_jobs`; with 'local' it is 1.
        There are never more groups than partitions.
    sync_every : int, default=20
        Number of batches of each group in a round; 1 averages gradients.
    outer_learning_rate : float, default=1.0
        Factor on the averaged change.
    outer_momentum : float or None, default=None
        Nesterov momentum of averaged changes, in [0, 1). An epoch of G groups has G times fewer
        steps than in one process, and a momentum of 1 - 1/G makes them G times as long: that is
        None, up to 0.9. [1]_ has a rate of 0.7 and a momentum of 0.9, for 8 groups. Both are for
        ``sync_every`` above 1.
    X_val, y_val, sample_weight_val : array-like, default=None
        A validation set in memory, as in the method `fit`, which is scored in this process after
        each epoch. `early_stopping` needs it.
    checkpoint : str or path or None, default=None
        File that is written after each round and deleted in the end. If it exists in the beginning,
        training continues from it, as if it had not been interrupted.

    Returns
    -------
    estimator : estimator
        The fitted estimator. It is as one that was fitted in memory, but for the order of the rows.

    Raises
    ------
    ValueError, TypeError
        If a parameter or the data is invalid, or if training diverges.
    ImportError
        If Ray is not installed.

    Notes
    -----
    The order of the rows within a group follows from `random_state`, the number of the group and
    the epoch. For the same partitions in the same groups the result is the same to the last bit.
    Dask collections in memory are grouped by the worker that holds them, other partitions in order.

    Classes, their weights, and the scale of targets are learnt from all rows; the scale of X and
    the encodings of tables from a random sample of at most 131,072 rows and 64 MiB, which is
    drawn on the workers and read by one of them.

    References
    ----------
    .. [1] Douillard, A., et al. (2023). DiLoCo: Distributed low-communication training of language
       models. arXiv:2311.08105.
    .. [2] McMahan, B., Moore, E., Ramage, D., Hampson, S., & Arcas, B. A. y (2017).
       Communication-efficient learning of deep networks from decentralized data. AISTATS.

    Examples
    --------
    Two groups of two partitions each, without a cluster:

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier, distributed
    >>> X, y = load_digits(return_X_y=True)
    >>> parts = np.array_split(X[:1200] / 16, 4), np.array_split(y[:1200], 4)
    >>> model = MLPClassifier(32, learning_rate_init=0.01, max_iter=20, random_state=0, tol=0)
    >>> import warnings; warnings.simplefilter("ignore")  # 20 epochs are not enough to converge
    >>> model = distributed.fit(model, *map(list, parts), client="local", n_workers=2)
    >>> round(model.score(X[1200:] / 16, y[1200:]), 1)
    0.9
    """
    _check_options(
        sync_every=sync_every, n_workers=n_workers, outer_learning_rate=outer_learning_rate,
        outer_momentum=outer_momentum,
    )  # fmt: skip
    estimator._validate_params()
    validation = X_val, y_val, sample_weight_val
    _check_estimator(estimator, validation, checkpoint)
    engine = engine_of(client, n_workers, estimator.n_jobs)
    path = None if checkpoint is None else Path(os.fspath(checkpoint))
    with all_or_nothing(estimator), engine.working():
        mode = FitMode.FRESH
        if path is not None and path.exists():
            mode = _take_up(estimator, path)
        one = on_cluster(estimator._fit_kind)(estimator, mode, None, None, None, validation)
        one.engine, one.groups = engine, groups_of(X, y, sample_weight, engine)
        one.cluster = rounds.Cluster(
            engine, [], [], sync_every, outer_learning_rate, outer_momentum, path
        )  # fmt: skip
        one.run()
    return estimator


def _check_options(*, n_workers, sync_every, outer_learning_rate, outer_momentum):
    """Raise ValueError if an option is invalid."""
    for name, value in (("n_workers", n_workers), ("sync_every", sync_every)):
        is_whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not (is_whole and value >= 1) and not (name == "n_workers" and value is None):
            raise ValueError(f"{name}={value!r} must be a whole number of at least 1.")
    limits = {"outer_learning_rate": "(0, inf)", "outer_momentum": "[0, 1)"}
    given = {"outer_learning_rate": outer_learning_rate, "outer_momentum": outer_momentum}
    for name, value in given.items():
        if name == "outer_momentum" and value is None:
            continue
        if not (is_number(value) and lies_in(value, limits[name])):
            raise ValueError(f"{name}={value!r} must be a number in {limits[name]}.")
    if sync_every == 1 and (outer_learning_rate != 1 or outer_momentum):
        raise ValueError(
            f"outer_learning_rate={outer_learning_rate} and outer_momentum={outer_momentum} act on "
            "averaged changes, but sync_every=1 averages gradients; set sync_every=2 or more, or "
            "leave them out."
        )


def _check_estimator(estimator, validation, checkpoint):
    """Raise ValueError if a parameter excludes training on a cluster."""
    remedies = {
        "n_restarts": (1, "fit each start by itself"),
        "n_networks": (1, "fit each network by itself, with another random_state"),
        "refit_full": (False, "fit again on all rows, without a validation set"),
        "conformal_fraction": (0, "calibrate on rows that no group has"),
        "warm_start": (False, "begin with the weights of another estimator by from_pretrained"),
    }
    for name, (allowed, remedy) in remedies.items():
        value = getattr(estimator, name, allowed)
        if not (value == allowed or (name == "n_networks" and value == "auto")):
            raise ValueError(
                f"{name}={value!r} is not for training on a cluster, which trains one network, on "
                f"all rows; set {name}={allowed!r}, and {remedy}."
            )
    if estimator.early_stopping is True and validation[0] is None:
        raise ValueError(
            "early_stopping=True needs a validation set on a cluster: pass X_val and y_val."
        )
    callbacks = estimator.callbacks or ()
    callbacks = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    if any(isinstance(one, TrainingScore) for one in callbacks):
        raise ValueError(
            "callbacks: TrainingScore predicts all rows in one process; pass X_val and y_val, "
            "whose score is recorded as val_score."
        )
    if checkpoint is not None and is_lbfgs(estimator):
        raise ValueError("checkpoint is for training in rounds, which solver='lbfgs' has not.")


def _take_up(estimator, path):
    """Set the estimator to the state in a checkpoint; raise ValueError if it is of another fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # parameters that are functions are those given now
        found = load_checkpoint(path)
        if type(found) is not type(estimator) or "_rounds" not in vars(found):
            raise ValueError(
                f"checkpoint={str(path)!r} holds a {type(found).__name__} that is not of an "
                f"interrupted distributed fit of {type(estimator).__name__}; pass another path."
            )
        waiting = vars(found).get("_waits_for", ())
        found.set_params(**{name: getattr(estimator, name) for name in waiting})
    own, theirs = (one.get_params(deep=False) for one in (estimator, found))
    differ = [
        name
        for name in own
        if name not in _FREE and isinstance(own[name], _PLAIN) and own[name] != theirs[name]
    ]
    if differ:
        raise ValueError(
            f"checkpoint={str(path)!r} is of a fit with other values of {', '.join(differ)}; "
            "delete the file to begin again, or set the parameters that it was written with."
        )
    learnt = {name: value for name, value in vars(found).items() if name not in own}
    vars(estimator).update(learnt)
    publish_network(estimator, found._network)
    return FitMode.RESUMED
