"""Recurrent networks: RNNClassifier and RNNRegressor."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.kinds import NetworkClassifier, NetworkRegressor
from sklearn_nn.estimators._core.parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._inputs.shaped import ShapedReader, WindowReader
from sklearn_nn.estimators._presets import (
    check_sizes,
    draws,
    dropout_rates,
    hidden_layers,
    with_output,
)
from sklearn_nn.estimators._targets.codec import LabelCodec, NumberCodec
from sklearn_nn.estimators._targets.steps import Steps, flat_steps
from sklearn_nn.estimators.network import SHAPE_CONSTRAINTS, shaped_tags
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
        if not self.return_sequences:
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

    def __sklearn_tags__(self):
        return shaped_tags(super().__sklearn_tags__())


class RNNClassifier(BaseRNN, NetworkClassifier):
    """Recurrent network for classes of sequences, of equal length or not.

    X is an array of shape (n_samples, n_steps, n_channels), in which NaN may stand behind the end
    of shorter sequences; a list of arrays (n_steps, n_channels); or flat rows. A sequence's
    prediction does not depend on the padding or on the sequences beside it.

    Parameters
    ----------
    hidden_size : int, default=64
        Number of units of each recurrent layer (in each direction, if `bidirectional`).
    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Which recurrent layer: :class:`~sklearn_nn.layers.LSTM`, :class:`~sklearn_nn.layers.GRU` or
        :class:`~sklearn_nn.layers.SimpleRNN`.
    num_layers : int, default=1
        Number of recurrent layers, each of which reads the steps of the one before.
    bidirectional : bool, default=False
        Whether each recurrent layer reads the sequence in both directions.
    pooling : {'last', 'mean', 'max', 'attention'}, default='last'
        What is made of a sequence: what the last recurrent layer comes to at its end, or the mean,
        the largest, or a mean with learnt weights of all its steps.
    hidden_layer_sizes : int or tuple of int, default=()
        Number of units in each dense layer after that.
    return_sequences : bool, default=False
        Whether y has a target for every step (many to many); then there is no pooling, and the
        dense layers work on each step by itself.
    truncation : int or None, default=None
        The steps through which gradients go back: sequences are read in windows of so many, one
        batch after another, and the layers go on with what they remember (truncated
        back-propagation through time; Williams & Peng, 1990). Memory then grows with the window,
        and not with the sequence. With one target a sequence only the window in which it ends is
        learnt from, and `pooling` must be "last". None is the whole sequence.
    activation : str, default='relu'
        Activation of the dense layers, as in :class:`MLPClassifier`.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (steps, channels), for X that comes as flat rows. None takes the values
        of a row for steps of one channel.
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Whether X is of shape (n_samples, n_steps, n_channels) or (n_samples, n_channels, n_steps);
        in a list, each sequence is (steps, channels) or (channels, steps).
    solver : str or Optimizer, default='adam'
        How the weights are trained, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the penalty (L2, unless `l1_ratio` says otherwise), which is divided by the
        batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Samples in a batch; 'auto' is ``min(200, n_samples)``. Not used by 'lbfgs'.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
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
        The split is stratified by class.
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
        Share of the outputs of each recurrent and dense layer that is set to zero while training,
        in [0, 1); one for all layers, or one for each.
    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X while training, in the units of X.
    max_norm : float, default=0.0
        Largest norm of the weights that lead to one unit; 0 is no limit.
    weight_decay : float or None, default=None
        Share of each weight, times the learning rate, that every step takes away apart from the
        gradient (decoupled decay). None is the solver's own: 0.01 for 'adamw', 0 for the others.
    clipnorm : float, default=1.0
        Largest norm of the gradient of all parameters together; 0 is no limit. Gradients of long
        sequences may explode (Pascanu et al., 2013).
    ema_momentum : float, default=0.0
        Where positive, the fitted weights are a running average of those that training went
        through, of which so much is kept at each step, in [0, 1); 0.99 is usual.
    learning_rate_factors : dict of str to float or None, default=None
        Factors on the learning rate by name of layer, as :meth:`summary` has them; 0 freezes a
        layer, as :meth:`freeze` does. A name stands for all layers within it, too, 'pretrained' for
        those that :meth:`from_pretrained` copies; the longest name counts. 'lbfgs' takes 0 and 1.
    weight_init, bias_init : str or Initializer, default='glorot_uniform'
        How weights and biases of dense layers, and what recurrent layers multiply their input by,
        are drawn, as in :class:`MLPClassifier`. What they multiply their memory by is orthogonal,
        and their biases are 0, but 1 for the forget gate.
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
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes what `predict`
        returns.
    input_shape_ : tuple of int
        Shape of one sample.
    history_ : dict of str to list of float
        Figures of every epoch, lists of equal length: 'loss', 'learning_rate', 'seconds', and with
        a validation set 'val_loss' and 'val_score'.
    loss_curve_ : list of float
        Training loss of every epoch: the mean over all targets, by their weights.
    best_iteration_ : int
        The epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_parameters_ : int
        Number of parameters.
    n_iter_ : int
        Number of epochs.
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
    >>> y = [x[0, 0] > 0 for x in X]  # what came first has to be remembered
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

    def _make_codec(self):
        return LabelCodec(self._settings(), self._steps())


class RNNRegressor(BaseRNN, NetworkRegressor):
    """Recurrent network for numbers that go with sequences, of equal length or not.

    X is an array of shape (n_samples, n_steps, n_channels), in which NaN may stand behind the end
    of shorter sequences; a list of arrays of shape (n_steps, n_channels); or flat rows. With
    several outputs it forecasts so many steps; see :func:`sliding_windows`.

    Parameters
    ----------
    hidden_size : int, default=64
        Number of units of each recurrent layer (in each direction, if `bidirectional`).
    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Which recurrent layer: :class:`~sklearn_nn.layers.LSTM`, :class:`~sklearn_nn.layers.GRU` or
        :class:`~sklearn_nn.layers.SimpleRNN`.
    num_layers : int, default=1
        Number of recurrent layers, each of which reads the steps of the one before.
    bidirectional : bool, default=False
        Whether each recurrent layer reads the sequence in both directions.
    pooling : {'last', 'mean', 'max', 'attention'}, default='last'
        What is made of a sequence: what the last recurrent layer comes to at its end, or the mean,
        the largest, or a mean with learnt weights of all its steps.
    hidden_layer_sizes : int or tuple of int, default=()
        Number of units in each dense layer after that.
    return_sequences : bool, default=False
        Whether y has a target for every step (many to many); then there is no pooling, and the
        dense layers work on each step by itself.
    truncation : int or None, default=None
        The steps through which gradients go back: sequences are read in windows of so many, one
        batch after another, and the layers go on with what they remember (truncated
        back-propagation through time; Williams & Peng, 1990). Memory then grows with the window,
        and not with the sequence. With one target a sequence only the window in which it ends is
        learnt from, and `pooling` must be "last". None is the whole sequence.
    activation : str, default='relu'
        Activation of the dense layers, as in :class:`MLPRegressor`.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (steps, channels), for X that comes as flat rows. None takes the values
        of a row for steps of one channel.
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Whether X is of shape (n_samples, n_steps, n_channels) or (n_samples, n_channels, n_steps);
        in a list, each sequence is (steps, channels) or (channels, steps).
    solver : str or Optimizer, default='adam'
        How the weights are trained, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the penalty (L2, unless `l1_ratio` says otherwise), which is divided by the
        batch's sum of sample weights.
    batch_size : int or 'auto', default='auto'
        Samples in a batch; 'auto' is ``min(200, n_samples)``. Not used by 'lbfgs'.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
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
    loss : str or Loss, default='squared_error'
        'squared_error' is half the squared error; 'poisson' half the Poisson deviance, with the
        exponential as output activation, for targets ``y >= 0``. 'absolute_error', 'huber' and
        'log_cosh' heed outliers less; 'quantile' predicts the `quantile` of the target. An object
        sets what these depend on, such as ``Huber(delta=2)``, or is a loss of one's own.
    quantile : float, default=0.5
        The share of targets that shall lie below the prediction, with ``loss='quantile'``.
    l1_ratio : float, default=0.0
        Share of the penalty that is L1, the sum of absolute weights, in [0, 1]; the rest is L2,
        half the sum of squares.
    dropout : float or list of float, default=0.0
        Share of the outputs of each recurrent and dense layer that is set to zero while training,
        in [0, 1); one for all layers, or one for each.
    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X while training, in the units of X.
    max_norm : float, default=0.0
        Largest norm of the weights that lead to one unit; 0 is no limit.
    weight_decay : float or None, default=None
        Share of each weight, times the learning rate, that every step takes away apart from the
        gradient (decoupled decay). None is the solver's own: 0.01 for 'adamw', 0 for the others.
    clipnorm : float, default=1.0
        Largest norm of the gradient of all parameters together; 0 is no limit. Gradients of long
        sequences may explode (Pascanu et al., 2013).
    ema_momentum : float, default=0.0
        Where positive, the fitted weights are a running average of those that training went
        through, of which so much is kept at each step, in [0, 1); 0.99 is usual.
    learning_rate_factors : dict of str to float or None, default=None
        Factors on the learning rate by name of layer, as :meth:`summary` has them; 0 freezes a
        layer, as :meth:`freeze` does. A name stands for all layers within it, too, 'pretrained' for
        those that :meth:`from_pretrained` copies; the longest name counts. 'lbfgs' takes 0 and 1.
    weight_init, bias_init : str or Initializer, default='glorot_uniform'
        How weights and biases of dense layers, and what recurrent layers multiply their input by,
        are drawn, as in :class:`MLPRegressor`. What they multiply their memory by is orthogonal,
        and their biases are 0, but 1 for the forget gate.
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
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes what `predict`
        returns.
    input_shape_ : tuple of int
        Shape of one sample.
    history_ : dict of str to list of float
        Figures of every epoch, lists of equal length: 'loss', 'learning_rate', 'seconds', and with
        a validation set 'val_loss' and 'val_score'.
    loss_curve_ : list of float
        Training loss of every epoch: the mean over all targets, by their weights.
    best_iteration_ : int
        The epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_parameters_ : int
        Number of parameters.
    n_iter_ : int
        Number of epochs.
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

    def _make_codec(self):
        return NumberCodec(self._settings(), self._steps())
