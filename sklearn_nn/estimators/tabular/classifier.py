"""TabularClassifier: a network for classes of the rows of a table."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._core.kinds import NetworkClassifier
from sklearn_nn.estimators._targets.labels import MULTICLASS
from sklearn_nn.estimators.tabular.base import BaseTabular
from sklearn_nn.estimators.tabular.calibration import Calibrator, at_temperature
from sklearn_nn.estimators.tabular.recipes import CLASSES
from sklearn_nn.estimators.tabular.search import CLASSIFIER_SPACE
from sklearn_nn.training.losses import CLASSIFICATION_LOSSES, Loss


class TabularClassifier(BaseTabular, NetworkClassifier):
    """Network for classes of the rows of a table, strong without tuning.

    X is a DataFrame, or an array. Numbers are scaled, missing values marked, and text, categories
    and truth values recognised by their types. Nothing has to be encoded, filled in or scaled.

    Parameters
    ----------
    architecture : {'realmlp', 'tabm'}, default='realmlp'
        Which network, and which recipe for its training. 'realmlp' is RealMLP [1]_ with curves of
        each number: learnt vectors for categories, a learnt scale of each input, dense layers.
        'tabm' is TabM [2]_, whose members share most of their weights. Parameters that are 'auto'
        are the recipe's, which goes by the size of the table and is in `recipe_`.
    hidden_layer_sizes : int, tuple of int or 'auto', default='auto'
        Units of each hidden layer. 'auto' is (256, 256, 256) for 'realmlp', and (512, 512, 512)
        for 'tabm'.
    activation : str, default='auto'
        Activation of the hidden layers, as in :class:`MLPClassifier`. 'auto' is
        'relu'.
    n_networks : int or 'auto', default='auto'
        Networks that are trained one after another, each with rows of its own held out; their
        predictions are averaged. 'auto' is 4 for 'realmlp', and 1 for 'tabm' or with `warm_start`.
    n_members : int or 'auto', default='auto'
        Members of 'tabm', whose probabilities are averaged; 'auto' is 32. 'realmlp' has one.
    num_embedding : {'periodic', 'piecewise_linear', 'auto'} or None, default='auto'
        What a number becomes before the first layer: a curve through bins of equally many rows
        (:class:`~sklearn_nn.layers.PiecewiseLinearEmbedding`); some of its waves
        (:class:`~sklearn_nn.layers.PeriodicEmbedding`); or itself. 'auto' is
        'piecewise_linear'.
    dropout : float, list of float or 'auto', default='auto'
        Share of the outputs of each hidden layer that is set to zero while training, in [0, 1);
        one for all layers, or one for each. 'auto' is 0.15 for 'realmlp', where it falls to 0 in
        the second half of the training, and 0.1 for 'tabm'.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' counts samples that are already right less (Lin et al., 2017). An object may be a
        loss of one's own.
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly over the classes by 'log_loss', in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, which multiply `sample_weight`, in the validation score too.
        'balanced' weights classes inversely to their frequency among the weighted samples.
    calibrate : bool, default=True
        Whether the validation set settles a temperature that makes probabilities more or less
        certain, so that its log loss is least [3]_, with some doubt where its rows are few. Which
        class of a network is the likeliest stays; of the mean of several it may change.
    categorical_features : 'from_dtype', None, or array-like of str, int or bool, \
            default='from_dtype'
        Which columns are categories: by their types, none, or those given by names, positions or
        a mask. By type it is those of text, categories, truth values, and objects that are not all
        numbers.
    numeric : {'robust', 'quantile', 'auto'}, default='auto'
        How numbers are scaled: by median and quartiles, with a smooth limit; or by ranks, to a
        normal distribution. 'auto' is 'robust' for 'realmlp', 'quantile' for 'tabm'.
    max_one_hot : int or 'auto', default='auto'
        Categorical columns of at most so many values, a missing one included, are one-hot; others
        are learnt vectors. 'auto' is 9.
    batch_size : int or 'auto', default='auto'
        Samples in a batch. 'auto' is 256, or all rows if there are fewer.
    learning_rate : str, Schedule or callable, default='auto'
        Schedule of the learning rate, as in :class:`MLPClassifier`. 'auto' is 'coslog4' for
        'realmlp', 'constant' for 'tabm'.
    learning_rate_init : float or 'auto', default='auto'
        The initial learning rate. 'auto' is 0.04 for 'realmlp', 0.002 for 'tabm'.
    weight_decay : float or 'auto', default='auto'
        Share of each weight, times the learning rate, that every step takes away apart from the
        gradient. 'auto' is 0.02 for 'realmlp', where it falls as `dropout` does, and 0.0003 for
        'tabm'.
    max_iter : int or 'auto', default='auto'
        Epochs, for which the schedules are planned. 'auto' is 16 to 128, the fewer the larger the
        table, and 100 for 'tabm'.
    early_stopping : bool or 'best', default='best'
        Whether to hold out `validation_fraction` of the rows (or to use `X_val` of `fit`) and keep
        the weights of the epoch with the best score there. With True, training stops when there
        was none better for `n_iter_no_change` epochs; with 'best' it uses all. With False, all rows
        are trained on, and the last weights kept. The split is stratified by class. Of fewer than
        about ten rows none are held out.
    validation_fraction : float, default=0.2
        Share of the rows that is held out.
    n_iter_no_change : int, default=16
        With `early_stopping` True, training stops after more than this many epochs without an
        improvement of `tol`.
    tol : float, default=1e-4
        Smallest change of the score that counts as an improvement then; of 'loss', that makes an
        epoch better than another.
    scoring : str, callable or None, default='loss'
        What the best epoch is best in: 'loss' is the validation loss, None accuracy, else a scorer
        of scikit-learn.
    refit_full : bool, default=False
        Whether to train a second time once the best epoch is known, on all rows and for so many
        epochs. It takes twice as long. Where there was no split, there is no second training.
        `callbacks` are called in the first.
    learning_rate_factors : dict of str to float or None, default=None
        Factors on the learning rate by name of layer, as :meth:`summary` has them; 0 freezes a
        layer, as :meth:`freeze` does.
    random_state : int, RandomState instance or None, default=None
        Draws the initial weights, the validation split, the batches and dropout. The same number
        gives the same weights to the last bit, for any `n_jobs`.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal where rich is installed, else a line for
        every epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` goes on from the weights of the last call, and with the columns and categories
        of then: with a new optimizer, for `max_iter` more epochs, of which the best is kept.
        'resume' goes on with optimizer, schedule and order of the samples, as if there had been one
        call. Only a fit of one network, without `refit_full`, is gone on from once it has ended.
    callbacks : list of Callback or None, default=None
        Called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads of one fit or predict; None is 1, -1 all cores. Never more than there are cores.
    dtype : {'float32', 'float64'}, default='float32'
        The type to compute in.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    encoder_ : TableEncoder
        What the table is encoded by, a transformer; ``encoder_.get_feature_names_out()`` names the
        network's inputs, ``encoder_.categories_`` the categories of each column.
    temperatures_ : ndarray of shape (n_networks,)
        What the logits of each network are divided by for its probabilities; 1 without `calibrate`
        and where there was no validation set.
    recipe_ : dict of str to object
        What each parameter that may be 'auto' then is.
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays of the last network by layer and name. Writing into them changes
        what `predict` returns.
    history_ : dict of str to list of float
        Figures of every epoch of the last training, lists of equal length: 'loss',
        'learning_rate', 'seconds', and with a validation set 'val_loss' and 'val_score'.
    histories_ : list of dict
        The figures of all trainings: of each network, with `refit_full` first with validation and
        then on all rows.
    best_iteration_ : int
        In the last training, the epoch of the best validation score, or without one of the
        smallest loss.
    best_validation_score_ : float or None
        The best validation score of the last training.
    n_parameters_ : int
        Number of parameters of a network.
    n_iter_ : int
        Number of epochs of the last training.
    n_features_in_ : int
        Columns of the table.
    feature_names_in_ : ndarray of str of shape (n_features,)
        Their names, where they are strings. Other tables are matched by name, in any order.

    See Also
    --------
    TabularRegressor : The same for numbers.
    MLPClassifier : Dense layers only, as in scikit-learn.
    sklearn.ensemble.HistGradientBoostingClassifier : Gradient boosted trees, which take tables of
        the same kind.

    Notes
    -----
    Of tables that make one batch, equal rows of the same class are put together as one row of their
    weight in all. So weights count exactly as repeated rows do, and the order of the rows does not
    matter.

    `TabularClassifier.SEARCH_SPACE` holds distributions of parameters that are worth searching, for
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

    def _check_loaded(self):
        super()._check_loaded()
        if len(self._temperatures) != len(self._earlier) + 1:
            raise ValueError("temperatures of other networks")
