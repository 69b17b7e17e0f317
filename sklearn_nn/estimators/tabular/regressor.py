"""TabularRegressor: a network for numbers that belong to the rows of a table."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._core.base import NetworkRegressor
from sklearn_nn.estimators._targets.codec import ScaledNumberCodec
from sklearn_nn.estimators.tabular.base import BaseTabular
from sklearn_nn.estimators.tabular.recipes import NUMBERS, POSITIVE
from sklearn_nn.estimators.tabular.search import REGRESSOR_SPACE
from sklearn_nn.training.losses import REGRESSION_LOSSES, Loss, get_regression_loss


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
        Number of networks, each with a validation set of its own; predictions are averaged. 'auto'
        is 4 for 'realmlp', 1 for 'tabm' or with `warm_start`.
    n_members : int or 'auto', default='auto'
        Members of 'tabm', whose predictions are averaged; 'auto' is 32. 'realmlp' has one.
    num_embedding : {'periodic', 'piecewise_linear', 'auto'} or None, default='auto'
        Embedding of numbers: :class:`~sklearn_nn.layers.PeriodicEmbedding`,
        :class:`~sklearn_nn.layers.PiecewiseLinearEmbedding` with bins of equally many rows, or
        none. 'auto' is 'piecewise_linear'.
    dropout : float, list of float or 'auto', default='auto'
        Dropout rate, in [0, 1), of all hidden layers, or a list with one rate per layer. 'auto' is
        0.15 for 'realmlp', decreasing to 0 in the second half of training, and 0.1 for 'tabm'.
    loss : str or Loss, default='squared_error'
        Loss to minimize, as in :class:`MLPRegressor`. It sees y in units of its standard deviation.
    quantile : float, default=0.5
        Quantile that ``loss='quantile'`` predicts, in (0, 1).
    categorical_features : 'from_dtype', array-like or None, default='from_dtype'
        Categorical columns: by type (text, categories, booleans, and objects that are not all
        numbers), by names, positions or a mask, or none.
    numeric : {'robust', 'quantile', 'auto'}, default='auto'
        Scaling of numbers: by median and quartiles with smooth clipping, or by ranks to a normal
        distribution. 'auto' is 'robust' for 'realmlp', 'quantile' for 'tabm'.
    max_one_hot : int or 'auto', default='auto'
        Columns with more values (missing counts) are embedded, others one-hot encoded. 'auto' is 9.
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
    tol : float, default=0.0001
        Minimum improvement of the validation score, for `early_stopping` True.
    scoring : str, callable or None, default='loss'
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    refit_full : bool, default=False
        Whether to train again on all rows, for the best number of epochs, where rows were held out.
        It doubles the time. `callbacks` are called in the first training only.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal with rich installed, else a line per epoch.
    warm_start : bool or 'resume', default=False
        True continues from the weights, columns and categories of the last `fit` for `max_iter`
        more epochs, with a new optimizer, and keeps the best epoch of these. 'resume' also
        continues optimizer, schedule and sample order, as one uninterrupted fit. A fit that has
        ended continues only with one network and without `refit_full`.
    callbacks : list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.
    dtype : {'float32', 'float64'}, default='float32'
        Type to compute in.

    Attributes
    ----------
    encoder_ : TableEncoder
        Transformer of the table; its ``categories_`` holds the categories of each column.
    recipe_ : dict of str to object
        Values of all parameters that may be 'auto'.
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
    n_iter_, n_parameters_ : int
        Numbers of epochs of the last training and of trainable parameters of one network.
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
    >>> model = TabularRegressor(random_state=0).fit(table[:200], price[:200])
    >>> model.score(table[200:], price[200:]) > 0.95
    True
    """

    #: Distributions of parameters for a random search.
    SEARCH_SPACE: ClassVar[dict] = REGRESSOR_SPACE

    _parameter_constraints: ClassVar[dict] = {
        **BaseTabular._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        architecture="realmlp",
        *,
        hidden_layer_sizes="auto",
        activation="auto",
        n_networks="auto",
        n_members="auto",
        num_embedding="auto",
        dropout="auto",
        loss="squared_error",
        quantile=0.5,
        categorical_features="from_dtype",
        numeric="auto",
        max_one_hot="auto",
        batch_size="auto",
        learning_rate="auto",
        learning_rate_init="auto",
        weight_decay="auto",
        max_iter="auto",
        early_stopping="best",
        validation_fraction=0.2,
        n_iter_no_change=16,
        tol=1e-4,
        scoring="loss",
        refit_full=False,
        learning_rate_factors=None,
        random_state=None,
        verbose=False,
        warm_start=False,
        callbacks=None,
        n_jobs=None,
        dtype="float32",
    ):
        self.architecture = architecture
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_networks = n_networks
        self.n_members = n_members
        self.num_embedding = num_embedding
        self.dropout = dropout
        self.loss = loss
        self.quantile = quantile
        self.categorical_features = categorical_features
        self.numeric = numeric
        self.max_one_hot = max_one_hot
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.scoring = scoring
        self.refit_full = refit_full
        self.learning_rate_factors = learning_rate_factors
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.n_jobs = n_jobs
        self.dtype = dtype

    def _kind(self):
        loss = get_regression_loss(self.loss, self.get_params(deep=False))
        return POSITIVE if loss.link == "exp" else NUMBERS

    _codec_kind = ScaledNumberCodec

    def _corrected(self, output, k):
        return self._codec.cut(output)
