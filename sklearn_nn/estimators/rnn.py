"""Recurrent networks: RNNClassifier and RNNRegressor."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._core.base import BaseNetwork, BatchClassifier, BatchRegressor
from sklearn_nn.estimators._core.fitted_network import check_fitted
from sklearn_nn.estimators._core.parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._inputs.shaped import ShapedReader, WindowReader
from sklearn_nn.estimators._presets import (
    check_sizes,
    draws,
    dropout_rates,
    hidden_layers,
    with_output,
)
from sklearn_nn.estimators._targets.steps import Steps, flat_steps
from sklearn_nn.estimators.network import SHAPE_CONSTRAINTS, SHAPED_TAGS
from sklearn_nn.estimators.rnn_layers import COUNT, RECURRENT_CONSTRAINTS, recurrent_layers
from sklearn_nn.layers import (
    AttentionPool,
    Dense,
    Dropout,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    TimeDistributed,
)
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Loss

#: What is made of the last recurrent layer's steps; for "last" it hands on no other.
POOLS = {"mean": GlobalAveragePool, "max": GlobalMaxPool, "attention": AttentionPool}


class BaseRNN(BaseNetwork):
    """Recurrent layers, pooling over time, then dense layers."""

    _input_tags = SHAPED_TAGS

    _parameter_constraints: ClassVar[dict] = {
        **RECURRENT_CONSTRAINTS,
        "bidirectional": ["boolean"],
        "pooling": [StrOptions({"last", *POOLS})],
        "hidden_layer_sizes": ["array-like", *COUNT],
        "return_sequences": ["boolean"],
        "truncation": [*COUNT, None],
        "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
        **SHAPE_CONSTRAINTS,
        **{k: v for k, v in TRAINING_CONSTRAINTS.items() if k != "batch_norm"},
    }

    def _make_reader(self):
        shape = self.input_shape
        options = {
            "takes_any_length": True,
            "rows_are_signals": True,
            "steps_of_rows": (
                (-1, 1) if shape is None or len(shape) != 2 else (int(shape[0]), int(shape[1]))
            ),
        }
        if self.truncation is None:
            return ShapedReader(shape, self.data_format, **options)
        return WindowReader(shape, self.data_format, truncation=self.truncation, **options)

    def _steps(self):
        """Return the arrangement of targets in time, or None for one target a sequence."""
        if not self.return_sequences and self.truncation is None:
            return None
        return Steps(self.return_sequences, self.truncation)

    def _recurrent_layers(self):
        """The recurrent layers, and the rate of the dropout behind the last."""
        kernel, _ = draws(self)
        sizes = check_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        rates = dropout_rates(self.dropout, self.num_layers + len(sizes))[: self.num_layers]
        layers = recurrent_layers(
            self.cell,
            self.hidden_size,
            rates,
            return_sequences=self.return_sequences or self.pooling != "last",
            bidirectional=self.bidirectional,
            kernel_initializer=kernel,
        )
        return layers, rates[-1]

    def _layers(self, reader, n_outputs):
        shape = reader.shape
        self._check_truncation()
        if len(shape) != 2:
            raise ValueError(f"input_shape={shape}: recurrent layers need (steps, channels).")
        layers, rate = self._recurrent_layers()
        if self.input_noise:
            layers.insert(0, ("noise", GaussianNoise(self.input_noise)))
        if not self.return_sequences and self.pooling != "last":
            layers.append(("pooling", POOLS[self.pooling]()))
        if rate:
            layers.append((f"{self.cell}dropout{self.num_layers}", Dropout(rate)))
        layers += hidden_layers(self, self.num_layers)
        if not self.return_sequences:
            return with_output(layers, shape, n_outputs)
        layers.append(("output", Dense(n_outputs)))
        return [(n, TimeDistributed(x) if isinstance(x, Dense) else x) for n, x in layers]

    def _check_truncation(self):
        """Raise a ValueError where sequences cannot be read in windows."""
        if self.truncation is None:
            return
        if not self.return_sequences and self.pooling != "last":
            raise ValueError(
                f"truncation={self.truncation} reads sequences window by window, and "
                f"pooling={self.pooling!r} all steps at once; set pooling='last', or "
                "truncation=None."
            )
        if self.bidirectional:
            raise ValueError(
                f"truncation={self.truncation} reads sequences forward, window by window; set "
                "bidirectional=False, or truncation=None."
            )
        if self.solver == "lbfgs":
            raise ValueError(
                f"truncation={self.truncation} trains window by window, and solver='lbfgs' on all "
                "rows at once; use another solver, or truncation=None."
            )

    def score(self, X, y, sample_weight=None):
        """Accuracy of a classifier, R^2 of a regressor; with `return_sequences` over all steps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, n_channels), list of arrays, or rows
            The sequences.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or targets of each step
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the sequences.

        Returns
        -------
        score : float
            The score.
        """
        check_fitted(self)
        steps = self._codec.steps
        if steps is None or not steps.of_each:
            return super().score(X, y, sample_weight)
        from sklearn.metrics import accuracy_score, r2_score

        predicted = self.predict(X)
        lengths = np.array([len(steps) for steps in predicted])
        if sample_weight is not None:
            check_consistent_length(lengths, sample_weight)
            sample_weight = np.repeat(sample_weight, lengths)
        metric = accuracy_score if is_classifier(self) else r2_score
        y, predicted = flat_steps(y, lengths), np.concatenate(list(predicted))
        return float(metric(y, predicted, sample_weight=sample_weight))


class RNNClassifier(BaseRNN, BatchClassifier):
    """Recurrent network for the classification of sequences of equal or unequal lengths.

    X is an array of shape (n_samples, n_steps, n_channels), where shorter sequences are padded with
    NaN at the end; a list of arrays of shape (n_steps, n_channels); or flat rows. Predictions do
    not depend on the padding or on the other sequences.

    Parameters
    ----------
    hidden_size : int, default=64
        Number of units of each recurrent layer (per direction, if `bidirectional`).
    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Recurrent layer: LSTM, GRU or SimpleRNN of :mod:`sklearn_nn.layers`.
    num_layers : int, default=1
        Number of stacked recurrent layers.
    bidirectional : bool, default=False
        Whether recurrent layers read sequences in both directions.
    pooling : {'last', 'mean', 'max', 'attention'}, default='last'
        Reduction over time: the last output, or the mean, maximum or learnt weighted mean of all.
    hidden_layer_sizes : int or tuple of int, default=()
        Number of units of each dense layer after the pooling.
    return_sequences : bool, default=False
        Whether y has a target per time step: no pooling, and dense layers apply to each step alone.
    truncation : int or None, default=None
        Number of time steps that gradients go back (truncated back-propagation through time;
        Williams & Peng, 1990): sequences are read in windows of this length, which pass on
        recurrent states, and memory grows with the window only. With one target per sequence, only
        its last window is trained on, and `pooling` must be 'last'. None is the whole sequence.
    activation : str, default='relu'
        Activation of the dense layers, as in :class:`MLPClassifier`.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (steps, channels), where X has flat rows; None is (n_features, 1).
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Axes of a sample: (steps, channels), or (channels, steps) for 'channels_first'.
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
        Minimum improvement of the loss or validation score; gradient tolerance of 'lbfgs'.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal with rich installed, else a line per epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` continues the last one, as in :class:`MLPClassifier`; 'resume' is exact.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to stop when the score of held-out samples (or of `X_val`) no longer improves, and
        keep the best weights. 'best' never stops. The split is stratified.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of 'adam', 'adamw', 'nadam' and 'adamax': exponential decay rates of the first and second
        moment estimates, in [0, 1), and constant added to the denominator.
    n_iter_no_change : int, default=10
        Training stops when more than this many epochs bring no improvement of `tol`.
    max_fun : int, default=15000
        Maximum number of evaluations of the loss by 'lbfgs'.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' (Lin et al., 2017) gives less weight to easy samples. Objects may be user-defined.
    label_smoothing : float, default=0.0
        Share of each target that 'log_loss' distributes evenly over all classes, in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Factors on sample weights by class, also in validation; 'balanced': inverse frequencies.
    l1_ratio : float, default=0.0
        Share of L1, ``sum(abs(w))``, in the penalty, in [0, 1]; L2 is ``sum(w**2) / 2``.
    dropout : float or list of float, default=0.0
        Dropout rate, in [0, 1), of all recurrent and dense layers, or a list with one per layer.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to X in training, in the units of X.
    max_norm : float, default=0.0
        Maximum L2 norm of the incoming weights of a unit; 0 is no limit.
    weight_decay : float or None, default=None
        Decoupled weight decay per unit of learning rate; None is 0.01 for 'adamw', else 0.
    clipnorm : float, default=1.0
        Maximum L2 norm of the gradient of all parameters (Pascanu et al., 2013); 0 is no limit.
    ema_momentum : float, default=0.0
        Decay rate, in [0, 1), of the moving average of weights that is kept; 0 is off, 0.99 usual.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    weight_init, bias_init : str or Initializer, default='glorot_uniform'
        Initializers of dense layers and of recurrent input weights, as in :class:`MLPClassifier`.
        Recurrent weights are orthogonal, recurrent biases 0 (1 for the forget gate).
    scoring : str, callable or None, default=None
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    n_restarts : int, default=1
        Number of random initializations; the best by validation score (or training loss) is kept.
    callbacks : list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Type to compute in; 'auto' is float32 for float32 X, else float64. 'lbfgs' is in float64.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes predictions.
    input_shape_ : tuple of int
        Shape of one sample.
    loss_curve_ : list of float
        Training loss of every epoch: the weighted mean over all targets.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_iter_, n_parameters_ : int
        Numbers of epochs (iterations of 'lbfgs') and of trainable parameters.
    n_features_in_ : int
        Number of values of one sample.

    See Also
    --------
    MLPClassifier : Dense layers only, as in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import RNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((n, 1)) for n in rng.integers(5, 20, 300)]
    >>> y = [x[0, 0] > 0 for x in X]  # depends on the first time step only
    >>> model = RNNClassifier(16, cell="gru", learning_rate_init=0.02, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseRNN._parameter_constraints,
        "loss": [StrOptions(set(CLASSIFICATION_LOSSES)), Loss],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_size=64,
        *,
        cell="lstm",
        num_layers=1,
        bidirectional=False,
        pooling="last",
        hidden_layer_sizes=(),
        return_sequences=False,
        truncation=None,
        activation="relu",
        input_shape=None,
        data_format="channels_last",
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
        max_norm=0.0,
        weight_decay=None,
        clipnorm=1.0,
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
        self.hidden_size = hidden_size
        self.cell = cell
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.hidden_layer_sizes = hidden_layer_sizes
        self.return_sequences = return_sequences
        self.truncation = truncation
        self.activation = activation
        self.input_shape = input_shape
        self.data_format = data_format
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
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.l1_ratio = l1_ratio
        self.dropout = dropout
        self.input_noise = input_noise
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


class RNNRegressor(BaseRNN, BatchRegressor):
    """Recurrent network for regression on sequences of equal or unequal lengths.

    X is an array of shape (n_samples, n_steps, n_channels), where shorter sequences are padded with
    NaN at the end; a list of arrays of shape (n_steps, n_channels); or flat rows. The outputs may
    be a forecast of several time steps; see :func:`sliding_windows`.

    Parameters
    ----------
    hidden_size : int, default=64
        Number of units of each recurrent layer (per direction, if `bidirectional`).
    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Recurrent layer: LSTM, GRU or SimpleRNN of :mod:`sklearn_nn.layers`.
    num_layers : int, default=1
        Number of stacked recurrent layers.
    bidirectional : bool, default=False
        Whether recurrent layers read sequences in both directions.
    pooling : {'last', 'mean', 'max', 'attention'}, default='last'
        Reduction over time: the last output, or the mean, maximum or learnt weighted mean of all.
    hidden_layer_sizes : int or tuple of int, default=()
        Number of units of each dense layer after the pooling.
    return_sequences : bool, default=False
        Whether y has a target per time step: no pooling, and dense layers apply to each step alone.
    truncation : int or None, default=None
        Number of time steps that gradients go back (truncated back-propagation through time;
        Williams & Peng, 1990): sequences are read in windows of this length, which pass on
        recurrent states, and memory grows with the window only. With one target per sequence, only
        its last window is trained on, and `pooling` must be 'last'. None is the whole sequence.
    activation : str, default='relu'
        Activation of the dense layers, as in :class:`MLPClassifier`.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (steps, channels), where X has flat rows; None is (n_features, 1).
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Axes of a sample: (steps, channels), or (channels, steps) for 'channels_first'.
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
        Minimum improvement of the loss or validation score; gradient tolerance of 'lbfgs'.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal with rich installed, else a line per epoch.
    warm_start : bool or 'resume', default=False
        Whether `fit` continues the last one, as in :class:`MLPClassifier`; 'resume' is exact.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to stop when the score of held-out samples (or of `X_val`) no longer improves, and
        keep the best weights. 'best' never stops.
    validation_fraction : float, default=0.1
        Share of the samples that is held out.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of 'adam', 'adamw', 'nadam' and 'adamax': exponential decay rates of the first and second
        moment estimates, in [0, 1), and constant added to the denominator.
    n_iter_no_change : int, default=10
        Training stops when more than this many epochs bring no improvement of `tol`.
    max_fun : int, default=15000
        Maximum number of evaluations of the loss by 'lbfgs'.
    loss : str or Loss, default='squared_error'
        Loss to minimize, as in :class:`MLPRegressor`.
    quantile : float, default=0.5
        Quantile that ``loss='quantile'`` predicts, in (0, 1).
    l1_ratio : float, default=0.0
        Share of L1, ``sum(abs(w))``, in the penalty, in [0, 1]; L2 is ``sum(w**2) / 2``.
    dropout : float or list of float, default=0.0
        Dropout rate, in [0, 1), of all recurrent and dense layers, or a list with one per layer.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to X in training, in the units of X.
    max_norm : float, default=0.0
        Maximum L2 norm of the incoming weights of a unit; 0 is no limit.
    weight_decay : float or None, default=None
        Decoupled weight decay per unit of learning rate; None is 0.01 for 'adamw', else 0.
    clipnorm : float, default=1.0
        Maximum L2 norm of the gradient of all parameters (Pascanu et al., 2013); 0 is no limit.
    ema_momentum : float, default=0.0
        Decay rate, in [0, 1), of the moving average of weights that is kept; 0 is off, 0.99 usual.
    learning_rate_factors : dict of str to float or None, default=None
        Learning-rate factors by layer name, as in :class:`MLPClassifier`; 0 freezes a layer.
    weight_init, bias_init : str or Initializer, default='glorot_uniform'
        Initializers of dense layers and of recurrent input weights, as in :class:`MLPClassifier`.
        Recurrent weights are orthogonal, recurrent biases 0 (1 for the forget gate).
    scoring : str, callable or None, default=None
        Score of the validation set: None is that of `score`, or 'loss', or a scikit-learn scorer.
    n_restarts : int, default=1
        Number of random initializations; the best by validation score (or training loss) is kept.
    callbacks : list of Callback or None, default=None
        Objects that are called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads, at most one per core; None is 1, -1 is all. Results do not depend on their number.
    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Type to compute in; 'auto' is float32 for float32 X, else float64. 'lbfgs' is in float64.

    Attributes
    ----------
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes predictions.
    input_shape_ : tuple of int
        Shape of one sample.
    loss_curve_ : list of float
        Training loss of every epoch: the weighted mean over all targets.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_iter_, n_parameters_ : int
        Numbers of epochs (iterations of 'lbfgs') and of trainable parameters.
    n_features_in_ : int
        Number of values of one sample.

    See Also
    --------
    MLPRegressor : Dense layers only, as in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import RNNRegressor, sliding_windows
    >>> wave = np.sin(np.arange(400) / 5) * np.sin(np.arange(400) / 17)
    >>> X, y = sliding_windows(wave, width=40, horizon=5)
    >>> model = RNNRegressor(16, cell="gru", learning_rate_init=0.01, random_state=0)
    >>> model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseRNN._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        hidden_size=64,
        *,
        cell="lstm",
        num_layers=1,
        bidirectional=False,
        pooling="last",
        hidden_layer_sizes=(),
        return_sequences=False,
        truncation=None,
        activation="relu",
        input_shape=None,
        data_format="channels_last",
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
        loss="squared_error",
        quantile=0.5,
        l1_ratio=0.0,
        dropout=0.0,
        input_noise=0.0,
        max_norm=0.0,
        weight_decay=None,
        clipnorm=1.0,
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
        self.hidden_size = hidden_size
        self.cell = cell
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.hidden_layer_sizes = hidden_layer_sizes
        self.return_sequences = return_sequences
        self.truncation = truncation
        self.activation = activation
        self.input_shape = input_shape
        self.data_format = data_format
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
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.loss = loss
        self.quantile = quantile
        self.l1_ratio = l1_ratio
        self.dropout = dropout
        self.input_noise = input_noise
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
