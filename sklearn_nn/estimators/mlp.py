"""Multi-layer perceptrons: MLPClassifier and MLPRegressor."""

from __future__ import annotations

from dataclasses import KW_ONLY
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn_nn._spec import Spec
from sklearn_nn.estimators._core.base import BaseNetwork, BatchClassifier, BatchRegressor
from sklearn_nn.estimators._core.mlp_fit import MLPFit
from sklearn_nn.estimators._core.parameters import estimator_parameters
from sklearn_nn.estimators._targets.codec import NumberCodec
from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    MemberHeads,
    Members,
)
from sklearn_nn.network.initializers import GlorotUniform, Initializer
from sklearn_nn.training.losses import Loss


def check_sizes(name, sizes):
    """Return numbers of units as a list; raise ValueError unless all are positive integers."""
    sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if any(not isinstance(size, Integral) or size <= 0 for size in sizes):
        raise ValueError(f"{name} must be > 0, got {sizes}; pass whole numbers.")
    return [int(size) for size in sizes]


def dropout_rates(rate, n_layers):
    """Return the dropout rate of each layer; raise ValueError if they are invalid or too few."""
    if isinstance(rate, Real):
        return [float(rate)] * n_layers
    rates = list(rate)
    if len(rates) != n_layers or not all(isinstance(r, Real) and 0 <= r < 1 for r in rates):
        raise ValueError(
            f"dropout={rate!r} must be one rate in [0, 1), or one for each of the {n_layers} "
            "hidden layers."
        )
    return rates


def draws(estimator):
    """Return the initializers of weights and of biases."""
    # As in scikit-learn: another scale for logistic units, and biases drawn like weights.
    own = GlorotUniform(2.0 if estimator.activation == "logistic" else 6.0)
    return [
        own if isinstance(name, str) and name == "glorot_uniform" else name
        for name in (estimator.weight_init, estimator.bias_init)
    ]


def hidden_layers(estimator, n_before=0):
    """Return dense layers with their norm, activation and dropout.

    `n_before` is the number of other layers before them that have dropout rates.
    """
    kernel, bias = draws(estimator)
    sizes = check_sizes("hidden_layer_sizes", estimator.hidden_layer_sizes)
    rates, layers = dropout_rates(estimator.dropout, n_before + len(sizes))[n_before:], []
    for i, (units, rate) in enumerate(zip(sizes, rates, strict=True), 1):
        dense = Dense(units, kernel_initializer=kernel, bias_initializer=bias)
        layers.append((f"dense{i}", dense))
        if estimator.batch_norm:
            layers.append((f"batchnorm{i}", BatchNorm()))
        layers.append((f"activation{i}", Activation(estimator.activation)))
        if rate:
            layers.append((f"dropout{i}", Dropout(rate)))
    return layers


def with_output(layers, shape, n_outputs):
    """Return the layers, a Flatten if their output is not a vector, and the output layer.

    `shape` is the shape of one sample. Members have an output layer each.
    """
    for name, layer in layers:
        try:
            Spec.check(layer)
            shape = layer.output_shape(shape)
        except ValueError as error:
            raise ValueError(f"layer {name!r}: {error}") from error
    if len(shape) == 2 and any(isinstance(layer, Members) for _, layer in layers):
        return [*layers, ("output", _member_heads(n_outputs))]
    flatten = [("flatten", Flatten())] if len(shape) > 1 else []
    return [*layers, *flatten, ("output", Dense(n_outputs))]


def _member_heads(n_outputs):
    """Return the output layer of members, with the initial weights of other output layers."""
    return MemberHeads(n_outputs, kernel_initializer="glorot_uniform", bias_initializer="zeros")


@estimator_parameters
class BaseMLP(BaseNetwork):
    """Base of multi-layer perceptrons: dense layers, each with an activation and dropout."""

    hidden_layer_sizes: Any = (100,)
    activation: str = "relu"
    _: KW_ONLY
    dropout: float | list[float] = 0.0
    input_noise: float = 0.0
    batch_norm: bool = False
    weight_init: str | Initializer = "glorot_uniform"
    bias_init: str | Initializer = "glorot_uniform"

    _fit_kind = MLPFit
    _like_scikit_learn = True
    _ARRAY_LISTS: ClassVar[dict] = {"coefs_": "kernel", "intercepts_": "bias"}

    def _layers(self, reader, n_outputs):
        kernel, bias = draws(self)
        noise = [("noise", GaussianNoise(self.input_noise))] if self.input_noise else []
        output = Dense(n_outputs, kernel_initializer=kernel, bias_initializer=bias)
        return [*noise, *hidden_layers(self), ("output", output)]


@estimator_parameters
class MLPClassifier(BaseMLP, BatchClassifier):
    """Multi-layer perceptron classifier, a drop-in replacement for scikit-learn's.

    It has all parameters of :class:`sklearn.neural_network.MLPClassifier`, with their defaults, its
    random draws and its fitted attributes. With float64 data and the same `random_state`, both
    train the same model, up to rounding.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of shape (n_layers - 2,), default=(100,)
        Number of units of each hidden layer.
    activation : str, default='relu'
        Activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', as in scikit-learn;
        'relu6', 'leaky_relu', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus', 'hard_sigmoid'.
    solver : str or Optimizer, default='adam'
        Optimizer of the weights. 'lbfgs' uses all samples in each iteration and is often best for
        small data; 'sgd', 'adam', 'adamw', 'nadam', 'adamax', 'rmsprop', 'adagrad', 'adadelta' and
        'lion' use mini-batches. Objects of :mod:`sklearn_nn.training`, such as
        ``RMSprop(momentum=0.9)``, have further parameters.
    alpha : float, default=0.0001
        Strength of the L2 penalty (see `l1_ratio`), divided by the batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is ``min(200, n_samples)``. 'lbfgs' ignores it.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate. scikit-learn's are 'constant', 'invscaling'
        (``learning_rate_init / (t + 1) ** power_t`` after t samples) and 'adaptive' (divides the
        rate by 5 after `n_iter_no_change` epochs without an improvement of `tol`); as there, 'adam'
        ignores them. 'step', 'exponential', 'inverse_time', 'polynomial', 'cosine', 'onecycle',
        'coslog4', 'flat_cos' and 'plateau' apply to all solvers but 'lbfgs'. Objects of
        :mod:`sklearn_nn.training`, such as ``Cosine(warmup=2)``, have parameters. A callable maps
        the epoch (a float) to a factor on `learning_rate_init`.
    learning_rate_init : float, default=0.001
        Initial learning rate; :func:`find_learning_rate` suggests one.
    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.
    max_iter : int, default=200
        Maximum number of epochs, or of iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the loss, or of the validation score with `early_stopping`. For
        'lbfgs', tolerance on the largest element of the gradient.
    verbose : bool, default=False
        Whether to show progress: a bar in a notebook, or on a terminal with rich or tqdm installed;
        else a line per epoch.
    warm_start : bool or 'resume', default=False
        True continues from the weights of the last `fit` for `max_iter` more epochs, with a new
        optimizer, as in scikit-learn. 'resume' also continues optimizer, schedule, sample order and
        early stopping, up to `max_iter` epochs in total, as one uninterrupted fit.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether the momentum of 'sgd' is Nesterov's.
    early_stopping : bool or 'best', default=False
        Whether to stop when the score of held-out samples (or of `X_val`) no longer improves, and
        keep the best weights. 'best' never stops. The split is stratified for two classes only, as
        in scikit-learn.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1 : float, default=0.9
        Exponential decay rate of the first-moment estimate of 'adam', 'adamw', 'nadam' and
        'adamax', in [0, 1).
    beta_2 : float, default=0.999
        Exponential decay rate of their second-moment estimate, in [0, 1).
    epsilon : float, default=1e-8
        Constant that 'adam', 'adamw', 'nadam' and 'adamax' add to the denominator.
    n_iter_no_change : int, default=10
        Training stops when more than this many epochs bring no improvement of `tol`. Without
        `early_stopping`, schedules of fixed length, such as 'onecycle', run to their end.
    max_fun : int, default=15000
        Maximum number of evaluations of the loss by 'lbfgs'.
    l1_ratio : float, default=0.0
        Share of L1, ``sum(abs(w))``, in the penalty, in [0, 1]; L2 is ``sum(w**2) / 2``.
    max_norm : float, default=0.0
        Maximum L2 norm of the incoming weights of a unit; 0 is no limit.
    weight_decay : float or None, default=None
        Decoupled weight decay per unit of learning rate; None is 0.01 for 'adamw', else 0.
    clipnorm : float, default=0.0
        Maximum L2 norm of the gradient; 0 is no limit.
    ema_momentum : float, default=0.0
        Decay rate, in [0, 1), of the moving average of weights that is kept; 0 is off, 0.99 usual.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name (see :meth:`summary`); 0 freezes a layer. A name
        includes nested layers, 'pretrained' those that :meth:`from_pretrained` copies; the longest
        matching name wins. 'lbfgs' accepts 0 and 1.
    scoring : str, callable or None, default=None
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    n_restarts : int, default=1
        Number of random initializations; the best by validation score (or training loss) is kept.
    callbacks : Callback, list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Type to compute in; 'auto' is float32 for float32 X, else float64. 'lbfgs' is in float64.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' (Lin et al., 2017) gives less weight to easy samples. Objects may be user-defined.
    label_smoothing : float, default=0.0
        Share of each target that 'log_loss' distributes evenly over all classes, in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Factors on sample weights by class, also in validation; 'balanced': inverse frequencies.
    dropout : float or list of float, default=0.0
        Dropout rate, in [0, 1), of all hidden layers, or a list with one rate per layer.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to X in training, in the units of X.
    batch_norm : bool, default=False
        Whether to apply batch normalization before the activation of each hidden layer.
    weight_init : str or Initializer, default='glorot_uniform'
        Initializer of the weights: 'zeros', 'ones', 'uniform' (in [-0.1, 0.1]), 'fan_in_uniform',
        'normal', 'truncated_normal', 'glorot_uniform', 'glorot_normal', 'he_uniform', 'he_normal',
        'lecun_uniform', 'lecun_normal', 'orthogonal', or an object of
        :mod:`sklearn_nn.network.initializers`.
    bias_init : str or Initializer, default='glorot_uniform'
        Initializer of the biases, as `weight_init`, but not 'orthogonal'.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coefs_ : list of ndarray of shape (n_inputs, n_units)
        Weights of each layer. Writing into them changes predictions.
    intercepts_ : list of ndarray of shape (n_units,)
        Biases of each layer. Writing into them changes predictions.
    layers_ : dict of str to dict of str to ndarray
        The same arrays by layer ('dense1', ..., 'output') and name ('kernel', 'bias').
    loss_ : float
        Last training loss, with penalty.
    best_loss_ : float or None
        Smallest training loss, with penalty; None with `early_stopping`.
    loss_curve_ : list of float
        Training loss of every epoch. Not set by 'lbfgs'.
    validation_loss_curve_ : list of float or None
        Validation loss of every epoch, without penalty; None without a validation set.
    validation_scores_ : list of float or None
        Validation score after every epoch; None without a validation set.
    best_validation_score_ : float or None
        Best validation score; None without a validation set.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
        ``TrainingScore()`` as a callback adds 'score', the score of the training samples. Not set
        by 'lbfgs'.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    t_ : int
        Number of samples trained on, over all epochs.
    n_iter_ : int
        Number of epochs, or of iterations of 'lbfgs'.
    n_parameters_ : int
        Number of trainable parameters.
    n_layers_ : int
        Number of layers, input and output layers included.
    n_outputs_ : int
        Number of outputs.
    out_activation_ : str
        'logistic' for two classes or several labels, 'softmax' for more classes.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, where all are strings.

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
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_nn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=500, random_state=0))
    >>> round(model.fit(X_train, y_train).score(X_test, y_test), 1)
    1.0
    >>> model.predict_proba(X_test[:2]).round(1)
    array([[0., 0., 1.],
           [0., 1., 0.]])
    """


@estimator_parameters
class MLPRegressor(BaseMLP, BatchRegressor):
    """Multi-layer perceptron regressor, a drop-in replacement for scikit-learn's.

    It has all parameters of :class:`sklearn.neural_network.MLPRegressor`, with their defaults, its
    random draws and its fitted attributes. With float64 data and the same `random_state`, both
    train the same model, up to rounding. y may have several outputs.

    Parameters
    ----------
    loss : str or Loss, default='squared_error'
        'squared_error' (half the squared error); 'absolute_error', 'huber' and 'log_cosh' (less
        sensitive to outliers); 'quantile' (predicts the `quantile`); 'poisson' (half the Poisson
        deviance, for y >= 0, with an exponential output activation). Objects have parameters, such
        as ``Huber(delta=2)``, or are user-defined.
    hidden_layer_sizes : int or array-like of shape (n_layers - 2,), default=(100,)
        Number of units of each hidden layer.
    activation : str, default='relu'
        Activation of the hidden layers, as in :class:`MLPClassifier`.
    solver : str or Optimizer, default='adam'
        Optimizer of the weights, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the L2 penalty (see `l1_ratio`), divided by the batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is ``min(200, n_samples)``. 'lbfgs' ignores it.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    learning_rate_init : float, default=0.001
        Initial learning rate; :func:`find_learning_rate` suggests one.
    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.
    max_iter : int, default=200
        Maximum number of epochs, or of iterations of 'lbfgs'.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the loss, or of the validation score with `early_stopping`. For
        'lbfgs', tolerance on the largest element of the gradient.
    verbose : bool, default=False
        Whether to show progress: a bar in a notebook, or on a terminal with rich or tqdm installed;
        else a line per epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` continues the last one, as in :class:`MLPClassifier`; 'resume' is exact.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether the momentum of 'sgd' is Nesterov's.
    early_stopping : bool or 'best', default=False
        Whether to stop when the score of held-out samples (or of `X_val`) no longer improves, and
        keep the best weights. 'best' never stops.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1 : float, default=0.9
        Exponential decay rate of the first-moment estimate of 'adam', 'adamw', 'nadam' and
        'adamax', in [0, 1).
    beta_2 : float, default=0.999
        Exponential decay rate of their second-moment estimate, in [0, 1).
    epsilon : float, default=1e-8
        Constant that 'adam', 'adamw', 'nadam' and 'adamax' add to the denominator.
    n_iter_no_change : int, default=10
        Training stops when more than this many epochs bring no improvement of `tol`.
    max_fun : int, default=15000
        Maximum number of evaluations of the loss by 'lbfgs'.
    l1_ratio : float, default=0.0
        Share of L1, ``sum(abs(w))``, in the penalty, in [0, 1]; L2 is ``sum(w**2) / 2``.
    max_norm : float, default=0.0
        Maximum L2 norm of the incoming weights of a unit; 0 is no limit.
    weight_decay : float or None, default=None
        Decoupled weight decay per unit of learning rate; None is 0.01 for 'adamw', else 0.
    clipnorm : float, default=0.0
        Maximum L2 norm of the gradient; 0 is no limit.
    ema_momentum : float, default=0.0
        Decay rate, in [0, 1), of the moving average of weights that is kept; 0 is off, 0.99 usual.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    scoring : str, callable or None, default=None
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    n_restarts : int, default=1
        Number of random initializations; the best by validation score (or training loss) is kept.
    callbacks : Callback, list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Type to compute in; 'auto' is float32 for float32 X, else float64. 'lbfgs' is in float64.
    quantile : float or list of float, default=0.5
        Quantile that ``loss='quantile'`` predicts, in (0, 1), or several in ascending order, which
        one network predicts so that they never cross: :meth:`predict_quantiles` returns all of
        them, and `predict` the middle one (of two, that which is nearer to 0.5).
    conformal_fraction : float, default=0.0
        Share of the samples that is held out of the whole fit, to shift each quantile but the
        median so that its level holds for new samples (conformal prediction: Romano, Patterson &
        Candès, 2019). 0 shifts none.
    dropout : float or list of float, default=0.0
        Dropout rate, in [0, 1), of all hidden layers, or a list with one rate per layer.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to X in training, in the units of X.
    batch_norm : bool, default=False
        Whether to apply batch normalization before the activation of each hidden layer.
    weight_init : str or Initializer, default='glorot_uniform'
        Initializer of the weights, as in :class:`MLPClassifier`.
    bias_init : str or Initializer, default='glorot_uniform'
        Initializer of the biases, as `weight_init`, but not 'orthogonal'.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_inputs, n_units)
        Weights of each layer. Writing into them changes predictions.
    intercepts_ : list of ndarray of shape (n_units,)
        Biases of each layer. Writing into them changes predictions.
    layers_ : dict of str to dict of str to ndarray
        The same arrays by layer ('dense1', ..., 'output') and name ('kernel', 'bias').
    loss_ : float
        Last training loss, with penalty.
    best_loss_ : float or None
        Smallest training loss, with penalty; None with `early_stopping`.
    loss_curve_ : list of float
        Training loss of every epoch. Not set by 'lbfgs'.
    validation_loss_curve_ : list of float or None
        Validation loss of every epoch, without penalty; None without a validation set.
    validation_scores_ : list of float or None
        Validation score after every epoch; None without a validation set.
    best_validation_score_ : float or None
        Best validation score; None without a validation set.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
        ``TrainingScore()`` as a callback adds 'score', the score of the training samples. Not set
        by 'lbfgs'.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    t_ : int
        Number of samples trained on, over all epochs.
    n_iter_ : int
        Number of epochs, or of iterations of 'lbfgs'.
    n_parameters_ : int
        Number of trainable parameters.
    n_layers_ : int
        Number of layers, input and output layers included.
    n_outputs_ : int
        Number of outputs.
    out_activation_ : str
        'identity', or 'exp' for the Poisson loss.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, where all are strings.

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
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn_nn import MLPRegressor
    >>> X, y = make_friedman1(500, random_state=0)
    >>> y = (y - y.mean()) / y.std()
    >>> model = MLPRegressor(
    ...     hidden_layer_sizes=(32,), batch_size=32, learning_rate_init=0.01, random_state=0
    ... )
    >>> round(model.fit(X[:400], y[:400]).score(X[400:], y[400:]), 1)
    1.0
    """

    loss: str | Loss = "squared_error"

    _codec_kind = NumberCodec  # targets are not scaled, as in scikit-learn
