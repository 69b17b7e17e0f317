"""Recurrent networks: RNNClassifier and RNNRegressor."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length

from sklearn_nn.estimators._core.automatic import AUTO, AUTOMATIC, Usual
from sklearn_nn.estimators._core.base import BaseNetwork, BatchClassifier, BatchRegressor
from sklearn_nn.estimators._core.fitted_network import check_fitted
from sklearn_nn.estimators._core.parameters import COUNT, StrOptions, estimator_parameters
from sklearn_nn.estimators._inputs.shaped import ShapedReader, WindowReader
from sklearn_nn.estimators._targets.steps import Steps, flat_steps
from sklearn_nn.estimators.mlp import (
    check_sizes,
    draws,
    dropout_rates,
    hidden_layers,
    with_output,
)
from sklearn_nn.estimators.network import SHAPED_TAGS
from sklearn_nn.layers import (
    GRU,
    LSTM,
    AttentionPool,
    Bidirectional,
    Dense,
    Dropout,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    SimpleRNN,
    TimeDistributed,
)
from sklearn_nn.layers.shape import CHANNELS_LAST
from sklearn_nn.network.initializers import Initializer

#: Classes of recurrent layers that `cell` selects.
CELLS = {"lstm": LSTM, "gru": GRU, "rnn": SimpleRNN}
CELL_CONSTRAINT = [StrOptions(set(CELLS))]
#: Layers for `pooling`; for "last" the last recurrent layer returns its last step only.
POOLS = {"mean": GlobalAveragePool, "max": GlobalMaxPool, "attention": AttentionPool}


def recurrent_layers(
    cell, units, rates, *, return_sequences=True, bidirectional=False, kernel_initializer=None
):
    """Return (name, layer) pairs of recurrent layers, each of which reads the one before.

    `rates` are the rates of dropout after each layer; that after the last is left to the caller.
    The last layer returns all time steps with `return_sequences`.
    """
    layers = []
    for i, rate in enumerate(rates, 1):
        steps = i < len(rates) or return_sequences
        layer = CELLS[cell](units, return_sequences=steps, kernel_initializer=kernel_initializer)
        if bidirectional:
            layer = Bidirectional(layer)
        layers.append((f"{cell}{i}", layer))
        if rate and i < len(rates):
            layers.append((f"{cell}dropout{i}", Dropout(rate)))
    return layers


@estimator_parameters
class BaseRNN(BaseNetwork):
    """Base of recurrent networks: recurrent layers, pooling over time, dense layers."""

    hidden_size: int = 64
    _: KW_ONLY
    cell: str = "lstm"
    num_layers: int = 1
    bidirectional: bool = False
    pooling: str = "last"
    hidden_layer_sizes: int | tuple[int, ...] = ()
    return_sequences: bool = False
    truncation: int | None = None
    activation: str = "relu"
    dropout: float | list[float] = 0.0
    input_noise: float = 0.0
    weight_init: str | Initializer = "glorot_uniform"
    bias_init: str | Initializer = "glorot_uniform"
    clipnorm: float = 1.0
    input_shape: tuple[int, ...] | None = None
    data_format: str = CHANNELS_LAST
    scale_inputs: bool | str = "auto"
    batch_size: int | str = AUTO
    learning_rate_init: float | str = AUTO
    max_iter: int | str = AUTO

    _parameter_constraints: ClassVar[dict] = {
        **AUTOMATIC,
        "cell": CELL_CONSTRAINT,
        "bidirectional": ["boolean"],
        "pooling": [StrOptions({"last", *POOLS})],
        "return_sequences": ["boolean"],
        "truncation": [*COUNT, None],
    }
    _usual = Usual(rate=0.01)  # gates allow more than other layers
    _input_tags = SHAPED_TAGS
    batch_norm = False  # not a parameter: dense layers have none here

    def _make_reader(self):
        shape = self.input_shape
        steps = (-1, 1) if shape is None or len(shape) != 2 else tuple(map(int, shape))
        options = {"takes_any_length": True, "rows_are_signals": True, "steps_of_rows": steps}
        options |= {"scales": self.scale_inputs, "goes_by_place": True}
        if self.truncation is None:
            return ShapedReader(shape, self.data_format, **options)
        return WindowReader(shape, self.data_format, truncation=self.truncation, **options)

    def _steps(self):
        if not self.return_sequences and self.truncation is None:
            return None
        return Steps(self.return_sequences, self.truncation)

    def _layers(self, reader, n_outputs):
        shape, n_layers = reader.shape, self.num_layers
        self._check_truncation()
        if len(shape) != 2:
            raise ValueError(f"input_shape={shape}: recurrent layers need (steps, channels).")
        sizes = check_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        rates = dropout_rates(self.dropout, n_layers + len(sizes))[:n_layers]
        layers = [("noise", GaussianNoise(self.input_noise))] if self.input_noise else []
        layers += recurrent_layers(
            self.cell,
            self.hidden_size,
            rates,
            return_sequences=self.return_sequences or self.pooling != "last",
            bidirectional=self.bidirectional,
            kernel_initializer=draws(self)[0],
        )
        if not self.return_sequences and self.pooling != "last":
            layers.append(("pooling", POOLS[self.pooling]()))
        if rates[-1]:
            layers.append((f"{self.cell}dropout{n_layers}", Dropout(rates[-1])))
        layers += hidden_layers(self, n_layers)
        if not self.return_sequences:
            return with_output(layers, shape, n_outputs)
        layers.append(("output", Dense(n_outputs)))
        return [(n, TimeDistributed(x) if isinstance(x, Dense) else x) for n, x in layers]

    def _check_truncation(self):
        """Raise ValueError if `truncation` contradicts other parameters."""
        if self.truncation is None:
            return
        if not self.return_sequences and self.pooling != "last":
            raise ValueError(
                f"truncation={self.truncation} reads sequences window by window, but "
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
                f"truncation={self.truncation} trains window by window, but solver='lbfgs' on all "
                "rows at once; use another solver, or truncation=None."
            )

    def score(self, X, y, sample_weight=None):
        """Return the accuracy of a classifier, or R^2 of a regressor, over all targets.

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


@estimator_parameters
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
    dropout : float or list of float, default=0.0
        Dropout rate, in [0, 1), of all recurrent and dense layers, or a list with one per layer.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to X in training, in the units of X.
    weight_init : str or Initializer, default='glorot_uniform'
        Initializer of the weights of dense layers and of the input weights of recurrent ones, as in
        :class:`MLPClassifier`. Recurrent weights are orthogonal.
    bias_init : str or Initializer, default='glorot_uniform'
        Initializer of the biases of dense layers, as `weight_init`, but not 'orthogonal'. Those of
        recurrent layers are 0 (1 for the forget gate).
    clipnorm : float, default=1.0
        Maximum L2 norm of the gradient; 0 is no limit.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (steps, channels), where X has flat rows; None is (n_features, 1).
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Axes of a sample: (steps, channels), or (channels, steps) for 'channels_first'.
    scale_inputs : bool or 'auto', default='auto'
        Whether the network subtracts the mean of each channel of X and divides by its standard
        deviation, as learnt by the first `fit` or `partial_fit`. 'auto' does so if X is plainly not
        of unit size: a channel is large (root mean square above 10), or all are small (standard
        deviation below 0.1) or far from 0 (mean above 4 standard deviations).
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is a hundredth of those to train on, from 16 to 128, or
        all if they are fewer than 32. 'lbfgs' ignores it.
    learning_rate_init : float or 'auto', default='auto'
        Initial learning rate; :func:`find_learning_rate` suggests one. 'auto' is 0.01 for 'adam',
        and proportional to it for other solvers (see the user guide).
    max_iter : int or 'auto', default='auto'
        Maximum number of epochs, or of iterations of 'lbfgs' (200 for 'auto'). 'auto' is as many
        epochs as make 2000 updates, from 10 to 200.
    loss : {'log_loss', 'focal'} or Loss, default='log_loss'
        'focal' (Lin et al., 2017) gives less weight to easy samples. Objects may be user-defined.
    label_smoothing : float, default=0.0
        Share of each target that 'log_loss' distributes evenly over all classes, in [0, 1).
    class_weight : dict, 'balanced' or None, default=None
        Factors on sample weights by class, also in validation; 'balanced': inverse frequencies.
    solver : str or Optimizer, default='adam'
        Optimizer of the weights, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the L2 penalty (see `l1_ratio`), divided by the batch's sum of sample weights.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the loss or validation score; gradient tolerance of 'lbfgs'.
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
        keep the best weights. 'best' never stops. The split is stratified.
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

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes predictions.
    input_scale_ : ndarray of shape (2, n_channels) or None
        Mean and standard deviation by which X is scaled; None if it is not. See `scale_inputs`.
    input_shape_ : tuple of int
        Shape of one sample.
    batch_size_ : int
        The `batch_size` in use, in particular if it is 'auto'. Not set by 'lbfgs'.
    learning_rate_init_ : float
        The `learning_rate_init` in use, in particular if it is 'auto'. Not set by 'lbfgs'.
    max_iter_ : int
        The `max_iter` in use, in particular if it is 'auto'.
    loss_curve_ : list of float
        Training loss of every epoch: the weighted mean over all targets.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_iter_ : int
        Number of epochs, or of iterations of 'lbfgs'.
    n_parameters_ : int
        Number of trainable parameters.
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
    >>> X = [rng.standard_normal((n, 1)) for n in rng.integers(5, 20, 400)]
    >>> y = [x[0, 0] > 0 for x in X]  # depends on the first time step only
    >>> model = RNNClassifier(
    ...     16, cell="gru", batch_size=32, learning_rate_init=0.02, max_iter=40, random_state=0
    ... )
    >>> round(model.fit(X[:300], y[:300]).score(X[300:], y[300:]), 1)
    1.0
    """


@estimator_parameters
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
    dropout : float or list of float, default=0.0
        Dropout rate, in [0, 1), of all recurrent and dense layers, or a list with one per layer.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to X in training, in the units of X.
    weight_init : str or Initializer, default='glorot_uniform'
        Initializer of the weights of dense layers and of the input weights of recurrent ones, as in
        :class:`MLPClassifier`. Recurrent weights are orthogonal.
    bias_init : str or Initializer, default='glorot_uniform'
        Initializer of the biases of dense layers, as `weight_init`, but not 'orthogonal'. Those of
        recurrent layers are 0 (1 for the forget gate).
    clipnorm : float, default=1.0
        Maximum L2 norm of the gradient; 0 is no limit.
    input_shape : tuple of int or None, default=None
        Shape of one sample, (steps, channels), where X has flat rows; None is (n_features, 1).
    data_format : {'channels_last', 'channels_first'}, default='channels_last'
        Axes of a sample: (steps, channels), or (channels, steps) for 'channels_first'.
    scale_inputs : bool or 'auto', default='auto'
        Whether the network subtracts the mean of each channel of X and divides by its standard
        deviation, as learnt by the first `fit` or `partial_fit`. 'auto' does so if X is plainly not
        of unit size: a channel is large (root mean square above 10), or all are small (standard
        deviation below 0.1) or far from 0 (mean above 4 standard deviations).
    batch_size : int or 'auto', default='auto'
        Number of samples in a batch; 'auto' is a hundredth of those to train on, from 32 to 128, or
        all if they are fewer than 64. 'lbfgs' ignores it.
    learning_rate_init : float or 'auto', default='auto'
        Initial learning rate; :func:`find_learning_rate` suggests one. 'auto' is 0.004 for 'adam',
        and proportional to it for other solvers (see the user guide).
    max_iter : int or 'auto', default='auto'
        Maximum number of epochs, or of iterations of 'lbfgs' (200 for 'auto'). 'auto' is as many
        epochs as make 1000 updates, from 10 to 200.
    loss : str or Loss, default='squared_error'
        Loss to minimize, as in :class:`MLPRegressor`, between outputs and scaled targets: `delta`
        of 'huber' is in standard deviations of y.
    quantile : float or list of float, default=0.5
        Quantile that ``loss='quantile'`` predicts, in (0, 1), or several in ascending order, which
        one network predicts so that they never cross: :meth:`predict_quantiles` returns all of
        them, and `predict` the middle one (of two, that which is nearer to 0.5).
    conformal_fraction : float, default=0.0
        Share of the samples that is held out of the whole fit, to shift each quantile but the
        median so that its level holds for new samples (conformal prediction: Romano, Patterson &
        Candès, 2019). 0 shifts none.
    solver : str or Optimizer, default='adam'
        Optimizer of the weights, as in :class:`MLPClassifier`.
    alpha : float, default=0.0001
        Strength of the L2 penalty (see `l1_ratio`), divided by the batch's sum of sample weights.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, batch order and dropout.
    tol : float, default=0.0001
        Minimum improvement of the loss or validation score; gradient tolerance of 'lbfgs'.
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

    Attributes
    ----------
    layers_ : dict of str to dict of str to ndarray
        Weights and other arrays by layer and name. Writing into them changes predictions.
    input_scale_ : ndarray of shape (2, n_channels) or None
        Mean and standard deviation by which X is scaled; None if it is not. See `scale_inputs`.
    input_shape_ : tuple of int
        Shape of one sample.
    batch_size_ : int
        The `batch_size` in use, in particular if it is 'auto'. Not set by 'lbfgs'.
    learning_rate_init_ : float
        The `learning_rate_init` in use, in particular if it is 'auto'. Not set by 'lbfgs'.
    max_iter_ : int
        The `max_iter` in use, in particular if it is 'auto'.
    loss_curve_ : list of float
        Training loss of every epoch: the weighted mean over all targets. These are scaled to
        standard deviation 1.
    history_ : dict of str to list of float
        'loss', 'learning_rate', 'seconds', and 'val_loss', 'val_score' if validated, of each epoch.
    best_iteration_ : int
        Epoch of the best validation score with `early_stopping`, else of the smallest loss.
    n_iter_ : int
        Number of epochs, or of iterations of 'lbfgs'.
    n_parameters_ : int
        Number of trainable parameters.
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
    >>> model = RNNRegressor(
    ...     16, cell="gru", batch_size=32, learning_rate_init=0.01, max_iter=40, random_state=0
    ... )
    >>> round(model.fit(X[:300], y[:300]).score(X[300:], y[300:]), 1)
    1.0
    """

    # Values to forecast are noisier than classes, and long training learns the noise.
    _usual = Usual(rate=0.004, least_batch=32, updates=1000)
