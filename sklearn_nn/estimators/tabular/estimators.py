"""Networks for tables: TabularClassifier and TabularRegressor."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from sklearn_nn.estimators._core.base import BaseNetwork, NetworkClassifier, NetworkRegressor
from sklearn_nn.estimators._core.parameters import (
    CONSTRAINTS,
    COUNT,
    StrOptions,
    estimator_parameters,
    fixed,
)
from sklearn_nn.estimators._inputs.table.encoder import TableEncoder
from sklearn_nn.estimators._inputs.table.reader import TableReader
from sklearn_nn.estimators._targets.codec import MULTICLASS, ClippedNumberCodec
from sklearn_nn.estimators.tabular.architecture import (
    CLASSES,
    NUMBERS,
    PERIODIC,
    PIECEWISE_LINEAR,
    POSITIVE,
    RECIPES,
)
from sklearn_nn.estimators.tabular.fit import Calibrator, TableFit, at_temperature
from sklearn_nn.training.losses import get_regression_loss

AUTO = "auto"
#: Parameters that may be "auto", to use the value of the recipe, and their other values.
_AUTOMATIC = {
    "hidden_layer_sizes": CONSTRAINTS["hidden_layer_sizes"],
    "activation": CONSTRAINTS["activation"],
    "dropout": CONSTRAINTS["dropout"],
    "batch_size": CONSTRAINTS["batch_size"],
    "learning_rate": CONSTRAINTS["learning_rate"],
    "learning_rate_init": CONSTRAINTS["learning_rate_init"],
    "max_iter": CONSTRAINTS["max_iter"],
    "n_networks": COUNT,
    "n_members": COUNT,
    "num_embedding": [StrOptions({PERIODIC, PIECEWISE_LINEAR}), None],
    "numeric": [StrOptions({"robust", "quantile"})],
    "max_one_hot": [Interval(Integral, 0, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
}
#: Values or distributions of parameters for a random search.
_SEARCH_SPACE: dict = {
    "hidden_layer_sizes": [(256, 256, 256), (128, 128), (512, 256), (512, 512, 512)],
    "num_embedding": ["periodic", "piecewise_linear", None],
    "dropout": uniform(0.0, 0.4),
    "weight_decay": loguniform(1e-4, 0.1),
    "batch_size": [64, 128, 256, 512],
}


@estimator_parameters
class BaseTabular(BaseNetwork):
    """Base of estimators for tables: an encoder, several networks, and a training recipe."""

    architecture: str = "realmlp"
    _: KW_ONLY
    hidden_layer_sizes: Any = AUTO
    activation: str = AUTO
    n_networks: int | str = AUTO
    n_members: int | str = AUTO
    num_embedding: str | None = AUTO
    dropout: float | list[float] | str = AUTO
    categorical_features: Any = "from_dtype"
    numeric: str = AUTO
    max_one_hot: int | str = AUTO
    dates: str = "error"
    batch_size: int | str = AUTO
    learning_rate: Any = AUTO
    learning_rate_init: Any = AUTO
    weight_decay: Any = AUTO
    max_iter: Any = AUTO
    early_stopping: bool | str = "best"
    validation_fraction: float = 0.2
    n_iter_no_change: float = 16
    scoring: Any = "loss"
    refit_full: bool = False
    dtype: str = "float32"
    # The recipes determine these, or do not use them.
    solver: str = fixed("adamw")
    alpha: float = fixed(0.0)
    l1_ratio: float = fixed(0.0)
    clipnorm: float = fixed(0.0)
    max_norm: float = fixed(0.0)
    ema_momentum: float = fixed(0.0)
    beta_1: float = fixed(0.9)
    beta_2: float = fixed(0.999)
    epsilon: float = fixed(1e-8)
    momentum: float = fixed(0.0)
    nesterovs_momentum: bool = fixed(False)
    power_t: float = fixed(0.5)
    max_fun: int = fixed(0)
    shuffle: bool = fixed(True)
    n_restarts: int = fixed(1)

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [StrOptions(set(RECIPES))],
        **{name: [*allowed, StrOptions({AUTO})] for name, allowed in _AUTOMATIC.items()},
        "categorical_features": TableEncoder._parameter_constraints["categorical_features"],
        "dates": TableEncoder._parameter_constraints["dates"],
        "refit_full": ["boolean"],
        "dtype": [StrOptions({"float32", "float64"})],
    }
    _fit_kind = TableFit
    _input_tags: ClassVar[dict] = {"allow_nan": True, "string": True, "categorical": True}
    _NEEDED = (*BaseNetwork._NEEDED, "histories_", "_split_seed", "_chosen")

    # --- the recipe ----------------------------------------------------------------------

    @abstractmethod
    def _kind(self):
        """Return the kind of target, one of `KINDS`."""

    def _setting(self, name):
        value = getattr(self, name)
        return self._chosen[name] if isinstance(value, str) and value == AUTO else value

    def _settings(self):
        return {**self._chosen, **super()._settings()}

    @property
    def recipe_(self):
        """Values in use of the parameters that may be 'auto', and others of the recipe.

        Returns
        -------
        recipe : dict of str to object
            The values by name.
        """
        settings = self._settings()
        return {name: settings[name] for name in self._chosen}

    # --- parts -------------------------------------------------------------------------------

    def _make_reader(self):
        return TableReader(
            categorical_features=self.categorical_features,
            numeric=self._setting("numeric"),
            max_one_hot=self._setting("max_one_hot"),
            dates=self.dates,
            dtype=self.dtype,
        )

    def _layers(self, reader, n_outputs):
        return self._recipe().layers(reader, n_outputs, self._settings())

    def _recipe(self):
        """Return the recipe of the architecture."""
        return RECIPES[self.architecture]

    def _run(self, network, data, layer, n_jobs):
        """Return the mean prediction of the networks, or the output of a layer of the last one."""
        if layer is not None:
            return network.run(data, layer, n_jobs)
        networks = [*self._earlier, network]
        total = self._corrected(networks[0].run(data, None, n_jobs), 0)
        for k, other in enumerate(networks[1:], 1):
            total += self._corrected(other.run(data, None, n_jobs), k)
        total /= len(networks)
        return total

    @abstractmethod
    def _corrected(self, output, k):
        """Return the output of network `k` as it enters the mean."""

    def _judges(self, program, validation):
        """Return callbacks that use the validation set."""
        return []

    def _remarks(self):
        n = len(self._earlier) + 1
        return (("Networks", f"{n}, each as above"),) if n > 1 else ()

    def _check_loaded(self):
        wanted = self._recipe().parameters(1, self._kind())
        if set(self._chosen) != set(wanted):
            raise ValueError("a recipe with other parameters")
        constraints = {**CONSTRAINTS, **_AUTOMATIC}
        validate_parameter_constraints(constraints, self._chosen, "the recipe")
        temperatures = vars(self).get("_temperatures")
        if temperatures is not None and len(temperatures) != len(self._earlier) + 1:
            raise ValueError("temperatures of other networks")


@estimator_parameters
class TabularClassifier(BaseTabular, NetworkClassifier):
    """Neural network for the classification of table rows, accurate without tuning.

    X is a DataFrame or an array and needs no preprocessing: numbers are scaled, missing values are
    marked, and text, categories and booleans are recognized by type.

    Parameters
    ----------
    architecture : {'realmlp', 'tabm'}, default='realmlp'
        Network and training recipe: RealMLP [1]_ with embeddings of numbers and categories and a
        learnt scale of each input, or TabM [2]_, an ensemble whose members share most weights.
        Parameters that are 'auto' follow the recipe and the size of the table; see `recipe_`.
    calibrate : bool, default=True
        Whether to divide each network's logits by the temperature that minimizes the log loss of
        its validation set [3]_, with label smoothing where that set is small. The most probable
        class of a network is unchanged; that of the average of several may change.
    hidden_layer_sizes : int, tuple of int or 'auto', default='auto'
        Number of units of each hidden layer. 'auto' is 3 times 256 ('realmlp') or 512 ('tabm').
    activation : str, default='auto'
        Activation of the hidden layers, as in :class:`MLPClassifier`. 'auto' is 'relu'.
    n_networks : int or 'auto', default='auto'
        Number of networks, each with its own validation set; predictions are averaged. 'auto' is 4
        for 'realmlp', 1 for 'tabm' or with `warm_start`.
    n_members : int or 'auto', default='auto'
        Members of 'tabm', whose probabilities are averaged; 'auto' is 32. 'realmlp' has one.
    num_embedding : {'periodic', 'piecewise_linear', 'auto'} or None, default='auto'
        Embedding of numbers: :class:`~sklearn_nn.layers.PeriodicEmbedding`,
        :class:`~sklearn_nn.layers.PiecewiseLinearEmbedding` with bins of equally many rows, or
        none. 'auto' is 'piecewise_linear'.
    dropout : float, list of float or 'auto', default='auto'
        Dropout rate, in [0, 1), of all hidden layers, or a list with one rate per layer. 'auto' is
        0.15 for 'realmlp', decreasing to 0 in the second half of training, and 0.1 for 'tabm'.
    categorical_features : 'from_dtype', array-like or None, default='from_dtype'
        Categorical columns: by type (text, categories, booleans, and objects that are not all
        numbers), by names, positions or a mask, or none. By type, identifiers are left out and
        numbers among text are read, with a warning; see :ref:`text_columns`.
    numeric : {'robust', 'quantile', 'auto'}, default='auto'
        Scaling of numbers: by median and quartiles with smooth clipping, or by ranks to a normal
        distribution. 'auto' is 'robust' for 'realmlp', 'quantile' for 'tabm'.
    max_one_hot : int or 'auto', default='auto'
        Columns with more values (missing counts) are embedded, others one-hot encoded. 'auto' is 9.
    dates : {'error', 'parts'}, default='error'
        What is done with columns of dates: an error, or their parts are used as numbers (elapsed
        days, year, month, day, weekday and hour; month, weekday and hour also on a circle).
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is ``min(256, n_samples)``.
    learning_rate : str, Schedule or callable, default='auto'
        Schedule of the learning rate, as in :class:`MLPClassifier`. 'auto' is 'coslog4' for
        'realmlp', 'constant' for 'tabm'.
    learning_rate_init : float or 'auto', default='auto'
        Initial learning rate. 'auto' is 0.04 for 'realmlp', 0.002 for 'tabm'.
    weight_decay : float or 'auto', default='auto'
        Decoupled weight decay per unit of learning rate. 'auto' is 0.02 for 'realmlp', decreasing
        like `dropout`, and 0.0003 for 'tabm'.
    max_iter : int or 'auto', default='auto'
        Number of epochs. 'auto' is 16 (large tables) to 128 (small tables), and 100 for 'tabm'.
    early_stopping : bool or 'best', default='best'
        Whether to hold out `validation_fraction` of the rows (or use `X_val` of `fit`) and keep the
        weights of the epoch with the best score. True stops after `n_iter_no_change` epochs without
        improvement; 'best' uses all epochs. False trains on all rows and keeps the last weights.
        Tables of fewer than about ten rows are not split. The split is stratified.
    validation_fraction : float, default=0.2
        Share of the samples that is held out.
    n_iter_no_change : int, default=16
        With `early_stopping` True, training stops after more epochs than this without improvement.
    scoring : str, callable or None, default='loss'
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    refit_full : bool, default=False
        Whether to train again on all rows, for the best number of epochs, where rows were held out.
        It doubles the time. `callbacks` are called in the first training only.
    dtype : {'float32', 'float64'}, default='float32'
        Type to compute in.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' (Lin et al., 2017) gives less weight to easy samples. Objects may be user-defined.
    label_smoothing : float, default=0.0
        Share of each target that 'log_loss' distributes evenly over all classes, in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Factors on sample weights by class, also in validation; 'balanced': inverse frequencies.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the validation score, for `early_stopping` True; with `scoring`
        'loss', also for the choice of the best epoch.
    verbose : bool, default=False
        Whether to show progress: a bar in a notebook, or on a terminal with rich or tqdm installed;
        else a line per epoch.
    warm_start : bool or 'resume', default=False
        True continues from the weights, columns and categories of the last `fit` for `max_iter`
        more epochs, with a new optimizer, and keeps the best epoch of these. 'resume' also
        continues optimizer, schedule and sample order, as one uninterrupted fit. A fit that has
        ended continues only with one network and without `refit_full`.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    callbacks : Callback, list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    encoder_ : TableEncoder
        Transformer of the table; its ``categories_`` holds the categories of each column, and
        ``dropped_columns_`` the columns that are left out.
    recipe_ : dict of str to object
        Values in use of all parameters that may be 'auto': those set by the user, and those that
        the recipe has for the others.
    temperatures_ : ndarray of shape (n_networks,)
        Divisors of each network's logits; 1 without `calibrate` or without a validation set.
    layers_ : dict of str to dict of str to ndarray
        Weights of the last network by layer and name. Writing into them changes predictions.
    best_validation_score_ : float or None
        Best validation score of the last training.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch
        of the last training.
    histories_ : list of dict
        Histories of all trainings, by network; with `refit_full`, each validated and then refitted.
    best_iteration_ : int
        Epoch of the last training's best validation score, or smallest loss without validation.
    n_iter_ : int
        Number of epochs of the last training.
    n_parameters_ : int
        Number of trainable parameters of one network.
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all are strings. Tables are matched by name, in any order.

    See Also
    --------
    TabularRegressor : Regression on table rows.
    MLPClassifier : Dense layers only, as in scikit-learn.
    sklearn.ensemble.HistGradientBoostingClassifier : Gradient boosted trees for such tables.

    Notes
    -----
    If the table fits in one batch, equal rows of the same class are merged into one row with the
    sum of their weights. Weights then act exactly like repeated rows, and the order of the rows
    does not matter.

    `TabularClassifier.SEARCH_SPACE` holds parameter distributions for
    :class:`~sklearn.model_selection.RandomizedSearchCV`.

    References
    ----------
    .. [1] Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong
       pre-tuned MLPs and boosted trees on tabular data. NeurIPS.
    .. [2] Gorishniy, Y., Kotelnikov, A., & Babenko, A. (2025). TabM: advancing tabular deep
       learning with parameter-efficient ensembling. ICLR.
    .. [3] Guo, C., Pleiss, G., Sun, Y., & Weinberger, K. Q. (2017). On calibration of modern neural
       networks. ICML.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_nn import TabularClassifier
    >>> table = pd.DataFrame({"size": [1, 2, None, 9, 8, 7] * 10, "colour": list("rgbbgr") * 10})
    >>> large = ["no", "no", "no", "yes", "yes", "yes"] * 10
    >>> model = TabularClassifier(max_iter=20, random_state=0).fit(table, large)
    >>> model.predict(pd.DataFrame({"size": [1.5, 8.5], "colour": ["r", "violet"]}))
    array(['no', 'yes'], dtype='<U3')
    """

    #: Distributions of parameters for a random search.
    SEARCH_SPACE: ClassVar[dict] = {
        **_SEARCH_SPACE,
        "learning_rate_init": loguniform(0.01, 0.2),
        "label_smoothing": [0.0, 0.05, 0.1],
    }

    _: KW_ONLY
    calibrate: bool = True

    _parameter_constraints: ClassVar[dict] = {"calibrate": ["boolean"]}
    _NEEDED = (*BaseTabular._NEEDED, "_temperatures")

    def _kind(self):
        return CLASSES

    def _judges(self, program, validation):
        if not self.calibrate:
            return []
        return [Calibrator(program, validation, self._codec.kind == MULTICLASS)]

    def _corrected(self, output, k):
        is_one_of_many = self._codec.kind == MULTICLASS
        return at_temperature(output, self._temperatures[k], one_of_many=is_one_of_many)

    @property
    def temperatures_(self):
        """Divisors of the logits of each network.

        Returns
        -------
        temperatures : ndarray of shape (n_networks,)
            Above 1 for overconfident networks.
        """
        return np.array(self._temperatures)


@estimator_parameters
class TabularRegressor(BaseTabular, NetworkRegressor):
    """Neural network for regression on table rows, accurate without tuning.

    X is a DataFrame or an array and needs no preprocessing: numbers are scaled, missing values are
    marked, and text, categories and booleans are recognized by type.

    Parameters
    ----------
    architecture : {'realmlp', 'tabm'}, default='realmlp'
        Network and training recipe: RealMLP [1]_ with embeddings of numbers and categories and a
        learnt scale of each input, or TabM [2]_, an ensemble whose members share most weights.
        Parameters that are 'auto' follow the recipe and the size of the table; see `recipe_`.
    hidden_layer_sizes : int, tuple of int or 'auto', default='auto'
        Number of units of each hidden layer. 'auto' is 3 times 256 ('realmlp') or 512 ('tabm').
    activation : str, default='auto'
        Activation of the hidden layers, as in :class:`MLPClassifier`. 'auto' is 'mish' for
        'realmlp', 'relu' for 'tabm'.
    n_networks : int or 'auto', default='auto'
        Number of networks, each with its own validation set; predictions are averaged. 'auto' is 4
        for 'realmlp', 1 for 'tabm' or with `warm_start`.
    n_members : int or 'auto', default='auto'
        Members of 'tabm', whose predictions are averaged; 'auto' is 32. 'realmlp' has one.
    num_embedding : {'periodic', 'piecewise_linear', 'auto'} or None, default='auto'
        Embedding of numbers: :class:`~sklearn_nn.layers.PeriodicEmbedding`,
        :class:`~sklearn_nn.layers.PiecewiseLinearEmbedding` with bins of equally many rows, or
        none. 'auto' is 'piecewise_linear'.
    dropout : float, list of float or 'auto', default='auto'
        Dropout rate, in [0, 1), of all hidden layers, or a list with one rate per layer. 'auto' is
        0.15 for 'realmlp', decreasing to 0 in the second half of training, and 0.1 for 'tabm'.
    categorical_features : 'from_dtype', array-like or None, default='from_dtype'
        Categorical columns: by type (text, categories, booleans, and objects that are not all
        numbers), by names, positions or a mask, or none. By type, identifiers are left out and
        numbers among text are read, with a warning; see :ref:`text_columns`.
    numeric : {'robust', 'quantile', 'auto'}, default='auto'
        Scaling of numbers: by median and quartiles with smooth clipping, or by ranks to a normal
        distribution. 'auto' is 'robust' for 'realmlp', 'quantile' for 'tabm'.
    max_one_hot : int or 'auto', default='auto'
        Columns with more values (missing counts) are embedded, others one-hot encoded. 'auto' is 9.
    dates : {'error', 'parts'}, default='error'
        What is done with columns of dates: an error, or their parts are used as numbers (elapsed
        days, year, month, day, weekday and hour; month, weekday and hour also on a circle).
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is ``min(256, n_samples)``.
    learning_rate : str, Schedule or callable, default='auto'
        Schedule of the learning rate, as in :class:`MLPClassifier`. 'auto' is 'coslog4' for
        'realmlp', 'constant' for 'tabm'.
    learning_rate_init : float or 'auto', default='auto'
        Initial learning rate. 'auto' is 0.2 for 'realmlp' (0.04 with 'poisson'), 0.002 for 'tabm'.
    weight_decay : float or 'auto', default='auto'
        Decoupled weight decay per unit of learning rate. 'auto' is 0.02 for 'realmlp', decreasing
        like `dropout`, and 0.0003 for 'tabm'.
    max_iter : int or 'auto', default='auto'
        Number of epochs. 'auto' is 16 (large tables) to 128 (small tables), and 100 for 'tabm'.
    early_stopping : bool or 'best', default='best'
        Whether to hold out `validation_fraction` of the rows (or use `X_val` of `fit`) and keep the
        weights of the epoch with the best score. True stops after `n_iter_no_change` epochs without
        improvement; 'best' uses all epochs. False trains on all rows and keeps the last weights.
        Tables of fewer than about ten rows are not split.
    validation_fraction : float, default=0.2
        Share of the samples that is held out.
    n_iter_no_change : int, default=16
        With `early_stopping` True, training stops after more epochs than this without improvement.
    scoring : str, callable or None, default='loss'
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    refit_full : bool, default=False
        Whether to train again on all rows, for the best number of epochs, where rows were held out.
        It doubles the time. `callbacks` are called in the first training only.
    dtype : {'float32', 'float64'}, default='float32'
        Type to compute in.
    loss : str or Loss, default='squared_error'
        Loss to minimize, as in :class:`MLPRegressor`. It sees y in units of its standard deviation.
    quantile : float or list of float, default=0.5
        Quantile that ``loss='quantile'`` predicts, in (0, 1), or several in ascending order, which
        one network predicts so that they never cross: :meth:`predict_quantiles` returns all of
        them, and `predict` the middle one (of two, that which is nearer to 0.5).
    conformal_fraction : float, default=0.0
        Share of the samples that is held out of the whole fit, to shift each quantile but the
        median so that its level holds for new samples (conformal prediction: Romano, Patterson &
        Candès, 2019). 0 shifts none.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the validation score, for `early_stopping` True.
    verbose : bool, default=False
        Whether to show progress: a bar in a notebook, or on a terminal with rich or tqdm installed;
        else a line per epoch.
    warm_start : bool or 'resume', default=False
        True continues from the weights, columns and categories of the last `fit` for `max_iter`
        more epochs, with a new optimizer, and keeps the best epoch of these. 'resume' also
        continues optimizer, schedule and sample order, as one uninterrupted fit. A fit that has
        ended continues only with one network and without `refit_full`.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    callbacks : Callback, list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.

    Attributes
    ----------
    encoder_ : TableEncoder
        Transformer of the table; its ``categories_`` holds the categories of each column, and
        ``dropped_columns_`` the columns that are left out.
    recipe_ : dict of str to object
        Values in use of all parameters that may be 'auto': those set by the user, and those that
        the recipe has for the others.
    layers_ : dict of str to dict of str to ndarray
        Weights of the last network by layer and name. Writing into them changes predictions.
    best_validation_score_ : float or None
        Best validation score of the last training.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch
        of the last training.
    histories_ : list of dict
        Histories of all trainings, by network; with `refit_full`, each validated and then refitted.
    best_iteration_ : int
        Epoch of the last training's best validation score, or smallest loss without validation.
    n_iter_ : int
        Number of epochs of the last training.
    n_parameters_ : int
        Number of trainable parameters of one network.
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all are strings. Tables are matched by name, in any order.

    See Also
    --------
    TabularClassifier : Classification of table rows.
    MLPRegressor : Dense layers only, as in scikit-learn.
    sklearn.ensemble.HistGradientBoostingRegressor : Gradient boosted trees for such tables.

    Notes
    -----
    Targets are standardized in training; for 'poisson', they are divided by their mean. Predictions
    are clipped to the range of the targets of `fit` (of all its calls with `warm_start`).

    If the table fits in one batch, equal rows of the same target are merged into one row with the
    sum of their weights. Weights then act exactly like repeated rows, and the order of the rows
    does not matter.

    `TabularRegressor.SEARCH_SPACE` holds parameter distributions for
    :class:`~sklearn.model_selection.RandomizedSearchCV`.

    References
    ----------
    .. [1] Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong
       pre-tuned MLPs and boosted trees on tabular data. NeurIPS.
    .. [2] Gorishniy, Y., Kotelnikov, A., & Babenko, A. (2025). TabM: advancing tabular deep
       learning with parameter-efficient ensembling. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_nn import TabularRegressor
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame(
    ...     {"size": rng.normal(50, 10, 300), "colour": rng.choice(["red", "blue", None], 300)}
    ... )
    >>> price = 3 * table["size"] + 50 * (table["colour"] == "red")
    >>> model = TabularRegressor(n_networks=1, random_state=0).fit(table[:200], price[:200])
    >>> round(model.score(table[200:], price[200:]), 1)
    1.0
    """

    #: Distributions of parameters for a random search.
    SEARCH_SPACE: ClassVar[dict] = {**_SEARCH_SPACE, "learning_rate_init": loguniform(0.04, 0.5)}

    def _kind(self):
        loss = get_regression_loss(self.loss, self.get_params(deep=False))
        return POSITIVE if loss.link == "exp" else NUMBERS

    _codec_kind = ClippedNumberCodec

    def _corrected(self, output, k):
        return self._codec.cut(output)
