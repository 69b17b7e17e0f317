"""TabularClassifier: a network for classes of the rows of a table."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._core.base import NetworkClassifier
from sklearn_nn.estimators._targets.codec import MULTICLASS
from sklearn_nn.estimators.tabular.base import BaseTabular
from sklearn_nn.estimators.tabular.calibration import Calibrator, at_temperature
from sklearn_nn.estimators.tabular.recipes import CLASSES
from sklearn_nn.estimators.tabular.search import CLASSIFIER_SPACE
from sklearn_nn.training.losses import CLASSIFICATION_LOSSES, Loss


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
    hidden_layer_sizes : int, tuple of int or 'auto', default='auto'
        Number of units of each hidden layer. 'auto' is 3 times 256 ('realmlp') or 512 ('tabm').
    activation : str, default='auto'
        Activation of the hidden layers, as in :class:`MLPClassifier`. 'auto' is 'relu'.
    n_networks : int or 'auto', default='auto'
        Number of networks, each with a validation set of its own; predictions are averaged. 'auto'
        is 4 for 'realmlp', 1 for 'tabm' or with `warm_start`.
    n_members : int or 'auto', default='auto'
        Members of 'tabm', whose probabilities are averaged; 'auto' is 32. 'realmlp' has one.
    num_embedding : {'periodic', 'piecewise_linear', 'auto'} or None, default='auto'
        Embedding of numbers: :class:`~sklearn_nn.layers.PeriodicEmbedding`,
        :class:`~sklearn_nn.layers.PiecewiseLinearEmbedding` with bins of equally many rows, or
        none. 'auto' is 'piecewise_linear'.
    dropout : float, list of float or 'auto', default='auto'
        Dropout rate, in [0, 1), of all hidden layers, or a list with one rate per layer. 'auto' is
        0.15 for 'realmlp', decreasing to 0 in the second half of training, and 0.1 for 'tabm'.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' (Lin et al., 2017) gives less weight to easy samples. Objects may be user-defined.
    label_smoothing : float, default=0.0
        Share of each target that 'log_loss' distributes evenly over all classes, in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Factors on sample weights by class, also in validation; 'balanced': inverse frequencies.
    calibrate : bool, default=True
        Whether to divide each network's logits by the temperature that minimizes the log loss of
        its validation set [3]_, with label smoothing where that set is small. The most probable
        class of a network is unchanged; that of the average of several may change.
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
    tol : float, default=0.0001
        Minimum improvement of the validation score, for `early_stopping` True; with `scoring`
        'loss', also for the choice of the best epoch.
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
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    encoder_ : TableEncoder
        Transformer of the table; its ``categories_`` holds the categories of each column.
    recipe_ : dict of str to object
        Values of all parameters that may be 'auto'.
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
    n_iter_, n_parameters_ : int
        Numbers of epochs of the last training and of trainable parameters of one network.
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
    SEARCH_SPACE: ClassVar[dict] = CLASSIFIER_SPACE

    _parameter_constraints: ClassVar[dict] = {
        **BaseTabular._parameter_constraints,
        "loss": [StrOptions(set(CLASSIFICATION_LOSSES)), Loss],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "calibrate": ["boolean"],
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
        loss="log_loss",
        label_smoothing=0.0,
        class_weight=None,
        calibrate=True,
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.calibrate = calibrate
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
        """Temperatures by which the logits of each network are divided.

        Returns
        -------
        temperatures : ndarray of shape (n_networks,)
            Above 1 where a network is too sure of itself.
        """
        return np.array(self._temperatures)
