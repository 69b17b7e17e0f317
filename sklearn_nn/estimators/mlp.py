"""Multi-layer perceptrons: MLPClassifier and MLPRegressor."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.kinds import NetworkClassifier, NetworkRegressor
from sklearn_nn.estimators._core.parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._presets import draws, hidden_layers
from sklearn_nn.estimators._targets.codec import LabelCodec
from sklearn_nn.layers import Dense, GaussianNoise
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Loss


class BaseMLP(BaseNetwork):
    """Dense layers of `hidden_layer_sizes` units, each with an activation and dropout."""

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
        **TRAINING_CONSTRAINTS,
    }

    _like_scikit_learn = True
    _ARRAY_LISTS: ClassVar[dict] = {"coefs_": "kernel", "intercepts_": "bias"}

    def _layers(self, reader, n_outputs):
        kernel, bias = draws(self)
        noise = [("noise", GaussianNoise(self.input_noise))] if self.input_noise else []
        output = Dense(n_outputs, kernel_initializer=kernel, bias_initializer=bias)
        return [*noise, *hidden_layers(self), ("output", output)]

    @property
    def n_layers_(self):
        """Number of layers, input and output included.

        Returns
        -------
        n_layers_ : int
            One more than there are dense layers.
        """
        return len(self.coefs_) + 1


class MLPClassifier(BaseMLP, NetworkClassifier):
    """Multi-layer perceptron classifier, a drop-in for scikit-learn's.

    Trains dense layers on the log loss. The parameters up to `max_fun`, their defaults, the
    draws of random numbers and the fitted attributes are those of
    :class:`sklearn.neural_network.MLPClassifier`: the same `random_state` and float64 data give
    the same model.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of shape (n_layers - 2,), default=(100,)
        Number of units in each hidden layer.
    activation : str, default='relu'
        Activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', as in
        scikit-learn; 'leaky_relu', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus',
        'hard_sigmoid'.
    solver : str or Optimizer, default='adam'
        How the weights are trained. 'lbfgs' sees all samples at once and often does best on
        small data; 'sgd', 'adam', 'adamw', 'nadam', 'adamax', 'rmsprop', 'adagrad', 'adadelta'
        and 'lion' train batch by batch. An object of :mod:`sklearn_nn.training`, such as
        ``RMSprop(momentum=0.9)``, sets what is not a parameter here.
    alpha : float, default=0.0001
        Strength of the penalty (L2, unless `l1_ratio` says otherwise), which is divided by the
        batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Samples in a batch; 'auto' is ``min(200, n_samples)``. Not used by 'lbfgs'.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate. 'constant', 'invscaling' (after t samples the rate is
        ``learning_rate_init / (t + 1) ** power_t``) and 'adaptive' (a fifth of the rate whenever
        `n_iter_no_change` epochs bring no improvement of `tol`) are scikit-learn's, whose 'adam'
        does not heed them. 'step', 'exponential', 'inverse_time', 'polynomial', 'cosine',
        'onecycle', 'coslog4', 'flat_cos' and 'plateau' serve every solver but 'lbfgs'; an object
        of :mod:`sklearn_nn.training`, such as ``Cosine(warmup=2)``, sets what they depend on. A
        function is called with the epoch as a float and returns a factor on
        `learning_rate_init`.
    learning_rate_init : float, default=0.001
        The initial learning rate; :func:`find_learning_rate` finds one.
    power_t : float, default=0.5
        Exponent of 'invscaling'.
    max_iter : int, default=200
        Most epochs, or iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Draws the initial weights, the validation split, the batches and dropout. The same number
        gives the same weights to the last bit, for any `n_jobs`.
    tol : float, default=1e-4
        Smallest change of loss, or of the validation score with `early_stopping`, that counts as
        an improvement. For 'lbfgs', the largest element of the gradient to stop at.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal where rich is installed, else a line for
        every epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` goes on from the weights of the last call: for `max_iter` more epochs with a
        new optimizer, as in scikit-learn. 'resume' goes on with optimizer, schedule, order of the
        samples and early stopping, to `max_iter` epochs in all, as if there had been one call.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to hold out `validation_fraction` of the samples (or to use `X_val` of `fit`), to
        stop when their score no longer improves, and to keep the best weights. 'best' does not
        stop early, and keeps the best weights.
        The split is stratified for two classes only, as in scikit-learn.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1 : float, default=0.9
        How much of their mean of gradients 'adam', 'adamw', 'nadam' and 'adamax' keep at each
        step, in [0, 1).
    beta_2 : float, default=0.999
        How much of their mean of squared gradients they keep at each step, in [0, 1).
    epsilon : float, default=1e-8
        What they add to the divisor.
    n_iter_no_change : int, default=10
        Training stops after more than this many epochs without an improvement of `tol`. Without
        early stopping, schedules that plan the end, such as 'onecycle', are not cut short.
    max_fun : int, default=15000
        Most evaluations of the loss by 'lbfgs'.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' counts samples that are already right less (Lin et al., 2017). An object may be a
        loss of one's own.
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly over the classes by 'log_loss', in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes, which multiply `sample_weight`, in the validation score too.
        'balanced' weights classes inversely to their frequency among the weighted samples.
    l1_ratio : float, default=0.0
        Share of the penalty that is L1, the sum of absolute weights, in [0, 1]; the rest is L2,
        half the sum of squares.
    dropout : float or list of float, default=0.0
        Share of each hidden layer's outputs that is set to zero while training, in [0, 1); one for
        all layers, or one for each.
    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X while training, in the units of X.
    batch_norm : bool, default=False
        Whether to normalise each hidden layer by the batch before its activation.
    max_norm : float, default=0.0
        Largest norm of the weights that lead to one unit; 0 is no limit.
    weight_decay : float or None, default=None
        Share of each weight, times the learning rate, that every step takes away apart from the
        gradient (decoupled decay). None is the solver's own: 0.01 for 'adamw', 0 for the others.
    clipnorm : float, default=0.0
        Largest norm of the gradient of all parameters together; 0 is no limit.
    ema_momentum : float, default=0.0
        Where positive, the fitted weights are a running average of those that training went
        through, of which so much is kept at each step, in [0, 1); 0.99 is usual.
    learning_rate_factors : dict of str to float or None, default=None
        Factors on the learning rate by name of layer, as :meth:`summary` has them; 0 freezes a
        layer, as :meth:`freeze` does. A name stands for all layers within it, too, 'pretrained' for
        those that :meth:`from_pretrained` copies; the longest name counts. 'lbfgs' takes 0 and 1.
    weight_init, bias_init : str or Initializer, default='glorot_uniform'
        How weights and biases are drawn: 'zeros', 'ones', 'uniform' (within 0.1 of 0),
        'fan_in_uniform', 'normal', 'truncated_normal', 'glorot_uniform', 'glorot_normal',
        'he_uniform', 'he_normal', 'lecun_uniform', 'lecun_normal', 'orthogonal' (weights only), or
        an object of :mod:`sklearn_nn.network.initializers`.
    scoring : str, callable or None, default=None
        What `early_stopping` watches: None is the estimator's own score, 'loss' the validation
        loss, else a scorer of scikit-learn.
    n_restarts : int, default=1
        How often to train, each time from other initial weights; what is best by validation score
        (by training loss without validation) is kept.
    callbacks : list of Callback or None, default=None
        Called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads of one fit or predict; None is 1, -1 all cores. Never more than there are cores.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        The type to compute in. 'auto' is the type that scikit-learn's validation gives X:
        float32 for float32, else float64; 'lbfgs' always computes in float64.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    coefs_ : list of ndarray
        Weights of each layer, of shape (n_inputs, n_units). Writing into them changes what
        `predict` returns.
    intercepts_ : list of ndarray
        Biases of each layer.
    layers_ : dict of str to dict of str to ndarray
        The same arrays by layer ('dense1', ..., 'output') and name ('kernel', 'bias').
    loss_ : float
        Training loss of the last epoch, penalty included.
    loss_curve_ : list of float
        Training loss of every epoch. Not set by 'lbfgs'.
    history_ : dict of str to list of float
        Figures of every epoch, lists of equal length: 'loss', 'learning_rate', 'seconds', and with
        a validation set 'val_loss' and 'val_score'. ``pd.DataFrame(history_)`` is a table of them.
        The callback ``TrainingScore()`` adds 'score', that on the training samples.
        Not set by 'lbfgs'.
    validation_loss_curve_ : list of float or None
        Validation loss of every epoch, without the penalty; None where there is no such set.
    best_iteration_ : int
        The epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_parameters_ : int
        Number of parameters.
    best_loss_ : float or None
        The smallest training loss; None with `early_stopping`.
    validation_scores_ : list of float or None
        Accuracy on the validation set after every epoch; None where there is no such set.
    best_validation_score_ : float or None
        The best of `validation_scores_`.
    t_ : int
        Number of samples trained on.
    n_iter_ : int
        Number of epochs ('sgd', 'adam') or iterations ('lbfgs').
    n_layers_ : int
        Number of layers, input and output included.
    n_outputs_ : int
        Number of outputs.
    out_activation_ : str
        'logistic' for two classes or several labels, 'softmax' for more classes.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where X has names that are all strings.

    See Also
    --------
    MLPRegressor : Multi-layer perceptron regressor.

    References
    ----------
    Glorot, X., & Bengio, Y. (2010). Understanding the difficulty of training deep feedforward
    neural networks. AISTATS.

    Kingma, D., & Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.

    Srivastava, N., et al. (2014). Dropout: a simple way to prevent neural networks from
    overfitting. JMLR 15.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_nn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=500, random_state=0))
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions(set(CLASSIFICATION_LOSSES)), Loss],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        loss="log_loss",
        label_smoothing=0.0,
        class_weight=None,
        l1_ratio=0.0,
        dropout=0.0,
        input_noise=0.0,
        batch_norm=False,
        max_norm=0.0,
        weight_decay=None,
        clipnorm=0.0,
        ema_momentum=0.0,
        learning_rate_factors=None,
        weight_init="glorot_uniform",
        bias_init="glorot_uniform",
        scoring=None,
        n_restarts=1,
        callbacks=None,
        n_jobs=None,
        dtype="auto",
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.l1_ratio = l1_ratio
        self.dropout = dropout
        self.input_noise = input_noise
        self.batch_norm = batch_norm
        self.max_norm = max_norm
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.ema_momentum = ema_momentum
        self.learning_rate_factors = learning_rate_factors
        self.weight_init = weight_init
        self.bias_init = bias_init
        self.scoring = scoring
        self.n_restarts = n_restarts
        self.callbacks = callbacks
        self.n_jobs = n_jobs
        self.dtype = dtype

    def _make_codec(self):
        return LabelCodec(self._settings(), splits_as_scikit_learn=True)


class MLPRegressor(BaseMLP, NetworkRegressor):
    """Multi-layer perceptron regressor, a drop-in for scikit-learn's.

    Trains dense layers on the squared error or the Poisson deviance, for one or several outputs.
    The parameters up to `max_fun`, their defaults, the draws of random numbers and the fitted
    attributes are those of :class:`sklearn.neural_network.MLPRegressor`: the same `random_state`
    and float64 data give the same model.

    Parameters
    ----------
    loss : str or Loss, default='squared_error'
        'squared_error' is half the squared error; 'poisson' half the Poisson deviance, with the
        exponential as output activation, for targets ``y >= 0``. 'absolute_error', 'huber' and
        'log_cosh' heed outliers less; 'quantile' predicts the `quantile` of the target. An object
        sets what these depend on, such as ``Huber(delta=2)``, or is a loss of one's own.
    hidden_layer_sizes : int or array-like of shape (n_layers - 2,), default=(100,)
        Number of units in each hidden layer.
    activation : str, default='relu'
        Activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', as in
        scikit-learn; 'leaky_relu', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus',
        'hard_sigmoid'.
    solver : str or Optimizer, default='adam'
        How the weights are trained. 'lbfgs' sees all samples at once and often does best on
        small data; 'sgd', 'adam', 'adamw', 'nadam', 'adamax', 'rmsprop', 'adagrad', 'adadelta'
        and 'lion' train batch by batch. An object of :mod:`sklearn_nn.training`, such as
        ``RMSprop(momentum=0.9)``, sets what is not a parameter here.
    alpha : float, default=0.0001
        Strength of the penalty (L2, unless `l1_ratio` says otherwise), which is divided by the
        batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Samples in a batch; 'auto' is ``min(200, n_samples)``. Not used by 'lbfgs'.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate. 'constant', 'invscaling' (after t samples the rate is
        ``learning_rate_init / (t + 1) ** power_t``) and 'adaptive' (a fifth of the rate whenever
        `n_iter_no_change` epochs bring no improvement of `tol`) are scikit-learn's, whose 'adam'
        does not heed them. 'step', 'exponential', 'inverse_time', 'polynomial', 'cosine',
        'onecycle', 'coslog4', 'flat_cos' and 'plateau' serve every solver but 'lbfgs'; an object
        of :mod:`sklearn_nn.training`, such as ``Cosine(warmup=2)``, sets what they depend on. A
        function is called with the epoch as a float and returns a factor on
        `learning_rate_init`.
    learning_rate_init : float, default=0.001
        The initial learning rate; :func:`find_learning_rate` finds one.
    power_t : float, default=0.5
        Exponent of 'invscaling'.
    max_iter : int, default=200
        Most epochs, or iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Draws the initial weights, the validation split, the batches and dropout. The same number
        gives the same weights to the last bit, for any `n_jobs`.
    tol : float, default=1e-4
        Smallest change of loss, or of the validation score with `early_stopping`, that counts as
        an improvement. For 'lbfgs', the largest element of the gradient to stop at.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal where rich is installed, else a line for
        every epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` goes on from the weights of the last call: for `max_iter` more epochs with a
        new optimizer, as in scikit-learn. 'resume' goes on with optimizer, schedule, order of the
        samples and early stopping, to `max_iter` epochs in all, as if there had been one call.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to hold out `validation_fraction` of the samples (or to use `X_val` of `fit`), to
        stop when their score no longer improves, and to keep the best weights. 'best' does not
        stop early, and keeps the best weights.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1 : float, default=0.9
        How much of their mean of gradients 'adam', 'adamw', 'nadam' and 'adamax' keep at each
        step, in [0, 1).
    beta_2 : float, default=0.999
        How much of their mean of squared gradients they keep at each step, in [0, 1).
    epsilon : float, default=1e-8
        What they add to the divisor.
    n_iter_no_change : int, default=10
        Training stops after more than this many epochs without an improvement of `tol`. Without
        early stopping, schedules that plan the end, such as 'onecycle', are not cut short.
    max_fun : int, default=15000
        Most evaluations of the loss by 'lbfgs'.
    quantile : float, default=0.5
        The share of targets that shall lie below the prediction, with ``loss='quantile'``.
    l1_ratio : float, default=0.0
        Share of the penalty that is L1, the sum of absolute weights, in [0, 1]; the rest is L2,
        half the sum of squares.
    dropout : float or list of float, default=0.0
        Share of each hidden layer's outputs that is set to zero while training, in [0, 1); one for
        all layers, or one for each.
    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X while training, in the units of X.
    batch_norm : bool, default=False
        Whether to normalise each hidden layer by the batch before its activation.
    max_norm : float, default=0.0
        Largest norm of the weights that lead to one unit; 0 is no limit.
    weight_decay : float or None, default=None
        Share of each weight, times the learning rate, that every step takes away apart from the
        gradient (decoupled decay). None is the solver's own: 0.01 for 'adamw', 0 for the others.
    clipnorm : float, default=0.0
        Largest norm of the gradient of all parameters together; 0 is no limit.
    ema_momentum : float, default=0.0
        Where positive, the fitted weights are a running average of those that training went
        through, of which so much is kept at each step, in [0, 1); 0.99 is usual.
    learning_rate_factors : dict of str to float or None, default=None
        Factors on the learning rate by name of layer, as :meth:`summary` has them; 0 freezes a
        layer, as :meth:`freeze` does. A name stands for all layers within it, too, 'pretrained' for
        those that :meth:`from_pretrained` copies; the longest name counts. 'lbfgs' takes 0 and 1.
    weight_init, bias_init : str or Initializer, default='glorot_uniform'
        How weights and biases are drawn: 'zeros', 'ones', 'uniform' (within 0.1 of 0),
        'fan_in_uniform', 'normal', 'truncated_normal', 'glorot_uniform', 'glorot_normal',
        'he_uniform', 'he_normal', 'lecun_uniform', 'lecun_normal', 'orthogonal' (weights only), or
        an object of :mod:`sklearn_nn.network.initializers`.
    scoring : str, callable or None, default=None
        What `early_stopping` watches: None is the estimator's own score, 'loss' the validation
        loss, else a scorer of scikit-learn.
    n_restarts : int, default=1
        How often to train, each time from other initial weights; what is best by validation score
        (by training loss without validation) is kept.
    callbacks : list of Callback or None, default=None
        Called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads of one fit or predict; None is 1, -1 all cores. Never more than there are cores.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        The type to compute in. 'auto' is the type that scikit-learn's validation gives X:
        float32 for float32, else float64; 'lbfgs' always computes in float64.

    Attributes
    ----------
    coefs_ : list of ndarray
        Weights of each layer, of shape (n_inputs, n_units). Writing into them changes what
        `predict` returns.
    intercepts_ : list of ndarray
        Biases of each layer.
    layers_ : dict of str to dict of str to ndarray
        The same arrays by layer ('dense1', ..., 'output') and name ('kernel', 'bias').
    loss_ : float
        Training loss of the last epoch, penalty included.
    loss_curve_ : list of float
        Training loss of every epoch. Not set by 'lbfgs'.
    history_ : dict of str to list of float
        Figures of every epoch, lists of equal length: 'loss', 'learning_rate', 'seconds', and with
        a validation set 'val_loss' and 'val_score'. ``pd.DataFrame(history_)`` is a table of them.
        The callback ``TrainingScore()`` adds 'score', that on the training samples.
        Not set by 'lbfgs'.
    validation_loss_curve_ : list of float or None
        Validation loss of every epoch, without the penalty; None where there is no such set.
    best_iteration_ : int
        The epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_parameters_ : int
        Number of parameters.
    best_loss_ : float or None
        The smallest training loss; None with `early_stopping`.
    validation_scores_ : list of float or None
        R^2 on the validation set after every epoch; None where there is no such set.
    best_validation_score_ : float or None
        The best of `validation_scores_`.
    t_ : int
        Number of samples trained on.
    n_iter_ : int
        Number of epochs ('sgd', 'adam') or iterations ('lbfgs').
    n_layers_ : int
        Number of layers, input and output included.
    n_outputs_ : int
        Number of outputs.
    out_activation_ : str
        'identity', or 'exp' for the Poisson loss.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where X has names that are all strings.

    See Also
    --------
    MLPClassifier : Multi-layer perceptron classifier.

    References
    ----------
    Glorot, X., & Bengio, Y. (2010). Understanding the difficulty of training deep feedforward
    neural networks. AISTATS.

    Kingma, D., & Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.

    Srivastava, N., et al. (2014). Dropout: a simple way to prevent neural networks from
    overfitting. JMLR 15.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_nn import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLPRegressor(solver="lbfgs", random_state=0))
    >>> model.fit(X, y).score(X, y) > 0.6
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        quantile=0.5,
        l1_ratio=0.0,
        dropout=0.0,
        input_noise=0.0,
        batch_norm=False,
        max_norm=0.0,
        weight_decay=None,
        clipnorm=0.0,
        ema_momentum=0.0,
        learning_rate_factors=None,
        weight_init="glorot_uniform",
        bias_init="glorot_uniform",
        scoring=None,
        n_restarts=1,
        callbacks=None,
        n_jobs=None,
        dtype="auto",
    ):
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.quantile = quantile
        self.l1_ratio = l1_ratio
        self.dropout = dropout
        self.input_noise = input_noise
        self.batch_norm = batch_norm
        self.max_norm = max_norm
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.ema_momentum = ema_momentum
        self.learning_rate_factors = learning_rate_factors
        self.weight_init = weight_init
        self.bias_init = bias_init
        self.scoring = scoring
        self.n_restarts = n_restarts
        self.callbacks = callbacks
        self.n_jobs = n_jobs
        self.dtype = dtype
